//! Operators' actions: commands to the daemon, answered with the resulting state.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use chassis::principal::Caller;
use pipeline::Record;
use pipeline::trace::{TraceParent, record_headers};
use schemas::{
    Action, Alert, Command, CommandOutcome, Fingerprint, Permission, Principal, Severity, Topic, VERBS, Verb,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::alerts::fingerprint;
use crate::openapi::ALERT_ID;
use crate::routes::{Body, Method, Operation, Routes};
use crate::{Api, ApiError};

/// Alerts in one request.
const ALERTS_MAX: usize = 10_000;
const AUTHOR_MAX: usize = 200;
const TEXT_MAX: usize = 10_000;
const KEY_MAX: usize = 200;
/// Bytes of all fields of an action: each alert of the request gets them in a message of its own.
const FIELDS_MAX: usize = 64 * 1024;
/// How long the daemon may take; it applies the command later all the same.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What every action takes, beside its own fields.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(crate) struct ActionRequest {
    /// Ids of the alerts, up to 10,000.
    #[schemars(extend("minItems" = 1, "maxItems" = ALERTS_MAX, "items" = json!({ "type": "string", "pattern": ALERT_ID })))]
    alerts: Vec<String>,
    /// Who acts; the principal when absent.
    #[serde(default)]
    #[schemars(extend("maxLength" = AUTHOR_MAX))]
    author: Option<String>,
    /// A request with a key that was applied before on an alert changes nothing there, and is answered as it was then.
    #[serde(default)]
    #[schemars(extend("minLength" = 1, "maxLength" = KEY_MAX))]
    idempotency_key: Option<String>,
    /// The fields of the action.
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// What became of an action.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct ActionResults {
    /// One for each alert, in the order of the request.
    results: Vec<ActionResult>,
}

/// What became of an action on one alert.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct ActionResult {
    id: Fingerprint,
    outcome: CommandOutcome,
    /// Why it was refused or changed nothing.
    reason: Option<String>,
    /// The alert as it is now; null if there is none.
    alert: Option<Alert>,
}

pub(crate) fn routes() -> Routes {
    let path = "/api/v1/actions/{action}";
    let operation = Operation::of(Method::Post, path, Permission::AlertsAct, "alerts")
        .for_each(VERBS.iter().map(|verb| verb.name))
        .body(Body::Action)
        .answers::<ActionResults>();
    Routes::new().add(operation, act)
}

async fn act(
    State(api): State<Arc<Api>>,
    Caller(principal): Caller,
    Path(name): Path<String>,
    body: Result<Json<ActionRequest>, JsonRejection>,
) -> Result<Json<ActionResults>, ApiError> {
    let request = body?.0;
    let author = author(request.author, &principal)?;
    let action = action(&name, request.fields)?;
    let fingerprints = fingerprints(&request.alerts)?;
    let key = match request.idempotency_key {
        None => Uuid::now_v7().to_string(),
        Some(key) => idempotency_key(key)?,
    };
    let requested_at = api.context.clock.now();
    let commands: Vec<_> = fingerprints
        .into_iter()
        .map(|fingerprint| Command {
            command_id: Uuid::now_v7(),
            idempotency_key: key.clone(),
            fingerprint,
            author: author.clone(),
            requested_by: principal.clone(),
            requested_at,
            action: action.clone(),
        })
        .collect();
    let results = carry_out(&api, &commands).await?;
    Ok(Json(ActionResults { results }))
}

/// Appends the commands and waits for all their answers.
async fn carry_out(api: &Api, commands: &[Command]) -> Result<Vec<ActionResult>, ApiError> {
    let ids: Vec<_> = commands.iter().map(|command| command.command_id).collect();
    let answered = tokio::time::timeout(ANSWER_WITHIN, async {
        api.answers.listening().await;
        let waiting: Vec<_> = ids.iter().map(|id| api.answers.expect(*id)).collect();
        api.context
            .log
            .append(Topic::ALERTS_COMMANDS, commands.iter().map(record).collect())
            .await
            .map_err(|error| ApiError::Unavailable(error.to_string()))?;
        let mut results = Vec::with_capacity(commands.len());
        for (command, answer) in commands.iter().zip(waiting) {
            let (answer, alert) = answer.await.map_err(|_| late())?;
            results.push(ActionResult {
                id: command.fingerprint,
                outcome: answer.outcome,
                reason: answer.reason,
                alert,
            });
        }
        Ok(results)
    })
    .await;
    api.answers.forget(&ids);
    answered.unwrap_or_else(|_| Err(late()))
}

