//! The judge: compares what Reveille made of a load with what a plain model makes of the same events.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use schemas::{Alert, Fingerprint, HistoryKind, Severity, ShownHistoryEntry, Status};
use serde_json::Value;

use crate::client::Client;
use crate::load::{Sent, Story, Verdict};
use crate::waiting::until;

/// Requests to the API at a time.
const AT_ONCE: usize = 8;
/// How many findings are shown.
const SHOWN: usize = 20;

/// What an alert is, by a model that knows nothing of logs, databases and crashes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Model {
    open: bool,
    severity: Severity,
    output: String,
    episode: u32,
    opened: u64,
    updated: u64,
    severity_changed: u64,
    closed: u64,
}

impl Model {
    fn new() -> Self {
        let (opened, updated, severity_changed, closed) = (0, 0, 0, 0);
        let severity = Severity::Ok;
        Self {
            open: false,
            severity,
            output: String::new(),
            episode: 0,
            opened,
            updated,
            severity_changed,
            closed,
        }
    }

    fn of(alert: &Alert) -> Self {
        Self {
            open: alert.status == Status::Open,
            severity: alert.severity,
            output: alert.output.clone(),
            episode: alert.episode,
            opened: alert.counts.opened,
            updated: alert.counts.updated,
            severity_changed: alert.counts.severity_changed,
            closed: alert.counts.closed,
        }
    }

    /// Takes in an event; answers what must be in the history for it, if anything.
    fn take(&mut self, event: &Sent) -> Option<HistoryKind> {
        let kind = match (self.open, event.severity) {
            (false, None) => return None,
            (true, None) => HistoryKind::Closed,
            (false, Some(_)) if self.episode == 0 => HistoryKind::Opened,
            (false, Some(_)) => HistoryKind::Reopened,
            (true, Some(severity)) if severity != self.severity => HistoryKind::SeverityChanged,
            (true, Some(_)) => HistoryKind::Updated,
        };
        match kind {
            HistoryKind::Closed => self.closed += 1,
            HistoryKind::SeverityChanged => self.severity_changed += 1,
            HistoryKind::Updated => self.updated += 1,
            _ => {
                self.opened += 1;
                self.episode += 1;
            }
        }
        self.open = kind != HistoryKind::Closed;
        self.severity = event.severity.unwrap_or(self.severity);
        self.output.clone_from(&event.output);
        Some(kind)
    }
}

/// What an operator said, and must be in the history once.
#[derive(Debug, Clone)]
pub struct Comment {
    /// About which alert.
    pub alert: Fingerprint,
    /// A text that no other comment has.
    pub text: String,
    /// Whether the API said that it was applied.
    pub answered: bool,
}

/// What was found to be right.
#[derive(Debug, Default)]
pub struct Report {
    /// Events that were answered with 2xx; each is in its history once.
    pub accepted: usize,
    /// Events without an answer that came through.
    pub maybe_applied: usize,
    /// Events without an answer that did not.
    pub maybe_lost: usize,
    /// Comments; each that was answered is in its history once.
    pub comments: usize,
    /// Destinations that were told of an opening, and then of the end.
    pub closed_rows: usize,
    /// The alerts by their id.
    pub alerts: BTreeMap<Fingerprint, String>,
}

/// Waits until every story's last event has been applied and everything that was opened anywhere is settled; then
/// compares. All stories must be over.
pub async fn audit(
    client: &Client,
    stories: &[Story],
    comments: &[Comment],
    within: Duration,
) -> Result<Report> {
    let alerts = drained(client, stories, within).await?;
    let mut report = Report::default();
    let mut findings = Vec::new();
    let ids: Vec<_> = stories
        .iter()
        .filter_map(|story| alerts.get(&story.name))
        .map(|alert| alert.fingerprint)
        .collect();
    let rows = settled(client, &ids, within).await?;
    let histories: BTreeMap<_, _> = stream::iter(ids)
        .map(|id| async move { client.history(id).await.map(|history| (id, history)) })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    for story in stories {
        let alert = alerts
            .get(&story.name)
            .with_context(|| format!("there is no alert {}", story.name))?;
        let history = &histories[&alert.fingerprint];
        judge_story(story, alert, history, &mut report, &mut findings);
        judge_comments(alert.fingerprint, comments, history, &mut report, &mut findings);
        report.alerts.insert(alert.fingerprint, story.name.clone());
    }
    for (id, row) in rows {
        match row["state"].as_str() {
            Some("closed") => report.closed_rows += 1,
            _ => findings.push(format!("{id}: not closed where it was opened: {row}")),
        }
    }
    ensure!(
        findings.is_empty(),
        "{} findings, such as\n{}",
        findings.len(),
        findings[..findings.len().min(SHOWN)].join("\n")
    );
    Ok(report)
}

