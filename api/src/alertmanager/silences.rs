//! Silences, as Alertmanager's clients make and read them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use chassis::principal::Caller;
use domain::matcher::{self, Matcher};
use domain::silence;
use jiff::Timestamp;
use schemas::config::{LabelMatcher, MatchOperator, Silence};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::refusal::Refusal;
use super::{Pairs, time};
use crate::silences::{self, SilenceRequest};
use crate::{Api, ApiError};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    id: Uuid,
    status: Status,
    updated_at: String,
    comment: String,
    created_by: String,
    ends_at: String,
    matchers: Vec<ShownMatcher>,
    starts_at: String,
}

#[derive(Debug, Serialize)]
struct Status {
    state: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownMatcher {
    is_equal: bool,
    is_regex: bool,
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(default)]
    id: String,
    comment: Option<String>,
    created_by: Option<String>,
    ends_at: Option<Timestamp>,
    matchers: Option<Vec<PostedMatcher>>,
    starts_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedMatcher {
    is_equal: Option<bool>,
    is_regex: Option<bool>,
    name: Option<String>,
    value: Option<String>,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Json<Vec<Shown>>, Refusal> {
    let filters = query?.0.into_iter().filter(|(name, _)| name == "filter");
    let filters: Vec<_> = filters
        .map(|(_, value)| {
            let filter = matcher::parse(&value)?;
            Ok((Matcher::compile(&filter)?, filter))
        })
        .collect::<Result<_, Refusal>>()?;
    let now = api.context.clock.now();
    let silences = silences::in_order(silences::stored(&api).await?, now).into_iter();
    let silences = silences.filter(|silence| filters.iter().all(|filter| passes(silence, filter)));
    Ok(Json(silences.map(|silence| shown(silence, now)).collect()))
}

pub(super) async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<Shown>, Refusal> {
    let id = read_id(&id)?;
    let silence = silences::stored(&api)
        .await?
        .remove(&id)
        .ok_or(Refusal::NoSilence)?;
    Ok(Json(shown(silence, api.context.clock.now())))
}

pub(super) async fn put(
    State(api): State<Arc<Api>>,
    Caller(principal): Caller,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let posted: Posted = serde_json::from_slice(&body).map_err(Refusal::body)?;
    let silence = match silences::put(&api, &principal, posted.read()?).await {
        Err(ApiError::NotFound(_)) => return Err(not_found()),
        other => other?,
    };
    Ok(Json(json!({ "silenceID": silence.id })))
}

pub(super) async fn expire(
    State(api): State<Arc<Api>>,
    Caller(principal): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    match silences::expire(&api, &principal, read_id(&id)?).await {
        Ok(_) => Ok(StatusCode::OK),
        Err(ApiError::NotFound(_)) => Err(Refusal::NoSilence),
        Err(error) => Err(error.into()),
    }
}

fn not_found() -> Refusal {
    Refusal::Other(ApiError::NotFound("silence not found".to_owned()))
}

fn read_id(text: &str) -> Result<Uuid, Refusal> {
    text.parse().map_err(|_| {
        let message = format!("silenceID in path must be of type uuid: {text:?}");
        Refusal::Numbered(StatusCode::UNPROCESSABLE_ENTITY, 601, message)
    })
}

impl Posted {
    fn read(self) -> Result<SilenceRequest, Refusal> {
        let comment = self.comment.ok_or_else(|| Refusal::missing("comment"))?;
        let created_by = self.created_by.ok_or_else(|| Refusal::missing("createdBy"))?;
        let ends_at = self.ends_at.ok_or_else(|| Refusal::missing("endsAt"))?;
        let matchers = self.matchers.ok_or_else(|| Refusal::missing("matchers"))?;
        let starts_at = self.starts_at.ok_or_else(|| Refusal::missing("startsAt"))?;
        if matchers.is_empty() {
            let message = "matchers in body should have at least 1 items".to_owned();
            return Err(Refusal::Numbered(StatusCode::UNPROCESSABLE_ENTITY, 612, message));
        }
        let id = match self.id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| not_found())?),
        };
        let matchers = matchers.into_iter().enumerate();
        Ok(SilenceRequest {
            id,
            matchers: matchers
                .map(|(index, matcher)| matcher.read(index))
                .collect::<Result<_, _>>()?,
            starts_at: Some(starts_at),
            ends_at,
            created_by,
            comment,
        })
    }
}

impl PostedMatcher {
    fn read(self, index: usize) -> Result<LabelMatcher, Refusal> {
        let missing = |field: &str| Refusal::missing(format!("matchers.{index}.{field}"));
        let is_regex = self.is_regex.ok_or_else(|| missing("isRegex"))?;
        Ok(LabelMatcher {
            name: self.name.ok_or_else(|| missing("name"))?,
            value: self.value.ok_or_else(|| missing("value"))?,
            operator: match (self.is_equal.unwrap_or(true), is_regex) {
                (true, false) => MatchOperator::Equal,
                (false, false) => MatchOperator::NotEqual,
                (true, true) => MatchOperator::Matches,
                (false, true) => MatchOperator::MatchesNot,
            },
        })
    }
}

fn shown(silence: Silence, now: Timestamp) -> Shown {
    let state = silence::state(&silence, now);
    let matchers = silence.matchers.into_iter().map(|matcher| ShownMatcher {
        is_equal: matcher.operator.wants_alike(),
        is_regex: matcher.operator.is_expression(),
        name: matcher.name,
        value: matcher.value,
    });
    Shown {
        status: Status { state: state.name() },
        id: silence.id,
        updated_at: time(silence.updated_at),
        comment: silence.comment,
        created_by: silence.created_by,
        ends_at: time(silence.ends_at),
        matchers: matchers.collect(),
        starts_at: time(silence.starts_at),
    }
}

/// Whether the silence speaks of what the filter asks for: the texts of its matchers are compared, as if they were
/// labels. Asking for the empty text asks whether there is a matcher of that name.
fn passes(silence: &Silence, (matcher, filter): &(Matcher, LabelMatcher)) -> bool {
    let texts: BTreeMap<_, _> = silence
        .matchers
        .iter()
        .map(|matcher| (matcher.name.as_str(), matcher.value.as_str()))
        .collect();
    let text = texts.get(filter.name.as_str());
    if filter.value.is_empty() && filter.operator.wants_alike() != text.is_some() {
        return true;
    }
    matcher.matches(text.copied().unwrap_or_default())
}
