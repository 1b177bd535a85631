//! `reveille up`: every stage in one process, on embedded parts.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use api::Api;
use axum::Router;
use bridge::Bridge;
use chassis::secrets::SiteKey;
use chassis::session::Access;
use chassis::settings::Settings;
use chassis::{admin, server, site};
use collectors::Collectors;
use pipeline::log::embedded::EmbeddedLog;
use rand::RngExt;
use store::Store;
use tokio::task::JoinSet;
use view::View;
use view::memory::MemoryView;

use crate::process::Process;
use crate::{demo, doors, stages};

/// Runs everything until a signal ends it.
pub(crate) async fn run(
    data: PathBuf,
    listen: SocketAddr,
    admin_listen: SocketAddr,
    play_demo: bool,
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
    if play_demo && tls.is_some() {
        bail!("the demo posts without TLS: leave out --demo, or tls_certificate");
    }
    let process = Process::begin(&settings, "up")?;
    fs::create_dir_all(&data)
        .with_context(|| format!("the data folder {} cannot be made", data.display()))?;
    let site_key = site_key(&settings, &data)?;
    let integration_key = integration_key(&data)?;

    let listener = server::listen(listen, "--listen").await?;
    let admin_listener = server::listen(admin_listen, "--admin-listen").await?;
    let log = EmbeddedLog::open(data.join("log"), process.clock.clone())?;
    let store = Store::open(&format!("sqlite://{}", data.join("state.sqlite").display())).await?;
    store.migrate().await?;
    let log = Arc::new(log);
    let context = process.context(log.clone());
    log.report_to(&context.health, "log folder");
    let view: Arc<dyn View> = Arc::new(MemoryView::new());
    let site = site::follow_at_pace(&context, stages::pace(&settings));
    let api = Api::start(&context, store.clone(), site_key.clone())
        .as_alertmanager(settings.alertmanager_version.as_deref());
    if api.is_new().await? {
        api.apply(&default_site(&integration_key), false)
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
    let access = Access::new(settings.access_token.as_deref(), &settings.console_url());
    let guarded = access.guard(
        Router::new()
            .merge(api.routes())
            .merge(bridge::routes(Bridge::start(
                context.clone(),
                view,
                settings.bridge_clients.unwrap_or(bridge::CLIENTS_MAX),
            ))),
    );
    let collectors = Collectors::new(
        context.clone(),
        site.clone(),
        Some(site_key),
        settings.alert_bounds,
    );
    tasks.spawn(collectors.clone().tell_usage());
    doors::open(&settings, &process.connections, &collectors, &mut tasks).await?;
    let routes = Router::new()
        .merge(api.opsgenie(site))
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
    if play_demo {
        tasks.spawn(demo::play(
            listen,
            integration_key.clone(),
            process.shutdown.clone(),
        ));
    }
    greet(listen, &settings, &integration_key, &data)?;
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            // A panic: `/healthz` is red from now on, and the watchdog ends the process.
            tracing::error!(%error, "a task has died");
        }
    }
    process.end()
}

/// Tells a newcomer where everything is. Log lines go to standard error, this to standard output.
fn greet(listen: SocketAddr, settings: &Settings, key: &str, data: &Path) -> anyhow::Result<()> {
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

/// The key for secrets: the one that is set, else one that is kept in the data folder.
fn site_key(settings: &Settings, data: &Path) -> anyhow::Result<SiteKey> {
    if settings.secret_key.is_some() || settings.secret_key_file.is_some() {
        return Ok(settings.site_key()?);
    }
    let text = kept(&data.join("secret.key"), || {
        SiteKey::from_bytes(rand::rng().random()).to_text()
    })?;
    SiteKey::parse(&text).with_context(|| format!("{} is damaged", data.join("secret.key").display()))
}

/// The key of the default integration, kept in the data folder.
fn integration_key(data: &Path) -> anyhow::Result<String> {
    let path = data.join("integration-key");
    let key = kept(&path, || format!("{:032x}", rand::rng().random::<u128>()))?;
    if key.is_empty() {
        bail!(
            "{} is empty: remove it, and the data folder with it, to begin anew",
            path.display()
        );
    }
    Ok(key)
}

/// The text of a file that only its owner may read; made when it is not there, whole or not at all.
fn kept(path: &Path, make: impl FnOnce() -> String) -> anyhow::Result<String> {
    let context = || format!("{} cannot be used", path.display());
    if path.exists() {
        return Ok(fs::read_to_string(path).with_context(context)?.trim().to_owned());
    }
    let text = make();
    let unfinished = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .with_context(context)?;
    writeln!(file, "{text}").with_context(context)?;
    file.sync_all().with_context(context)?;
    fs::rename(&unfinished, path).with_context(context)?;
    if let Some(folder) = path.parent() {
        // Without it a power cut may undo the renaming.
        fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .with_context(context)?;
    }
    Ok(text)
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
