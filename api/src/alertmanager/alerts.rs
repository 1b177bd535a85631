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
use super::{Pairs, fingerprint, time};
use crate::{Api, silences};

/// Alerts that are read at once.
const AT_ONCE: usize = 1000;
/// What holds until its source says otherwise has no end; clients are given one that lies ahead by so much, as Alertmanager
/// does.
const HOLDS_FOR: SignedDuration = SignedDuration::from_mins(5);
/// What has come from Prometheus or an Alertmanager: it looks here as it does there.
const PROMETHEUS: &str = "prometheus";
const ALERTNAME: &str = "alertname";
/// The name that stands for none.
const UNNAMED: &str = "alert without alertname";
/// Digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 16;
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
    /// No time interval mutes an alert here: a window belongs to a step.
    muted_by: [String; 0],
    silenced_by: Vec<String>,
    state: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Group {
    alerts: Vec<Shown>,
    labels: BTreeMap<String, String>,
    receiver: Named,
    /// Routes give no labels here.
    #[serde(rename = "routeLabels")]
    route_labels: BTreeMap<String, String>,
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
    let site = silenced(api).await?;
    let now = api.context.clock.now();
    let mut shown = Vec::new();
    each_open(api, |alert, ends_at| {
        let silenced_by = site.silencing(alert, now).map(|silence| silence.id.to_string());
        shown.extend(wanted.show(alert, ends_at, silenced_by.collect(), now));
    })
    .await?;
    shown.sort_by(|a: &Shown, b| a.fingerprint.cmp(&b.fingerprint));
    Ok(shown)
}

/// A site of which only the silences are known.
pub(super) async fn silenced(api: &Api) -> Result<Site, Refusal> {
    let mut site = Site::default();
    for silence in silences::stored(api).await?.into_values() {
        let entry = ConfigEntry::Silence(silence);
        site.apply(&entry.key(), Some(entry));
    }
    Ok(site)
}

/// Goes through the open alerts, each with the end that its source has given it. What Prometheus has given an end that has
/// come is open no longer for clients, though the daemon waits a while whether it is said again.
pub(super) async fn each_open(
    api: &Api,
    mut take: impl FnMut(&Alert, Option<Timestamp>),
) -> Result<(), Refusal> {
    let now = api.context.clock.now();
    let mut after = None;
    loop {
        let alerts = api.store.open_alerts_with_ends(after, AT_ONCE).await?;
        after = alerts.last().map(|(alert, _)| alert.fingerprint);
        let over = |alert: &Alert, end: Option<Timestamp>| {
            alert.monitoring_system == PROMETHEUS && end.is_some_and(|end| end <= now)
        };
        for (alert, ends_at) in &alerts {
            if !over(alert, *ends_at) {
                take(alert, *ends_at);
            }
        }
        if alerts.len() < AT_ONCE {
            return Ok(());
        }
    }
}

fn grouped(alerts: Vec<Shown>) -> Vec<Group> {
    let mut groups: BTreeMap<_, Vec<Shown>> = BTreeMap::new();
    for alert in alerts {
        let labels = GROUPED_BY.map(|label| alert.labels.get(label).cloned());
        let [receiver] = alert.receivers.clone();
        groups.entry((labels, receiver)).or_default().push(alert);
    }
    let group = |((labels, receiver), alerts): (([Option<String>; 2], Named), Vec<Shown>)| Group {
        alerts,
        // A label that an alert lacks is no part of its group.
        labels: GROUPED_BY
            .into_iter()
            .zip(labels)
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect(),
        receiver,
        route_labels: BTreeMap::new(),
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
    fn show(
        &self,
        alert: &Alert,
        ends_at: Option<Timestamp>,
        silenced_by: Vec<String>,
        now: Timestamp,
    ) -> Option<Shown> {
        let silenced = !silenced_by.is_empty();
        let wanted = if silenced { self.silenced } else { self.active };
        let labels = labels(alert);
        let holds = |matcher: &Matcher| {
            let value = labels.get(matcher.name()).map(String::as_str);
            matcher.matches(value.unwrap_or_default())
        };
        let received = self
            .receiver
            .as_ref()
            .is_none_or(|wanted| wanted.matches(&alert.scenario));
        let chosen = wanted && received && self.matchers.iter().all(holds);
        chosen.then(|| shown(alert, labels, ends_at, silenced_by, now))
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

/// What has come from Prometheus has its own labels and no others, `alertname` being one that it may lack. Of other sources
/// the fields of the alert stand there too.
fn labels(alert: &Alert) -> BTreeMap<String, String> {
    if alert.monitoring_system == PROMETHEUS {
        let mut labels = alert.labels.clone();
        if alert.name != UNNAMED {
            labels
                .entry(ALERTNAME.to_owned())
                .or_insert_with(|| alert.name.clone());
        }
        return labels;
    }
    silence::labels(alert)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Of what has come from Prometheus the hash of the labels, as there. Two alerts of another source may have the same labels,
/// so each has the beginning of its own id there.
fn fingerprint_of(alert: &Alert, labels: &BTreeMap<String, String>) -> String {
    if alert.monitoring_system == PROMETHEUS {
        return fingerprint::of(labels);
    }
    alert
        .fingerprint
        .to_string()
        .chars()
        .take(FINGERPRINT_DIGITS)
        .collect()
}

fn shown(
    alert: &Alert,
    labels: BTreeMap<String, String>,
    ends_at: Option<Timestamp>,
    silenced_by: Vec<String>,
    now: Timestamp,
) -> Shown {
    let holds_until = || now.checked_add(HOLDS_FOR).unwrap_or(Timestamp::MAX);
    Shown {
        annotations: annotations(alert),
        ends_at: time(ends_at.unwrap_or_else(holds_until)),
        fingerprint: fingerprint_of(alert, &labels),
        receivers: [Named {
            name: alert.scenario.clone(),
        }],
        starts_at: time(alert.began_at.unwrap_or(alert.opened_at)),
        status: Status {
            inhibited_by: [],
            muted_by: [],
            state: if silenced_by.is_empty() {
                "active"
            } else {
                "suppressed"
            },
            silenced_by,
        },
        updated_at: time(alert.changed_at),
        generator_url: alert.links.get(GENERATOR).cloned(),
        labels,
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
