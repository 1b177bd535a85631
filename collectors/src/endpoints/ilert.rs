//! The events API of ilert, with its own answers. The key is the `integrationKey` of the body, or
//! the last segment of the path.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use sources::systems::ilert;

use crate::collector::Collector;
use crate::intake::error::IngestError;
use crate::intake::request::{IncomingRequest, IngestRequest};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/api/events", post(ingest))
        .route("/api/v1/events", post(ingest_version_1))
        .route("/api/events/{kind}/{key}", post(ingest_of_kind))
        .route("/api/v1/events/{kind}/{key}", post(ingest_of_kind))
}

async fn ingest(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    ingest_event(&collector, StatusCode::ACCEPTED, incoming).await
}

/// Clients of version 1 expect 200.
async fn ingest_version_1(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    ingest_event(&collector, StatusCode::OK, incoming).await
}

/// The addresses of ilert's integrations, with the key as the last segment. The type of the
/// integration decides how the body is parsed if it is a mapping, or the source of this kind.
async fn ingest_of_kind(
    State(collector): State<Arc<Collector>>,
    Path((kind, key)): Path<(String, String)>,
    incoming: IncomingRequest,
) -> Response {
    let keys = vec![key];
    let own = collector.type_of(&keys).filter(|own| *own != ilert::SOURCE.name);
    let source = sources::find(&kind).filter(|source| Some(source.name) == own.as_deref());
    let parser = ilert::parser_of_kind(&kind);
    let parser = parser.or_else(|| Some(sources::find(ilert::source_of_kind(&kind))?.parse));
    let ready_made = collector.mapping(&kind).ok().flatten();
    let mut request = match (collector.mapping_of(&keys), source, parser, ready_made) {
        (Some(mapping), ..) => IngestRequest::mapped(mapping, incoming),
        (None, Some(source), ..) => IngestRequest::new(source, incoming),
        (None, None, Some(parse), _) => {
            IngestRequest::parsed_by(ilert::SOURCE.name.into(), incoming, Box::new(parse))
        }
        (None, None, None, Some(mapping)) => {
            let mut request = IngestRequest::mapped(mapping, incoming);
            request.source = ilert::SOURCE.name.into();
            request
        }
        (None, None, None, None) => {
            let error = IngestError::unknown_source(&kind);
            let error = collector.reject(None, error, incoming.body).await;
            return error_response(&error);
        }
    };
    request.path = format!("/api/v1/events/{kind}");
    request.keys = keys;
    ingested(&collector, StatusCode::OK, request).await
}

async fn ingest_event(collector: &Collector, success: StatusCode, incoming: IncomingRequest) -> Response {
    let mut request = IngestRequest::new(&ilert::SOURCE, incoming);
    request.key_in_body = Some(ilert::integration_key);
    ingested(collector, success, request).await
}

async fn ingested(collector: &Collector, success: StatusCode, request: IngestRequest) -> Response {
    match collector.ingest(request).await {
        Ok(accepted) => {
            let key = accepted.first_key();
            let answer = json!({
                "alertKey": key, "incidentKey": key, "responseCode": "ACCEPTED", "warnings": accepted.warnings,
            });
            (success, Json(answer)).into_response()
        }
        Err(error) => error_response(&error),
    }
}

fn error_response(error: &IngestError) -> Response {
    let status = error.status();
    let answer = json!({
        "status": status.as_u16(), "code": error.code().to_uppercase(), "message": error.to_string(),
    });
    error.response(status, Json(answer))
}
