//! `reveille <stage>`: one stage on Kafka, MariaDB and Aerospike.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::Api;
use axum::Router;
use bridge::Bridge;
use chassis::connections::ConnectionLimits;
use chassis::principal::require_for_all;
use chassis::session::Access;
use chassis::settings::Settings;
use chassis::{admin, server, site};
use collectors::Collectors;
use pipeline::log::RejectedRetention;
use pipeline::log::embedded::OpenError;
use pipeline::log::kafka::{KafkaLog, KafkaSettings};
use pipeline::log::spooled::{SpoolError, SpooledLog};
use pipeline::{Context, Health, Log};
use schemas::Permission;
use store::Store;
use tokio::task::JoinSet;
use view::aerospike::{AerospikeSettings, AerospikeView};
use view::memory::MemoryView;
use view::{View, ViewError};

use crate::listeners;
use crate::process::{Process, migrated};

const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Copies of a collector that may share the folder of their spools, and one more.
const COPIES_MAX: usize = 65;

/// The stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Collectors,
    Decorator,
    Daemon,
    Aggregator,
    Bridge,
    Notifiers,
    Api,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Stage::Collectors => "collectors",
            Stage::Decorator => "decorator",
            Stage::Daemon => "daemon",
            Stage::Aggregator => "aggregator",
            Stage::Bridge => "bridge",
            Stage::Notifiers => "notifiers",
            Stage::Api => "api",
        }
    }
}

/// Runs one stage until a signal ends it.
pub(crate) async fn run(stage: Stage, config: Option<PathBuf>) -> anyhow::Result<()> {
    let settings = Settings::load(config.as_deref(), std::env::vars())?;
    let process = Process::begin(&settings, stage.name())?;
    let kafka = kafka_settings(&settings, stage)?;
    // What is wrong with the settings is said before anything is waited for.
    let needs = Needs::of(stage, &settings).await?;
    let admin_listener = server::listen(settings.admin_listen()?, "admin_listen").await?;
    let log = Arc::new(KafkaLog::connect(kafka)?);
    let mut context = process.context(Arc::clone(&log) as Arc<dyn Log>);
    let spool = settings.spool().filter(|_| stage == Stage::Collectors);
    let spool = match spool {
        Some((folder, bytes)) => {
            let (log, place) = spooled(&context, folder, bytes).await?;
            context.log = Arc::new(log);
            Some(place)
        }
        None => None,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(server::serve(
        admin_listener,
        process.connections.admin(),
        admin::routes(context.clone()),
        process.shutdown.clone(),
    ));
    let prepared = prepared(process.health.clone(), log, needs.store.clone());
    let prepared = process.shutdown.clone().run_until_cancelled_owned(prepared);
    if spool.is_some() {
        // It takes alerts at once, also while the log is away.
        tasks.spawn(async {
            prepared.await;
        });
    } else if prepared.await.is_none() {
        return Ok(());
    }
    if let Some(store) = &needs.store {
        store.report_to(&context.health, &context.metrics);
    }
    let connections = &process.connections;
    start(stage, &settings, connections, &context, needs, spool, &mut tasks).await?;
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task has died");
        }
    }
    process.end()
}

/// The stores that a stage works with.
#[derive(Default)]
struct Needs {
    store: Option<Store>,
    /// None for a bridge that keeps the view itself.
    aerospike: Option<AerospikeSettings>,
}

impl Needs {
    async fn of(stage: Stage, settings: &Settings) -> anyhow::Result<Self> {
        let mut needs = Self::default();
        if matches!(stage, Stage::Aggregator | Stage::Bridge) {
            needs.aerospike = aerospike(settings)?;
        }
        if stage == Stage::Aggregator {
            Settings::required(
                "aerospike",
                settings.aerospike.as_ref(),
                "the nodes that keep the hot view",
            )?;
        }
        let keeps_view = stage == Stage::Bridge && needs.aerospike.is_none();
        if keeps_view
            || matches!(
                stage,
                Stage::Daemon | Stage::Aggregator | Stage::Notifiers | Stage::Api
            )
        {
            let url = Settings::required(
                "database",
                settings.database.as_ref(),
                "mysql://user:password@host:3306/reveille",
            )?;
            needs.store = Some(Store::open(url).await?);
        }
        if matches!(stage, Stage::Notifiers | Stage::Api) {
            settings.site_key()?;
        }
        if stage == Stage::Collectors {
            settings.riemann_listen()?;
            settings.site_key_if_set()?;
            settings.smtp_listen()?;
            settings.mqtt()?;
        }
        if matches!(stage, Stage::Collectors | Stage::Bridge | Stage::Api) {
            settings.listen()?;
            settings.tls()?;
        }
        Ok(needs)
    }
}

