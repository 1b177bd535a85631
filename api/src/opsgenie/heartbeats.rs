//! Heartbeats that clients create: entries of the site that belong to the integration of their key.
//!
//! <https://docs.opsgenie.com/docs/heartbeat-api>. Those that the site document declares can be read here, and are changed
//! there.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use chassis::principal::Caller;
use schemas::alert::Status;
use schemas::config::{ClientHeartbeat, ConfigEntry, Heartbeat};
use schemas::{Principal, Severity};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::{Reading, Refusal, Sender, body};
use crate::ApiError;
use crate::site::{self, EntryChange};

/// The most heartbeats that the clients of one integration have.
const HEARTBEATS_MAX: usize = 1000;
/// The longest interval: 400 days, as in a site document.
const INTERVAL_SECONDS_MAX: u64 = 400 * 86_400;
/// Opsgenie's limits, in characters.
const NAME_MAX: usize = 200;
const DESCRIPTION_MAX: usize = 10_000;
const MESSAGE_MAX: usize = 130;
const TAGS_MAX: usize = 20;
const TAG_MAX: usize = 50;
const TAGS: &str = "tags";
const PRIORITY: &str = "priority";
/// How long a client waits until its change can be seen by a call.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

const UNITS: [(&str, u64); 3] = [("days", 86_400), ("hours", 3600), ("minutes", 60)];

