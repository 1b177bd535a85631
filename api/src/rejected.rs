//! What was refused and kept in `ingest.rejected`: which bodies, why, and each of them whole.
//!
//! The topic is read on demand, from its beginning: it is short where all is well, and only people ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chassis::secrets::SiteKey;
use jiff::Timestamp;
use pipeline::{LogError, log};
use schemas::rejection::{Rejected, RejectedKind};
use schemas::{Permission, Topic};
use serde::{Deserialize, Serialize};

use crate::routes::{Method, Operation, Parameter, Routes};
use crate::{Api, ApiError};

/// How long reading the topic may take.
const PATIENCE: Duration = Duration::from_secs(20);
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// What was refused, newest first.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RejectedPage {
    /// One line each.
    pub rejected: Vec<RejectedLine>,
    /// How many there are in all, of what was asked for.
    pub total: usize,
}

/// What was refused, without its body.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RejectedLine {
    /// Its place in the topic.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Type of the monitoring system, as in the path.
    pub monitoring_system: String,
    /// Name of the integration whose key was used.
    pub integration: Option<String>,
    /// Why, with the field and the remedy.
    pub reason: String,
    /// A body, or an event that a rule dropped.
    pub kind: RejectedKind,
    /// Whether only the beginning was kept.
    pub cut: bool,
}

/// What was refused, whole.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RejectedWhole {
    /// Its place in the topic.
    pub id: String,
    /// All that is known.
    #[serde(flatten)]
    pub rejected: Rejected,
    /// Of a body that is whole: what the header `Reveille-Voucher` shows in place of a signature when it is posted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    monitoring_system: Option<String>,
    integration: Option<String>,
    limit: Option<usize>,
}

impl Wanted {
    fn includes(&self, rejected: &Rejected) -> bool {
        let is =
            |wanted: &Option<String>, value: Option<&str>| wanted.is_none() || wanted.as_deref() == value;
        is(&self.monitoring_system, Some(&rejected.monitoring_system))
            && is(&self.integration, rejected.integration.as_deref())
    }
}

pub(crate) fn routes() -> Routes {
    let read = |path, summary| Operation::of(Method::Get, path, Permission::RejectedRead, summary);
    let all = read("/api/v1/rejected", "List what was refused and kept, newest first")
        .query([
            Parameter::text("monitoring_system", "Only of this monitoring system."),
            Parameter::text("integration", "Only of this integration."),
            Parameter::limit(LIMIT_MAX),
        ])
        .answers::<RejectedPage>();
    let whole = read("/api/v1/rejected/{id}", "One refused body, whole")
        .path_parameter(Parameter::text(
            "id",
            "Its place in the topic, as the list has it.",
        ))
        .answers::<RejectedWhole>();
    Routes::new().add(all, list).add(whole, one)
}

async fn list(
    State(api): State<Arc<Api>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<RejectedPage>, ApiError> {
    let Query(wanted) = wanted?;
    let limit = wanted.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(ApiError::invalid(
            "limit",
            format!("{limit} is not a number from 1 to {LIMIT_MAX}"),
        ));
    }
    let mut newest = BTreeMap::new();
    let mut total = 0;
    read(&api, |place, rejected| {
        if wanted.includes(&rejected) {
            total += 1;
            newest.insert((rejected.at, place), rejected);
            if newest.len() > limit {
                newest.pop_first();
            }
        }
    })
    .await?;
    let rejected = newest.into_iter().rev();
    let rejected = rejected.map(|((_, place), rejected)| line(place, rejected));
    Ok(Json(RejectedPage {
        rejected: rejected.collect(),
        total,
    }))
}

async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<RejectedWhole>, ApiError> {
    let mut found = None;
    read(&api, |place, rejected| {
        if named(place) == id {
            found = Some(rejected);
        }
    })
    .await?;
    match found {
        Some(rejected) => Ok(Json(RejectedWhole {
            id,
            voucher: voucher(&api.key, &rejected),
            rejected,
        })),
        None => Err(ApiError::NotFound(format!(
            "nothing that was refused has the id {id:?}, or it is no longer kept; GET /api/v1/rejected lists them"
        ))),
    }
}

/// What is kept had proven to be its sender's, where that is asked for.
fn voucher(key: &SiteKey, rejected: &Rejected) -> Option<String> {
    let integration = rejected.integration.as_deref()?;
    if rejected.kind != RejectedKind::Body || rejected.cut {
        return None;
    }
    let body = STANDARD.decode(&rejected.body_base64).ok()?;
    key.vouch(integration, &body).ok()
}

