//! Serving routes until shutdown.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::addresses;
use crate::tls::Tls;

/// How long requests in work may take after the shutdown has begun.
const GRACE: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// So many handshakes go on at once; further connections wait.
const HANDSHAKES: usize = 1024;

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

/// Serves the routes until shutdown, then lets requests in work finish within ten seconds.
pub async fn serve(listener: TcpListener, routes: Router, shutdown: CancellationToken) {
    serve_on(listener, routes, shutdown).await;
}

/// The same, with TLS if there is some.
pub async fn serve_secured(
    listener: TcpListener,
    tls: Option<Tls>,
    routes: Router,
    shutdown: CancellationToken,
) {
    let Some(tls) = tls else {
        return serve_on(listener, routes, shutdown).await;
    };
    let secured = SecuredListener {
        listener,
        tls: tls.clone(),
        handshakes: JoinSet::new(),
    };
    tokio::select! {
        () = serve_on(secured, routes, shutdown) => {}
        () = tls.watch() => {}
    }
}

async fn serve_on<L>(listener: L, routes: Router, shutdown: CancellationToken)
where
    L: Listener<Addr: Debug>,
{
    let stop = shutdown.clone();
    let serving = axum::serve(listener, addresses::completed(routes).into_make_service())
        .with_graceful_shutdown(async move { stop.cancelled().await });
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = serving => {
            if let Err(error) = result {
                tracing::error!(%error, "the listener has failed");
            }
        }
        () = overdue => tracing::warn!("connections were cut at the end of the grace period"),
    }
}

/// Gives connections out when their handshake is done. Handshakes go on beside one another: one that is slow holds up
/// nobody else.
struct SecuredListener {
    listener: TcpListener,
    tls: Tls,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Listener for SecuredListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.listener), if self.handshakes.len() < HANDSHAKES => {
                    self.handshakes.spawn(handshake(self.tls.config(), stream, address));
                }
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn handshake(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    address: SocketAddr,
) -> Option<(TlsStream<TcpStream>, SocketAddr)> {
    let accepting = TlsAcceptor::from(config).accept(stream);
    match tokio::time::timeout(HANDSHAKE_TIME, accepting).await {
        Ok(Ok(stream)) => Some((stream, address)),
        Ok(Err(error)) => {
            // Anybody can cause these, as often as they like.
            tracing::debug!(%address, %error, "a TLS handshake has failed");
            None
        }
        Err(_) => None,
    }
}
