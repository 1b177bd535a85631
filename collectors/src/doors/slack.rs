//! What is meant for an incoming webhook of Slack, with its own answers. The key is the last segment of the path.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;

use super::with_remarks;
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::{SLACK, SourceError};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/services/{workspace}/{webhook}/{key}", post(take_as_slack))
        .route("/slack/{key}", post(take))
}

async fn take_as_slack(
    state: State<Arc<Collector>>,
    Path((_, _, key)): Path<(String, String, String)>,
    posted: Posted,
) -> Response {
    take(state, Path(key), posted).await
}

async fn take(State(collector): State<Arc<Collector>>, Path(key): Path<String>, posted: Posted) -> Response {
    let mut call = Call::new(&SLACK, posted).again_at_its_source();
    call.keys.push(key);
    match collector.take(call).await {
        Ok(taken) => with_remarks("ok", &taken),
        Err(refusal) => refused(&refusal),
    }
}

/// Slack answers with a word; what to do stands behind it.
fn refused(refusal: &Refusal) -> Response {
    let (status, word) = match refusal {
        Refusal::Key { .. } => (StatusCode::FORBIDDEN, "invalid_token"),
        Refusal::Source(SourceError::Invalid { .. }) => (StatusCode::BAD_REQUEST, "no_text"),
        Refusal::Source(SourceError::Malformed { .. }) => (StatusCode::BAD_REQUEST, "invalid_payload"),
        other => (other.status(), other.code()),
    };
    refusal.answered(status, format!("{word}: {refusal}\n"))
}
