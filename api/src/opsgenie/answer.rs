//! Answers in Opsgenie's form: <https://docs.opsgenie.com/docs/response>.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Reading;
use super::jira::Form;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT_STATE: HeaderName = HeaderName::from_static("x-ratelimit-state");

/// The members of an answer. The response has it beside the body, for those who give the body another form.
#[derive(Clone)]
pub(super) struct Answer(Map<String, Value>);

impl Answer {
    /// What was asked for.
    pub(super) fn of(data: Value) -> Self {
        Self(Map::new()).with("data", data)
    }

    /// What was done.
    pub(super) fn done(result: &str) -> Self {
        Self(Map::new()).with("result", json!(result))
    }

    /// What is wrong.
    pub(super) fn wrong(message: &str) -> Self {
        Self(Map::new()).with("message", json!(message))
    }

    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(super) fn into_members(self) -> Map<String, Value> {
        self.0
    }

    pub(super) fn ok(self) -> Response {
        self.status(StatusCode::OK)
    }

    pub(super) fn status(self, status: StatusCode) -> Response {
        let id = Uuid::now_v7().to_string();
        let answer = self.with("took", json!(0.0)).with("requestId", json!(id));
        let mut response = (status, Json(&answer.0)).into_response();
        response.extensions_mut().insert(answer);
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        let state = HeaderValue::from_static("OK");
        response.headers_mut().insert(RATE_LIMIT_STATE, state);
        response
    }
}

/// Addresses as the client that asks reaches them; in the form of Jira without the host, and with the names that Jira has for
/// its parameters.
pub(super) struct Links {
    base: String,
    renamed: &'static [(&'static str, &'static str)],
}

impl Links {
    pub(super) fn of(reading: &Reading, headers: &HeaderMap, path: &str) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let scheme = text("x-forwarded-proto").unwrap_or(&reading.scheme);
        let host = text(header::HOST.as_str()).unwrap_or("localhost");
        Self {
            base: format!("{scheme}://{host}{path}"),
            renamed: &[],
        }
    }

    /// Those of the pages of a list that is at this place below the alerts; `renamed` are the names that Jira has for
    /// parameters.
    pub(super) fn of_pages(
        reading: &Reading,
        headers: &HeaderMap,
        form: Form,
        below: &str,
        renamed: &'static [(&'static str, &'static str)],
    ) -> Self {
        match form {
            Form::Opsgenie => Self::of(reading, headers, &format!("/v2/alerts{below}")),
            Form::Jira => Self {
                base: format!("/v1/alerts{below}"),
                renamed,
            },
        }
    }

    pub(super) fn to(&self, parameters: &BTreeMap<String, String>) -> String {
        let renamed = |name: &str| {
            let mut renamed = self.renamed.iter();
            renamed
                .find(|(ours, _)| *ours == name)
                .map_or_else(|| name.to_owned(), |(_, theirs)| (*theirs).to_owned())
        };
        let pairs = parameters.iter().map(|(name, value)| (renamed(name), value));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        match query.is_empty() {
            true => self.base.clone(),
            false => format!("{}?{query}", self.base),
        }
    }
}
