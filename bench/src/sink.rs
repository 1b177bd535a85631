//! A receiver of webhooks that does nothing but count.
//!
//! The mock of the scenarios checks signatures and keeps every message; here the receiver must cost next to nothing,
//! and must be the same for Alertmanager, which signs nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::arrivals::{Arrivals, number};
use crate::http::Head;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// The receiver; it ends when dropped.
pub(crate) struct Sink {
    address: SocketAddr,
    arrivals: Shared,
    accepting: JoinHandle<()>,
}

type Shared = Arc<Mutex<Arc<Arrivals>>>;

impl Sink {
    /// Opens it.
    pub(crate) async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("a port for the webhook receiver")?;
        let address = listener.local_addr()?;
        let arrivals = Shared::new(Mutex::new(Arc::new(Arrivals::of(0..0))));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&arrivals)));
        Ok(Self {
            address,
            arrivals,
            accepting,
        })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Counts anew, these numbers.
    pub(crate) fn expect(&self, numbers: Range<usize>) -> Arc<Arrivals> {
        let arrivals = Arc::new(Arrivals::of(numbers));
        *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&arrivals);
        arrivals
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, arrivals: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&arrivals)));
    }
}

/// However a connection ends, the sender notices.
async fn serve(mut stream: TcpStream, arrivals: Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        while let Some(head) = Head::read(&buffer)? {
            let whole = head.length + head.body;
            if buffer.len() < whole {
                break;
            }
            if let Some(number) = number(&buffer[head.length..whole]) {
                let arrivals = Arc::clone(&arrivals.lock().unwrap_or_else(PoisonError::into_inner));
                arrivals.note(number, Instant::now());
            }
            buffer.drain(..whole);
            stream.write_all(ANSWER).await?;
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::{Connection, post};

    #[tokio::test]
    async fn each_number_counts_once() {
        let sink = Sink::open().await.unwrap();
        let arrivals = sink.expect(0..10);
        let mut connection = Connection::open(sink.address).await.unwrap();
        for number in [3, 4, 3] {
            let body = format!("{{\"text\":\"sequence={number} of ten\"}}");
            assert_eq!(connection.send(&post("/hook", &body)).await.unwrap(), 200);
        }
        let until = Instant::now() + Duration::from_secs(10);
        assert_eq!((arrivals.wait(2, until).await, arrivals.again()), (2, 1));
    }
}
