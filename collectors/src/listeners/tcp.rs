//! Connections of protocols other than HTTP.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::serve::Listener;
use bytes::Bytes;
use chassis::connections::{Connections, Tracked};
use futures_util::stream;
use pipeline::Context;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::intake::transfer_rate::TransferRate;

/// The keepalive of TCP starts after so long without data. Senders stay connected for days, and a broken connection would
/// lose the alert by which it is noticed.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// How long requests in work may take after the shutdown has begun.
const GRACE: Duration = Duration::from_secs(10);

/// Runs sessions concurrently until shutdown, then waits for the requests in work. A session ends by itself when the shutdown
/// has begun.
pub(super) async fn serve<C>(
    mut listener: TcpListener,
    connections: Connections,
    context: &Context,
    session: impl Fn(Tracked<TcpStream>) -> C,
) where
    C: Future<Output = ()> + Send + 'static,
{
    let mut sessions = JoinSet::new();
    let accepting = async {
        loop {
            let (stream, peer) = Listener::accept(&mut listener).await;
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
            if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
                tracing::debug!(%error, "a connection has no keepalive");
            }
            let stream = Tracked::new(stream, connections.admit(peer).await);
            let activity = stream.slot().activity().clone();
            let session = session(stream);
            sessions.spawn(async move {
                tokio::select! {
                    () = session => {}
                    // It is closed for another connection, even while nothing is read from it.
                    () = activity.closed() => {}
                }
            });
            while sessions.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = context.shutdown.cancelled() => {}
        () = accepting => {}
    }
    // A panic ends its own session only.
    let ended = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("connections were cut at the end of the grace period");
    }
}

/// The chunks of a body that is ingested while it arrives.
pub(super) type BodyChunks = mpsc::Sender<io::Result<Bytes>>;

/// A body that ends when its sender is dropped.
pub(super) fn body() -> (BodyChunks, Body) {
    let (chunks, mut arriving) = mpsc::channel(1);
    let body = Body::from_stream(stream::poll_fn(move |context| arriving.poll_recv(context)));
    (chunks, body)
}

/// Reads with the least transfer rate that is required of all bodies.
pub(super) async fn read_at_rate<T>(
    rate: &mut TransferRate,
    reading: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let read = rate.next(reading).await;
    read.unwrap_or_else(|error| Err(io::Error::new(io::ErrorKind::TimedOut, error.to_string())))
}

/// Reads all chunks. A body that breaks off is passed on as an error, not as a short body.
pub(super) async fn forward_body(
    chunks: BodyChunks,
    reading: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let read = reading.await;
    if let Err(error) = &read {
        // The receiver is gone if the request is refused already.
        let _ = chunks.send(Err(error.kind().into())).await;
    }
    read
}