fn late() -> ApiError {
    ApiError::Unavailable(
        "the daemon has not answered in time; it may still apply the action: repeat the request with the same idempotency_key".to_owned(),
    )
}

#[expect(
    clippy::expect_used,
    reason = "a command is made of text and times, which have a JSON form"
)]
fn record(command: &Command) -> Record {
    let value = serde_json::to_vec(command).expect("a command has a JSON form");
    Record {
        key: command.fingerprint.to_string(),
        value: Some(value.into()),
        headers: record_headers(Some(&TraceParent::random().to_string())),
    }
}

fn fingerprints(alerts: &[String]) -> Result<Vec<Fingerprint>, ApiError> {
    if alerts.is_empty() {
        return Err(ApiError::invalid("alerts", "name at least one alert by its id"));
    }
    if alerts.len() > ALERTS_MAX {
        let message = format!(
            "{} alerts are too many: at most {ALERTS_MAX} in one request",
            alerts.len()
        );
        return Err(ApiError::invalid("alerts", message));
    }
    alerts
        .iter()
        .enumerate()
        .map(|(index, id)| fingerprint(&format!("alerts[{index}]"), id))
        .collect()
}

/// The name that the caller gives; without one, the principal is the author.
fn author(author: Option<String>, principal: &Principal) -> Result<String, ApiError> {
    let author = author.unwrap_or_default().trim().to_owned();
    match author.chars().count() {
        0 => Ok(principal.who.clone()),
        1..=AUTHOR_MAX => Ok(author),
        _ => Err(ApiError::invalid(
            "author",
            format!("longer than {AUTHOR_MAX} characters"),
        )),
    }
}

fn idempotency_key(key: String) -> Result<String, ApiError> {
    match key.chars().count() {
        1..=KEY_MAX => Ok(key),
        _ => Err(ApiError::invalid(
            "idempotency_key",
            format!("must have 1 to {KEY_MAX} characters, or be left out"),
        )),
    }
}

/// Reads the fields of the named action; fields that it does not have are refused.
fn action(name: &str, mut fields: Map<String, Value>) -> Result<Action, ApiError> {
    let known = Verb::find(name).ok_or_else(|| {
        let names = VERBS.iter().map(|verb| verb.name).collect::<Vec<_>>();
        ApiError::NotFound(format!(
            "there is no action {name:?}: there are {}",
            names.join(", ")
        ))
    })?;
    let known = known.fields;
    if let Some(other) = fields.keys().find(|field| !known.contains(&field.as_str())) {
        let message = match known {
            [] => format!("{name} has no such field: it takes alerts, author and idempotency_key"),
            known => format!("{name} has no such field: it takes {}", known.join(", ")),
        };
        return Err(ApiError::invalid(other, message));
    }
    for (field, value) in &fields {
        if value.as_str().is_some_and(|text| text.chars().count() > TEXT_MAX) {
            return Err(ApiError::invalid(
                field,
                format!("longer than {TEXT_MAX} characters"),
            ));
        }
    }
    let size = Value::Object(fields.clone()).to_string().len();
    if size > FIELDS_MAX {
        let message = format!("the fields of the action have {size} bytes: at most {FIELDS_MAX} are taken");
        return Err(ApiError::Body(message));
    }
    // A field that is there must be of its type, and the message must name it.
    for field in known {
        let value = fields.get(*field).filter(|value| !value.is_null());
        check_field(field, value)?;
    }
    fields.insert("type".to_owned(), Value::String(name.to_owned()));
    serde_json::from_value(Value::Object(fields)).map_err(|error| match missing_field(&error) {
        Some(field) => ApiError::invalid(&field, format!("{name} needs it")),
        None => ApiError::Body(error.to_string()),
    })
}

