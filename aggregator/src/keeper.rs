//! Keeps the view like the store.
//!
//! A view that is not marked as filled is empty, or was cut short while it was filled: all open alerts are put into it.
//! From then on the two are compared at the start, every few minutes, after each outage, and when the servers of the view
//! may have lost records ([`crate::cluster`]); what differs is mended. Nothing here hinders the stage: the view takes only
//! newer versions, from wherever they come.
//!
//! A view that is full is a state of its own: the stage goes on with what closes, and what is open and had no room is put
//! here as soon as there is some.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pipeline::health::Task;
use pipeline::{Context, StageError, StageMetrics, Steady};
use prometheus::IntGauge;
use schemas::{Alert, Fingerprint, Status, Topic};
use store::{Store, StoreError};
use view::{Cluster, View, ViewError};

use crate::cluster::lost_records;
use crate::{Behind, shown, view_changed, view_error};

const NAME: &str = "aggregator.keeper";
/// How often it is looked whether the view is still filled, and how its servers are.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often view and store are compared.
const RECONCILE_EVERY: Duration = Duration::from_secs(300);
/// A change that is younger than this may still be under way to the view; it is no difference.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(60);
/// How soon view and store are compared again after the view had no room, though its servers take writes.
const RETRY_FULL_EVERY: Duration = Duration::from_secs(30);
/// The first wait for a dependency that is away; each further one is twice as long.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Alerts that are read from the store at once.
const PAGE: usize = 500;

struct Keeper {
    context: Context,
    store: Store,
    view: Arc<dyn View>,
    behind: Behind,
    metrics: StageMetrics,
    task: Task,
    differences: IntGauge,
    full: IntGauge,
    reconcile_at: Steady,
    /// The servers of the view when they were last looked at.
    cluster: Option<Cluster>,
    /// What is away at the moment.
    away: Option<&'static str>,
}

pub(crate) async fn run(context: Context, store: Store, view: Arc<dyn View>, behind: Behind) {
    let shutdown = context.shutdown.clone();
    // Another process may have left something undone.
    behind.note();
    let mut keeper = Keeper {
        task: context.health.task(NAME),
        differences: gauge(
            &context,
            "reveille_aggregator_differences",
            "Alerts that the last comparison mended.",
        ),
        full: gauge(
            &context,
            "reveille_aggregator_view_full",
            "1 while the view has no room for open alerts.",
        ),
        reconcile_at: context.clock.steady(),
        cluster: None,
        away: None,
        metrics: StageMetrics::new(&context.metrics, NAME),
        behind,
        context,
        store,
        view,
    };
    shutdown.run_until_cancelled(keeper.keep()).await;
    keeper.task.ended();
}

impl Keeper {
    async fn keep(&mut self) {
        let mut wait = SHORTEST_WAIT;
        loop {
            match self.look().await {
                Ok(()) => {
                    self.goes_on();
                    wait = SHORTEST_WAIT;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => {
                    self.waits_after(&error);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LOOK_EVERY);
                }
            }
        }
    }

    fn goes_on(&mut self) {
        if let Some(dependency) = self.away.take() {
            tracing::info!(dependency, "the view is like the store again");
            self.metrics.waiting(dependency, false);
        }
        self.full.set(0);
        self.task.progress();
    }

    fn waits_after(&mut self, error: &StageError) {
        let dependency = dependency(error);
        self.metrics.error(dependency);
        if self.away != Some(dependency) {
            if let Some(before) = self.away.replace(dependency) {
                self.metrics.waiting(before, false);
            }
            tracing::warn!(%error, "the view is not kept like the store for now");
            self.metrics.waiting(dependency, true);
        }
        self.full.set(i64::from(dependency == ViewError::FULL));
        self.task.waiting(dependency);
        if dependency != ViewError::FULL {
            // What happened meanwhile may not have reached the view.
            self.reconcile_at = self.context.clock.steady();
        }
    }

    async fn look(&mut self) -> Result<(), StageError> {
        let now = self.context.clock.steady();
        let cluster = self.view.cluster().await.map_err(view_error)?;
        self.compare_clusters(&cluster, now);
        let full = cluster.full;
        self.cluster = Some(cluster);
        if full {
            self.behind.note();
            return Err(is_full("its servers take no writes"));
        }
        if !self.view.is_filled().await.map_err(view_error)? {
            return self.rebuild().await;
        }
        if now >= self.reconcile_at {
            return self.reconcile().await;
        }
        if self.behind.is_behind() {
            self.reconcile_at = self.reconcile_at.min(now.after(RETRY_FULL_EVERY));
            return Err(is_full("it had no room for some of the open alerts"));
        }
        Ok(())
    }

    /// Sees to it that view and store are compared when records may be gone.
    fn compare_clusters(&mut self, cluster: &Cluster, now: Steady) {
        let before = self.cluster.as_ref();
        if let Some(reason) = before.and_then(|before| lost_records(before, cluster)) {
            tracing::warn!(
                reason,
                nodes = ?cluster.nodes,
                records = cluster.records,
                "records of the view may be lost: it is compared with the store"
            );
            self.behind.note();
            self.reconcile_at = now;
        }
        let alone = |cluster: &Cluster| cluster.nodes.len() > 1 && cluster.copies == 1;
        if alone(cluster) && !before.is_some_and(alone) {
            tracing::warn!(
                nodes = ?cluster.nodes,
                "each record of the view is on one node only, and lost with it until the view is compared with the store: \
                 set replication-factor 2"
            );
        }
    }

