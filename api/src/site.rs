//! Configuration as code: a site document is read, checked, compared with what is, and applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chassis::principal::Caller;
use jiff::Timestamp;
use schemas::config::{ConfigEntry, Mapping};
use schemas::{Permission, Principal};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{NewRevision, StoreError, StoredSite};

use crate::routes::{Body, Method, Operation, Parameter, Routes};
use crate::{Api, ApiError};

mod document;
mod kinds;
mod publisher;
mod removal;
mod revisions;
mod shown;
#[cfg(test)]
pub(crate) mod tests;

pub use document::Problem;
pub(crate) use publisher::Publisher;
pub use revisions::{RevisionLine, RevisionPage, WholeRevision};
pub use shown::ShownSite;

/// What applying a document did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Applied {
    /// What differs from what was there before; empty when nothing does.
    pub changes: Vec<SiteChange>,
    /// The revision of the site after it.
    pub revision: u64,
    /// False for a dry run, and when nothing differs.
    pub applied: bool,
    /// Whether every stage can read it already; otherwise it follows as soon as the log is back.
    pub published: bool,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SiteChange {
    /// What is done.
    pub change: ChangeKind,
    /// To what: kind and name.
    pub key: String,
    /// The fields that differ, without secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// Kinds of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ChangeKind {
    Add,
    Change,
    Remove,
}

#[derive(Deserialize)]
struct ApplyQuery {
    #[serde(default)]
    dry_run: bool,
}

pub(crate) fn routes() -> Routes {
    let path = "/api/v1/site";
    let summary = "The configuration, without keys and secrets";
    let read = Operation::of(Method::Get, path, Permission::SiteRead, summary).answers::<ShownSite>();
    let dry_run = json!({ "type": "boolean" });
    let dry_run = Parameter::of("dry_run", "Only show what would differ.", dry_run);
    let summary = "Apply a site document (YAML)";
    let write = Operation::of(Method::Put, path, Permission::SiteWrite, summary)
        .query([dry_run])
        .body(Body::Yaml)
        .answers::<Applied>();
    Routes::new()
        .add(read, show)
        .add(write, put)
        .merge(revisions::routes())
}

async fn show(State(api): State<Arc<Api>>) -> Result<Json<ShownSite>, ApiError> {
    let stored = api.store.site().await?;
    Ok(Json(ShownSite::of(stored.revision, &entries(&stored))))
}

async fn put(
    State(api): State<Arc<Api>>,
    Caller(principal): Caller,
    query: Result<Query<ApplyQuery>, QueryRejection>,
    body: String,
) -> Result<Json<Applied>, ApiError> {
    Ok(Json(apply(&api, &body, query?.dry_run, &principal).await?))
}

/// Applies a document: all of it or nothing.
pub(crate) async fn apply(api: &Api, text: &str, dry_run: bool, by: &Principal) -> Result<Applied, ApiError> {
    let stored = api.store.site().await?;
    let before = entries(&stored);
    let after = checked(api, text, before.clone()).await?;
    let changes = differences(&before, &after);
    removal::check(&api.store, &changes).await?;
    if dry_run || changes.is_empty() {
        return Ok(Applied {
            changes,
            revision: stored.revision,
            applied: false,
            published: stored.published,
        });
    }
    let (mut set, mut remove) = (BTreeMap::new(), Vec::new());
    for change in &changes {
        match after.get(&change.key) {
            Some(entry) => drop(set.insert(change.key.clone(), json!(entry).to_string())),
            None => remove.push(change.key.clone()),
        }
    }
    let new = api.new_revision(&stored, &set, &remove, by);
    let revision = api.store.change_site(&new).await?;
    let published = api.publisher.publish(revision).await;
    Ok(Applied {
        changes,
        revision,
        applied: true,
        published,
    })
}

impl Api {
    /// The revision that this change of the stored site makes now.
    fn new_revision<'a>(
        &self,
        stored: &StoredSite,
        set: &'a BTreeMap<String, String>,
        remove: &'a [String],
        by: &'a Principal,
    ) -> NewRevision<'a> {
        NewRevision {
            expected: stored.revision,
            set,
            remove,
            by,
            at: self.context.clock.now(),
            keep: self.site_revisions,
        }
    }
}

/// How often a change is tried when other processes change the site at the same time.
const ATTEMPTS: usize = 10;

