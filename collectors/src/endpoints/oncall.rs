//! Grafana OnCall's inbound webhooks, with its answer. The key is the last segment of the path, which ends with a slash
//! at OnCall.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use sources::Source;
use sources::systems::{grafana, oncall, prometheus};

use super::answer::with_warnings;
use super::heartbeat;
use crate::collector::Collector;
use crate::intake::error::IngestError;
use crate::intake::request::{IncomingRequest, IngestRequest};

/// Kinds of OnCall whose bodies are in the shape of its formatted webhook, or any that its user chooses.
const FORMATTED: [&str; 13] = [
    "formatted_webhook",
    "webhook",
    "zabbix",
    "kapacitor",
    "elastalert",
    "uptimerobot",
    "curler",
    "fabric",
    "jira",
    "servicenow",
    "zendesk",
    "mailgun",
    "direct_paging",
];

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/integrations/v1/{kind}/{key}", post(ingest))
        .route(
            "/integrations/v1/heartbeat/{key}",
            any(heartbeat::called_by_integration),
        )
        .route(
            "/integrations/v1/{kind}/{key}/heartbeat",
            any(heartbeat::called_by_integration),
        )
}

async fn ingest(
    State(collector): State<Arc<Collector>>,
    Path((kind, key)): Path<(String, String)>,
    incoming: IncomingRequest,
) -> Response {
    let keys = vec![key];
    let Some(source) = source(&kind, collector.type_of(&keys).as_deref()) else {
        let error = IngestError::unknown_source(&kind);
        return collector.reject(None, error, incoming.body).await.into_response();
    };
    // OnCall shows bodies of any shape as they come; here a mapping can parse them.
    let request = match collector.mapping_of(&keys) {
        Some(mapping) => IngestRequest::mapped(mapping, incoming),
        None => IngestRequest::new(source, incoming),
    };
    let mut request = request.replayed_at_its_source();
    request.keys = keys;
    match collector.ingest(request).await {
        Ok(accepted) => with_warnings("Ok.", &accepted),
        Err(error) => error.into_response(),
    }
}

/// The source that parses the bodies of an integration of this kind: the type of the integration, if its bodies can come
/// here, or else the one whose bodies OnCall expects.
fn source(kind: &str, of_type: Option<&str>) -> Option<&'static Source> {
    let named = match kind {
        "stackdriver" => "gcp",
        "amazon_sns" => "cloudwatch",
        "sentry_platform" => "sentry",
        other => other,
    };
    let own = match named {
        "alertmanager" | "legacy_alertmanager" | "alertmanagerV2" | "alertmanager_v2" => {
            Some(&prometheus::SOURCE)
        }
        "grafana" | "grafana_alerting" | "legacy_grafana_alerting" | "adaptive_grafana_alerting" => {
            Some(&grafana::SOURCE)
        }
        kind => sources::find(kind),
    };
    let formatted = FORMATTED.contains(&kind).then_some(&oncall::SOURCE);
    let is_its_type = |source: &&'static Source| Some(source.name) == of_type;
    let fits_type = [own, formatted, own.and(Some(&oncall::SOURCE))];
    let fits_type = fits_type.into_iter().flatten().find(is_its_type);
    fits_type.or(formatted).or(own)
}
