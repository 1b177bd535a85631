//! GoAlert's generic API, with its own answers. The key is the `token` of the query or the body.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;

use super::with_remarks;
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::sources::{GOALERT, goalert};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new().route("/api/v2/generic/incoming", post(take))
}

async fn take(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    let query = posted.fields();
    let mut call = Call::new(&GOALERT, posted);
    call.keys.extend(query.get("token").cloned());
    call.key_in_body = Some(goalert::token);
    call.read = Box::new(move |_, body| goalert::read_beside(&query, body));
    match collector.take(call).await {
        Ok(taken) => with_remarks(StatusCode::NO_CONTENT, &taken),
        Err(refusal) => refusal.answered(refusal.status(), format!("{refusal}\n")),
    }
}
