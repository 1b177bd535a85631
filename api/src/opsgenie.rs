//! Opsgenie's alert API, as far as it reads: what senders ask about the alerts that came with their key.
//!
//! Creating alerts and acting on them are doors of the collectors, at the same addresses.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chassis::secrets::key_hash;
use domain::Site;
use schemas::alert::Status;
use schemas::live::Filter;
use schemas::{Alert, Severity};
use serde_json::{Value, json};
use store::{AlertQuery, StatusWanted};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Api, ApiError};

/// The type of such integrations, with which the identity of their alerts begins.
const TYPE: &str = "opsgenie";
const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 100;
/// How far into the list one can ask.
const DEPTH_MAX: usize = 900;
/// How many alerts are counted, and how many of them are read at once.
const COUNT_MAX: usize = 10_000;
const COUNTED_AT_ONCE: usize = 500;
/// The scheme of `Authorization`.
const SCHEME: &str = "GenieKey";

/// What the routes work with.
#[derive(Clone)]
struct Reading {
    api: Api,
    site: watch::Receiver<Arc<Site>>,
}

pub(crate) fn routes(api: Api, site: watch::Receiver<Arc<Site>>) -> Router {
    let addresses = ["/v2/alerts", "/jsm/ops/integration/v2/alerts"];
    addresses
        .iter()
        .fold(Router::new(), |router, address| {
            router
                .route(address, get(list))
                .route(&format!("{address}/count"), get(counted))
                .route(&format!("{address}/{{id}}"), get(one))
        })
        .with_state(Reading { api, site })
}

/// Why a request was not answered, in Opsgenie's form.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the configuration has not been read yet; ask again in 5 seconds")]
    NotReady,
    #[error(
        "the key is missing, unknown or expired; give one of an integration of type opsgenie, as Authorization: GenieKey"
    )]
    Key,
    #[error("{name}: {message}")]
    Parameter { name: &'static str, message: String },
    #[error("there is no alert {0:?} of this integration; name it by its alias")]
    Unknown(String),
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Refusal::NotReady | Refusal::Api(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Key => StatusCode::UNAUTHORIZED,
            Refusal::Parameter { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Unknown(_) => StatusCode::NOT_FOUND,
        };
        (status, answer("message", json!(self.to_string()))).into_response()
    }
}

/// An answer with what every one of them has.
fn answer(name: &str, value: Value) -> Json<Value> {
    Json(json!({ name: value, "took": 0.0, "requestId": Uuid::now_v7() }))
}

impl Reading {
    /// The name of the integration whose key is shown.
    fn integration(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        let site = Arc::clone(&self.site.borrow());
        if site.revision.is_none() {
            return Err(Refusal::NotReady);
        }
        let shown = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|text| text.trim().split_once(' '));
        // As everywhere in HTTP, it does not matter how the scheme is written.
        let key = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME));
        let (_, key) = key.ok_or(Refusal::Key)?;
        let hash = key_hash(key.trim());
        let integration = site.integration_of_key(&hash).ok_or(Refusal::Key)?;
        let now = self.api.context.clock.now();
        let may_ask = integration.takes(TYPE) && integration.expired_key(&hash, now).is_none();
        may_ask.then(|| integration.name.clone()).ok_or(Refusal::Key)
    }
}

async fn one(
    State(reading): State<Reading>,
    Path(alias): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let integration = reading.integration(&headers)?;
    let fingerprint = domain::fingerprint([integration.as_str(), TYPE, "alias", &alias]);
    let alert = reading.api.store.alert(fingerprint).await;
    match alert.map_err(ApiError::from)? {
        Some(alert) => Ok(answer("data", shown(&alert))),
        None => Err(Refusal::Unknown(alias)),
    }
}

