//! From a request to a websocket: <https://www.rfc-editor.org/rfc/rfc6455#section-4.2>.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use crate::Bridge;
use crate::line::Line;
use crate::socket::Session;

/// Seconds after which a client that was refused may come again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");
/// The version of the protocol, <https://www.rfc-editor.org/rfc/rfc6455#section-4.4>.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// `GET /ws`.
pub fn routes(bridge: Bridge) -> Router {
    Router::new().route("/ws", get(open)).with_state(bridge)
}

async fn open(State(Bridge(shared)): State<Bridge>, mut request: Request) -> Response {
    if !same_origin(request.headers()) {
        return refused(
            StatusCode::FORBIDDEN,
            "Origin: pages of other sites may not connect\n",
        );
    }
    let response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(error) => return not_a_handshake(&error),
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return refused(
            StatusCode::UPGRADE_REQUIRED,
            "this connection cannot become a websocket\n",
        );
    };
    let Ok(seat) = Arc::clone(&shared.seats).try_acquire_owned() else {
        shared.measures.refused.inc();
        let text = format!(
            "{} clients are connected, as many as bridge_clients allows; come back later\n",
            shared.limits.clients
        );
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, RETRY_AFTER)],
            text,
        )
            .into_response();
    };
    tokio::spawn(async move {
        // Without it the client has gone before it had the answer.
        if let Ok(connection) = upgrade.await {
            let line = Line::over(TokioIo::new(connection)).await;
            Session::run(line, shared, seat).await;
        }
    });
    response
}

fn refused(status: StatusCode, reason: &'static str) -> Response {
    (status, reason).into_response()
}

fn not_a_handshake(error: &Error) -> Response {
    let text = format!("a websocket begins otherwise: {error}\n");
    match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => {
            let version = [(header::SEC_WEBSOCKET_VERSION, VERSION)];
            (StatusCode::UPGRADE_REQUIRED, version, text).into_response()
        }
        Error::Protocol(ProtocolError::MissingUpgradeWebSocketHeader) => {
            let upgrade = [(header::UPGRADE, HeaderValue::from_static("websocket"))];
            (StatusCode::UPGRADE_REQUIRED, upgrade, text).into_response()
        }
        _ => (StatusCode::BAD_REQUEST, text).into_response(),
    }
}

/// A browser says which page opens the socket. Programs need not, and others may not pretend to be a page of ours.
fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}