/// What a client gives; what it leaves out stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    name: Option<String>,
    description: Option<String>,
    interval: Option<u64>,
    interval_unit: Option<String>,
    enabled: Option<bool>,
    owner_team: Option<Team>,
    alert_message: Option<String>,
    alert_tags: Option<Vec<String>>,
    alert_priority: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Team {
    id: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Named {
    name: String,
}

pub(super) async fn list(
    State(reading): State<Reading>,
    Sender(integration): Sender,
) -> Result<Response, Refusal> {
    let site = reading.site.borrow().clone();
    let own = site.heartbeats.values();
    let own = own.filter(|heartbeat| heartbeat.integration == integration.name);
    let mut shown_all = Vec::new();
    for heartbeat in own {
        shown_all.push(shown(&reading, heartbeat).await?);
    }
    Ok(Answer::of(json!({ "heartbeats": shown_all })).ok())
}

pub(super) async fn one(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(Named { name }): Path<Named>,
) -> Result<Response, Refusal> {
    let site = reading.site.borrow().clone();
    let found = site.heartbeats.get(&name);
    let found = found.filter(|heartbeat| heartbeat.integration == integration.name);
    let found = found.ok_or_else(|| unknown(&name))?;
    Ok(Answer::of(shown(&reading, found).await?).ok())
}

pub(super) async fn add(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Caller(principal): Caller,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let wanted: Wanted = body(bytes)?;
    let added = changed(&reading, &principal, |heartbeats| {
        let name = wanted.name.as_deref().unwrap_or_default();
        check_name(name)?;
        if heartbeats.contains_key(name) {
            return Err(Refusal::Conflict(format!(
                "there is a heartbeat {name:?} already; choose another name"
            )));
        }
        let of_clients = heartbeats
            .values()
            .filter(|heartbeat| heartbeat.integration == integration.name && heartbeat.by_client.is_some());
        if of_clients.count() >= HEARTBEATS_MAX {
            let message = format!("is one too many: an integration has {HEARTBEATS_MAX} at most; delete one");
            return Err(Refusal::parameter("name", message));
        }
        for (field, is_missing) in [
            ("interval", wanted.interval.is_none()),
            ("intervalUnit", wanted.interval_unit.is_none()),
        ] {
            if is_missing {
                return Err(Refusal::parameter(field, "is missing: give it".to_owned()));
            }
        }
        let new = Heartbeat {
            name: name.to_owned(),
            integration: integration.name.clone(),
            period_seconds: 60,
            grace_seconds: 0,
            severity: Severity::Warning,
            labels: BTreeMap::new(),
            alert: None,
            by_client: Some(ClientHeartbeat::default()),
        };
        wanted.applied_to(new).map(Change::Set)
    });
    let heartbeat = added.await?;
    let answer = Answer::of(shown(&reading, &heartbeat).await?);
    Ok(answer
        .with("result", json!("Created"))
        .status(StatusCode::CREATED))
}

pub(super) async fn update(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Caller(principal): Caller,
    Path(Named { name }): Path<Named>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let wanted: Wanted = body(bytes)?;
    let updated = changed(&reading, &principal, |heartbeats| {
        let known = own(heartbeats, &integration.name, &name)?;
        wanted.applied_to(known.clone()).map(Change::Set)
    });
    let answer = Answer::of(shown(&reading, &updated.await?).await?);
    Ok(answer.with("result", json!("Updated")).ok())
}

pub(super) async fn enable(
    reading: State<Reading>,
    sender: Sender,
    caller: Caller,
    name: Path<Named>,
) -> Result<Response, Refusal> {
    switch(&reading, (&sender, &caller), &name.name, true).await
}

pub(super) async fn disable(
    reading: State<Reading>,
    sender: Sender,
    caller: Caller,
    name: Path<Named>,
) -> Result<Response, Refusal> {
    switch(&reading, (&sender, &caller), &name.name, false).await
}

async fn switch(
    reading: &Reading,
    (Sender(integration), Caller(principal)): (&Sender, &Caller),
    name: &str,
    enabled: bool,
) -> Result<Response, Refusal> {
    let switched = changed(reading, principal, |heartbeats| {
        let mut heartbeat = own(heartbeats, &integration.name, name)?.clone();
        if let Some(client) = &mut heartbeat.by_client {
            client.disabled = !enabled;
        }
        Ok(Change::Set(heartbeat))
    });
    let answer = Answer::of(shown(reading, &switched.await?).await?);
    let result = if enabled { "Enabled" } else { "Disabled" };
    Ok(answer.with("result", json!(result)).ok())
}

pub(super) async fn remove(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Caller(principal): Caller,
    Path(Named { name }): Path<Named>,
) -> Result<Response, Refusal> {
    let removed = changed(&reading, &principal, |heartbeats| {
        Ok(Change::Remove(own(heartbeats, &integration.name, &name)?.clone()))
    });
    removed.await?;
    Ok(Answer::done("Deleted").ok())
}

enum Change {
    Set(Heartbeat),
    Remove(Heartbeat),
}

/// Changes one heartbeat as `decide` says, and waits until calls are treated accordingly.
async fn changed(
    reading: &Reading,
    principal: &Principal,
    decide: impl Fn(&BTreeMap<String, Heartbeat>) -> Result<Change, Refusal>,
) -> Result<Heartbeat, Refusal> {
    let (heartbeat, revision) = site::change(&reading.api, principal, |entries, _| {
        let heartbeats = entries.into_values().filter_map(|entry| match entry {
            ConfigEntry::Heartbeat(heartbeat) => Some((heartbeat.name.clone(), heartbeat)),
            _ => None,
        });
        let heartbeats = heartbeats.collect();
        Ok::<_, Refusal>(match decide(&heartbeats)? {
            // What it is already changes nothing.
            Change::Set(heartbeat) if heartbeats.get(&heartbeat.name) == Some(&heartbeat) => EntryChange {
                set: Vec::new(),
                remove: Vec::new(),
                answer: heartbeat,
            },
            Change::Set(heartbeat) => EntryChange {
                set: vec![ConfigEntry::Heartbeat(heartbeat.clone())],
                remove: Vec::new(),
                answer: heartbeat,
            },
            Change::Remove(heartbeat) => EntryChange {
                set: Vec::new(),
                remove: vec![ConfigEntry::Heartbeat(heartbeat.clone()).key()],
                answer: heartbeat,
            },
        })
    })
    .await?;
    let mut site = reading.site.clone();
    let seen = site.wait_for(|site| site.revision >= revision);
    // While the log is unavailable the change is stored all the same, and takes effect when the log is back.
    let _ = tokio::time::timeout(SEEN_WITHIN, seen).await;
    Ok(heartbeat)
}

/// A heartbeat that the clients of the integration may change.
fn own<'h>(
    heartbeats: &'h BTreeMap<String, Heartbeat>,
    integration: &str,
    name: &str,
) -> Result<&'h Heartbeat, Refusal> {
    let found = heartbeats.get(name);
    let found = found.filter(|heartbeat| heartbeat.integration == integration);
    let found = found.ok_or_else(|| unknown(name))?;
    match found.by_client {
        Some(_) => Ok(found),
        None => Err(Refusal::Declared(name.to_owned())),
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::Unknown(format!(
        "heartbeat {name:?} of this integration; list them at /v2/heartbeats"
    ))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let good = |character: char| character.is_alphanumeric() || "-_. ".contains(character);
    let message = match name.chars().count() {
        0 => "is missing: give it".to_owned(),
        1..=NAME_MAX if name.chars().all(good) && !name.trim().is_empty() => return Ok(()),
        1..=NAME_MAX => format!("is {name:?}: use letters, digits, spaces and - _ ."),
        _ => format!("is longer than {NAME_MAX} characters: shorten it"),
    };
    Err(Refusal::parameter("name", message))
}

