//! The addresses that senders post to, and the ports of those that do not speak HTTP, one file per family.
//!
//! A door says which source understands the body, where the key is shown besides the usual places, and how what was
//! taken or refused becomes an answer. All the rest is the collector's.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::collector::Collector;
use crate::work::Taken;

mod alerta;
mod alertmanager;
mod cloudevents;
mod goalert;
mod heartbeat;
mod ilert;
mod monitoring_system;
pub(crate) mod mqtt;
mod oncall;
mod opsgenie;
mod otlp;
mod pagerduty;
pub(crate) mod riemann;
mod slack;
pub(crate) mod smtp;
mod splunk_oncall;
mod tcp;

/// Where remarks stand in answers whose text senders compare with a word.
const REMARKS: HeaderName = HeaderName::from_static("reveille-remarks");

/// An answer whose text is given, with the remarks in a header.
fn with_remarks(answer: impl IntoResponse, taken: &Taken) -> Response {
    let mut response = answer.into_response();
    let remarks = taken.remarks.join("; ").replace(char::is_control, " ");
    if let Ok(value) = HeaderValue::from_bytes(remarks.as_bytes())
        && !remarks.is_empty()
    {
        response.headers_mut().insert(REMARKS, value);
    }
    response
}

/// All that are addresses.
pub(crate) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .merge(alertmanager::routes())
        .merge(heartbeat::routes())
        .merge(monitoring_system::routes())
        .merge(alerta::routes())
        .merge(cloudevents::routes())
        .merge(goalert::routes())
        .merge(ilert::routes())
        .merge(oncall::routes())
        .merge(opsgenie::routes())
        .merge(otlp::routes())
        .merge(pagerduty::routes())
        .merge(slack::routes())
        .merge(splunk_oncall::routes())
}
