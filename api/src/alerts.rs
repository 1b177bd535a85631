//! Reading alerts, their histories and who was notified of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use domain::{CompiledFilter, words};
use schemas::alert::OperatorState;
use schemas::live::Filter;
use schemas::{Alert, Fingerprint, LedgerEntry, Permission, Severity, ShownHistoryEntry};
use serde::Serialize;
use serde_json::json;
use store::{AlertQuery, StatusWanted};

use crate::openapi::ALERT_ID;
use crate::routes::{Method, Operation, Parameter, Routes};
use crate::{Api, ApiError};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;
/// Matchers that every reader understands; there are more.
const MATCHER: &str =
    r#"^[a-zA-Z_][a-zA-Z0-9_]{0,40}(!?="[^"\\]{0,80}"|[=!]~"([a-zA-Z0-9_|-]|\.[*+]?){0,40}")$"#;

/// A page of alerts.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct AlertPage {
    alerts: Vec<Alert>,
    /// Give it as `cursor` to get the next page; null at the end.
    next_cursor: Option<String>,
}

/// A page of a history, newest first.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct HistoryPage {
    entries: Vec<ShownHistoryEntry>,
    /// Give it as `cursor` to get the next page; null at the end.
    next_cursor: Option<String>,
}

/// Who was notified of an alert, newest first.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct Notifications {
    notifications: Vec<LedgerEntry>,
}

type Pairs = Vec<(String, String)>;

pub(crate) fn routes() -> Routes {
    let read = |path, summary| Operation::of(Method::Get, path, Permission::AlertsRead, summary);
    let of_one = |path, summary| {
        let id = Parameter::pattern("id", "The id of the alert.", ALERT_ID);
        read(path, summary).path_parameter(id)
    };
    let summary = "List alerts, newest opening first; closed ones newest closing first";
    let all = read("/api/v1/alerts", summary)
        .query(list_parameters())
        .answers::<AlertPage>();
    let history_of_one = of_one("/api/v1/alerts/{id}/history", "What happened to an alert")
        .query([Parameter::limit(LIMIT_MAX), Parameter::cursor()])
        .answers::<HistoryPage>();
    let notified = of_one(
        "/api/v1/alerts/{id}/notifications",
        "Who was notified of an alert",
    );
    Routes::new()
        .add(all, list)
        .add(of_one("/api/v1/alerts/{id}", "One alert").answers::<Alert>(), one)
        .add(history_of_one, history)
        .add(notified.answers::<Notifications>(), notifications)
}

/// What a list is asked for.
fn list_parameters() -> Vec<Parameter> {
    let states = OperatorState::ALL.map(OperatorState::name);
    let states = [&["open", "closed", "any"], &states[..]].concat();
    let matcher = json!({ "type": "array", "items": { "type": "string", "pattern": MATCHER } });
    vec![
        Parameter::text("environment", "Names of environments, with commas between them."),
        Parameter::words(
            "state",
            "`open` (when absent), `closed` or `any`, and operator states: active, acknowledged, snoozed …",
            &states,
        ),
        Parameter::words(
            "severity",
            "Severities, with commas between them.",
            &Severity::ALL.map(Severity::name),
        ),
        Parameter::of(
            "matcher",
            "A label matcher such as `team=\"pay\"`; may be repeated.",
            matcher,
        ),
        Parameter::text(
            "text",
            "Text that stands in the name, object, output, source or a label.",
        ),
        Parameter::limit(LIMIT_MAX),
        Parameter::pattern(
            "cursor",
            "`next_cursor` of the page before.",
            "^[0-9]{1,16}\\.[0-9a-f]{32}$",
        ),
    ]
}

async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Json<AlertPage>, ApiError> {
    let query = read_query(query?.0)?;
    let page = api.store.alerts(&query).await?;
    Ok(Json(AlertPage {
        alerts: page.rows,
        next_cursor: page.next_cursor,
    }))
}

async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<Alert>, ApiError> {
    Ok(Json(alert(&api, fingerprint("id", &id)?).await?))
}

