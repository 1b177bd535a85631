//! The private listener: `/metrics`, `/healthz`, `/readyz`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use pipeline::Context;
use prometheus::TextEncoder;
use serde_json::json;

/// Routes that tell how this process is.
///
/// `/healthz` is red (503) when a task is dead or stuck: restart it. `/readyz` is red while a task waits for
/// something, and names it: be patient. Warnings are there beside it: the process works, and an operator must look.
pub fn routes(context: Context) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(context)
}

async fn metrics(State(context): State<Context>) -> Response {
    match TextEncoder::new().encode_to_string(&context.metrics.registry().gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn healthz(State(context): State<Context>) -> Response {
    let report = context.health.report();
    let sick: Vec<_> = report.iter().filter(|task| !task.healthy).collect();
    let status = if sick.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "healthy": sick.is_empty(), "problems": sick, "tasks": report.len() })),
    )
        .into_response()
}

async fn readyz(State(context): State<Context>) -> Response {
    let report = context.health.report();
    let ready = !report.is_empty() && report.iter().all(pipeline::health::TaskReport::ready);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let waiting: Vec<_> = report.iter().filter(|task| !task.ready()).collect();
    let body = json!({ "ready": ready, "waiting": waiting, "warnings": context.health.warnings() });
    (status, Json(body)).into_response()
}