async fn list(
    State(reading): State<Reading>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let integration = reading.integration(&headers)?;
    let offset = number(&asked, "offset", 0, DEPTH_MAX)?;
    let limit = number(&asked, "limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    let query = query(&integration, &asked, offset + limit)?;
    let page = reading.api.store.alerts(&query).await.map_err(ApiError::from)?;
    let alerts: Vec<_> = page.rows.iter().skip(offset).map(shown).collect();
    Ok(answer("data", json!(alerts)))
}

/// How many there are. To count all that ever were could take long, so the answer may be that there are too many.
async fn counted(
    State(reading): State<Reading>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let integration = reading.integration(&headers)?;
    let mut query = query(&integration, &asked, COUNTED_AT_ONCE)?;
    let mut count = 0;
    // A page has fewer than asked for, or none, where most alerts are of others.
    for _ in 0..COUNT_MAX / COUNTED_AT_ONCE {
        let page = reading.api.store.alerts(&query).await.map_err(ApiError::from)?;
        count += page.rows.len();
        if page.next_cursor.is_none() {
            return Ok(answer("data", json!({ "count": count })));
        }
        query.cursor = page.next_cursor;
    }
    Err(Refusal::Parameter {
        name: "query",
        message: "there are too many to count: ask for status:open".to_owned(),
    })
}

/// Alerts of an integration, as its sender asks for them.
fn query(integration: &str, asked: &HashMap<String, String>, limit: usize) -> Result<AlertQuery, Refusal> {
    Ok(AlertQuery {
        status: status(asked.get("query").map_or("", String::as_str))?,
        filter: Filter {
            matchers: vec![
                format!("integration={integration:?}"),
                format!("monitoring_system={TYPE:?}"),
            ],
            ..Filter::default()
        },
        limit,
        ..AlertQuery::default()
    })
}

fn number(
    asked: &HashMap<String, String>,
    name: &'static str,
    otherwise: usize,
    most: usize,
) -> Result<usize, Refusal> {
    let Some(text) = asked.get(name) else {
        return Ok(otherwise);
    };
    let number = text.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| Refusal::Parameter {
        name,
        message: format!("{text:?} is not a number up to {most}"),
    })
}

/// Of Opsgenie's language only what asks for a status.
fn status(query: &str) -> Result<StatusWanted, Refusal> {
    let plain: String = query
        .chars()
        .filter(|character| !character.is_whitespace())
        .collect();
    match plain.replace('=', ":").as_str() {
        "" => Ok(StatusWanted::Any),
        "status:open" => Ok(StatusWanted::Open),
        "status:closed" => Ok(StatusWanted::Closed),
        _ => Err(Refusal::Parameter {
            name: "query",
            message: format!(
                "{query:?} is not understood: ask for status:open, for status:closed, or for all"
            ),
        }),
    }
}

/// An alert as Opsgenie shows it.
fn shown(alert: &Alert) -> Value {
    let alias = alert.labels.get("alias").cloned();
    let alias = alias.unwrap_or_else(|| alert.fingerprint.to_string());
    let priority = match alert.severity {
        Severity::Urgent | Severity::Down => "P1",
        Severity::Critical => "P2",
        Severity::Warning | Severity::Unknown => "P3",
        Severity::Information | Severity::Ok => "P5",
    };
    let tags = alert.labels.get("tags").map_or("", String::as_str).split(',');
    let tags: Vec<_> = tags.map(str::trim).filter(|tag| !tag.is_empty()).collect();
    json!({
        "id": alias,
        "alias": alias,
        "message": alert.name,
        "description": alert.output,
        "entity": alert.object,
        "source": alert.source,
        "priority": priority,
        "status": if alert.status == Status::Open { "open" } else { "closed" },
        "acknowledged": alert.acknowledgement.is_some(),
        "snoozed": alert.snooze.is_some(),
        "snoozedUntil": alert.snooze.as_ref().map(|snooze| snooze.until),
        "owner": alert.assignment.as_ref().map_or("", |assignment| assignment.assignee.as_str()),
        "count": alert.counts.opened + alert.counts.updated + alert.counts.severity_changed,
        "createdAt": alert.opened_at,
        "updatedAt": alert.changed_at,
        "lastOccurredAt": alert.last_event_at,
        "details": alert.labels,
        "tags": tags,
        "integration": { "name": alert.integration, "type": "API" },
    })
}

#[cfg(test)]
mod tests;
