//! Queries that are kept under a name, each of one integration.

use axum::body::Bytes;
use axum::extract::{Path, Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::list::{Asked, parse};
use super::{Reading, Refusal, Sender, body};
use crate::ApiError;

/// The most of one integration, and Opsgenie's limits of their texts in characters.
const SEARCHES_MAX: usize = 200;
const NAME_MAX: usize = 100;
const QUERY_MAX: usize = 1000;
const DESCRIPTION_MAX: usize = 15_000;
const TEAMS_MAX: usize = 20;

/// A saved search.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SavedSearch {
    id: Uuid,
    name: String,
    pub(super) query: String,
    #[serde(default)]
    description: String,
    owner: Value,
    #[serde(default)]
    teams: Vec<Value>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Deserialize)]
struct Wanted {
    name: Option<String>,
    query: Option<String>,
    #[serde(default)]
    description: String,
    owner: Option<Person>,
    #[serde(default)]
    teams: Vec<Person>,
}

#[derive(Deserialize)]
struct Person {
    id: Option<String>,
    username: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Named {
    identifier: String,
}

impl Person {
    fn named(self) -> Option<Value> {
        let name = self.id.or(self.username).or(self.name)?;
        (!name.is_empty()).then(|| json!({ "id": name, "name": name }))
    }
}

pub(super) async fn list(
    State(reading): State<Reading>,
    Sender(integration): Sender,
) -> Result<Response, Refusal> {
    let searches = stored(&reading, &integration.name).await?;
    let shown = searches
        .iter()
        .map(|search| json!({ "id": search.id, "name": search.name }));
    Ok(Answer::of(shown.collect()).ok())
}

pub(super) async fn one(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(Named { identifier }): Path<Named>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Refusal> {
    let search = named(&reading, &integration.name, &identifier, &asked).await?;
    Ok(Answer::of(json!(search)).ok())
}

pub(super) async fn create(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    bytes: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Refusal> {
    let now = reading.api.context.clock.now();
    let search = checked(body(bytes)?, Uuid::now_v7(), now, now)?;
    put(&reading, &integration.name, &search).await?;
    let shown = json!({ "id": search.id, "name": search.name });
    Ok(Answer::of(shown).status(StatusCode::CREATED))
}

pub(super) async fn update(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(Named { identifier }): Path<Named>,
    Parameters(asked): Parameters<Asked>,
    bytes: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Refusal> {
    let known = named(&reading, &integration.name, &identifier, &asked).await?;
    let now = reading.api.context.clock.now();
    let search = checked(body(bytes)?, known.id, known.created_at, now)?;
    put(&reading, &integration.name, &search).await?;
    Ok(Answer::of(json!(search)).ok())
}

pub(super) async fn remove(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(Named { identifier }): Path<Named>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Refusal> {
    let known = named(&reading, &integration.name, &identifier, &asked).await?;
    let removed = reading.api.store.remove_saved_search(&integration.name, known.id);
    removed.await.map_err(ApiError::from)?;
    Ok(Answer::done("Deleted").ok())
}

async fn named(
    reading: &Reading,
    integration: &str,
    identifier: &str,
    asked: &Asked,
) -> Result<SavedSearch, Refusal> {
    let identifier_type = asked.get("identifierType").map(String::as_str);
    find(reading, integration, identifier, identifier_type).await
}

/// The saved search with this id or name.
pub(super) async fn find(
    reading: &Reading,
    integration: &str,
    identifier: &str,
    identifier_type: Option<&str>,
) -> Result<SavedSearch, Refusal> {
    let by_name = match identifier_type {
        None | Some("" | "id") => false,
        Some("name") => true,
        Some(other) => {
            let message = format!("{other:?} is neither id nor name");
            return Err(Refusal::parameter("identifierType", message));
        }
    };
    let searches = stored(reading, integration).await?.into_iter();
    let found = searches.into_iter().find(|search| match by_name {
        true => search.name == identifier,
        false => search.id.to_string() == identifier,
    });
    found.ok_or_else(|| {
        Refusal::Unknown(format!(
            "saved search {identifier:?}; list them at /v2/alerts/saved-searches"
        ))
    })
}

/// In the order of their names.
async fn stored(reading: &Reading, integration: &str) -> Result<Vec<SavedSearch>, Refusal> {
    let texts = reading.api.store.saved_searches(integration).await;
    let texts = texts.map_err(ApiError::from)?;
    let read = |text: &String| {
        serde_json::from_str(text)
            .map_err(|error| ApiError::Internal(format!("a saved search cannot be read: {error}")))
    };
    let mut searches = texts.iter().map(read).collect::<Result<Vec<SavedSearch>, _>>()?;
    searches.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(searches)
}

async fn put(reading: &Reading, integration: &str, search: &SavedSearch) -> Result<(), Refusal> {
    let document = json!(search).to_string();
    let store = &reading.api.store;
    let kept = store.put_saved_search(integration, search.id, &search.name, &document, SEARCHES_MAX);
    if kept.await.map_err(ApiError::from)? {
        return Ok(());
    }
    let message = format!(
        "another saved search has it, or there are {SEARCHES_MAX} already: choose another or delete one"
    );
    Err(Refusal::parameter("name", message))
}

fn checked(
    wanted: Wanted,
    id: Uuid,
    created_at: Timestamp,
    updated_at: Timestamp,
) -> Result<SavedSearch, Refusal> {
    let given = |field: &'static str, text: Option<String>| {
        let text = text.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| Refusal::parameter(field, "is missing or empty: give it".to_owned()))
    };
    let name = given("name", wanted.name)?;
    let query = given("query", wanted.query)?;
    for (field, text, most) in [
        ("name", &name, NAME_MAX),
        ("query", &query, QUERY_MAX),
        ("description", &wanted.description, DESCRIPTION_MAX),
    ] {
        if text.chars().count() > most {
            return Err(Refusal::parameter(
                field,
                format!("is longer than {most} characters: shorten it"),
            ));
        }
    }
    parse("query", &query)?;
    if wanted.teams.len() > TEAMS_MAX {
        return Err(Refusal::parameter(
            "teams",
            format!("are more than {TEAMS_MAX}: give fewer"),
        ));
    }
    let owner = wanted.owner.and_then(Person::named);
    Ok(SavedSearch {
        id,
        name,
        query,
        description: wanted.description,
        owner: owner
            .ok_or_else(|| Refusal::parameter("owner", "is missing: give its id or username".to_owned()))?,
        teams: wanted.teams.into_iter().filter_map(Person::named).collect(),
        created_at,
        updated_at,
    })
}
