//! What is measured, one module each.

mod idle;
mod latency;
mod new_alerts;
mod notifications;
mod refreshes;
mod storm;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;

use crate::bodies::{Item, requests};
use crate::exposition::Exposition;
use crate::load::{self, Outcome, Until};
use crate::report::{Report, Title, Unit};
use crate::subject::{Audience, Subject};

/// Connections for requests with many alerts.
const CONNECTIONS: usize = 8;
/// Connections for requests with one alert: what is synced together is accepted together.
const CONNECTIONS_FOR_SINGLES: usize = 64;
/// The usual batch, as Prometheus sends it: by default at most 256, and 64 where groups are small.
const BATCH: usize = 64;
/// From one alert in a request to the most that Prometheus sends.
const BATCHES: [usize; 3] = [1, BATCH, 256];

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// What it takes while nothing happens.
    Idle,
    /// Latency at a steady pace, hop by hop.
    Latency,
    /// Refreshes of known alerts.
    Refreshes,
    /// New distinct alerts, through to the database and a screen.
    New,
    /// Notifications handed to a webhook receiver.
    Notifications,
    /// Very many distinct alerts at once, and the memory they take.
    Storm,
}

/// Scenarios of one group follow each other on the same subject; each group begins with an empty one.
pub(crate) const GROUPS: [&[Scenario]; 4] = [
    &[Scenario::Idle, Scenario::Latency, Scenario::Refreshes],
    &[Scenario::New],
    &[Scenario::Notifications],
    &[Scenario::Storm],
];

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How long refreshes are sent.
    pub(crate) refresh: Duration,
    /// How many alerts are known when they are refreshed.
    pub(crate) known: usize,
    /// How many new alerts there are.
    pub(crate) new: usize,
    /// How long a steady pace is held.
    pub(crate) steady: Duration,
    /// How many alerts are told to the receiver.
    pub(crate) told: usize,
    /// How many alerts a storm has.
    pub(crate) storm: usize,
    /// How many alerts are open when memory is looked at.
    pub(crate) open: usize,
    /// How many alerts are open when they are listed.
    pub(crate) listed: usize,
    /// How long anything may take until it is through.
    pub(crate) patience: Duration,
}

impl Plan {
    /// The usual plan.
    pub(crate) const USUAL: Plan = Plan {
        refresh: Duration::from_secs(10),
        known: 8_192,
        new: 32_000,
        steady: Duration::from_secs(20),
        told: 10_000,
        storm: 20_000,
        open: 50_000,
        listed: 100_000,
        patience: Duration::from_secs(120),
    };

    /// For a first look.
    pub(crate) const QUICK: Plan = Plan {
        refresh: Duration::from_secs(2),
        known: 2_048,
        new: 6_400,
        steady: Duration::from_secs(4),
        told: 1_000,
        storm: 5_000,
        open: 5_000,
        listed: 10_000,
        patience: Duration::from_secs(20),
    };
}

impl Scenario {
    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Measures it.
    pub(crate) async fn run(self, subject: &mut Subject, plan: &Plan, report: &mut Report) -> Result<()> {
        match self {
            Scenario::Idle => idle::run(subject, report).await?,
            Scenario::Latency => latency::run(subject, plan, report).await?,
            Scenario::Refreshes => refreshes::run(subject, plan, report).await?,
            Scenario::New => new_alerts::run(subject, plan, report).await?,
            Scenario::Notifications => notifications::run(subject, plan, report).await?,
            Scenario::Storm => storm::run(subject, plan, report).await?,
        }
        subject.all_alive()
    }
}

/// As many connections as such requests need.
fn connections(batch: usize) -> usize {
    if batch == 1 {
        CONNECTIONS_FOR_SINGLES
    } else {
        CONNECTIONS
    }
}

/// Sends alerts in batches until all are accepted.
async fn send_all(
    subject: &Subject,
    audience: Audience,
    items: &[Item],
    batch: usize,
    plan: &Plan,
) -> Result<Outcome> {
    let all = Arc::new(requests(&subject.ingest, audience, items, batch));
    let until = Until::AllAccepted(plan.patience);
    let outcome = load::pressed(subject.ingest.address, &all, connections(batch), until).await?;
    ensure!(
        outcome.accepted == all.len() as u64,
        "only {} of {} requests were accepted within {:?}; {}",
        outcome.accepted,
        all.len(),
        plan.patience,
        outcome.refusals()
    );
    Ok(outcome)
}

/// Opens alerts and waits until they are through, so that they are known to what is measured next.
async fn open(subject: &Subject, items: &[Item], plan: &Plan) -> Result<()> {
    let before = if subject.is_reveille() {
        subject.done().await?
    } else {
        0.0
    };
    send_all(subject, Audience::Console, items, BATCH, plan).await?;
    if subject.is_reveille() {
        let wanted = before + items.len() as f64;
        let done = subject.wait_done(wanted, Instant::now() + plan.patience).await?;
        if done < wanted {
            bail!(
                "{} of {} alerts were not done within {:?}",
                wanted - done,
                items.len(),
                plan.patience
            );
        }
    }
    Ok(())
}

/// How long the stages take for a batch, and how many records it has.
fn batches(subject: &Subject, report: &mut Report, load: &str, grown: &Exposition) {
    const BATCHES: &str = "reveille_stage_batch_seconds";
    for stage in grown.label_values(&format!("{BATCHES}_count"), "stage") {
        let label = format!("stage=\"{stage}\"");
        let batches = grown.histogram(BATCHES, &[&label]);
        let records = grown.sum("reveille_stage_records_total", &[&label]);
        if batches.count() > 0.0 {
            report.noted(
                subject.kind,
                Title::new(format!("batch of {stage}: mean"), load, Unit::Milliseconds),
                batches.mean() * 1000.0,
                format!(
                    "{:.0} of {:.1} records",
                    batches.count(),
                    records / batches.count()
                ),
            );
        }
    }
}
