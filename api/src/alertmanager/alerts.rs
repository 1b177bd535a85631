//! Alerts and their groups, as Alertmanager shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use domain::matcher::{self, Matcher};
use domain::{Site, silence};
use jiff::{SignedDuration, Timestamp};
use schemas::Alert;
use schemas::config::{ConfigEntry, LabelMatcher, MatchOperator};
use serde::Serialize;

use super::refusal::Refusal;
use super::{Pairs, time};
use crate::{Api, ApiError, silences};

/// Alerts that are read at once.
const AT_ONCE: usize = 1000;
/// An open alert has no end; clients are given one that lies ahead by so much, as Alertmanager does.
const HOLDS_FOR: SignedDuration = SignedDuration::from_mins(5);
/// What has come from Prometheus or an Alertmanager: it looks here as it does there.
const PROMETHEUS: &str = "prometheus";
/// The link that is the generator of an alert.
const GENERATOR: &str = "Prometheus Graph";
/// What alerts of one group have in common, beside the receiver.
const GROUPED_BY: [&str; 2] = ["alertname", "environment"];

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    annotations: BTreeMap<String, String>,
    ends_at: String,
    fingerprint: String,
    receivers: [Named; 1],
    starts_at: String,
    status: Status,
    updated_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// Nothing inhibits an alert here.
    inhibited_by: [String; 0],
    silenced_by: Vec<String>,
    state: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Group {
    alerts: Vec<Shown>,
    labels: BTreeMap<String, String>,
    receiver: Named,
}

/// Which alerts a client wants. Nothing here is inhibited or unprocessed, so it does not matter whether those are wanted.
struct Wanted {
    active: bool,
    silenced: bool,
    receiver: Option<Matcher>,
    matchers: Vec<Matcher>,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Json<Vec<Shown>>, Refusal> {
    Ok(Json(gathered(&api, &Wanted::read(query?.0)?).await?))
}

pub(super) async fn groups(
    State(api): State<Arc<Api>>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Json<Vec<Group>>, Refusal> {
    Ok(Json(grouped(gathered(&api, &Wanted::read(query?.0)?).await?)))
}

/// The open alerts that are wanted, in the order of their fingerprints.
async fn gathered(api: &Api, wanted: &Wanted) -> Result<Vec<Shown>, Refusal> {
    let mut site = Site::default();
    for silence in silences::stored(api).await?.into_values() {
        let entry = ConfigEntry::Silence(silence);
        site.apply(&entry.key(), Some(entry));
    }
    let now = api.context.clock.now();
    let (mut shown, mut after) = (Vec::new(), None);
    loop {
        let alerts = api
            .store
            .open_alerts(after, AT_ONCE)
            .await
            .map_err(ApiError::from)?;
        after = alerts.last().map(|alert| alert.fingerprint);
        let last = alerts.len() < AT_ONCE;
        let silenced = |alert: &Alert| {
            site.silencing(alert, now)
                .map(|silence| silence.id.to_string())
                .collect()
        };
        shown.extend(
            alerts
                .iter()
                .filter_map(|alert| wanted.show(alert, silenced(alert), now)),
        );
        if last {
            return Ok(shown);
        }
    }
}

fn grouped(alerts: Vec<Shown>) -> Vec<Group> {
    let mut groups: BTreeMap<_, Vec<Shown>> = BTreeMap::new();
    for alert in alerts {
        let labels = GROUPED_BY.map(|label| alert.labels.get(label).cloned().unwrap_or_default());
        let [receiver] = alert.receivers.clone();
        groups.entry((labels, receiver)).or_default().push(alert);
    }
    let group = |((labels, receiver), alerts): (([String; 2], Named), Vec<Shown>)| Group {
        alerts,
        labels: GROUPED_BY.map(str::to_owned).into_iter().zip(labels).collect(),
        receiver,
    };
    groups.into_iter().map(group).collect()
}

impl Wanted {
    fn read(pairs: Pairs) -> Result<Self, Refusal> {
        let mut wanted = Self {
            active: true,
            silenced: true,
            receiver: None,
            matchers: Vec::new(),
        };
        for (name, value) in pairs {
            match name.as_str() {
                "active" => wanted.active = is_true(&value),
                "silenced" => wanted.silenced = is_true(&value),
                "receiver" if !value.is_empty() => wanted.receiver = Some(receiver(value)?),
                "filter" => wanted.matchers.push(Matcher::compile(&matcher::parse(&value)?)?),
                _ => {}
            }
        }
        Ok(wanted)
    }

    /// The alert as it is shown, if it is wanted.
    fn show(&self, alert: &Alert, silenced_by: Vec<String>, now: Timestamp) -> Option<Shown> {
        let silenced = !silenced_by.is_empty();
        let wanted = if silenced { self.silenced } else { self.active };
        let holds = |matcher: &Matcher| matcher.matches(silence::label(alert, matcher.name()));
        let received = self
            .receiver
            .as_ref()
            .is_none_or(|wanted| wanted.matches(&alert.scenario));
        (wanted && received && self.matchers.iter().all(holds)).then(|| shown(alert, silenced_by, now))
    }
}

fn receiver(value: String) -> Result<Matcher, Refusal> {
    let matcher = LabelMatcher {
        name: "receiver".to_owned(),
        operator: MatchOperator::Matches,
        value,
    };
    Matcher::compile(&matcher)
        .map_err(|error| Refusal::Bad(format!("failed to parse receiver param: {error}")))
}

/// What clients may write for true; everything else is false.
fn is_true(text: &str) -> bool {
    [
        "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled",
    ]
    .iter()
    .any(|word| text.eq_ignore_ascii_case(word))
}

fn shown(alert: &Alert, silenced_by: Vec<String>, now: Timestamp) -> Shown {
    let labels = silence::labels(alert).into_iter();
    let holds_until = now.checked_add(HOLDS_FOR).unwrap_or(Timestamp::MAX);
    Shown {
        annotations: annotations(alert),
        ends_at: time(holds_until),
        fingerprint: alert.fingerprint.to_string(),
        receivers: [Named {
            name: alert.scenario.clone(),
        }],
        starts_at: time(alert.began_at.unwrap_or(alert.opened_at)),
        status: Status {
            inhibited_by: [],
            state: if silenced_by.is_empty() {
                "active"
            } else {
                "suppressed"
            },
            silenced_by,
        },
        updated_at: time(alert.changed_at),
        generator_url: alert.links.get(GENERATOR).cloned(),
        labels: labels
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// What came with annotations has these and no others. Of other sources the text stands there too (its first line is what
/// lists show), and the links under the names that annotations have: `runbook_url` for "Runbook URL".
fn annotations(alert: &Alert) -> BTreeMap<String, String> {
    if alert.monitoring_system == PROMETHEUS {
        return alert.annotations.clone();
    }
    let name = |title: &String| -> String {
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        };
        title.to_ascii_lowercase().chars().map(plain).collect()
    };
    let links = alert.links.iter().filter(|(title, _)| *title != GENERATOR);
    let mut annotations: BTreeMap<_, _> = links.map(|(title, link)| (name(title), link.clone())).collect();
    annotations.extend(alert.annotations.clone());
    let text = alert.output.trim();
    if let Some(summary) = text.lines().next() {
        annotations
            .entry("summary".to_owned())
            .or_insert_with(|| summary.to_owned());
        if summary != text {
            annotations
                .entry("description".to_owned())
                .or_insert_with(|| text.to_owned());
        }
    }
    annotations
}
