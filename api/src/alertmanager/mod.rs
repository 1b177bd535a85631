//! The API of Alertmanager, version 2, as its clients know it: alerts, groups, silences, receivers, status.
//!
//! Senders post their alerts to `/api/v2/alerts` too; that is a door of the collectors.

use schemas::Permission;

use crate::routes::{Method, Operation, Routes};

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

/// Where Alertmanager describes its API.
const SPECIFICATION: &str = "https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml";
/// Where it describes the addresses beside it.
const MANAGEMENT: &str = "https://prometheus.io/docs/alerting/latest/management_api/";

pub(crate) fn routes() -> Routes {
    use Method::{Delete, Get, Post};
    use Permission::{AlertsRead, SilencesRead, SilencesWrite, SiteRead, StatusRead};
    let of = |method, path: &'static str, permission| {
        Operation::following(SPECIFICATION, method, path, permission)
    };
    let beside = |path: &'static str| Operation::following(MANAGEMENT, Get, path, StatusRead);
    let silence = "/api/v2/silence/{id}";
    Routes::new()
        .add(of(Get, "/api/v2/alerts", AlertsRead), alerts::list)
        .add(of(Get, "/api/v2/alerts/groups", AlertsRead), alerts::groups)
        .add(of(Get, "/api/v2/silences", SilencesRead), silences::list)
        .add(of(Post, "/api/v2/silences", SilencesWrite), silences::put)
        .add(of(Get, silence, SilencesRead), silences::one)
        .add(of(Delete, silence, SilencesWrite), silences::expire)
        .add(of(Get, "/api/v2/receivers", SiteRead), status::receivers)
        .add(of(Get, "/api/v2/status", SiteRead), status::status)
        .add(beside("/-/healthy"), probes::healthy)
        .add(beside("/-/ready"), probes::ready)
        .add(beside("/metrics"), probes::metrics)
}

/// A time as Alertmanager writes it.
fn time(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}
