//! The API that Jira Service Management has besides that of Opsgenie: the same alerts, in another form.
//!
//! <https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v2/api-group-alerts/>: a list is `{values, links}` whose
//! `links.next` is an address without the host, all else is answered without an envelope, and `size` and `after` are what
//! `limit` and `offset` are at Opsgenie. Clients send `limit` as well, which is taken, too.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemas::Alert;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::list::Asked;
use super::{Reading, shown};

/// Where this API has alerts.
pub(super) const ALERTS: &str = "/jsm/ops/api/{cloud}/v1/alerts";
/// The beginning of its addresses.
const BASE: &str = "/jsm/ops/api/";
/// The names that parameters of addresses of pages have there: of lists of alerts, and of notes and logs.
pub(super) const NAMES_OF_ALERTS: &[(&str, &str)] = &[("limit", "size")];
pub(super) const NAMES_OF_RECORDS: &[(&str, &str)] = &[("limit", "size"), ("offset", "after")];

/// Whose form a request and its answer have, as an extractor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Opsgenie,
    Jira,
}

impl FromRequestParts<Reading> for Form {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _reading: &Reading) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.path()))
    }
}

impl Form {
    pub(super) fn of(path: &str) -> Self {
        match path.starts_with(BASE) {
            true => Form::Jira,
            false => Form::Opsgenie,
        }
    }

    /// What is asked, by the names that Opsgenie has for it. `from` and `to` are when the alerts were created, in
    /// milliseconds since 1970.
    pub(super) fn asked(self, mut asked: Asked) -> Asked {
        if self == Form::Opsgenie {
            return asked;
        }
        for (theirs, ours) in [("size", "limit"), ("after", "offset")] {
            if let Some(value) = asked.remove(theirs) {
                asked.insert(ours.to_owned(), value);
            }
        }
        let mut conditions: Vec<_> = asked.remove("query").into_iter().collect();
        conditions.retain(|query| !query.trim().is_empty());
        for (bound, sign) in [("from", ">="), ("to", "<=")] {
            let at = asked.remove(bound).filter(|at| !at.is_empty());
            conditions.extend(at.map(|at| format!("createdAt {sign} {at}")));
        }
        match conditions.as_slice() {
            [] => (),
            [query] => drop(asked.insert("query".to_owned(), query.clone())),
            all => drop(asked.insert("query".to_owned(), format!("({})", all.join(") AND (")))),
        }
        asked
    }

    /// An alert of a list.
    pub(super) fn of_list(self, alert: &Alert) -> Value {
        match self {
            Form::Opsgenie => shown::of_list(alert),
            Form::Jira => of_list(alert),
        }
    }

    /// An alert that is asked for alone.
    pub(super) fn whole(self, alert: &Alert) -> Value {
        let mut whole = match self {
            Form::Opsgenie => return shown::whole(alert),
            Form::Jira => of_list(alert),
        };
        whole["description"] = json!(alert.output);
        whole["extraProperties"] = shown::details(alert)
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        whole
    }
}

fn of_list(alert: &Alert) -> Value {
    let mut shown = json!({
        "id": shown::id(alert),
        "tinyId": domain::opsgenie::tiny_id(alert.fingerprint),
        "createdAt": alert.opened_at,
        "updatedAt": alert.changed_at,
        "message": alert.name,
        "entity": alert.object,
        "source": alert.source,
        "status": shown::status(alert),
        "alias": shown::alias(alert),
        "tags": shown::listed(alert, "tags"),
        "acknowledged": alert.acknowledgement.is_some(),
        "count": shown::count(alert),
        "owner": shown::owner(alert),
        "snoozed": alert.snooze.is_some(),
        // As Atlassian writes it.
        "lastOccuredAt": alert.last_event_at,
        "integrationType": "API",
        "integrationName": alert.integration,
        "priority": shown::priority(alert),
        "responders": shown::listed(alert, "responders").into_iter().map(responder).collect::<Vec<_>>(),
        "actions": shown::listed(alert, "actions"),
        "seen": shown::is_seen(alert),
    });
    if let Some(snooze) = &alert.snooze {
        shown["snoozedUntil"] = json!(snooze.until);
    }
    if let Some(acknowledgement) = &alert.acknowledgement {
        shown["ackTime"] = json!(acknowledgement.at);
        shown["acknowledgedBy"] = json!(acknowledgement.by);
    }
    if let Some(closed_at) = alert.closed_at {
        shown["closeTime"] = json!(closed_at);
    }
    shown
}

/// As at Opsgenie, but without a name beside the id.
fn responder(name: &str) -> Value {
    json!({ "id": name, "type": if name.contains('@') { "user" } else { "team" } })
}

/// Gives the answers to requests in the form of Jira that form.
pub(super) async fn in_its_form(request: Request, next: Next) -> Response {
    let form = Form::of(request.uri().path());
    let mut response = next.run(request).await;
    let answer = response.extensions_mut().remove::<Answer>();
    let Some(answer) = answer.filter(|_| form == Form::Jira) else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let is_error = !parts.status.is_success();
    let body = match is_error {
        true => error(answer.into_members(), parts.status.as_u16()),
        false => plain(answer.into_members()),
    };
    let (_, body) = Json(body).into_response().into_parts();
    Response::from_parts(parts, body)
}

/// A list and the address of its next page, or what is asked for without an envelope.
fn plain(mut members: Map<String, Value>) -> Value {
    match members.remove("data") {
        Some(Value::Array(values)) => {
            let next = members.get("paging").and_then(|paging| paging.get("next"));
            let links = next.map_or_else(|| json!({}), |next| json!({ "next": next }));
            json!({ "values": values, "links": links })
        }
        Some(data) => data,
        // What was done.
        None => Value::Object(members),
    }
}

/// An error, with a message and its code. Opsgenie's members stay, for the clients that read these.
fn error(mut members: Map<String, Value>, code: u16) -> Value {
    let message = members.get("message").cloned().unwrap_or_default();
    members.insert("code".to_owned(), json!(code));
    members.insert(
        "errors".to_owned(),
        json!([{ "title": message, "code": code.to_string() }]),
    );
    Value::Object(members)
}