/// The alerts by name, when each is as its story's last event left it.
async fn drained(client: &Client, stories: &[Story], within: Duration) -> Result<BTreeMap<String, Alert>> {
    let mut behind = Vec::new();
    let drained = until("the last events are applied", within, async || {
        let alerts = client.alerts("state=any").await?;
        let alerts: BTreeMap<_, _> = alerts
            .into_iter()
            .map(|alert| (alert.name.clone(), alert))
            .collect();
        behind = stories
            .iter()
            .filter(|story| !is_applied(story, alerts.get(&story.name)))
            .map(|story| {
                (
                    story.sent.last().cloned(),
                    alerts.get(&story.name).map(|alert| alert.output.clone()),
                )
            })
            .collect();
        Ok(behind.is_empty().then_some(alerts))
    });
    let drained = drained.await;
    drained.with_context(|| {
        format!(
            "{} alerts are behind, such as {:#?}",
            behind.len(),
            &behind[..behind.len().min(3)]
        )
    })
}

fn is_applied(story: &Story, alert: Option<&Alert>) -> bool {
    let last = story.sent.last();
    alert.is_some_and(|alert| {
        alert.status == Status::Closed && last.is_some_and(|last| last.output == alert.output)
    })
}

/// Everything that was told anywhere about these alerts, when nothing more will happen to it.
async fn settled(
    client: &Client,
    ids: &[Fingerprint],
    within: Duration,
) -> Result<Vec<(Fingerprint, Value)>> {
    let mut waiting: Vec<_> = ids.to_vec();
    let mut rows = Vec::new();
    let mut example = Value::Null;
    let all_settled = until("everything that was opened is settled", within, async || {
        let answers: Vec<_> = stream::iter(std::mem::take(&mut waiting))
            .map(|id| async move { (id, client.notifications(id).await) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (id, answer) in answers {
            let found = answer
                .ok()
                .and_then(|answer| answer["notifications"].as_array().cloned());
            match found {
                Some(found) if found.iter().all(is_settled) => {
                    rows.extend(found.into_iter().map(|row| (id, row)))
                }
                found => {
                    example = found
                        .into_iter()
                        .flatten()
                        .find(|row| !is_settled(row))
                        .unwrap_or_default();
                    waiting.push(id);
                }
            }
        }
        Ok(waiting.is_empty().then_some(()))
    });
    let all_settled = all_settled.await;
    all_settled.with_context(|| format!("{} alerts are not settled, such as {example}", waiting.len()))?;
    Ok(rows)
}

fn is_settled(row: &Value) -> bool {
    matches!(row["state"].as_str(), Some("closed" | "failed" | "not_closed"))
}

fn judge_story(
    story: &Story,
    alert: &Alert,
    history: &[ShownHistoryEntry],
    report: &mut Report,
    findings: &mut Vec<String>,
) {
    let name = &story.name;
    if !history
        .iter()
        .map(|entry| entry.sequence)
        .eq(1..=history.len() as u64)
    {
        findings.push(format!("{name}: the history has gaps or repeats itself"));
    }
    let mut model = Model::new();
    let mut known = 0;
    let mut place = None;
    for event in &story.sent {
        let lines: Vec<_> = history
            .iter()
            .filter(|entry| entry.event_id.is_some() && entry.message.contains(&event.output))
            .collect();
        known += lines.len();
        let id = match &event.answer {
            Verdict::Accepted(id) => Some(*id),
            Verdict::Maybe(_) => None,
        };
        match (&lines[..], id) {
            ([], Some(id)) => findings.push(format!("{name}: lost: accepted as {id}: {event:?}")),
            ([], None) => report.maybe_lost += 1,
            ([line], id) => {
                let expected = model.take(event);
                if expected != Some(line.kind) {
                    findings.push(format!("{name}: {line:?} should be {expected:?}"));
                }
                if id.is_some() && line.event_id != id {
                    findings.push(format!("{name}: {line:?} should be of event {id:?}"));
                }
                if place >= Some(line.sequence) {
                    findings.push(format!("{name}: out of order: {line:?}"));
                }
                place = Some(line.sequence);
                if id.is_some() {
                    report.accepted += 1
                } else {
                    report.maybe_applied += 1
                }
            }
            (lines, _) => findings.push(format!("{name}: {} times in the history: {event:?}", lines.len())),
        }
    }
    if known != history.iter().filter(|entry| entry.event_id.is_some()).count() {
        findings.push(format!(
            "{name}: there are events in the history that nobody sent"
        ));
    }
    let state = Model::of(alert);
    if state != model {
        findings.push(format!("{name}: is {state:?}, but should be {model:?}"));
    }
}

fn judge_comments(
    alert: Fingerprint,
    comments: &[Comment],
    history: &[ShownHistoryEntry],
    report: &mut Report,
    findings: &mut Vec<String>,
) {
    for comment in comments.iter().filter(|comment| comment.alert == alert) {
        let times = history
            .iter()
            .filter(|entry| entry.message.contains(&comment.text))
            .count();
        if times > 1 || (comment.answered && times == 0) {
            findings.push(format!("{alert}: {times} times in the history: {comment:?}"));
        } else {
            report.comments += times;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use schemas::{Actor, Happening, What};

    use super::*;

    fn event(output: &str, severity: Option<Severity>) -> Sent {
        Sent {
            output: output.to_owned(),
            severity,
            answer: Verdict::Maybe(String::new()),
        }
    }

    fn alert(model: &Model) -> Alert {
        let at = "2026-09-01T10:00:00Z";
        let status = if model.open { "open" } else { "closed" };
        serde_json::from_value(serde_json::json!({
            "fingerprint": "00000000000000000000000000000001", "version": 1, "environment": "e", "scenario": "s",
            "integration": "i", "monitoring_system": "api", "source": "s", "object": "o", "name": "n",
            "severity": model.severity, "status": status, "operator_state": "active", "output": model.output,
            "episode": model.episode, "first_opened_at": at, "opened_at": at, "last_event_at": at, "changed_at": at,
            "total_duration_ms": 0,
            "counts": {
                "opened": model.opened, "updated": model.updated, "severity_changed": model.severity_changed,
                "closed": model.closed, "acknowledged": 0, "snoozed": 0,
            },
        }))
        .unwrap()
    }

    /// A story of three events and what an honest pipeline makes of it.
    fn honest() -> (Story, Vec<ShownHistoryEntry>, Model) {
        let mut story = Story::of(0, 0);
        let mut model = Model::new();
        let mut history = Vec::new();
        for (number, severity) in [Some(Severity::Warning), Some(Severity::Down), None]
            .into_iter()
            .enumerate()
        {
            let id = Uuid::from_u128(number as u128);
            let answer = Verdict::Accepted(id);
            story.sent.push(Sent {
                output: format!("event {number};"),
                severity,
                answer,
            });
            history.push(ShownHistoryEntry {
                fingerprint: Fingerprint::from_bytes([0; 16]),
                sequence: number as u64 + 1,
                at: "2026-09-01T10:00:00Z".parse().unwrap(),
                kind: model.take(&story.sent[number]).unwrap(),
                actor: "integration i".to_owned(),
                message: format!("so: event {number};"),
                details: Happening {
                    actor: Actor::System,
                    what: What::Remarked,
                    reasons: Vec::new(),
                },
                event_id: Some(id),
                received: None,
            });
        }
        (story, history, model)
    }

    fn findings(story: &Story, history: &[ShownHistoryEntry], model: &Model) -> Vec<String> {
        let mut findings = Vec::new();
        judge_story(
            story,
            &alert(model),
            history,
            &mut Report::default(),
            &mut findings,
        );
        findings
    }

    #[test]
    fn an_honest_history_has_no_findings() {
        let (story, history, model) = honest();
        assert_eq!(findings(&story, &history, &model), Vec::<String>::new());
    }

    #[test]
    fn a_lost_a_doubled_and_a_late_event_are_found() {
        let (story, history, model) = honest();
        let lost = findings(&story, &history[..2], &model).join("\n");
        assert!(lost.contains("lost: accepted as"), "{lost}");
        let mut doubled = history.clone();
        doubled.push(ShownHistoryEntry {
            sequence: 4,
            ..history[1].clone()
        });
        let doubled = findings(&story, &doubled, &model).join("\n");
        assert!(doubled.contains("2 times in the history"), "{doubled}");
        let mut late = history.clone();
        late.swap(0, 1);
        (late[0].sequence, late[1].sequence) = (1, 2);
        let late = findings(&story, &late, &model).join("\n");
        assert!(late.contains("out of order"), "{late}");
    }

    #[test]
    fn a_state_that_is_not_the_models_is_found() {
        let (story, history, mut model) = honest();
        model.updated += 1;
        let wrong = findings(&story, &history, &model).join("\n");
        assert!(wrong.contains("but should be"), "{wrong}");
    }

    #[test]
    fn the_model_opens_changes_closes_and_opens_again() {
        let mut model = Model::new();
        let story = [
            (event("1", None), None),
            (event("2", Some(Severity::Warning)), Some(HistoryKind::Opened)),
            (event("3", Some(Severity::Warning)), Some(HistoryKind::Updated)),
            (
                event("4", Some(Severity::Down)),
                Some(HistoryKind::SeverityChanged),
            ),
            (event("5", None), Some(HistoryKind::Closed)),
            (event("6", None), None),
            (event("7", Some(Severity::Warning)), Some(HistoryKind::Reopened)),
        ];
        for (event, kind) in story {
            assert_eq!(model.take(&event), kind, "{event:?}");
        }
        assert_eq!((model.episode, model.output.as_str(), model.open), (2, "7", true));
    }
}