async fn history(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Json<HistoryPage>, ApiError> {
    let fingerprint = fingerprint("id", &id)?;
    let mut cursor = None;
    let mut wanted = LIMIT_DEFAULT;
    for (name, value) in query?.0 {
        match name.as_str() {
            "limit" => wanted = limit(&value)?,
            "cursor" => {
                let sequence = value.parse().map_err(|_| {
                    ApiError::invalid("cursor", "not a cursor: give `next_cursor` of the page before")
                })?;
                cursor = Some(sequence);
            }
            _ => return Err(unknown_parameter(&name, &["limit", "cursor"])),
        }
    }
    let page = api.store.history(fingerprint, wanted, cursor).await?;
    if page.rows.is_empty() && cursor.is_none() {
        alert(&api, fingerprint).await?;
    }
    Ok(Json(HistoryPage {
        entries: page.rows.into_iter().map(words::shown).collect(),
        next_cursor: page.next_cursor,
    }))
}

async fn notifications(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<Notifications>, ApiError> {
    let fingerprint = fingerprint("id", &id)?;
    let notifications = api.store.ledger(fingerprint).await?;
    if notifications.is_empty() {
        alert(&api, fingerprint).await?;
    }
    Ok(Json(Notifications { notifications }))
}

async fn alert(api: &Api, fingerprint: Fingerprint) -> Result<Alert, ApiError> {
    let alert = api.store.alert(fingerprint).await?;
    alert.ok_or_else(|| ApiError::NotFound(format!("there is no alert {fingerprint}")))
}

/// Reads an alert's id out of a field of the request.
pub(crate) fn fingerprint(field: &str, text: &str) -> Result<Fingerprint, ApiError> {
    text.parse()
        .map_err(|error: schemas::fingerprint::InvalidFingerprint| {
            ApiError::invalid(field, error.to_string())
        })
}

/// Reads the parameters of a list; a list of words may be given with commas or by repeating the parameter.
fn read_query(pairs: Pairs) -> Result<AlertQuery, ApiError> {
    let mut query = AlertQuery {
        limit: LIMIT_DEFAULT,
        ..AlertQuery::default()
    };
    let filter: &mut Filter = &mut query.filter;
    for (name, value) in pairs {
        match name.as_str() {
            "environment" => filter.environments.extend(words(&value)),
            "state" => {
                for word in words(&value) {
                    match word.as_str() {
                        "open" => query.status = StatusWanted::Open,
                        "closed" => query.status = StatusWanted::Closed,
                        "any" => query.status = StatusWanted::Any,
                        other => filter.states.push(operator_state(other)?),
                    }
                }
            }
            "severity" => {
                for word in words(&value) {
                    let severity: Severity =
                        word.parse().map_err(|error: schemas::alert::InvalidSeverity| {
                            ApiError::invalid("severity", error.to_string())
                        })?;
                    filter.severities.push(severity);
                }
            }
            "matcher" => filter.matchers.push(value),
            "text" => filter.text = value,
            "limit" => query.limit = limit(&value)?,
            "cursor" => query.cursor = Some(value),
            _ => {
                let known = [
                    "environment",
                    "state",
                    "severity",
                    "matcher",
                    "text",
                    "limit",
                    "cursor",
                ];
                return Err(unknown_parameter(&name, &known));
            }
        }
    }
    CompiledFilter::compile(&query.filter)
        .map_err(|error| ApiError::invalid("matcher", error.to_string()))?;
    Ok(query)
}

fn words(value: &str) -> impl Iterator<Item = String> + '_ {
    value
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
}

fn operator_state(word: &str) -> Result<OperatorState, ApiError> {
    OperatorState::ALL
        .into_iter()
        .find(|state| state.name() == word)
        .ok_or_else(|| {
            let known: Vec<_> = OperatorState::ALL.iter().map(|state| state.name()).collect();
            ApiError::invalid(
                "state",
                format!(
                    "{word:?} is not a state: use open, closed, any, {}",
                    known.join(", ")
                ),
            )
        })
}

fn limit(value: &str) -> Result<usize, ApiError> {
    match value.parse() {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(ApiError::invalid(
            "limit",
            format!("{value:?} is not a number from 1 to {LIMIT_MAX}"),
        )),
    }
}

fn unknown_parameter(name: &str, known: &[&str]) -> ApiError {
    ApiError::invalid(
        name,
        format!("there is no such parameter: there are {}", known.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &[(&str, &str)]) -> Result<AlertQuery, String> {
        let pairs = text
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        read_query(pairs).map_err(|error| error.to_string())
    }

    #[test]
    fn lists_are_read_with_commas_and_by_repetition() {
        let query = query(&[
            ("severity", "critical,Down"),
            ("state", "closed"),
            ("state", "snoozed"),
            ("limit", "7"),
        ])
        .unwrap();
        assert_eq!(query.filter.severities, [Severity::Critical, Severity::Down]);
        assert_eq!(query.status, StatusWanted::Closed);
        assert_eq!(query.filter.states, [OperatorState::Snoozed]);
        assert_eq!(query.limit, 7);
    }

    #[test]
    fn what_is_not_understood_names_the_parameter_and_the_remedy() {
        for (pair, message) in [
            (
                ("severity", "fatal"),
                "severity: \"fatal\" is not a severity: use ok",
            ),
            (
                ("state", "gone"),
                "state: \"gone\" is not a state: use open, closed, any, active",
            ),
            (("limit", "0"), "limit: \"0\" is not a number from 1 to 1000"),
            (
                ("sort", "x"),
                "sort: there is no such parameter: there are environment",
            ),
            (("matcher", "x"), "matcher: matcher \"x\" is not understood"),
        ] {
            let error = query(&[pair]).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