/// How often the daemon writes what changes all the time.
pub(crate) fn pace(settings: &Settings) -> domain::Pace {
    domain::Pace::of_seconds(settings.last_seen_seconds, settings.text_changes_seconds)
}

/// What the settings say, and else what is good for most.
pub(crate) fn bridge_limits(settings: &Settings) -> bridge::Limits {
    let usual = bridge::Limits::default();
    bridge::Limits {
        clients: settings.bridge_clients.unwrap_or(usual.clients),
        snapshots: settings.bridge_snapshots.unwrap_or(usual.snapshots),
        frame_bytes: settings.bridge_frame_bytes.unwrap_or(usual.frame_bytes),
    }
}

/// Who may use console, API and websocket.
pub(crate) fn access(settings: &Settings) -> Access {
    Access::new(
        settings.access_token.as_deref(),
        settings.access_token_name.as_deref(),
        &settings.console_url(),
    )
}

/// The websocket of the console, which shows alerts.
pub(crate) fn live(bridge: Bridge) -> Router {
    require_for_all(Permission::AlertsRead, bridge::routes(bridge))
}

/// How long bodies that were refused are kept.
pub(crate) fn rejected_retention(settings: &Settings) -> RejectedRetention {
    RejectedRetention {
        days: settings.rejected_days,
        bytes: settings.rejected_bytes,
    }
}

/// For how long the daemon keeps what is over.
pub(crate) fn retention(settings: &Settings) -> daemon::Retention {
    daemon::Retention::of_days(
        settings.deliveries_days,
        settings.history_days,
        settings.closed_alerts_days,
    )
}

/// Opens the spool in this folder, or in a part of it when other copies of the process use the folder too. Answers where
/// it is. A copy takes the first place that no other one uses, so what a copy has left is drained by the next one.
async fn spooled(context: &Context, folder: &Path, bytes: u64) -> anyhow::Result<(SpooledLog, PathBuf)> {
    let mut place = folder.to_owned();
    for copy in 2..=COPIES_MAX {
        match SpooledLog::open(context, &place, bytes).await {
            Err(SpoolError::Open(OpenError::InUse { .. })) => place = folder.join(format!("copy-{copy}")),
            opened => return Ok((opened?, place)),
        }
    }
    anyhow::bail!(
        "the spool {} is in use by {} other processes: give this one a folder of its own",
        folder.display(),
        COPIES_MAX - 1
    )
}

fn aerospike(settings: &Settings) -> anyhow::Result<Option<AerospikeSettings>> {
    let Some(hosts) = &settings.aerospike else {
        return Ok(None);
    };
    let namespace = settings.aerospike_namespace.as_deref().unwrap_or("reveille");
    let closed_for = settings.aerospike_closed_seconds.map(Duration::from_secs);
    Ok(Some(AerospikeSettings {
        closed_for: closed_for.unwrap_or(AerospikeSettings::CLOSED_FOR),
        credentials: settings.aerospike_credentials()?,
        tls: settings.aerospike_tls()?,
        alternate_addresses: settings.aerospike_alternate_addresses,
        cluster_name: settings.aerospike_cluster_name.clone(),
        ..AerospikeSettings::new(hosts, namespace)
    }))
}

/// Waits until topics and tables are there.
async fn prepared(health: Health, log: Arc<KafkaLog>, store: Option<Store>) {
    let task = health.task("topics");
    while let Err(error) = log.ensure_topics().await {
        tracing::warn!(%error, "the topics are not there yet");
        task.waiting("log");
        tokio::time::sleep(RETRY_AFTER).await;
    }
    task.ended();
    if let Some(store) = store {
        migrated(&health, &store).await;
    }
}

fn kafka_settings(settings: &Settings, stage: Stage) -> anyhow::Result<KafkaSettings> {
    let bootstrap = Settings::required(
        "kafka",
        settings.kafka.as_ref(),
        "the brokers, such as kafka-1:9092,kafka-2:9092",
    )?;
    Ok(KafkaSettings {
        bootstrap: bootstrap.to_owned(),
        client_id: format!("reveille-{}", stage.name()),
        instance: settings.kafka_instance()?,
        properties: settings.kafka_properties.clone(),
        rejected: rejected_retention(settings),
    })
}

