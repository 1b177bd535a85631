//! How long an alert takes to a screen, at a steady pace.
//!
//! Half of the alerts are new and half are changes of known ones. Each is due at an instant that was fixed before, and
//! its latency counts from there, so the time to be accepted is in it, and nothing is left out when something stops
//! for a moment. Sender and screen are one process and have one clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use super::new_alerts::missing;
use super::{CONNECTIONS_FOR_SINGLES, Plan, batches, open};
use crate::arrivals::Arrivals;
use crate::bodies::{Item, distinct, requests};
use crate::exposition::Exposition;
use crate::load::{self, due, microseconds};
use crate::report::{Report, Title, Unit};
use crate::subject::{Audience, Subject};
use crate::usage::Meter;

/// Alerts that are known and change: so many that none changes twice within a second.
const KNOWN: usize = 1_000;
/// How long the last alert may be under way.
const LAST: Duration = Duration::from_secs(10);
/// The pace runs in for so long before it counts.
const RUN_IN: Duration = Duration::from_secs(2);

pub(super) async fn run(subject: &Subject, plan: &Plan, report: &mut Report) -> Result<()> {
    let Some(screen) = subject.screen().await? else {
        return Ok(());
    };
    open(subject, &distinct(0, KNOWN), plan).await?;
    let mut first_new = KNOWN;
    for (per_second, bar) in [(500, "p99 ≤ 250 ms"), (1_000, "p99 ≤ 100 ms")] {
        let run_in = (RUN_IN.as_secs() * per_second) as usize;
        let count = run_in + (plan.steady.as_secs() * per_second) as usize;
        let items = mixture(first_new, count);
        let arrivals = screen.expect(first_new..first_new + count);
        let requests = Arc::new(requests(&subject.ingest, Audience::Console, &items, 1));
        let before = subject.metrics().await?;
        let meter = Meter::begin(subject.watched());
        let start = Instant::now();
        let address = subject.ingest.address;
        let outcome = load::paced(address, &requests, CONNECTIONS_FOR_SINGLES, per_second, start).await?;
        let load = format!("{per_second}/s, one alert each");
        report.cost(
            subject.kind,
            format!("steady, {load}"),
            count as f64,
            meter.spent(),
        );
        arrivals.wait(count, Instant::now() + LAST).await;
        let on_screen = latencies(&arrivals, &items, start, per_second, run_in)?;
        let note = missing(count - run_in, on_screen.len() as usize);
        for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)] {
            let title = Title::new(format!("due → screen {name}"), load.clone(), Unit::Milliseconds);
            let title = if name == "p99" { title.bar(bar) } else { title };
            let value = on_screen.value_at_quantile(quantile) as f64 / 1000.0;
            report.noted(subject.kind, title, value, note.clone());
        }
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let title = Title::new(format!("due → accepted {name}"), load.clone(), Unit::Milliseconds);
            report.noted(
                subject.kind,
                title,
                outcome.milliseconds(quantile),
                outcome.refusals(),
            );
        }
        let grown = subject.metrics().await?.since(&before);
        hops(subject, report, &load, &grown);
        batches(subject, report, &load, &grown);
        first_new += count;
    }
    Ok(())
}

/// Every second item is a new alert, the others change known ones in turn; each says a number of its own.
fn mixture(first_new: usize, count: usize) -> Vec<Item> {
    (first_new..first_new + count)
        .enumerate()
        .map(|(index, sequence)| Item {
            alert: if index % 2 == 0 {
                sequence
            } else {
                (index / 2) % KNOWN
            },
            sequence,
        })
        .collect()
}

fn latencies(
    arrivals: &Arrivals,
    items: &[Item],
    start: Instant,
    per_second: u64,
    skipped: usize,
) -> Result<Histogram<u64>> {
    let mut histogram = Histogram::new_with_max(120_000_000, 3)?;
    for (index, item) in items.iter().enumerate().skip(skipped) {
        if let Some(at) = arrivals.at(item.sequence) {
            let took = at.saturating_duration_since(due(start, index, per_second));
            histogram.saturating_record(microseconds(took));
        }
    }
    Ok(histogram)
}

/// What the stages themselves say.
fn hops(subject: &Subject, report: &mut Report, load: &str, grown: &Exposition) {
    const HOPS: &str = "reveille_hop_seconds";
    const SCREEN: &str = "reveille_bridge_accept_to_screen_seconds";
    let mut hops: Vec<_> = grown
        .label_values(&format!("{HOPS}_count"), "hop")
        .into_iter()
        .map(|hop| {
            let label = format!("hop=\"{hop}\"");
            (hop, grown.histogram(HOPS, &[&label]))
        })
        .collect();
    hops.push(("accepted_to_screen".to_owned(), grown.histogram(SCREEN, &[])));
    for (hop, buckets) in hops.iter().filter(|(_, buckets)| buckets.count() > 0.0) {
        let milliseconds = |share| buckets.quantile(share) * 1000.0;
        report.noted(
            subject.kind,
            Title::new(format!("hop {hop}: mean"), load, Unit::Milliseconds),
            buckets.mean() * 1000.0,
            format!("p50 ≤ {}, p99 ≤ {} ms", milliseconds(0.5), milliseconds(0.99)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_alert_is_new_and_no_number_comes_twice() {
        let items = mixture(1_000, 6);
        let alerts: Vec<_> = items.iter().map(|item| item.alert).collect();
        assert_eq!(alerts, [1_000, 0, 1_002, 1, 1_004, 2]);
        let numbers: Vec<_> = items.iter().map(|item| item.sequence).collect();
        assert_eq!(numbers, [1_000, 1_001, 1_002, 1_003, 1_004, 1_005]);
    }
}
