//! Very many distinct alerts at once, the memory they take, and how long it takes to list them.

use std::time::Duration;

use anyhow::Result;

use super::idle::by_process;
use super::new_alerts::{Through, missing, storm};
use super::{BATCH, CONNECTIONS, Plan};
use crate::report::{Report, Title, Unit};
use crate::subject::Subject;
use crate::usage::{Memory, Meter};

pub(super) async fn run(subject: &Subject, plan: &Plan, report: &mut Report) -> Result<()> {
    let load = format!(
        "{} at once, batches of {BATCH}, {CONNECTIONS} connections",
        plan.storm
    );
    let title = |what: &str, unit| Title::new(format!("storm: {what}"), load.clone(), unit);
    let meter = Meter::begin(subject.watched());
    let through = storm(subject, plan, 0, plan.storm, BATCH).await?;
    report.cost(
        subject.kind,
        format!("storm, {load}"),
        plan.storm as f64,
        meter.spent(),
    );
    let accepted = title("accepted after", Unit::Seconds).bar("100,000: ≤ 10 s");
    report.figure(subject.kind, accepted, through.accepted.as_secs_f64());
    if let Some((took, count)) = drained(&through) {
        let title = title("drained after", Unit::Seconds).bar("100,000: ≤ 20 s");
        report.noted(
            subject.kind,
            title,
            took.as_secs_f64(),
            missing(plan.storm, count),
        );
    }
    memory(
        subject,
        report,
        title("memory, peak", Unit::Megabytes).bar("≤ 500 MB"),
        |memory| memory.peak,
    );
    let open = plan.open.max(plan.storm);
    if open > plan.storm {
        storm(subject, plan, plan.storm, open - plan.storm, BATCH).await?;
    }
    let title = Title::new("memory", format!("{open} open alerts"), Unit::Megabytes).bar("≤ 400 MB (up)");
    memory(subject, report, title, |memory| memory.now);
    if plan.listed > open && subject.is_reveille() {
        storm(subject, plan, open, plan.listed - open, BATCH).await?;
    }
    list(subject, report, open.max(plan.listed)).await
}

/// Lists the open alerts page after page: the last page must not cost more than the first.
async fn list(subject: &Subject, report: &mut Report, open: usize) -> Result<()> {
    for query in ["environment=default", "severity=down"] {
        let Some((count, mut times)) = subject.pages(query).await? else {
            return Ok(());
        };
        let (first, last) = (times[0], times[times.len() - 1]);
        times.sort_unstable();
        let slowest = times[times.len() - 1];
        let load = format!("{open} open alerts, limit=1000&{query}");
        let note = format!(
            "{count} alerts in {} pages; the first {:.0} ms, the last {:.0} ms",
            times.len(),
            milliseconds(first),
            milliseconds(last)
        );
        let title = |what, bar| Title::new(what, load.clone(), Unit::Milliseconds).bar(bar);
        let median = title("a page of a list: median", "");
        report.figure(subject.kind, median, milliseconds(times[times.len() / 2]));
        let slowest_title = title("a page of a list: slowest", "≤ 250 ms");
        report.noted(subject.kind, slowest_title, milliseconds(slowest), note);
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// When the last alert was both in the database and on the screen.
fn drained(through: &Through) -> Option<(Duration, usize)> {
    let (applied, shown) = (through.applied?, through.shown?);
    Some((applied.0.max(shown.0), applied.1.min(shown.1)))
}

fn memory(subject: &Subject, report: &mut Report, title: Title, of: impl Fn(&Memory) -> f64) {
    let parts: Vec<_> = subject
        .memory()
        .iter()
        .map(|(name, memory)| (name.clone(), of(memory)))
        .collect();
    let sum = parts.iter().map(|(_, value)| value).sum();
    report.noted(subject.kind, title, sum, by_process(&parts));
}
