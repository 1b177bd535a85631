//! Silences: made, changed and ended by operators, one by one.
//!
//! They are entries of the configuration, so every stage has them; a site document neither holds nor changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use chassis::principal::Caller;
use domain::silence::{self, Placed, SilenceState};
use jiff::Timestamp;
use schemas::config::{ConfigEntry, LabelMatcher, Silence};
use schemas::{Permission, Principal};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::openapi::NOT_BLANK;
use crate::routes::{Method, Operation, Parameter, Routes};
use crate::site::{self, EntryChange};
use crate::{Api, ApiError};

const AUTHOR_MAX: usize = 200;
const TEXT_MAX: usize = 10_000;

/// What is to be silenced, until when, by whom and why. That its matchers are regular expressions where they are to be, that
/// one of them does not match the empty text, and that its end lies ahead no schema can say.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SilenceRequest {
    /// Changes this one. If it concerns other alerts now, or begins at another time, it is ended, and a new one takes
    /// its place.
    #[serde(default)]
    pub(crate) id: Option<Uuid>,
    /// All of them must match, and one at least must not match the empty text.
    #[schemars(extend("minItems" = 1, "maxItems" = silence::MATCHERS_MAX))]
    pub(crate) matchers: Vec<LabelMatcher>,
    /// When it begins; now if this is absent or has passed.
    #[serde(default)]
    pub(crate) starts_at: Option<Timestamp>,
    /// When it ends.
    pub(crate) ends_at: Timestamp,
    /// Who silences.
    #[schemars(extend("minLength" = 1, "maxLength" = AUTHOR_MAX, "pattern" = NOT_BLANK))]
    pub(crate) created_by: String,
    /// Why.
    #[schemars(extend("minLength" = 1, "maxLength" = TEXT_MAX, "pattern" = NOT_BLANK))]
    pub(crate) comment: String,
}

/// A silence, and how far it is.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct SilenceNow {
    #[serde(flatten)]
    silence: Silence,
    /// `active`, `pending` or `expired`.
    state: &'static str,
}

/// Silences: active ones first, the one that ends next before the others; then those that have not begun; then those that
/// have ended within the last five days.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct SilenceList {
    silences: Vec<SilenceNow>,
}

impl SilenceNow {
    fn of(silence: Silence, now: Timestamp) -> Self {
        let state = silence::state(&silence, now).name();
        Self { silence, state }
    }
}

pub(crate) fn routes() -> Routes {
    let (all, each) = ("/api/v1/silences", "/api/v1/silences/{id}");
    let of_one = |method, permission, summary| {
        let schema = json!({ "type": "string", "format": "uuid" });
        Operation::of(method, each, permission, summary)
            .path_parameter(Parameter::of("id", "The id of the silence.", schema))
            .answers::<SilenceNow>()
    };
    let states = Parameter::words(
        "state",
        "`active`, `pending`, `expired`, with commas between them; all when absent.",
        &["active", "pending", "expired"],
    );
    let listed = Operation::of(Method::Get, all, Permission::SilencesRead, "List silences")
        .query([states])
        .answers::<SilenceList>();
    let summary = "Silence alerts, or change a silence";
    let made = Operation::of(Method::Post, all, Permission::SilencesWrite, summary)
        .json::<SilenceRequest>()
        .answers::<SilenceNow>()
        .answers_also::<SilenceNow>("201", "A new one was made");
    let read = of_one(Method::Get, Permission::SilencesRead, "One silence");
    let ended = of_one(Method::Delete, Permission::SilencesWrite, "End a silence now");
    Routes::new()
        .add(listed, list)
        .add(made, create)
        .add(read, one)
        .add(ended, end)
}

async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<SilenceList>, ApiError> {
    let wanted = wanted_states(query?.0)?;
    let now = api.context.clock.now();
    let silences = in_order(stored(&api).await?, now);
    let silences = silences.into_iter().map(|silence| SilenceNow::of(silence, now));
    Ok(Json(SilenceList {
        silences: silences
            .filter(|silence| wanted.is_empty() || wanted.iter().any(|state| state.name() == silence.state))
            .collect(),
    }))
}

async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<SilenceNow>, ApiError> {
    let id = read_id(&id)?;
    let silence = stored(&api).await?.remove(&id).ok_or_else(|| unknown(id))?;
    Ok(Json(SilenceNow::of(silence, api.context.clock.now())))
}

async fn create(
    State(api): State<Arc<Api>>,
    Caller(principal): Caller,
    body: Result<Json<SilenceRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<SilenceNow>), ApiError> {
    let request = body?.0;
    for (field, text) in [("created_by", &request.created_by), ("comment", &request.comment)] {
        if text.trim().is_empty() {
            return Err(ApiError::invalid(field, "is empty: say who silences, and why"));
        }
    }
    let known = request.id;
    let silence = put(&api, &principal, request).await?;
    let status = if known == Some(silence.id) {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(SilenceNow::of(silence, api.context.clock.now()))))
}

async fn end(
    State(api): State<Arc<Api>>,
    Caller(principal): Caller,
    Path(id): Path<String>,
) -> Result<Json<SilenceNow>, ApiError> {
    let silence = expire(&api, &principal, read_id(&id)?).await?;
    Ok(Json(SilenceNow::of(silence, api.context.clock.now())))
}

/// All silences that can be looked up.
pub(crate) async fn stored(api: &Api) -> Result<BTreeMap<Uuid, Silence>, ApiError> {
    Ok(of_entries(site::entries(&api.store.site().await?)))
}