/// What is to become of single entries, and what the caller is answered.
pub(crate) struct EntryChange<T> {
    pub(crate) set: Vec<ConfigEntry>,
    pub(crate) remove: Vec<String>,
    pub(crate) answer: T,
}

/// Changes single entries: stores what `decide` makes of them as they are. Answers with the revision after it, if anything
/// was changed.
pub(crate) async fn change<T, E: From<ApiError>>(
    api: &Api,
    by: &Principal,
    decide: impl Fn(BTreeMap<String, ConfigEntry>, Timestamp) -> Result<EntryChange<T>, E>,
) -> Result<(T, Option<u64>), E> {
    for _ in 0..ATTEMPTS {
        let changing = api.changing.lock().await;
        let stored = api.store.site().await.map_err(ApiError::from)?;
        let EntryChange { set, remove, answer } = decide(entries(&stored), api.context.clock.now())?;
        if set.is_empty() && remove.is_empty() {
            return Ok((answer, None));
        }
        let set: BTreeMap<_, _> = set
            .into_iter()
            .map(|entry| (entry.key(), json!(entry).to_string()))
            .collect();
        let new = api.new_revision(&stored, &set, &remove, by);
        match api.store.change_site(&new).await {
            Ok(revision) => {
                drop(changing);
                // It is stored; if the log is unavailable, the stages read it when the log is back.
                api.publisher.publish(revision).await;
                return Ok((answer, Some(revision)));
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(ApiError::from(error).into()),
        }
    }
    let message = "others changed the site at the same time, again and again: send it again";
    Err(ApiError::Unavailable(message.to_owned()).into())
}

/// What a document makes of the stored entries. Parsing and trial evaluations take their time, so they run off the threads
/// that serve requests.
async fn checked(
    api: &Api,
    text: &str,
    before: BTreeMap<String, ConfigEntry>,
) -> Result<BTreeMap<String, ConfigEntry>, ApiError> {
    let (text, key) = (text.to_owned(), api.key.clone());
    let check = tokio::task::spawn_blocking(move || {
        let document = document::read(&text)?;
        kinds::resolve(&document, &before, &key)
    });
    let checked = check.await;
    checked
        .map_err(|error| ApiError::Internal(format!("the document could not be checked: {error}")))?
        .map_err(ApiError::Site)
}

/// The mappings that a document declares, or everything that is wrong with them; what else it says is not looked at.
pub fn mappings(text: &str) -> Result<Vec<Mapping>, Vec<Problem>> {
    kinds::mapping::mappings(&document::read(text)?)
}

/// What is stored, by key. An entry that this version cannot read is left out, and stays as it is: the stages, which
/// follow the site, name it in `/readyz`.
pub(crate) fn entries(stored: &StoredSite) -> BTreeMap<String, ConfigEntry> {
    readable(&stored.entries)
}

/// Those of the stored entries that this version can read.
fn readable(stored: &BTreeMap<String, String>) -> BTreeMap<String, ConfigEntry> {
    let parse = |(key, text): (&String, &String)| match serde_json::from_str(text) {
        Ok(entry) => Some((key.clone(), entry)),
        Err(error) => {
            tracing::error!(key, %error, "a stored entry of the site cannot be read and is left out");
            None
        }
    };
    stored.iter().filter_map(parse).collect()
}

fn differences(
    before: &BTreeMap<String, ConfigEntry>,
    after: &BTreeMap<String, ConfigEntry>,
) -> Vec<SiteChange> {
    let mut changes = Vec::new();
    for (key, entry) in after {
        match before.get(key) {
            None => changes.push(SiteChange {
                change: ChangeKind::Add,
                key: key.clone(),
                fields: Vec::new(),
            }),
            Some(known) if known != entry => {
                let fields = differing_fields(known, entry);
                changes.push(SiteChange {
                    change: ChangeKind::Change,
                    key: key.clone(),
                    fields,
                });
            }
            Some(_) => {}
        }
    }
    let removed = before.keys().filter(|key| !after.contains_key(*key));
    changes.extend(removed.map(|key| SiteChange {
        change: ChangeKind::Remove,
        key: key.clone(),
        fields: Vec::new(),
    }));
    changes
}

fn differing_fields(before: &ConfigEntry, after: &ConfigEntry) -> Vec<String> {
    let (before, after) = (json!(before), json!(after));
    let names = [&before, &after]
        .into_iter()
        .filter_map(|value| value.as_object())
        .flat_map(|object| object.keys());
    let names: std::collections::BTreeSet<_> = names.collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect()
}
