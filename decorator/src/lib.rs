//! From `alerts.collected` to `alerts.decorated`: each event is told where it belongs and what is done about it, and
//! the site's rules are applied.
//!
//! Everything it needs to know is in memory. It begins when the configuration has been read to its end, and makes no
//! call per event.

use std::sync::Arc;
use std::time::Duration;

use domain::Site;
use pipeline::{Context, StageMetrics, runner};
use schemas::Topic;
use tokio::sync::watch;

use crate::measure::Measures;
use crate::stage::Decorator;

mod decorations;
mod measure;
mod stage;

const STAGE: &str = "decorator";
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Runs the decorator until shutdown.
pub async fn run(context: Context, mut site: watch::Receiver<Arc<Site>>) {
    let measures = Measures::new(&context.metrics);
    if !configured(&context, &mut site).await {
        return;
    }
    let metrics = StageMetrics::new(&context.metrics, STAGE);
    let make = {
        let (context, metrics) = (context.clone(), metrics.clone());
        move || Decorator::new(context.clone(), site.clone(), measures.clone(), metrics.clone())
    };
    runner::run_side_by_side(context, STAGE, STAGE, &[Topic::ALERTS_COLLECTED], metrics, make).await;
}

/// Waits until the configuration was read to its end once; `false` when the process ends before.
async fn configured(context: &Context, site: &mut watch::Receiver<Arc<Site>>) -> bool {
    let task = context.health.task(STAGE);
    let mut sign_of_life = tokio::time::interval(SIGN_OF_LIFE);
    let complete = loop {
        tokio::select! {
            () = context.shutdown.cancelled() => break false,
            found = site.wait_for(|site| site.revision.is_some()) => break found.is_ok(),
            _ = sign_of_life.tick() => task.waiting("configuration"),
        }
    };
    task.ended();
    complete
}

#[cfg(test)]
mod tests;
