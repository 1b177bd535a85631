//! Keeps the view like the store.
//!
//! A view that is not marked as filled is empty, or was cut short while it was filled: all open alerts are put into it.
//! From then on the two are compared every few minutes and after each outage, and what differs is mended. Nothing here
//! hinders the stage: the view takes only newer versions, from whomever they come.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pipeline::health::Task;
use pipeline::{Context, StageError, StageMetrics};
use prometheus::IntGauge;
use schemas::{Alert, Fingerprint, Status, Topic};
use store::{Store, StoreError};
use view::View;

use crate::{view_changed, view_unavailable};

const NAME: &str = "aggregator.keeper";
/// How often it is looked whether the view is still filled.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often view and store are compared.
const RECONCILE_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// A change that is younger than this may still be under way to the view; it is no difference.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(60);
/// The first wait for a dependency that is away; each further one is twice as long.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Alerts that are read from the store at once.
const PAGE: usize = 500;

struct Keeper {
    context: Context,
    store: Store,
    view: Arc<dyn View>,
    metrics: StageMetrics,
    task: Task,
    differences: IntGauge,
    counters_wrong: IntGauge,
    reconcile_at: Timestamp,
    /// What is away at the moment.
    away: Option<&'static str>,
}

pub(crate) async fn run(context: Context, store: Store, view: Arc<dyn View>) {
    let shutdown = context.shutdown.clone();
    let mut keeper = Keeper {
        task: context.health.task(NAME),
        differences: gauge(
            &context,
            "reveille_aggregator_differences",
            "Alerts that the last comparison mended.",
        ),
        counters_wrong: gauge(
            &context,
            "reveille_aggregator_counters_wrong",
            "Counters of the view that the last comparison mended.",
        ),
        reconcile_at: context.clock.now() + RECONCILE_EVERY,
        away: None,
        metrics: StageMetrics::new(&context.metrics, NAME),
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
            self.metrics.waiting(dependency, false);
        }
        self.task.progress();
    }

    fn waits_after(&mut self, error: &StageError) {
        let dependency = dependency(error);
        self.metrics.error(dependency);
        if self.away != Some(dependency) {
            self.goes_on();
            tracing::warn!(%error, "the view is not compared with the store for now");
            self.metrics.waiting(dependency, true);
            self.away = Some(dependency);
        }
        self.task.waiting(dependency);
        // What happened meanwhile may not have reached the view.
        self.reconcile_at = self.context.clock.now();
    }

    async fn look(&mut self) -> Result<(), StageError> {
        if !self.view.is_filled().await.map_err(view_unavailable)? {
            self.rebuild().await?;
        } else if self.context.clock.now() >= self.reconcile_at {
            self.reconcile().await?;
        }
        Ok(())
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
            self.view.put(page).await.map_err(view_unavailable)?;
        }
        self.view.mark_filled().await.map_err(view_unavailable)?;
        self.reconcile_at = self.context.clock.now() + RECONCILE_EVERY;
        tracing::info!(alerts = count, "the view is filled");
        Ok(())
    }

    async fn reconcile(&mut self) -> Result<(), StageError> {
        let counters_wrong = self.view.recount().await.map_err(view_unavailable)?;
        let settled = self.context.clock.now() - UNDER_WAY;
        // Taken first: what opens later is in the store when its page is read.
        let view_open = self.view.open().await.map_err(view_unavailable)?;
        let mut only_in_view: HashSet<_> = view_open.iter().map(|alert| alert.fingerprint).collect();
        drop(view_open);
        let mut differences = 0;
        let mut after = None;
        loop {
            self.task.progress();
            let page = self.page(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.fingerprint);
            for alert in &page {
                only_in_view.remove(&alert.fingerprint);
            }
            differences += self.mend(page, settled).await?;
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
            differences += self.mend(closed, settled).await?;
        }
        self.differences.set(differences);
        self.counters_wrong
            .set(i64::try_from(counters_wrong).unwrap_or(i64::MAX));
        if differences > 0 || counters_wrong > 0 {
            tracing::warn!(
                differences,
                counters_wrong,
                "the view was not like the store and was mended"
            );
        }
        self.reconcile_at = self.context.clock.now() + RECONCILE_EVERY;
        Ok(())
    }

    async fn page(&self, after: Option<Fingerprint>) -> Result<Vec<Arc<Alert>>, StageError> {
        let page = self.store.open_alerts(after, PAGE).await.map_err(database)?;
        Ok(page.into_iter().map(Arc::new).collect())
    }

    /// Puts those of the store's alerts into the view that are newer than there, and says so; answers how many.
    async fn mend(&self, alerts: Vec<Arc<Alert>>, settled: Timestamp) -> Result<i64, StageError> {
        let fingerprints: Vec<_> = alerts.iter().map(|alert| alert.fingerprint).collect();
        let in_view = self.view.get(&fingerprints).await.map_err(view_unavailable)?;
        let in_view: HashMap<_, _> = in_view
            .iter()
            .map(|alert| (alert.fingerprint, alert.version))
            .collect();
        let missed = |alert: &Arc<Alert>| {
            let known = in_view.get(&alert.fingerprint);
            alert.changed_at < settled && known.is_none_or(|known| *known < alert.version)
        };
        let alerts: Vec<_> = alerts.into_iter().filter(missed).collect();
        let records: Vec<_> = alerts
            .iter()
            .map(|alert| view_changed(alert, alert.changed_at, None))
            .collect();
        let count = i64::try_from(alerts.len()).unwrap_or(i64::MAX);
        if count > 0 {
            self.view.put(alerts).await.map_err(view_unavailable)?;
            self.context.log.append(Topic::VIEW_CHANGED, records).await?;
        }
        Ok(count)
    }
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
