//! The revisions of the site: who made each, when, what it changed, and the site as it was then.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use schemas::config::ConfigEntry;
use schemas::{Permission, Principal};
use serde::{Deserialize, Serialize};

use super::{ShownSite, SiteChange, differences, readable};
use crate::routes::{Method, Operation, Parameter, Routes};
use crate::{Api, ApiError};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// A page of revisions, newest first.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RevisionPage {
    /// One line each.
    pub revisions: Vec<RevisionLine>,
    /// Give it as `cursor` to get the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// Who made a revision, and when.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RevisionLine {
    /// Its number, from 1.
    pub revision: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub by: Principal,
}

/// A revision, and the site as it was.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WholeRevision {
    /// Who made it, and when.
    #[serde(flatten)]
    pub line: RevisionLine,
    /// What differs from the revision before; null when that is not kept any more.
    pub changes: Option<Vec<SiteChange>>,
    /// The site as it was, without keys and secrets.
    pub site: ShownSite,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    limit: Option<usize>,
    cursor: Option<u64>,
}

pub(super) fn routes() -> Routes {
    let read = |path, summary| Operation::of(Method::Get, path, Permission::SiteRead, summary);
    let all = read(
        "/api/v1/site/revisions",
        "List the revisions of the site, newest first",
    )
    .query([Parameter::limit(LIMIT_MAX), Parameter::cursor()])
    .answers::<RevisionPage>();
    let number = Parameter::pattern("revision", "The number of the revision.", "^[0-9]{1,18}$");
    let summary = "One revision, with the site as it was, without keys and secrets";
    let whole = read("/api/v1/site/revisions/{revision}", summary)
        .path_parameter(number)
        .answers::<WholeRevision>();
    Routes::new().add(all, list).add(whole, one)
}

async fn list(
    State(api): State<Arc<Api>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<RevisionPage>, ApiError> {
    let Query(wanted) = wanted?;
    let limit = wanted.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("{limit} is not a number from 1 to {LIMIT_MAX}");
        return Err(ApiError::invalid("limit", message));
    }
    let page = api.store.site_revisions(limit, wanted.cursor).await?;
    Ok(Json(RevisionPage {
        revisions: page.rows.into_iter().map(RevisionLine::from).collect(),
        next_cursor: page.next_cursor,
    }))
}

async fn one(
    State(api): State<Arc<Api>>,
    Path(number): Path<String>,
) -> Result<Json<WholeRevision>, ApiError> {
    let number: u64 = number.parse().map_err(|_| {
        let message = format!("{number:?} is not the number of a revision");
        ApiError::invalid("revision", message)
    })?;
    let Some((revision, entries)) = api.store.site_at(number).await? else {
        return Err(ApiError::NotFound(format!(
            "there is no revision {number}, or it is not kept any more; GET /api/v1/site/revisions lists them"
        )));
    };
    let entries = readable(&entries);
    let before = before(&api, number).await?;
    Ok(Json(WholeRevision {
        changes: before.map(|before| differences(&before, &entries)),
        site: ShownSite::of(number, &entries),
        line: revision.into(),
    }))
}

/// The entries of the revision before, if they are known. Before the first one there were none.
async fn before(api: &Api, number: u64) -> Result<Option<BTreeMap<String, ConfigEntry>>, ApiError> {
    if number == 1 {
        return Ok(Some(BTreeMap::new()));
    }
    let before = api.store.site_at(number.saturating_sub(1)).await?;
    Ok(before.map(|(_, entries)| readable(&entries)))
}

impl From<store::SiteRevision> for RevisionLine {
    fn from(revision: store::SiteRevision) -> Self {
        Self {
            revision: revision.revision,
            at: revision.at,
            by: revision.by,
        }
    }
}
