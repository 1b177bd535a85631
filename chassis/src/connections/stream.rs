//! A stream that knows its slot.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::Slot;

/// How long a client may take nothing of what is written to it.
const WRITE_STALL_TIME: Duration = Duration::from_secs(60);

/// A stream with a slot. It breaks off when its slot is given to another connection, and when its client does not take
/// what is written.
pub struct Tracked<S> {
    stream: S,
    slot: Slot,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    write_stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Tracked<S> {
    /// The stream of the connection that has this slot.
    pub fn new(stream: S, slot: Slot) -> Self {
        let closed = Box::pin(slot.activity.0.closed.clone().cancelled_owned());
        Self {
            stream,
            slot,
            closed,
            write_stall: None,
        }
    }

    /// Its slot.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    fn poll_open(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.closed.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tracked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_open(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.slot.activity.bytes();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tracked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_open(context)?;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_pending() {
            let stall = self
                .write_stall
                .get_or_insert_with(|| Box::pin(sleep(WRITE_STALL_TIME)));
            ready!(stall.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.write_stall = None;
        self.slot.activity.bytes();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
