//! Lists and counts of alerts.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use axum::extract::{Query as Parameters, State};
use axum::http::HeaderMap;
use axum::response::Response;
use schemas::Alert;
use schemas::live::Filter;
use serde_json::json;
use store::{AlertQuery, StatusWanted};

use super::answer::{Answer, Links};
use super::jira::{Form, NAMES_OF_ALERTS};
use super::query::{self, Query};
use super::{Reading, Refusal, Sender, TYPE, saved_searches, shown};
use crate::ApiError;

const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 100;
/// How far into a list one can ask: Opsgenie's limit of offset and limit together.
const DEPTH_MAX: usize = 20_000;
/// The most alerts of an integration that one request looks at, and how many of them are read at once.
const SCANNED_MAX: usize = 50_000;
const SCANNED_AT_ONCE: usize = 500;

pub(super) type Asked = BTreeMap<String, String>;

/// What a list is sorted by.
#[derive(Clone, Copy)]
struct Order {
    key: KeyOf,
    ascending: bool,
    /// As the database lists them.
    is_stored: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Wide(u128),
    Text(String),
}

/// What an alert is sorted by.
type KeyOf = fn(&Alert) -> Key;

const SORTS: [(&str, KeyOf); 21] = [
    ("createdAt", |alert| Key::Number(alert.opened_at.as_microsecond())),
    ("updatedAt", |alert| {
        Key::Number(alert.changed_at.as_microsecond())
    }),
    ("tinyId", |alert| {
        Key::Wide(u128::from_be_bytes(*alert.fingerprint.as_bytes()))
    }),
    ("alias", |alert| Key::Text(shown::alias(alert))),
    ("message", |alert| Key::Text(alert.name.clone())),
    ("status", |alert| Key::Text(shown::status(alert).to_owned())),
    ("acknowledged", |alert| {
        Key::Number(alert.acknowledgement.is_some().into())
    }),
    ("isSeen", |alert| Key::Number(shown::is_seen(alert).into())),
    ("snoozed", |alert| Key::Number(alert.snooze.is_some().into())),
    ("snoozedUntil", |alert| {
        Key::Number(
            alert
                .snooze
                .as_ref()
                .map_or(0, |snooze| snooze.until.as_microsecond()),
        )
    }),
    ("count", |alert| {
        Key::Number(shown::count(alert).try_into().unwrap_or(i64::MAX))
    }),
    ("lastOccurredAt", |alert| {
        Key::Number(alert.last_event_at.as_microsecond())
    }),
    // As the client for Go writes it.
    ("lastOccuredAt", |alert| {
        Key::Number(alert.last_event_at.as_microsecond())
    }),
    ("source", |alert| Key::Text(alert.source.clone())),
    ("owner", |alert| Key::Text(shown::owner(alert).to_owned())),
    ("integration.name", |alert| Key::Text(alert.integration.clone())),
    ("integration.type", |_| Key::Number(0)),
    ("report.ackTime", |alert| Key::Number(acknowledged_after(alert))),
    ("report.closeTime", |alert| Key::Number(closed_after(alert))),
    ("report.acknowledgedBy", |alert| Key::Text(acknowledged_by(alert))),
    // Who closed an alert is in its log alone.
    ("report.closedBy", |_| Key::Number(0)),
];

fn acknowledged_after(alert: &Alert) -> i64 {
    let at = alert
        .acknowledgement
        .as_ref()
        .map(|acknowledgement| acknowledgement.at);
    at.map_or(0, |at| at.as_microsecond() - alert.opened_at.as_microsecond())
}

fn closed_after(alert: &Alert) -> i64 {
    let at = alert.closed_at;
    at.map_or(0, |at| at.as_microsecond() - alert.opened_at.as_microsecond())
}

fn acknowledged_by(alert: &Alert) -> String {
    let by = alert.acknowledgement.as_ref();
    by.map_or_else(String::new, |acknowledgement| acknowledgement.by.clone())
}

pub(super) async fn list(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    form: Form,
    Parameters(asked): Parameters<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asked = form.asked(asked);
    let integration = integration.name.clone();
    let offset = number(&asked, "offset", 0, 0..=DEPTH_MAX)?;
    let limit = number(&asked, "limit", LIMIT_DEFAULT, 1..=LIMIT_MAX)?;
    if offset + limit > DEPTH_MAX {
        return Err(Refusal::parameter(
            "offset",
            format!("offset and limit together are more than {DEPTH_MAX}: narrow the query"),
        ));
    }
    let order = order(&asked)?;
    let query = searched(&reading, &integration, &asked).await?;
    // One more tells whether there is a next page.
    let most = order.is_stored.then_some(offset + limit + 1);
    let (mut alerts, all) = found(&reading, &integration, &query, most).await?;
    if !order.is_stored {
        alerts.sort_by(|one, other| order.compare(one, other));
    }
    let links = Links::of_pages(&reading, &headers, form, "", NAMES_OF_ALERTS);
    let page = |offset: usize| {
        let mut parameters = asked.clone();
        parameters.insert("limit".to_owned(), limit.to_string());
        parameters.insert("offset".to_owned(), offset.to_string());
        json!(links.to(&parameters))
    };
    let mut paging = json!({ "first": page(0) });
    if alerts.len() > offset + limit {
        paging["next"] = page(offset + limit);
    }
    if offset > 0 {
        paging["prev"] = page(offset.saturating_sub(limit));
    }
    if all && !alerts.is_empty() {
        paging["last"] = page((alerts.len() - 1) / limit * limit);
    }
    let shown: Vec<_> = alerts
        .iter()
        .skip(offset)
        .take(limit)
        .map(|alert| form.of_list(alert))
        .collect();
    Ok(Answer::of(json!(shown)).with("paging", paging).ok())
}

