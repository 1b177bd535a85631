//! Connections that do not speak HTTP.

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

use crate::pace::Pace;

/// After so long without a word it is looked at whether the other end is still there. Senders stay connected for days,
/// and one that was cut off would lose the alert by which it notices.
const LOOKED_AFTER: Duration = Duration::from_secs(60);
/// How long what is in work may take after the shutdown has begun.
const GRACE: Duration = Duration::from_secs(10);

/// Holds conversations beside one another until shutdown, then lets them finish what is in work. A conversation ends by
/// itself when the shutdown has begun.
pub(super) async fn serve<C>(
    mut listener: TcpListener,
    connections: Connections,
    context: &Context,
    conversation: impl Fn(Tracked<TcpStream>) -> C,
) where
    C: Future<Output = ()> + Send + 'static,
{
    let mut conversations = JoinSet::new();
    let accepting = async {
        loop {
            let (stream, peer) = Listener::accept(&mut listener).await;
            let keepalive = TcpKeepalive::new().with_time(LOOKED_AFTER);
            if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
                tracing::debug!(%error, "a connection is not looked after");
            }
            let stream = Tracked::new(stream, connections.admit(peer).await);
            let activity = stream.slot().activity().clone();
            let conversation = conversation(stream);
            conversations.spawn(async move {
                tokio::select! {
                    () = conversation => {}
                    // Another connection needs its place, also while nothing is read from it.
                    () = activity.closed() => {}
                }
            });
            while conversations.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = context.shutdown.cancelled() => {}
        () = accepting => {}
    }
    // A conversation that has panicked ends nothing but itself.
    let ended = async { while conversations.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("connections were cut at the end of the grace period");
    }
}

/// The pieces of a body that is read while it is taken.
pub(super) type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// A body that ends when nobody has its pieces any more.
pub(super) fn body() -> (Pieces, Body) {
    let (pieces, mut taken) = mpsc::channel(1);
    let body = Body::from_stream(stream::poll_fn(move |context| taken.poll_recv(context)));
    (pieces, body)
}

/// Reads on at the pace that all bodies have to keep.
pub(super) async fn paced<T>(pace: &mut Pace, reading: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let read = pace.next(reading).await;
    read.unwrap_or_else(|refusal| Err(io::Error::new(io::ErrorKind::TimedOut, refusal.to_string())))
}

/// Waits until all pieces are read. A body that breaks off is passed on as broken off, not as a short one.
pub(super) async fn handed_over(
    pieces: Pieces,
    reading: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let read = reading.await;
    if let Err(error) = &read {
        // Whoever takes no more has refused already.
        let _ = pieces.send(Err(error.kind().into())).await;
    }
    read
}
