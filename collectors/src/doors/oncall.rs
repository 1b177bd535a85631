//! Grafana OnCall's inbound webhooks, with its answer. The key is the last segment of the path, which ends with a slash
//! at OnCall.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};

use super::{heartbeat, with_remarks};
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::{self, GRAFANA, ONCALL, PROMETHEUS, Source};

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
        .route("/integrations/v1/{kind}/{key}", post(take))
        .route("/integrations/v1/heartbeat/{key}", any(called))
        .route("/integrations/v1/{kind}/{key}/heartbeat", any(called_of_kind))
}

async fn take(
    State(collector): State<Arc<Collector>>,
    Path((kind, key)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    let keys = vec![key];
    let Some(source) = source(&kind, collector.type_of(&keys).as_deref()) else {
        let name = kind.chars().take(100).collect();
        let refusal = Refusal::UnknownSource { name };
        return collector.refuse(None, refusal, posted.body).await.into_response();
    };
    // What is sent is often anything; there it is shown as it comes, here a mapping can say what it means.
    let call = match collector.mapping_of(&keys) {
        Some(mapping) => Call::mapped(mapping, posted),
        None => Call::new(source, posted),
    };
    let mut call = call.again_at_its_source();
    call.keys = keys;
    match collector.take(call).await {
        Ok(taken) => with_remarks("Ok.", &taken),
        Err(refusal) => refusal.into_response(),
    }
}

/// What understands the bodies of an integration of this kind: the source that is the type of the integration, if its
/// bodies can come here, else the one whose bodies OnCall takes.
fn source(kind: &str, of_type: Option<&str>) -> Option<&'static Source> {
    let named = match kind {
        "stackdriver" => "gcp",
        "amazon_sns" => "cloudwatch",
        "sentry_platform" => "sentry",
        other => other,
    };
    let own = match named {
        "alertmanager" | "legacy_alertmanager" | "alertmanagerV2" | "alertmanager_v2" => Some(&PROMETHEUS),
        "grafana" | "grafana_alerting" | "legacy_grafana_alerting" | "adaptive_grafana_alerting" => {
            Some(&GRAFANA)
        }
        kind => sources::find(kind),
    };
    let formatted = FORMATTED.contains(&kind).then_some(&ONCALL);
    let is_its_type = |source: &&'static Source| Some(source.name) == of_type;
    let fits_type = [own, formatted, own.and(Some(&ONCALL))];
    let fits_type = fits_type.into_iter().flatten().find(is_its_type);
    fits_type.or(formatted).or(own)
}

async fn called(state: State<Arc<Collector>>, Path(key): Path<String>, posted: Posted) -> Response {
    heartbeat::called_by_integration(state, key, posted).await
}

async fn called_of_kind(
    state: State<Arc<Collector>>,
    Path((_, key)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    heartbeat::called_by_integration(state, key, posted).await
}
