//! The API of Alertmanager, version 2, as its clients know it: alerts, groups, silences, receivers, status.
//!
//! Senders post their alerts to `/api/v2/alerts` too; that is a door of the collectors.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::Api;

mod alerts;
mod fingerprint;
mod probes;
mod refusal;
mod silences;
mod status;
#[cfg(test)]
mod tests;

/// The parameters of a query, in their order.
type Pairs = Vec<(String, String)>;

pub(crate) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/v2/alerts", get(alerts::list))
        .route("/api/v2/alerts/groups", get(alerts::groups))
        .route("/api/v2/silences", get(silences::list).post(silences::put))
        .route(
            "/api/v2/silence/{id}",
            get(silences::one).delete(silences::expire),
        )
        .route("/api/v2/receivers", get(status::receivers))
        .route("/api/v2/status", get(status::status))
        .route("/-/healthy", get(probes::healthy))
        .route("/-/ready", get(probes::ready))
        .route("/metrics", get(probes::metrics))
}

/// A time as Alertmanager writes it.
fn time(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}
