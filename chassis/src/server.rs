//! Serving routes until shutdown.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests in work may take after the shutdown has begun.
const GRACE: Duration = Duration::from_secs(10);

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
    let stop = shutdown.clone();
    let serving = axum::serve(
        listener,
        routes.into_make_service_with_connect_info::<SocketAddr>(),
    )
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
