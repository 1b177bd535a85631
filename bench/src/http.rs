//! The cheapest HTTP/1.1 client there is: one connection, requests that are bytes already, answers by their length.
//!
//! A load generator shares the machine with what it measures, so every cycle it saves is measured honestly.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing measured here may take longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer to a load is longer.
const LONGEST_ANSWER: usize = 4 << 20;

/// A whole request as bytes.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Opens it.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 << 10),
        })
    }

    /// Sends a request and answers the status. After an error the connection is of no use any more.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<u16> {
        tokio::time::timeout(PATIENCE, self.exchange(request))
            .await
            .context("no answer in time")?
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            if read == 0 {
                bail!("the connection was closed");
            }
            if let Some(head) = Head::read(&self.buffer)? {
                return self.rest(&head).await;
            }
            if self.buffer.len() > LONGEST_ANSWER {
                bail!("the answer's head never ends");
            }
        }
    }

    /// Reads what is left of the body, so that the next answer begins where it should.
    async fn rest(&mut self, head: &Head) -> Result<u16> {
        let whole = head.length + head.body;
        if whole > LONGEST_ANSWER {
            bail!("an answer of {} bytes", head.body);
        }
        while self.buffer.len() < whole {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed within an answer");
            }
        }
        Ok(head.status)
    }
}

/// What must be known of the head of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status of an answer; 0 for a request.
    pub(crate) status: u16,
    /// Bytes of the head itself.
    pub(crate) length: usize,
    /// Bytes of the body.
    pub(crate) body: usize,
}

impl Head {
    /// Reads the head if it is all there.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[..end]).context("the head is not text")?;
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = match first.strip_prefix("HTTP/1.1 ") {
            Some(rest) => rest.get(..3).unwrap_or_default().parse().context("the status")?,
            None => 0,
        };
        let mut body = 0;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                body = value.trim().parse().context("content-length")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("a body without a length is not understood here");
            }
        }
        Ok(Some(Self {
            status,
            length: end + 4,
            body,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 3\r\n\r\nyes";
        assert_eq!(Head::read(&text[..40]).unwrap(), None);
        let head = Head::read(text).unwrap().unwrap();
        assert_eq!((head.status, head.body, head.length), (503, 3, text.len() - 3));
    }

    #[test]
    fn a_request_carries_the_length_of_its_body() {
        let request = post("/x", "{}");
        let head = Head::read(&request).unwrap().unwrap();
        assert_eq!((head.body, head.length + head.body), (2, request.len()));
    }
}