fn of_entries(entries: BTreeMap<String, ConfigEntry>) -> BTreeMap<Uuid, Silence> {
    let silences = entries.into_values().filter_map(|entry| match entry {
        ConfigEntry::Silence(silence) => Some((silence.id, silence)),
        _ => None,
    });
    silences.collect()
}

/// What was active in the order of its end, then what is to come, then what is over, the last one first.
pub(crate) fn in_order(silences: BTreeMap<Uuid, Silence>, now: Timestamp) -> Vec<Silence> {
    let mut silences: Vec<_> = silences.into_values().collect();
    silences.sort_by_cached_key(|silence| {
        let state = silence::state(silence, now);
        let place = match state {
            SilenceState::Active => silence.ends_at.as_microsecond(),
            SilenceState::Pending => silence.starts_at.as_microsecond(),
            SilenceState::Expired => -silence.ends_at.as_microsecond(),
        };
        (state, place, silence.id)
    });
    silences
}

/// Makes a silence, or changes a known one.
pub(crate) async fn put(
    api: &Api,
    principal: &Principal,
    request: SilenceRequest,
) -> Result<Silence, ApiError> {
    check_lengths(&request)?;
    let new_id = Uuid::now_v7();
    change(api, principal, |silences, now| {
        let known = match request.id {
            Some(id) => Some(silences.get(&id).ok_or_else(|| unknown(id))?),
            None => None,
        };
        let wanted = Silence {
            id: new_id,
            matchers: request.matchers.clone(),
            starts_at: request.starts_at.unwrap_or(now),
            ends_at: request.ends_at,
            created_by: request.created_by.clone(),
            comment: request.comment.clone(),
            updated_at: now,
        };
        let Placed { silence, replaced } = silence::place(known, wanted, new_id, now)
            .map_err(|error| ApiError::invalid(field_of(&error), error.to_string()))?;
        let changed = replaced.into_iter().chain([silence.clone()]).collect();
        Ok((changed, silence))
    })
    .await
}

/// Ends a silence. One that is over stays as it is.
pub(crate) async fn expire(api: &Api, principal: &Principal, id: Uuid) -> Result<Silence, ApiError> {
    change(api, principal, |silences, now| {
        let known = silences.get(&id).ok_or_else(|| unknown(id))?;
        let ended = silence::ended(known, now);
        let silence = ended.clone().unwrap_or_else(|| known.clone());
        Ok((ended.into_iter().collect(), silence))
    })
    .await
}

/// Stores what `decide` makes of the silences as they are, and drops those that ended so long ago that none is looked up.
async fn change(
    api: &Api,
    principal: &Principal,
    decide: impl Fn(&BTreeMap<Uuid, Silence>, Timestamp) -> Result<(Vec<Silence>, Silence), ApiError>,
) -> Result<Silence, ApiError> {
    let changed = site::change(api, principal, |entries, now| {
        let silences = of_entries(entries);
        let (changed, answer) = decide(&silences, now)?;
        let forgotten = silences
            .into_values()
            .filter(|silence| !changed.is_empty() && silence::is_forgotten(silence, now));
        Ok::<_, ApiError>(EntryChange {
            remove: forgotten
                .map(|silence| ConfigEntry::Silence(silence).key())
                .collect(),
            set: changed.into_iter().map(ConfigEntry::Silence).collect(),
            answer,
        })
    });
    changed.await.map(|(silence, _)| silence)
}

fn check_lengths(request: &SilenceRequest) -> Result<(), ApiError> {
    let texts = [
        ("created_by", &request.created_by, AUTHOR_MAX),
        ("comment", &request.comment, TEXT_MAX),
    ];
    let matchers = request.matchers.iter();
    let matchers = matchers.flat_map(|matcher| {
        [
            ("matchers", &matcher.name, TEXT_MAX),
            ("matchers", &matcher.value, TEXT_MAX),
        ]
    });
    for (field, text, most) in texts.into_iter().chain(matchers) {
        if text.chars().count() > most {
            return Err(ApiError::invalid(field, format!("longer than {most} characters")));
        }
    }
    Ok(())
}

fn field_of(error: &silence::InvalidSilence) -> &'static str {
    match error {
        silence::InvalidSilence::Backwards | silence::InvalidSilence::Past => "ends_at",
        _ => "matchers",
    }
}

fn read_id(text: &str) -> Result<Uuid, ApiError> {
    text.parse()
        .map_err(|_| ApiError::invalid("id", format!("{text:?} is not the id of a silence: it is a UUID")))
}

fn unknown(id: Uuid) -> ApiError {
    ApiError::NotFound(format!("there is no silence {id}"))
}

fn wanted_states(pairs: Vec<(String, String)>) -> Result<Vec<SilenceState>, ApiError> {
    let all = [SilenceState::Active, SilenceState::Pending, SilenceState::Expired];
    let mut wanted = Vec::new();
    for (name, value) in pairs {
        if name != "state" {
            return Err(ApiError::invalid(
                &name,
                "there is no such parameter: there is state",
            ));
        }
        for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let state = all.into_iter().find(|state| state.name() == word);
            wanted.push(state.ok_or_else(|| {
                let message = format!("{word:?} is not a state: use active, pending, expired");
                ApiError::invalid("state", message)
            })?);
        }
    }
    Ok(wanted)
}
