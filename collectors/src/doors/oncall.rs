//! Grafana OnCall's inbound webhooks, with its answer. The key is the last segment of the path, which ends with a slash.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::{GRAFANA, ONCALL, PROMETHEUS, Source};

pub(super) fn routes() -> Router<Arc<Collector>> {
    let door = post(take);
    Router::new()
        .route("/integrations/v1/{kind}/{key}/", door.clone())
        .route("/integrations/v1/{kind}/{key}", door)
}

async fn take(
    State(collector): State<Arc<Collector>>,
    Path((kind, key)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    let Some(source) = source(&kind) else {
        let name = kind.chars().take(100).collect();
        let refusal = Refusal::UnknownSource { name };
        return collector.refuse(None, refusal, posted.body).await.into_response();
    };
    let keys = vec![key];
    // What a webhook sends is anything; there it is shown as it comes, here a mapping can say what it means.
    let mapping = match kind.as_str() {
        "webhook" => collector.mapping_of(&keys),
        _ => None,
    };
    let call = match mapping {
        Some(mapping) => Call::mapped(mapping, posted),
        None => Call::new(source, posted),
    };
    let mut call = call.again_at_its_source();
    call.keys = keys;
    match collector.take(call).await {
        Ok(_) => "Ok.".into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// What understands the bodies of an integration of this kind.
fn source(kind: &str) -> Option<&'static Source> {
    match kind {
        "alertmanager" => Some(&PROMETHEUS),
        "grafana" | "grafana_alerting" => Some(&GRAFANA),
        "webhook" | "formatted_webhook" => Some(&ONCALL),
        _ => None,
    }
}
