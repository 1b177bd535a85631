//! OTLP over HTTP, for logs. The answer has the encoding of the request and the number of records that were no alerts. The key may be the last segment.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use prost::Message;
use serde_json::json;
use sources::systems::otlp;

use crate::collector::Collector;
use crate::intake::decode::Accepted;
use crate::intake::error::IngestError;
use crate::intake::key;
use crate::intake::request::{IncomingRequest, IngestRequest};

/// The address without a key.
const ADDRESS: &str = "/v1/logs";

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route(ADDRESS, post(export))
        .route("/v1/logs/{key}", post(export))
}

async fn export(
    State(collector): State<Arc<Collector>>,
    key: Result<Path<String>, PathRejection>,
    incoming: IncomingRequest,
) -> Response {
    let protobuf = otlp::is_protobuf(&incoming.headers);
    let mut request = IngestRequest::new(&otlp::SOURCE, incoming);
    request.keys.extend(key.map(|Path(key)| key));
    let hints = request.incoming.hints.as_ref().ok();
    let in_query = hints.and_then(|hints| hints.integration_key.clone());
    let keys = key::credentials_in(request.keys.clone(), in_query, &request.incoming.headers);
    // The mapping of the site that says which logs are alerts.
    if let Some(mapping) = collector.mapping_of(&keys) {
        request.source = mapping.name().to_owned().into();
        request.parse = Box::new(move |headers, body| otlp::parse_with_mapping(&mapping, headers, body));
    }
    request.path = ADDRESS.to_owned();
    match collector.ingest(request).await {
        Ok(accepted) if protobuf => encoded(&Exported::of(accepted)).into_response(),
        Ok(accepted) => Json(Exported::of(accepted).json()).into_response(),
        Err(error) => error_response(&error, protobuf),
    }
}

/// The answer to an export.
#[derive(Clone, PartialEq, Message)]
struct Exported {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_log_records: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// The answer to a refused export: `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Failure {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl Exported {
    fn of(accepted: Accepted) -> Self {
        let partial_success = (accepted.skipped > 0).then(|| PartialSuccess {
            rejected_log_records: i64::try_from(accepted.skipped).unwrap_or(i64::MAX),
            error_message: accepted.warnings.join("; "),
        });
        Self { partial_success }
    }

    fn json(&self) -> serde_json::Value {
        match &self.partial_success {
            None => json!({}),
            Some(partial) => json!({ "partialSuccess": {
                "rejectedLogRecords": partial.rejected_log_records.to_string(),
                "errorMessage": partial.error_message,
            } }),
        }
    }
}

fn encoded(message: &impl Message) -> impl IntoResponse {
    let content = [(header::CONTENT_TYPE, "application/x-protobuf")];
    (content, message.encode_to_vec())
}

/// Exporters retry after 429, 502, 503 and 504 only; errors of the sender are 400.
fn error_response(error: &IngestError, protobuf: bool) -> Response {
    let (status, code) = match error.status() {
        StatusCode::UNAUTHORIZED => (StatusCode::UNAUTHORIZED, 16),
        StatusCode::TOO_MANY_REQUESTS => (StatusCode::TOO_MANY_REQUESTS, 8),
        // A body that came too slowly may arrive in time when it is sent again.
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => {
            (StatusCode::SERVICE_UNAVAILABLE, 14)
        }
        StatusCode::UNPROCESSABLE_ENTITY => (StatusCode::BAD_REQUEST, 3),
        other => (other, 3),
    };
    let message = error.to_string();
    if protobuf {
        return error.response(status, encoded(&Failure { code, message }));
    }
    error.response(status, Json(json!({ "code": code, "message": message })))
}
