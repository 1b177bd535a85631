//! What it takes while nothing happens, with a console connected.

use std::time::Duration;

use anyhow::Result;

use crate::report::{Report, Title, Unit};
use crate::subject::Subject;
use crate::usage::Meter;

/// So long it may settle, and so long its processor time is counted.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) async fn run(subject: &Subject, report: &mut Report) -> Result<()> {
    let screen = subject.screen().await?;
    tokio::time::sleep(SETTLE).await;
    let meter = Meter::begin(subject.watched());
    tokio::time::sleep(SETTLE).await;
    let spent = meter.spent();
    let own: Vec<_> = subject.memory();
    let used: f64 = spent
        .parts
        .iter()
        .filter(|(name, _)| own.iter().any(|(known, _)| known == name))
        .map(|(_, seconds)| seconds)
        .sum();
    report.noted(
        subject.kind,
        Title::new("memory, idle", "one console connected", Unit::Megabytes).bar("≤ 80 MB (up)"),
        own.iter().map(|(_, memory)| memory.now).sum(),
        by_process(
            &own.iter()
                .map(|(name, memory)| (name.clone(), memory.now))
                .collect::<Vec<_>>(),
        ),
    );
    report.figure(
        subject.kind,
        Title::new("processor, idle", "share of one core", Unit::Percent),
        100.0 * used / spent.seconds,
    );
    drop(screen);
    Ok(())
}

/// The parts of a sum, where there are several.
pub(super) fn by_process(parts: &[(String, f64)]) -> String {
    match parts {
        [] | [_] => String::new(),
        parts => {
            let words: Vec<_> = parts
                .iter()
                .map(|(name, value)| format!("{name} {value:.0}"))
                .collect();
            words.join(", ")
        }
    }
}
