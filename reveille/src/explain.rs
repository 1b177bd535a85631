//! `reveille explain ID`: the journey of an alert, so that it is known why somebody was notified, or was not.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use schemas::{Journey, Received, ShownHistoryEntry};

use crate::printable::in_line;
use crate::server::Server;

/// Tell how an alert was received, what happened to it with all reasons, and what is still to come.
#[derive(Args)]
pub(crate) struct Explain {
    /// The id of the alert: 32 hexadecimal digits, as in the console's address.
    id: String,
    #[command(flatten)]
    server: Server,
}

pub(crate) async fn run(arguments: Explain) -> anyhow::Result<()> {
    let path = format!("/api/v1/alerts/{}/journey", arguments.id);
    let request = arguments.server.api(Method::GET, &path, &[]);
    let answer = arguments.server.successful_answer(request).await?;
    let journey: Journey = serde_json::from_value(answer).context("the answer is not understood")?;
    std::io::stdout().write_all(told(&journey)?.as_bytes())?;
    Ok(())
}

fn told(journey: &Journey) -> anyhow::Result<String> {
    let alert = &journey.alert;
    let mut text = String::new();
    let head = format!(
        "{} on {} ({}), {} since {:.0}",
        alert.name,
        alert.object,
        alert.environment,
        match alert.closed_at {
            None => format!("open, {},", alert.severity),
            Some(_) => "closed".to_owned(),
        },
        alert.closed_at.unwrap_or(alert.opened_at),
    );
    writeln!(text, "{}", in_line(&head))?;
    if journey.has_older {
        writeln!(
            text,
            "  … older lines are at /api/v1/alerts/{}/history",
            alert.fingerprint
        )?;
    }
    for line in &journey.past {
        writeln!(text, "  {:.0}  {}", line.at, in_line(&past(line)))?;
    }
    if !journey.upcoming.is_empty() {
        writeln!(text, "Still to come:")?;
    }
    for line in &journey.upcoming {
        let at = line
            .at
            .map_or_else(|| "no time yet".to_owned(), |at| format!("{at:.0}"));
        writeln!(text, "  {at:20}  {}", in_line(&line.message))?;
    }
    Ok(text)
}

fn past(line: &ShownHistoryEntry) -> String {
    let received = line.received.as_ref().map(received).unwrap_or_default();
    format!("{}: {}{received}", line.actor, line.message)
}

fn received(received: &Received) -> String {
    let mut text = format!(
        " [received from {} at {:.0}",
        received.source, received.accepted_at
    );
    if let Some(key) = &received.key {
        text = format!("{text} with key {key}");
    }
    if !received.rules.is_empty() {
        text = format!("{text}, rules: {}", received.rules.join(", "));
    }
    text + "]"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_journey_is_told_in_order_and_obeys_nothing_that_a_sender_wrote() {
        let opened = "2026-09-01T10:00:00Z";
        let journey = json!({
            "alert": {
                "fingerprint": "4aa4466e9f14a70ebf10e12ebb21a15c", "version": 1, "environment": "production",
                "scenario": "all", "integration": "main", "monitoring_system": "prometheus", "source": "prom",
                "object": "db-1", "name": "Disk\u{1b}[2J full", "severity": "critical", "status": "open",
                "operator_state": "active", "output": "99 %", "episode": 1, "first_opened_at": opened,
                "opened_at": opened, "last_event_at": opened, "changed_at": opened, "total_duration_ms": 0,
                "counts": { "opened": 1, "updated": 0, "severity_changed": 0, "closed": 0, "acknowledged": 0, "snoozed": 0 },
            },
            "past": [{
                "fingerprint": "4aa4466e9f14a70ebf10e12ebb21a15c", "sequence": 1, "at": opened, "kind": "opened",
                "actor": "integration main", "message": "opened as critical: 99 %",
                "details": {
                    "actor": { "type": "integration", "name": "main" },
                    "what": { "type": "opened", "severity": "critical", "output": "99 %" },
                },
                "received": { "accepted_at": opened, "source": "prom", "key": "2026", "rules": ["noise"] },
            }],
            "has_older": false,
            "upcoming": [
                { "at": "2026-09-01T10:15:00Z", "message": "scenario all step 2 notifies slack #boss",
                  "details": { "type": "source_silent" } },
                { "message": "nobody is notified: there is no scenario x",
                  "details": { "type": "no_scenario", "scenario": "x" } },
            ],
        });
        let journey: Journey = serde_json::from_value(journey).unwrap();
        let told = told(&journey).unwrap();
        assert!(!told.contains('\u{1b}'), "{told:?}");
        let lines: Vec<_> = told.lines().collect();
        assert!(
            lines[0].ends_with("full on db-1 (production), open, critical, since 2026-09-01T10:00:00Z"),
            "{told}"
        );
        assert_eq!(
            lines[1..],
            [
                "  2026-09-01T10:00:00Z  integration main: opened as critical: 99 % \
                 [received from prom at 2026-09-01T10:00:00Z with key 2026, rules: noise]",
                "Still to come:",
                "  2026-09-01T10:15:00Z  scenario all step 2 notifies slack #boss",
                "  no time yet           nobody is notified: there is no scenario x",
            ]
        );
    }
}