impl Wanted {
    /// The heartbeat as the client wants it.
    fn applied_to(&self, mut heartbeat: Heartbeat) -> Result<Heartbeat, Refusal> {
        self.check()?;
        let mut client = heartbeat.by_client.take().unwrap_or_default();
        if let Some(description) = &self.description {
            client.description.clone_from(description);
        }
        let (interval, unit) = interval_of(&heartbeat, &client.interval_unit);
        let interval = self.interval.unwrap_or(interval);
        let unit = self.interval_unit.as_deref().unwrap_or(unit);
        (heartbeat.period_seconds, client.interval_unit) = period(interval, unit)?;
        client.disabled = self.enabled.map_or(client.disabled, |enabled| !enabled);
        if let Some(team) = &self.owner_team {
            let name = team.name.clone().or_else(|| team.id.clone());
            client.owner_team = name.filter(|name| !name.is_empty());
        }
        if let Some(message) = &self.alert_message {
            client.alert_message = Some(message.clone()).filter(|message| !message.is_empty());
        }
        if let Some(tags) = &self.alert_tags {
            heartbeat.labels.remove(TAGS);
            if !tags.is_empty() {
                heartbeat.labels.insert(TAGS.to_owned(), tags.join(", "));
            }
        }
        if let Some(word) = self.alert_priority.as_deref().filter(|word| !word.is_empty()) {
            heartbeat.severity = severity(word)?;
            heartbeat.labels.remove(PRIORITY);
            if word == "P4" {
                heartbeat.labels.insert(PRIORITY.to_owned(), word.to_owned());
            }
        }
        heartbeat.by_client = Some(client);
        Ok(heartbeat)
    }

    fn check(&self) -> Result<(), Refusal> {
        for (field, text, most) in [
            ("description", &self.description, DESCRIPTION_MAX),
            ("alertMessage", &self.alert_message, MESSAGE_MAX),
        ] {
            if text.as_ref().is_some_and(|text| text.chars().count() > most) {
                return Err(Refusal::parameter(
                    field,
                    format!("is longer than {most} characters: shorten it"),
                ));
            }
        }
        let tags = self.alert_tags.as_deref().unwrap_or_default();
        if tags.len() > TAGS_MAX || tags.iter().any(|tag| tag.chars().count() > TAG_MAX) {
            let message =
                format!("are more than {TAGS_MAX}, or one is longer than {TAG_MAX} characters: give less");
            return Err(Refusal::parameter("alertTags", message));
        }
        Ok(())
    }
}

fn period(interval: u64, unit: &str) -> Result<(u64, String), Refusal> {
    let known = UNITS.iter().find(|(name, _)| *name == unit);
    let (name, seconds) = known.ok_or_else(|| {
        Refusal::parameter("intervalUnit", format!("is {unit:?}: use minutes, hours or days"))
    })?;
    let seconds = interval.checked_mul(*seconds);
    let seconds = seconds.filter(|seconds| (1..=INTERVAL_SECONDS_MAX).contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        Refusal::parameter(
            "interval",
            format!("is {interval} {unit}: choose from 1 minute to 400 days"),
        )
    })?;
    Ok((seconds, (*name).to_owned()))
}

fn severity(priority: &str) -> Result<Severity, Refusal> {
    match priority {
        "P1" => Ok(Severity::Urgent),
        "P2" => Ok(Severity::Critical),
        "P3" => Ok(Severity::Warning),
        "P4" | "P5" => Ok(Severity::Information),
        other => Err(Refusal::parameter(
            "alertPriority",
            format!("is {other:?}: use P1 to P5"),
        )),
    }
}

/// The interval in the unit in which it was given, or else in the largest that fits.
fn interval_of(heartbeat: &Heartbeat, unit: &str) -> (u64, &'static str) {
    let period = heartbeat.period_seconds;
    let given = UNITS.iter().find(|(name, _)| *name == unit);
    let fitting = UNITS.iter().find(|(_, seconds)| period.is_multiple_of(*seconds));
    let (name, seconds) = given.or(fitting).copied().unwrap_or(("minutes", 60));
    (period.div_ceil(seconds), name)
}

async fn shown(reading: &Reading, heartbeat: &Heartbeat) -> Result<Value, Refusal> {
    let fingerprint = domain::identity::of_heartbeat(&heartbeat.integration, &heartbeat.name);
    let alert = reading
        .api
        .store
        .alert(fingerprint)
        .await
        .map_err(ApiError::from)?;
    let client = heartbeat.by_client.clone().unwrap_or_default();
    let (interval, unit) = interval_of(heartbeat, &client.interval_unit);
    let tags = heartbeat.labels.get(TAGS).map_or("", String::as_str).split(", ");
    let tags: Vec<_> = tags.filter(|tag| !tag.is_empty()).collect();
    let priority = match heartbeat.severity {
        Severity::Urgent | Severity::Down => "P1",
        Severity::Critical => "P2",
        Severity::Warning | Severity::Unknown => "P3",
        Severity::Information if heartbeat.labels.get(PRIORITY).is_some_and(|word| word == "P4") => "P4",
        Severity::Information | Severity::Ok => "P5",
    };
    let mut shown = json!({
        "name": heartbeat.name,
        "description": client.description,
        "interval": interval,
        "intervalUnit": unit,
        "enabled": !client.disabled,
        "expired": alert.as_ref().is_some_and(|alert| alert.status == Status::Open),
        "alertTags": tags,
        "alertPriority": priority,
        "alertMessage": client.alert_message.unwrap_or_default(),
        "ownerTeam": {},
    });
    if let Some(team) = client.owner_team {
        shown["ownerTeam"] = json!({ "id": team, "name": team });
    }
    if let Some(alert) = alert {
        shown["lastPingTime"] = json!(alert.last_event_at);
    }
    Ok(shown)
}
