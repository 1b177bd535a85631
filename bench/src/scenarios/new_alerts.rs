//! New distinct alerts, through to the database and a screen.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{BATCHES, Plan, batches, connections, send_all};
use crate::bodies::distinct;
use crate::report::{Report, Title, Unit};
use crate::subject::{Audience, Subject};
use crate::usage::Meter;

/// What came of many new alerts.
pub(super) struct Through {
    /// Until the last was accepted.
    pub(super) accepted: Duration,
    /// Until the daemon had committed the last, and how many it had by then.
    pub(super) applied: Option<(Duration, usize)>,
    /// Until the last was on a screen, and how many were by then.
    pub(super) shown: Option<(Duration, usize)>,
}

pub(super) async fn run(subject: &Subject, plan: &Plan, report: &mut Report) -> Result<()> {
    for (turn, batch) in BATCHES.into_iter().enumerate() {
        one(subject, plan, report, turn * plan.new, batch).await?;
    }
    // Their numbers begin with a zero; those of the two alerts that tried the door do not.
    let wanted = BATCHES.len() * plan.new;
    if let Some(listed) = subject.listed("environment=bench&text=pay-0").await?
        && listed != wanted
    {
        report.remark(
            subject.kind,
            format!("the API lists {listed} new alerts, not {wanted}"),
        );
    }
    Ok(())
}

async fn one(subject: &Subject, plan: &Plan, report: &mut Report, from: usize, batch: usize) -> Result<()> {
    let load = format!(
        "{} in batches of {batch}, {} connections",
        plan.new,
        connections(batch)
    );
    let title = |what: &str| Title::new(format!("new alerts: {what}"), load.clone(), Unit::PerSecond);
    let before = subject.metrics().await?;
    let meter = Meter::begin(subject.watched());
    let through = storm(subject, plan, from, plan.new, batch).await?;
    report.cost(
        subject.kind,
        format!("new alerts, {load}"),
        plan.new as f64,
        meter.spent(),
    );
    let rate = |count: usize, took: Duration| count as f64 / took.as_secs_f64();
    report.figure(subject.kind, title("accepted"), rate(plan.new, through.accepted));
    if let Some((took, count)) = through.applied {
        let title = title("applied").bar("≥ 8,000/s");
        report.noted(subject.kind, title, rate(count, took), missing(plan.new, count));
    }
    if let Some((took, count)) = through.shown {
        let title = title("on screen").bar("≥ 8,000/s");
        report.noted(subject.kind, title, rate(count, took), missing(plan.new, count));
    }
    let grown = subject.metrics().await?.since(&before);
    batches(subject, report, &load, &grown);
    Ok(())
}

/// Sends so many new alerts and waits until they are through.
pub(super) async fn storm(
    subject: &Subject,
    plan: &Plan,
    from: usize,
    count: usize,
    batch: usize,
) -> Result<Through> {
    let items = distinct(from, count);
    let screen = subject.screen().await?;
    let arrivals = screen.as_ref().map(|screen| screen.expect(from..from + count));
    let before = if subject.is_reveille() {
        subject.done().await?
    } else {
        0.0
    };
    let start = Instant::now();
    let until = start + plan.patience;
    let sending = send_all(subject, Audience::Console, &items, batch, plan);
    let applying = async {
        if !subject.is_reveille() {
            return Ok(None);
        }
        let done = subject.wait_done(before + count as f64, until).await? - before;
        anyhow::Ok(Some((start.elapsed(), done as usize)))
    };
    let (sent, applied) = tokio::try_join!(sending, applying)?;
    let shown = match &arrivals {
        None => None,
        Some(arrivals) => {
            let come = arrivals.wait(count, until).await;
            let last = arrivals.last().unwrap_or(start);
            Some((last.duration_since(start), come))
        }
    };
    Ok(Through {
        accepted: sent.elapsed,
        applied,
        shown,
    })
}

/// What is missing, in words; empty when nothing is.
pub(super) fn missing(wanted: usize, come: usize) -> String {
    match wanted.saturating_sub(come) {
        0 => String::new(),
        missing => format!("{missing} of {wanted} missing"),
    }
}