/// Partition and offset.
type Place = (u32, u64);

fn named((partition, offset): Place) -> String {
    format!("{partition}-{offset}")
}

fn line(place: Place, rejected: Rejected) -> RejectedLine {
    RejectedLine {
        id: named(place),
        at: rejected.at,
        monitoring_system: rejected.monitoring_system,
        integration: rejected.integration,
        reason: rejected.reason,
        kind: rejected.kind,
        cut: rejected.cut,
    }
}

/// Reads all that is in the topic now.
async fn read(api: &Api, mut seen: impl FnMut(Place, Rejected)) -> Result<(), ApiError> {
    let reading = async {
        let begin = log::From::Start;
        let mut follower = api.context.log.follow(Topic::INGEST_REJECTED, begin).await?;
        while !follower.caught_up() {
            let batch = follower.next().await?;
            for record in batch.records {
                let Some(value) = record.value else { continue };
                match serde_json::from_slice(&value) {
                    Ok(rejected) => seen((batch.partition, record.offset), rejected),
                    Err(error) => tracing::error!(%error, "a record of ingest.rejected cannot be read"),
                }
            }
        }
        Ok::<_, LogError>(())
    };
    let unavailable =
        |reason: String| ApiError::Unavailable(format!("ingest.rejected cannot be read: {reason}"));
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(done) => done.map_err(|error| unavailable(error.to_string())),
        Err(_) => Err(unavailable(format!(
            "it took more than {} seconds",
            PATIENCE.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use pipeline::{Log, Record};
    use serde_json::json;

    use super::*;
    use crate::site::tests::World;

    async fn world() -> World {
        let world = World::new().await;
        let record = |second: i64, system: &str, reason: &str| {
            let rejected = json!({
                "at": Timestamp::from_second(1_788_000_000 + second).unwrap(), "monitoring_system": system,
                "integration": "main", "reason": reason, "headers": { "content-type": "text/plain" },
                "body_base64": "bm90IGpzb24=",
            });
            Record {
                key: system.to_owned(),
                value: Some(rejected.to_string().into()),
                headers: Vec::new(),
            }
        };
        let records = vec![
            record(0, "api", "old"),
            record(2, "zabbix", "newest"),
            record(1, "api", "newer"),
        ];
        world.log.append(Topic::INGEST_REJECTED, records).await.unwrap();
        world
    }

    #[tokio::test]
    async fn what_was_refused_is_listed_newest_first_and_read_whole() {
        let world = world().await;
        let reasons = async |query: &str| {
            let (status, page) = world
                .request("GET", &format!("/api/v1/rejected{query}"), "")
                .await;
            assert_eq!(status, StatusCode::OK, "{page}");
            let page: RejectedPage = serde_json::from_value(page).unwrap();
            let reasons: Vec<_> = page.rejected.into_iter().map(|line| line.reason).collect();
            (page.total, reasons.join(" "))
        };
        assert_eq!(reasons("").await, (3, "newest newer old".to_owned()));
        assert_eq!(reasons("?limit=1").await, (3, "newest".to_owned()));
        assert_eq!(
            reasons("?monitoring_system=api").await,
            (2, "newer old".to_owned())
        );
        assert_eq!(reasons("?integration=other").await, (0, String::new()));

        let (_, page) = world.request("GET", "/api/v1/rejected?limit=1", "").await;
        let id = page["rejected"][0]["id"].as_str().unwrap();
        let (status, whole) = world.request("GET", &format!("/api/v1/rejected/{id}"), "").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            (
                &whole["reason"],
                &whole["body_base64"],
                &whole["headers"]["content-type"]
            ),
            (&json!("newest"), &json!("bm90IGpzb24="), &json!("text/plain"))
        );
        let voucher = whole["voucher"].as_str().unwrap();
        assert!(SiteKey::from_bytes([7; 32]).vouches(voucher, "main", b"not json"));
    }

    #[tokio::test]
    async fn what_is_not_there_and_what_is_not_understood_is_said() {
        let world = world().await;
        for (path, status, words) in [
            ("/9-9", StatusCode::NOT_FOUND, "no longer kept"),
            ("?limit=0", StatusCode::UNPROCESSABLE_ENTITY, "1 to 1000"),
            ("?source=api", StatusCode::BAD_REQUEST, "source"),
        ] {
            let (answered, body) = world.request("GET", &format!("/api/v1/rejected{path}"), "").await;
            assert_eq!(answered, status, "{body}");
            assert!(
                body["error"]["message"].as_str().unwrap().contains(words),
                "{body}"
            );
        }
    }
}
