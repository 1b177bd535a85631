//! Incoming webhooks of Slack, with its own answers. The key is the last segment of the path.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use sources::SourceError;
use sources::systems::slack;

use super::answer::with_warnings;
use crate::collector::Collector;
use crate::intake::error::IngestError;
use crate::intake::request::{IncomingRequest, IngestRequest};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/services/{workspace}/{webhook}/{key}", post(ingest_as_slack))
        .route("/slack/{key}", post(ingest))
}

async fn ingest_as_slack(
    state: State<Arc<Collector>>,
    Path((_, _, key)): Path<(String, String, String)>,
    incoming: IncomingRequest,
) -> Response {
    ingest(state, Path(key), incoming).await
}

async fn ingest(
    State(collector): State<Arc<Collector>>,
    Path(key): Path<String>,
    incoming: IncomingRequest,
) -> Response {
    let mut request = IngestRequest::new(&slack::SOURCE, incoming).replayed_at_its_source();
    request.keys.push(key);
    match collector.ingest(request).await {
        Ok(accepted) => with_warnings("ok", &accepted),
        Err(error) => error_response(&error),
    }
}

/// Slack answers with a code; the message follows it.
fn error_response(error: &IngestError) -> Response {
    let (status, code) = match error {
        IngestError::Key { .. } => (StatusCode::FORBIDDEN, "invalid_token"),
        IngestError::Source(SourceError::Missing { .. } | SourceError::Invalid { .. }) => {
            (StatusCode::BAD_REQUEST, "no_text")
        }
        IngestError::Source(SourceError::Malformed { .. }) => (StatusCode::BAD_REQUEST, "invalid_payload"),
        other => (other.status(), other.code()),
    };
    error.response(status, format!("{code}: {error}\n"))
}