pub(super) async fn count(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    form: Form,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Refusal> {
    let asked = form.asked(asked);
    let integration = integration.name.clone();
    let query = searched(&reading, &integration, &asked).await?;
    let (alerts, _) = found(&reading, &integration, &query, None).await?;
    Ok(Answer::of(json!({ "count": alerts.len() })).ok())
}

/// What is searched for: the query, that of a saved search, or both.
async fn searched(reading: &Reading, integration: &str, asked: &Asked) -> Result<Query, Refusal> {
    let text = asked.get("query").map_or("", String::as_str);
    let mut all = vec![parse("query", text)?];
    if let Some(identifier) = asked.get("searchIdentifier").filter(|text| !text.is_empty()) {
        let identifier_type = asked.get("searchIdentifierType").map(String::as_str);
        let search = saved_searches::find(reading, integration, identifier, identifier_type).await?;
        all.push(parse("searchIdentifier", &search.query)?);
    }
    Ok(Query::All(all))
}

pub(super) fn parse(parameter: &'static str, text: &str) -> Result<Query, Refusal> {
    query::parse(text).map_err(|message| Refusal::parameter(parameter, message))
}

/// The alerts of the integration that are searched for, what opened last first; and whether these are all.
async fn found(
    reading: &Reading,
    integration: &str,
    query: &Query,
    most: Option<usize>,
) -> Result<(Vec<Alert>, bool), Refusal> {
    let status = match query.status() {
        // These would come in the order of their end.
        StatusWanted::Closed if most.is_some() => StatusWanted::Any,
        status => status,
    };
    let mut stored = AlertQuery {
        status,
        filter: Filter {
            matchers: vec![
                format!("integration={integration:?}"),
                format!("monitoring_system={TYPE:?}"),
            ],
            ..Filter::default()
        },
        limit: SCANNED_AT_ONCE,
        ..AlertQuery::default()
    };
    let (mut alerts, mut scanned) = (Vec::new(), 0);
    // A page may have fewer than asked for, or none, where most alerts are of others.
    loop {
        let page = reading.api.store.alerts(&stored).await.map_err(ApiError::from)?;
        scanned += page.rows.len();
        let matching = page.rows.into_iter().filter(|alert| query.matches(alert));
        alerts.extend(matching);
        if page.next_cursor.is_none() {
            return Ok((alerts, true));
        }
        if most.is_some_and(|most| alerts.len() >= most) {
            return Ok((alerts, false));
        }
        if scanned >= SCANNED_MAX {
            return Err(Refusal::parameter(
                "query",
                format!("more than {SCANNED_MAX} alerts would have to be looked at: ask for status: open"),
            ));
        }
        stored.cursor = page.next_cursor;
    }
}

impl Order {
    fn compare(self, one: &Alert, other: &Alert) -> Ordering {
        let keys = (self.key)(one).cmp(&(self.key)(other));
        let keys = if self.ascending { keys } else { keys.reverse() };
        let newest_first = (other.opened_at, other.fingerprint).cmp(&(one.opened_at, one.fingerprint));
        keys.then(newest_first)
    }
}

fn order(asked: &Asked) -> Result<Order, Refusal> {
    let sort = asked.get("sort").map_or("createdAt", String::as_str);
    let found = SORTS.iter().find(|(name, _)| *name == sort);
    let (name, key) = found.ok_or_else(|| {
        let names: Vec<_> = SORTS.iter().map(|(name, _)| *name).collect();
        Refusal::parameter(
            "sort",
            format!("{sort:?} is no field to sort by; use {}", names.join(", ")),
        )
    })?;
    let ascending = ascending(asked)?;
    Ok(Order {
        key: *key,
        ascending,
        is_stored: *name == "createdAt" && !ascending,
    })
}

pub(super) fn ascending(asked: &Asked) -> Result<bool, Refusal> {
    match asked.get("order").map(String::as_str) {
        None | Some("" | "desc") => Ok(false),
        Some("asc") => Ok(true),
        Some(other) => Err(Refusal::parameter(
            "order",
            format!("{other:?} is neither asc nor desc"),
        )),
    }
}

pub(super) fn number(
    asked: &Asked,
    name: &'static str,
    otherwise: usize,
    possible: std::ops::RangeInclusive<usize>,
) -> Result<usize, Refusal> {
    let Some(text) = asked.get(name).filter(|text| !text.is_empty()) else {
        return Ok(otherwise);
    };
    let number = text.parse().ok().filter(|number| possible.contains(number));
    number.ok_or_else(|| {
        let (from, to) = (possible.start(), possible.end());
        Refusal::parameter(name, format!("{text:?} is not a number from {from} to {to}"))
    })
}
