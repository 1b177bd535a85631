//! The addresses that senders post to, one file for each family of them.
//!
//! An endpoint says which source parses the body, where the key is besides the usual places, and what the answer looks like.
//! The collector does the rest, in the same way for all.

use std::sync::Arc;

use axum::Router;

use crate::collector::Collector;

mod alerta;
mod alertmanager;
mod answer;
mod cloudevents;
mod goalert;
mod heartbeat;
mod ilert;
mod monitoring_system;
mod oncall;
mod opsgenie;
mod otlp;
mod pagerduty;
mod slack;
mod splunk_oncall;

/// All of them.
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
