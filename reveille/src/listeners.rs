//! The listeners of the collectors for protocols other than HTTP, where the settings enable them.

use chassis::connections::ConnectionLimits;
use chassis::server;
use chassis::settings::Settings;
use collectors::Collectors;
use tokio::task::JoinSet;

/// Starts them.
pub(crate) async fn open(
    settings: &Settings,
    connections: &ConnectionLimits,
    collectors: &Collectors,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    if let Some(address) = settings.riemann_listen()? {
        let listener = server::listen(address, "riemann_listen").await?;
        let key = settings.riemann_integration_key.clone();
        tasks.spawn(
            collectors
                .clone()
                .serve_riemann(listener, connections.riemann(), key),
        );
    }
    if let Some(address) = settings.smtp_listen()? {
        let listener = server::listen(address, "smtp_listen").await?;
        tasks.spawn(collectors.clone().serve_smtp(listener, connections.smtp()));
    }
    if let Some(broker) = settings.mqtt()? {
        tasks.spawn(collectors.clone().serve_mqtt(broker));
    }
    Ok(())
}
