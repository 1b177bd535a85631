//! GoAlert's generic API and those of its other integrations, with its own answers. The key is the `token` of the query, and
//! of the generic API also that of the body.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, post};

use super::{heartbeat, with_remarks};
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::sources::{GOALERT, GRAFANA, PROMETHEUS, SITE24X7, Source, goalert};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/api/v2/generic/incoming", post(take))
        .route("/api/v2/grafana/incoming", post(take_grafana))
        .route("/api/v2/prometheusalertmanager/incoming", post(take_prometheus))
        .route("/api/v2/site24x7/incoming", post(take_site24x7))
        .route("/api/v2/heartbeat/{key}", any(called))
}

async fn take_grafana(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    with_token(&collector, &GRAFANA, posted).await
}

async fn take_prometheus(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    with_token(&collector, &PROMETHEUS, posted).await
}

async fn take_site24x7(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    with_token(&collector, &SITE24X7, posted).await
}

async fn called(state: State<Arc<Collector>>, Path(key): Path<String>, posted: Posted) -> Response {
    heartbeat::called_by_integration(state, key, posted).await
}

async fn with_token(collector: &Collector, source: &'static Source, posted: Posted) -> Response {
    let token = posted.fields().remove("token");
    let mut call = Call::new(source, posted).again_at_its_source();
    call.keys.extend(token);
    done(collector, call).await
}

async fn take(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    let query = posted.fields();
    let mut call = Call::new(&GOALERT, posted);
    call.keys.extend(query.get("token").cloned());
    call.key_in_body = Some(goalert::token);
    call.read = Box::new(move |_, body| goalert::read_beside(&query, body));
    done(&collector, call).await
}

async fn done(collector: &Collector, call: Call) -> Response {
    match collector.take(call).await {
        Ok(taken) => with_remarks(StatusCode::NO_CONTENT, &taken),
        Err(refusal) => refusal.answered(refusal.status(), format!("{refusal}\n")),
    }
}
