//! Serving routes until shutdown.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use axum::serve::Listener;
use axum::{Json, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::addresses;
use crate::attempts::WrongCredential;
use crate::connections::{Activity, Connections, Tracked};
use crate::tls::Tls;

mod body;

/// How long requests in work may take after the shutdown has begun.
const GRACE: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How long the head of a request may take, and how long a connection may wait for the next one: longer than the proxies
/// that keep connections for 60 seconds, so that they and not we close one that is about to be used.
const HEAD_TIME: Duration = Duration::from_secs(75);
/// How large the head of a request may be, and so what a connection that sends nothing more can hold.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address}: {error} (is another reveille running? choose another address with {setting})"
)]
pub struct CannotListen {
    address: SocketAddr,
    setting: &'static str,
    error: std::io::Error,
}

/// Listens on an address; `setting` is what a person changes to choose another one.
pub async fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, CannotListen> {
    TcpListener::bind(address).await.map_err(|error| CannotListen {
        address,
        setting,
        error,
    })
}

/// Serves the routes until shutdown, then lets requests in work finish within ten seconds. It speaks HTTP/1.1 only.
pub async fn serve(
    listener: TcpListener,
    connections: Connections,
    routes: Router,
    shutdown: CancellationToken,
) {
    accept(listener, connections, None, routes, shutdown).await;
}

/// The same, with TLS if there is some.
pub async fn serve_secured(
    listener: TcpListener,
    connections: Connections,
    tls: Option<Tls>,
    routes: Router,
    shutdown: CancellationToken,
) {
    let Some(tls) = tls else {
        return serve(listener, connections, routes, shutdown).await;
    };
    tokio::select! {
        () = accept(listener, connections, Some(tls.clone()), routes, shutdown) => {}
        () = tls.watch() => {}
    }
}

/// Connections are served beside one another: one that is slow, in its handshake too, holds up no other.
async fn accept(
    mut listener: TcpListener,
    connections: Connections,
    tls: Option<Tls>,
    routes: Router,
    shutdown: CancellationToken,
) {
    let routes = addresses::completed(routes);
    let mut open = JoinSet::new();
    let accepting = async {
        loop {
            let (stream, peer) = Listener::accept(&mut listener).await;
            let stream = Tracked::new(stream, connections.admit(peer).await);
            let (tls, routes, shutdown) = (tls.clone(), routes.clone(), shutdown.clone());
            open.spawn(async move {
                if let Err(error) = connection(stream, tls, routes, shutdown).await {
                    // Clients can cause these, as often as they like.
                    tracing::debug!(%peer, %error, "a connection has failed");
                }
            });
            while open.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accepting => {}
    }
    drop(listener);
    // A task that has panicked ends nothing but its connection.
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("connections were cut at the end of the grace period");
    }
}

async fn connection(
    stream: Tracked<TcpStream>,
    tls: Option<Tls>,
    routes: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let activity = stream.slot().activity().clone();
    let evicted = activity.clone();
    let served = async {
        let Some(tls) = tls else {
            return requests(stream, routes, activity, shutdown).await;
        };
        let handshake = TlsAcceptor::from(tls.config()).accept(stream);
        let stream = tokio::time::timeout(HANDSHAKE_TIME, handshake).await??;
        requests(stream, routes, activity, shutdown).await
    };
    tokio::select! {
        served = served => served,
        // Also while nothing is read from it.
        () = evicted.closed() => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

async fn requests<S>(
    stream: S,
    routes: Router,
    activity: Activity,
    shutdown: CancellationToken,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |request| answer(routes.clone(), activity.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let done = tokio::select! {
        done = connection.as_mut() => done,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    done.map_err(io::Error::other)
}

async fn answer(
    routes: TowerToHyperService<Router>,
    activity: Activity,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if let Some(error) = host_error(request.headers()) {
        return Ok(bad_request(error));
    }
    activity.work_begun();
    let mut response = routes.call(request.map(body::limited)).await?;
    activity.work_ended();
    if let Some(kind) = response.extensions().get::<WrongCredential>().copied() {
        activity.wrong_credential(kind).await;
        // One connection does not hold many waits.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => activity.upgraded(),
        status if status.is_success() => activity.succeeded(),
        _ => {}
    }
    Ok(response)
}

/// A proxy and this server may each believe another one of two hosts, so such a request is refused, as one with a host
/// that is none (<https://www.rfc-editor.org/rfc/rfc9112#section-3.2>).
fn host_error(headers: &HeaderMap) -> Option<&'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?;
    if hosts.next().is_some() {
        return Some("the request has more than one Host header; send exactly one");
    }
    let is_host = |host: &HeaderValue| {
        host.is_empty() || Authority::try_from(host.as_bytes()).is_ok_and(|host| !host.as_str().contains('@'))
    };
    (!is_host(host))
        .then_some("the Host header is no host; send a name or an address, and a port if it needs one")
}

fn bad_request(message: &str) -> Response<Body> {
    let error = json!({ "error": { "code": "bad_request", "message": message }, "detail": message });
    (StatusCode::BAD_REQUEST, Json(error)).into_response()
}

#[cfg(test)]
mod tests;