    async fn rebuild(&mut self) -> Result<(), StageError> {
        tracing::info!("the view is filled from the store");
        let mut count = 0;
        let mut after = None;
        loop {
            self.task.waiting("view rebuild");
            let page = self.page(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.fingerprint);
            count += page.len();
            let written = self.view.put(shown(page)).await.map_err(view_error)?;
            if !written.no_room.is_empty() {
                self.behind.note();
                return Err(is_full("it has no room for all open alerts"));
            }
        }
        self.view.mark_filled().await.map_err(view_error)?;
        tracing::info!(alerts = count, "the view is filled");
        // What closed meanwhile was not noted in the view if it came before its open version.
        self.reconcile().await
    }

    async fn reconcile(&mut self) -> Result<(), StageError> {
        let found = self.behind.found();
        let settled = Settled {
            before: self.context.clock.now() - UNDER_WAY,
            mend_all: self.behind.is_behind(),
        };
        // Taken first: what opens later is in the store when its page is read.
        let view_open = self.view.open().await.map_err(view_error)?;
        let mut only_in_view: HashSet<_> = view_open.iter().map(|alert| alert.fingerprint).collect();
        drop(view_open);
        let mut mended = Mended::default();
        let mut after = None;
        loop {
            self.task.progress();
            let page = self.page(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.fingerprint);
            for alert in &page {
                only_in_view.remove(&alert.fingerprint);
            }
            mended.add(self.mend(page, settled).await?);
        }
        // An alert that the store does not know at all is left alone: there is no newer version of it.
        let only_in_view: Vec<_> = only_in_view.into_iter().collect();
        for fingerprints in only_in_view.chunks(PAGE) {
            let states = self.store.load(fingerprints).await.map_err(database)?;
            let closed = states.into_values().map(|state| state.alert);
            let closed = closed
                .filter(|alert| alert.status == Status::Closed)
                .map(Arc::new)
                .collect();
            mended.add(self.mend(closed, settled).await?);
        }
        self.differences.set(mended.differences);
        if mended.differences > 0 {
            tracing::warn!(
                differences = mended.differences,
                "the view was not like the store and was mended"
            );
        }
        let now = self.context.clock.steady();
        if mended.no_room {
            self.behind.note();
            self.reconcile_at = now.after(RETRY_FULL_EVERY);
            return Err(is_full("it has no room for all open alerts"));
        }
        self.behind.mended(found);
        self.reconcile_at = now.after(RECONCILE_EVERY);
        Ok(())
    }

    async fn page(&self, after: Option<Fingerprint>) -> Result<Vec<Arc<Alert>>, StageError> {
        let page = self.store.open_alerts(after, PAGE).await.map_err(database)?;
        Ok(page.into_iter().map(Arc::new).collect())
    }

    /// Puts those of the store's alerts into the view that are newer than there, and says so.
    async fn mend(&self, alerts: Vec<Arc<Alert>>, settled: Settled) -> Result<Mended, StageError> {
        let fingerprints: Vec<_> = alerts.iter().map(|alert| alert.fingerprint).collect();
        let in_view = self.view.get(&fingerprints).await.map_err(view_error)?;
        let in_view: HashMap<_, _> = in_view
            .iter()
            .map(|entry| (entry.fingerprint(), entry.version()))
            .collect();
        let missed = |alert: &Arc<Alert>| {
            let known = in_view.get(&alert.fingerprint);
            let under_way = !settled.mend_all && alert.status == Status::Open && !settled.is(alert);
            !under_way && known.is_none_or(|known| *known < alert.version)
        };
        let mut alerts: Vec<_> = alerts.into_iter().filter(missed).collect();
        if alerts.is_empty() {
            return Ok(Mended::default());
        }
        let written = self.view.put(shown(alerts.clone())).await.map_err(view_error)?;
        let no_room: HashSet<_> = written.no_room.into_iter().collect();
        alerts.retain(|alert| !no_room.contains(&alert.fingerprint));
        let records: Vec<_> = alerts
            .iter()
            .map(|alert| view_changed(alert, alert.changed_at, None))
            .collect();
        if !records.is_empty() {
            self.context.log.append(Topic::VIEW_CHANGED, records).await?;
        }
        let differences = alerts.iter().filter(|alert| settled.is(alert)).count();
        Ok(Mended {
            differences: i64::try_from(differences).unwrap_or(i64::MAX),
            no_room: !no_room.is_empty(),
        })
    }
}

/// Which changes are settled: a later one may still be under way to the view, so it counts as no difference, and is left
/// alone if it opens or changes an alert, unless the view is known to lack something.
#[derive(Clone, Copy)]
struct Settled {
    before: Timestamp,
    mend_all: bool,
}

impl Settled {
    fn is(&self, alert: &Alert) -> bool {
        alert.changed_at < self.before
    }
}

/// What was mended.
#[derive(Default)]
struct Mended {
    differences: i64,
    /// The view had no room for all of it.
    no_room: bool,
}

impl Mended {
    fn add(&mut self, other: Self) {
        self.differences = self.differences.saturating_add(other.differences);
        self.no_room |= other.no_room;
    }
}

fn is_full(reason: &str) -> StageError {
    view_error(ViewError::Full(reason.to_owned()))
}

const fn dependency(error: &StageError) -> &'static str {
    match error {
        StageError::Unavailable { dependency, .. } => dependency,
        StageError::Fenced(_) => "group",
    }
}

fn database(error: StoreError) -> StageError {
    StageError::Unavailable {
        dependency: "database",
        error: error.to_string(),
    }
}

fn gauge(context: &Context, name: &str, help: &str) -> IntGauge {
    #[expect(clippy::expect_used, reason = "the name is a constant of this file")]
    let gauge = IntGauge::new(name, help).expect("the name is well-formed");
    if let Err(error) = context.metrics.registry().register(Box::new(gauge.clone())) {
        tracing::warn!(name, %error, "is not measured");
    }
    gauge
}
