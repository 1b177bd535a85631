//! Where Prometheus, and all that sends to an Alertmanager, posts its alerts: `/api/v2/alerts`, with Alertmanager's answers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::{PROMETHEUS, prometheus};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new().route("/api/v2/alerts", post(take))
}

async fn take(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    let now = collector.now();
    let mut call = Call::new(&PROMETHEUS, posted);
    call.read = Box::new(move |_, body| prometheus::read_posted(now, body));
    match collector.take(call).await {
        Ok(taken) if taken.left_out > 0 => {
            // As Alertmanager has it: the others were taken, and the sender is told of these.
            (StatusCode::BAD_REQUEST, Json(taken.remarks.join("; "))).into_response()
        }
        Ok(taken) => with_warnings(&taken.remarks),
        Err(refusal) => refused(&refusal),
    }
}

/// Alertmanager's answer has no body, so remarks are headers, as those of Kubernetes' API are.
fn with_warnings(remarks: &[String]) -> Response {
    let mut response = StatusCode::OK.into_response();
    for remark in remarks {
        let quoted = remark.replace(['"', '\\'], "'");
        if let Ok(value) = HeaderValue::from_str(&format!("299 reveille \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

/// Alertmanager answers with a text, and 400 to all that its sender must mend.
fn refused(refusal: &Refusal) -> Response {
    let status = match refusal.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        other => other,
    };
    refusal.answered(status, Json(refusal.to_string()))
}
