//! The events API of ilert, with its own answers. The key is the `integrationKey` of the body, or
//! the last segment of the path.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::{self, ILERT, ilert};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/api/events", post(take))
        .route("/api/v1/events", post(take_as_of_old))
        .route("/api/events/{kind}/{key}", post(take_of_kind))
        .route("/api/v1/events/{kind}/{key}", post(take_of_kind))
}

async fn take(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    answered(&collector, StatusCode::ACCEPTED, posted).await
}

/// Clients of the first version look for 200.
async fn take_as_of_old(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    answered(&collector, StatusCode::OK, posted).await
}

/// The addresses of ilert's integrations, with the key as the last segment. An integration of the type of the kind, or of
/// a mapping, is understood by that.
async fn take_of_kind(
    State(collector): State<Arc<Collector>>,
    Path((kind, key)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    let keys = vec![key];
    let own = collector.type_of(&keys).filter(|own| *own != ILERT.name);
    let source = sources::find(&kind).filter(|source| Some(source.name) == own.as_deref());
    let of_kind = ilert::reader_of_kind(&kind);
    let ready_made = collector.mapping(&kind).ok().flatten();
    let mut call = match (collector.mapping_of(&keys), source, of_kind, ready_made) {
        (Some(mapping), ..) => Call::mapped(mapping, posted),
        (None, Some(source), ..) => Call::new(source, posted),
        (None, None, Some(read), _) => Call::read_by(ILERT.name.into(), posted, Box::new(read)),
        (None, None, None, Some(mapping)) => {
            let mut call = Call::mapped(mapping, posted);
            call.source = ILERT.name.into();
            call
        }
        (None, None, None, None) => {
            let name = kind.chars().take(100).collect();
            let refusal = Refusal::UnknownSource { name };
            let refusal = collector.refuse(None, refusal, posted.body).await;
            return refused(&refusal);
        }
    };
    call.path = format!("/api/v1/events/{kind}");
    call.keys = keys;
    done(&collector, StatusCode::OK, call).await
}

async fn answered(collector: &Collector, success: StatusCode, posted: Posted) -> Response {
    let mut call = Call::new(&ILERT, posted);
    call.key_in_body = Some(ilert::integration_key);
    done(collector, success, call).await
}

async fn done(collector: &Collector, success: StatusCode, call: Call) -> Response {
    match collector.take(call).await {
        Ok(taken) => {
            let key = taken.receipts.first().and_then(|receipt| receipt.identity.last());
            let answer = json!({
                "alertKey": key, "incidentKey": key, "responseCode": "ACCEPTED", "remarks": taken.remarks,
            });
            (success, Json(answer)).into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let status = refusal.status();
    let answer = json!({
        "status": status.as_u16(), "code": refusal.code().to_uppercase(), "message": refusal.to_string(),
    });
    refusal.answered(status, Json(answer))
}
