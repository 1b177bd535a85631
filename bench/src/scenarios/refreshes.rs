//! Refreshes of known alerts: most of what monitoring systems send.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use super::{BATCH, BATCHES, Plan, connections, open};
use crate::bodies::{Item, distinct, requests};
use crate::collecting;
use crate::exposition::Exposition;
use crate::load::{self, Until};
use crate::report::{Report, Title, Unit};
use crate::subject::{Audience, Kind, Subject};
use crate::usage::Meter;

/// Numbers of the alerts that are refreshed; other scenarios on the same subject use lower ones.
const FIRST: usize = 2_000_000;

pub(super) async fn run(subject: &Subject, plan: &Plan, report: &mut Report) -> Result<()> {
    let items = distinct(FIRST, plan.known);
    open(subject, &items, plan).await?;
    for batch in BATCHES {
        one(subject, plan, report, &items, batch).await?;
    }
    Ok(())
}

async fn one(
    subject: &Subject,
    plan: &Plan,
    report: &mut Report,
    items: &[Item],
    batch: usize,
) -> Result<()> {
    let connections = connections(batch);
    let load = format!("batches of {batch}, {connections} connections");
    let title = |what: &str, unit| Title::new(format!("refreshes: {what}"), load.clone(), unit);
    let all = Arc::new(requests(&subject.ingest, Audience::Console, items, batch));
    let before = subject.metrics().await?;
    let (done, statements) = (subject.done().await?, subject.statements());
    let meter = Meter::begin(subject.watched());
    let start = Instant::now();
    let until = Until::Elapsed(plan.refresh);
    let outcome = load::pressed(subject.ingest.address, &all, connections, until).await?;
    let accepted = outcome.accepted as f64 * batch as f64;
    report.cost(
        subject.kind,
        format!("refreshes, {load}, accepting"),
        accepted,
        meter.spent(),
    );
    let bar = if batch == BATCH { "≥ 60,000/s" } else { "" };
    report.noted(
        subject.kind,
        title("accepted", Unit::PerSecond).bar(bar),
        accepted / outcome.elapsed.as_secs_f64(),
        outcome.refusals(),
    );
    report.figure(
        subject.kind,
        title("answer p50", Unit::Milliseconds),
        outcome.milliseconds(0.5),
    );
    report.figure(
        subject.kind,
        title("answer p99", Unit::Milliseconds),
        outcome.milliseconds(0.99),
    );
    allocations(subject, report, &load, batch, &before, accepted).await?;
    if !subject.is_reveille() {
        return Ok(());
    }
    let through = subject
        .wait_done(done + accepted, Instant::now() + plan.patience)
        .await?
        - done;
    let seconds = start.elapsed().as_secs_f64();
    report.cost(
        subject.kind,
        format!("refreshes, {load}, until done"),
        through,
        meter.spent(),
    );
    let left = accepted - through;
    let note = if left > 0.0 {
        format!("{left:.0} not yet done")
    } else {
        String::new()
    };
    report.noted(
        subject.kind,
        title("through the daemon", Unit::PerSecond),
        through / seconds,
        note,
    );
    let commits = subject
        .metrics()
        .await?
        .since(&before)
        .sum("reveille_daemon_commits_total", &[]);
    report.figure(
        subject.kind,
        title("commits per event", Unit::Number).bar("< 0.1 statements"),
        commits / through.max(1.0),
    );
    if let (Some(statements), Some(now)) = (statements, subject.statements()) {
        report.figure(
            subject.kind,
            title("statements per event", Unit::Number).bar("< 0.1 statements"),
            (now - statements) / through.max(1.0),
        );
    }
    Ok(())
}

/// How often memory was asked for: by the collectors for each alert, and by Alertmanager, which counts it itself.
async fn allocations(
    subject: &Subject,
    report: &mut Report,
    load: &str,
    batch: usize,
    before: &Exposition,
    accepted: f64,
) -> Result<()> {
    let title = Title::new("refreshes: allocations for each alert", load, Unit::Number);
    match subject.kind {
        Kind::Up => {
            if let Some(count) = collecting::allocations(&subject.ingest, batch).await? {
                report.noted(subject.kind, title, count, "by the collectors".to_owned());
            }
        }
        Kind::Services => {}
        Kind::Alertmanager => {
            let grown = subject.metrics().await?.since(before);
            let count = grown.sum("go_memstats_mallocs_total", &[]);
            report.noted(
                subject.kind,
                title,
                count / accepted.max(1.0),
                "by all of it".to_owned(),
            );
        }
    }
    Ok(())
}
