//! OpenTelemetry's exporters of logs, over HTTP. They are answered in the encoding that they have, and told how many of
//! their records were no alerts. The key may be the last segment.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use prost::Message;
use serde_json::json;

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::key;
use crate::refusal::Refusal;
use crate::sources::{OTLP, otlp};
use crate::work::Taken;

/// The address without a key.
const DOOR: &str = "/v1/logs";

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route(DOOR, post(export))
        .route("/v1/logs/{key}", post(export))
}

async fn export(
    State(collector): State<Arc<Collector>>,
    key: Result<Path<String>, PathRejection>,
    posted: Posted,
) -> Response {
    let protobuf = otlp::is_protobuf(&posted.headers);
    let mut call = Call::new(&OTLP, posted);
    call.keys.extend(key.map(|Path(key)| key));
    let asked = call.posted.asked.as_ref().ok();
    let in_query = asked.and_then(|asked| asked.integration_key.clone());
    let keys = key::beside(call.keys.clone(), in_query, &call.posted.headers);
    // The rule of the site that says which logs are alerts.
    if let Some(mapping) = collector.mapping_of(&keys) {
        call.source = mapping.name().to_owned().into();
        call.read = Box::new(move |headers, body| otlp::read_by(&mapping, headers, body));
    }
    call.path = DOOR.to_owned();
    match collector.take(call).await {
        Ok(taken) if protobuf => encoded(&Exported::of(taken)).into_response(),
        Ok(taken) => Json(Exported::of(taken).json()).into_response(),
        Err(refusal) => refused(&refusal, protobuf),
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

/// The answer to what was refused: `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Failure {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl Exported {
    fn of(taken: Taken) -> Self {
        let partial_success = (taken.left_out > 0).then(|| PartialSuccess {
            rejected_log_records: i64::try_from(taken.left_out).unwrap_or(i64::MAX),
            error_message: taken.remarks.join("; "),
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

/// Exporters come again after 429, 502, 503 and 504 only; what they must mend is 400.
fn refused(refusal: &Refusal, protobuf: bool) -> Response {
    let (status, code) = match refusal.status() {
        StatusCode::UNAUTHORIZED => (StatusCode::UNAUTHORIZED, 16),
        StatusCode::TOO_MANY_REQUESTS => (StatusCode::TOO_MANY_REQUESTS, 8),
        // A body that came too slowly may come in time when it is sent again, so they must come again.
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => {
            (StatusCode::SERVICE_UNAVAILABLE, 14)
        }
        StatusCode::UNPROCESSABLE_ENTITY => (StatusCode::BAD_REQUEST, 3),
        other => (other, 3),
    };
    let message = refusal.to_string();
    if protobuf {
        return refusal.answered(status, encoded(&Failure { code, message }));
    }
    refusal.answered(status, Json(json!({ "code": code, "message": message })))
}