async fn start(
    stage: Stage,
    settings: &Settings,
    connections: &ConnectionLimits,
    context: &Context,
    needs: Needs,
    spool: Option<PathBuf>,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let store = || {
        needs
            .store
            .clone()
            .ok_or_else(|| anyhow::anyhow!("the stage has no database"))
    };
    let access = access(settings);
    let routes = match stage {
        Stage::Collectors => {
            let site_key = settings.site_key_if_set()?;
            let site = match spool {
                Some(folder) => site::follow_remembering(context, folder.join("site.json")),
                None => site::follow(context),
            };
            let memory = settings.body_memory_bytes();
            let collectors = Collectors::new(context.clone(), site, site_key, settings.alert_bounds, memory);
            tasks.spawn(collectors.clone().report_usage());
            listeners::open(settings, connections, &collectors, tasks).await?;
            collectors.routes()
        }
        Stage::Decorator => {
            tasks.spawn(decorator::run(context.clone(), site::follow(context)));
            return Ok(());
        }
        Stage::Daemon => {
            tasks.spawn(daemon::run(
                context.clone(),
                site::follow_at_pace(context, pace(settings)),
                store()?,
                retention(settings),
            ));
            return Ok(());
        }
        Stage::Notifiers => {
            let notifier = notifiers::Settings {
                console_url: settings.console_url(),
                allow_private_destinations: settings.allow_private_destinations,
            };
            tasks.spawn(notifiers::run(
                context.clone(),
                site::follow(context),
                store()?,
                settings.site_key()?,
                notifier,
            ));
            return Ok(());
        }
        Stage::Aggregator => {
            let view = connected(context, &needs).await?;
            tasks.spawn(aggregator::run(context.clone(), store()?, view));
            return Ok(());
        }
        Stage::Bridge => {
            let view = if needs.aerospike.is_some() {
                connected(context, &needs).await?
            } else {
                let view: Arc<dyn View> = Arc::new(MemoryView::new());
                tasks.spawn(aggregator::run_alone(
                    context.clone(),
                    store()?,
                    Arc::clone(&view),
                ));
                view
            };
            access.guard(live(Bridge::start(
                context.clone(),
                view,
                bridge_limits(settings),
            )))
        }
        Stage::Api => {
            let api = Api::start(context, store()?, settings.site_key()?)
                .as_alertmanager(settings.alertmanager_version.as_deref())
                .keeping_revisions(settings.site_revisions);
            access
                .guard(api.routes())
                .merge(api.opsgenie(site::follow(context), &settings.console_url()))
                .merge(access.routes())
                .merge(Api::console())
        }
    };
    serve(settings, connections, context, routes, tasks).await
}

async fn serve(
    settings: &Settings,
    connections: &ConnectionLimits,
    context: &Context,
    routes: Router,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let tls = settings.tls()?;
    let listener = server::listen(settings.listen()?, "listen").await?;
    tasks.spawn(server::serve_secured(
        listener,
        connections.http(),
        tls,
        routes,
        context.shutdown.clone(),
    ));
    Ok(())
}

/// The view in Aerospike, however long it is away.
async fn connected(context: &Context, needs: &Needs) -> anyhow::Result<Arc<dyn View>> {
    let settings = needs
        .aerospike
        .as_ref()
        .ok_or_else(|| anyhow::anyhow!("the stage has no Aerospike"))?;
    let task = context.health.task("view");
    loop {
        match AerospikeView::connect(settings).await {
            Ok(view) => {
                // Said at once; the aggregator goes on looking, and waits until it is put right.
                if let Err(error @ ViewError::Misconfigured(_)) = view.cluster().await {
                    tracing::error!(%error, "the view cannot be kept");
                }
                task.ended();
                return Ok(Arc::new(view));
            }
            Err(error) => {
                tracing::warn!(%error, "the view cannot be reached yet");
                task.waiting("view");
            }
        }
        tokio::select! {
            () = context.shutdown.cancelled() => anyhow::bail!("ended before the view could be reached"),
            () = tokio::time::sleep(RETRY_AFTER) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use pipeline::Clock;
    use pipeline::log::simulated::SimulatedLog;

    use super::*;

    #[tokio::test]
    async fn l21_each_copy_of_a_collector_has_a_spool_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("spool");
        let open = async || {
            let context = Context::new(Arc::new(SimulatedLog::new(1)), Clock::system());
            let spool = spooled(&context, &folder, 1 << 20).await.unwrap();
            (context, spool)
        };
        let (first, second) = (open().await, open().await);
        assert_eq!(first.1.1, folder);
        assert_eq!(second.1.1, folder.join("copy-2"));
    }
}