fn check_field(field: &str, value: Option<&Value>) -> Result<(), ApiError> {
    let Some(value) = value else { return Ok(()) };
    let (right, wanted) = match field {
        "until" => (
            value
                .as_str()
                .is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
            "a time such as 2026-09-01T10:00:00Z",
        ),
        "sticky_severity" | "sticky_output" => (value.is_boolean(), "true or false"),
        "severity" => (
            serde_json::from_value::<Severity>(value.clone()).is_ok(),
            "information, warning, critical, unknown, urgent or down",
        ),
        "labels" => (
            all(value, |value| value.is_string() || value.is_null()),
            "an object of texts; null takes a label away",
        ),
        "tags" => (
            all(value, Value::is_boolean),
            "an object of true, for a tag that is to be there, and false",
        ),
        "responders" => (
            all(value, Value::is_boolean),
            "an object of true, for a responder that is to be there, and false",
        ),
        _ => (value.is_string(), "text"),
    };
    if right {
        Ok(())
    } else {
        Err(ApiError::invalid(field, format!("{value} is not {wanted}")))
    }
}

fn all(value: &Value, right: impl Fn(&Value) -> bool) -> bool {
    value
        .as_object()
        .is_some_and(|members| members.values().all(right))
}

/// Reads a request as [`act`] does, and does nothing.
#[cfg(test)]
pub(crate) fn understood(name: &str, body: Value) -> Result<(), ApiError> {
    let request: ActionRequest =
        serde_json::from_value(body).map_err(|error| ApiError::Body(error.to_string()))?;
    author(request.author, &Principal::anonymous())?;
    action(name, request.fields)?;
    fingerprints(&request.alerts)?;
    request.idempotency_key.map(idempotency_key).transpose()?;
    Ok(())
}

/// The field that serde says is missing.
fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    text.strip_prefix("missing field `")?
        .split('`')
        .next()
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, fields: Value) -> Result<Action, String> {
        action(name, fields.as_object().unwrap().clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_action_is_read_by_its_name() {
        let fields = json!({
            "until": "2026-09-01T10:00:00Z", "assignee": "ann", "comment": "c",
            "severity": "critical", "labels": { "team": "pay", "tier": null }, "tags": { "db": true }, "responders": { "ann": true },
        });
        for &Verb { name, fields: known } in VERBS {
            let fields: Map<_, _> = fields
                .as_object()
                .unwrap()
                .iter()
                .filter(|(field, _)| known.contains(&field.as_str()))
                .map(|(field, value)| (field.clone(), value.clone()))
                .collect();
            assert_eq!(action(name, fields).unwrap().name(), name);
        }
    }

    #[test]
    fn a_wrong_request_names_the_field_and_the_remedy() {
        for (name, fields, message) in [
            ("snooze", json!({}), "until: snooze needs it"),
            (
                "snooze",
                json!({ "until": "tomorrow" }),
                "until: \"tomorrow\" is not a time such as 2026",
            ),
            (
                "snooze",
                json!({ "till": 1 }),
                "till: snooze has no such field: it takes until, sticky_severity",
            ),
            ("comment", json!({ "comment": 1 }), "comment: 1 is not text"),
            (
                "amend",
                json!({ "severity": "P1" }),
                "severity: \"P1\" is not information, warning",
            ),
            (
                "amend",
                json!({ "labels": { "team": 1 } }),
                "labels: {\"team\":1} is not an object of texts",
            ),
            (
                "amend",
                json!({ "tags": ["db"] }),
                "tags: [\"db\"] is not an object of true",
            ),
            (
                "unsnooze",
                json!({ "until": 1 }),
                "until: unsnooze has no such field: it takes alerts",
            ),
            (
                "ack",
                json!({}),
                "there is no action \"ack\": there are acknowledge",
            ),
        ] {
            let error = read(name, fields).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
        let long = json!({ "labels": { "team": "x".repeat(FIELDS_MAX) } });
        let error = read("amend", long).unwrap_err();
        assert!(error.starts_with("the fields of the action have 65"), "{error}");
    }

    #[test]
    fn a_key_that_tells_nothing_apart_or_is_endless_is_refused() {
        for (key, good) in [
            ("a", true),
            ("", false),
            (&"ä".repeat(200), true),
            (&"ä".repeat(201), false),
        ] {
            assert_eq!(idempotency_key(key.to_owned()).is_ok(), good, "{key}");
        }
    }
}
