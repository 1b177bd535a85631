//! `reveille up`: every stage in one process, on embedded parts.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use api::Api;
use axum::Router;
use bridge::Bridge;
use chassis::settings::Settings;
use chassis::{admin, server, site};
use collectors::Collectors;
use pipeline::log::embedded::EmbeddedLog;
use schemas::Principal;
use tokio::task::JoinSet;
use view::View;
use view::memory::MemoryView;

use crate::data_folder::DataFolder;
use crate::process::Process;
use crate::{demo, listeners, stages};

/// What is asked for besides.
pub(crate) struct Options {
    /// Play a scene of alerts.
    pub(crate) demo: bool,
    /// Make a new key for secrets when the old one is lost.
    pub(crate) new_secret_key: bool,
}

/// Runs everything until a signal ends it.
pub(crate) async fn run(
    data: PathBuf,
    listen: SocketAddr,
    admin_listen: SocketAddr,
    options: Options,
) -> anyhow::Result<()> {
    let settings = Settings {
        listen: Some(listen),
        admin_listen: Some(admin_listen),
        ..Settings::load(None, std::env::vars())?
    };
    settings.listen()?;
    settings.riemann_listen()?;
    settings.smtp_listen()?;
    settings.mqtt()?;
    let tls = settings.tls()?;
    if options.demo && tls.is_some() {
        bail!("the demo posts without TLS: leave out --demo, or tls_certificate");
    }
    let process = Process::begin(&settings, "up")?;
    let data = DataFolder::open(data)?;
    let listener = server::listen(listen, "--listen").await?;
    let admin_listener = server::listen(admin_listen, "--admin-listen").await?;
    let log = EmbeddedLog::open_keeping(
        data.log(),
        process.clock.clone(),
        stages::rejected_retention(&settings),
    )?;
    let store = data.database().await?;
    let stored = store.site().await?;
    let site_key = data.site_key(&settings, &stored, options.new_secret_key)?;
    let integration_key = data.integration_key(stored.revision == 0)?;
    let log = Arc::new(log);
    let context = process.context(log.clone());
    log.report_to(&context.health, "log folder");
    let view: Arc<dyn View> = Arc::new(MemoryView::new());
    let site = site::follow_at_pace(&context, stages::pace(&settings));
    let api = Api::start(&context, store.clone(), site_key.clone())
        .as_alertmanager(settings.alertmanager_version.as_deref())
        .keeping_revisions(settings.site_revisions);
    if let Some(key) = &integration_key
        && api.is_new().await?
    {
        api.apply(&default_site(key), false, &Principal::system())
            .await
            .context("the first site cannot be applied")?;
    }

    let mut tasks = JoinSet::new();
    tasks.spawn(decorator::run(context.clone(), site.clone()));
    tasks.spawn(daemon::run(
        context.clone(),
        site.clone(),
        store.clone(),
        stages::retention(&settings),
    ));
    tasks.spawn(aggregator::run(context.clone(), store.clone(), Arc::clone(&view)));
    tasks.spawn(notifiers::run(
        context.clone(),
        site.clone(),
        // Lists that people read must not hold up what is to be sent.
        store.with_readers_of_its_own(),
        site_key.clone(),
        notifiers::Settings {
            console_url: settings.console_url(),
            allow_private_destinations: settings.allow_private_destinations,
        },
    ));
    let access = stages::access(&settings);
    let guarded = access.guard(
        Router::new()
            .merge(api.routes())
            .merge(stages::live(Bridge::start(
                context.clone(),
                view,
                stages::bridge_limits(&settings),
            ))),
    );
    let collectors = Collectors::new(
        context.clone(),
        site.clone(),
        Some(site_key),
        settings.alert_bounds,
        settings.body_memory_bytes(),
    );
    tasks.spawn(collectors.clone().report_usage());
    listeners::open(&settings, &process.connections, &collectors, &mut tasks).await?;
    let routes = Router::new()
        .merge(api.opsgenie(site, &settings.console_url()))
        .merge(collectors.routes())
        .merge(guarded)
        .merge(access.routes())
        .merge(Api::console());
    tasks.spawn(server::serve_secured(
        listener,
        process.connections.http(),
        tls,
        routes,
        process.shutdown.clone(),
    ));
    tasks.spawn(server::serve(
        admin_listener,
        process.connections.admin(),
        admin::routes(context.clone()),
        process.shutdown.clone(),
    ));
    if options.demo {
        let Some(key) = integration_key.clone() else {
            bail!(
                "the demo posts with the key in integration-key, which is missing: put it back from the backup"
            );
        };
        tasks.spawn(demo::play(listen, key, process.shutdown.clone()));
    }
    greet(listen, &settings, integration_key.as_deref(), data.path())?;
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            // A panic: `/healthz` is red from now on, and the watchdog ends the process.
            tracing::error!(%error, "a task has died");
        }
    }
    process.end()
}

/// Tells a newcomer where everything is. Log lines go to standard error, this to standard output.
fn greet(listen: SocketAddr, settings: &Settings, key: Option<&str>, data: &Path) -> anyhow::Result<()> {
    // The file may be lost; what has the key goes on working.
    let key = key.unwrap_or("(integration-key is missing)");
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "
Reveille is up.

  Console          {console}
  Health           http://{admin}/readyz
  Integration key  {key}
  Data folder      {data}

Raise an alert (send it again with \"ok\" to close it):

  curl -X POST '{scheme}://{listen}/monitoring-system/api?integration_key={key}' \\
    -H 'Content-Type: application/json' \\
    -d '{{\"alert_name\":\"Disk almost full\",\"alert_severity\":\"critical\",\"source\":\"demo\",\"object\":\"web-1\",\"notification_output\":\"/var is 97 % full\"}}'
",
        scheme = settings.scheme(),
        console = settings.console_url(),
        admin = settings.admin_listen()?,
        data = data.display(),
    )?;
    out.flush()?;
    Ok(())
}

/// What a new data folder begins with: alerts are shown on the console, and nobody is told yet.
fn default_site(integration_key: &str) -> String {
    format!(
        "environments:
  - {{name: default, number: 1, description: Everything that belongs nowhere else}}
scenarios:
  - {{name: default, number: 1, description: Shown on the console only, steps: []}}
integrations:
  - {{name: default, type: any, environment: default, scenario: default, key: {integration_key}}}
"
    )
}
