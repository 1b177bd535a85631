//! Notifications handed to a webhook receiver: one for each new alert.

use std::time::Instant;

use anyhow::Result;

use super::new_alerts::missing;
use super::{BATCH, CONNECTIONS, Plan, send_all};
use crate::bodies::distinct;
use crate::report::{Report, Title, Unit};
use crate::subject::{Audience, Subject};
use crate::usage::Meter;

pub(super) async fn run(subject: &Subject, plan: &Plan, report: &mut Report) -> Result<()> {
    let items = distinct(0, plan.told);
    let arrivals = subject.sink.expect(0..plan.told);
    let load = format!(
        "{} new alerts in batches of {BATCH}, {CONNECTIONS} connections",
        plan.told
    );
    let meter = Meter::begin(subject.watched());
    let start = Instant::now();
    send_all(subject, Audience::Receiver, &items, BATCH, plan).await?;
    let come = arrivals.wait(plan.told, start + plan.patience).await;
    report.cost(
        subject.kind,
        format!("notifications, {load}"),
        plan.told as f64,
        meter.spent(),
    );
    let took = arrivals.last().unwrap_or(start).duration_since(start);
    report.noted(
        subject.kind,
        Title::new("notifications handed to a receiver", load, Unit::PerSecond).bar("≥ 5,000/s"),
        come as f64 / took.as_secs_f64().max(1e-9),
        missing(plan.told, come),
    );
    if arrivals.again() > 0 {
        report.remark(
            subject.kind,
            format!("{} notifications came more than once", arrivals.again()),
        );
    }
    Ok(())
}
