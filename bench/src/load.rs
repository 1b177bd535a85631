//! Two ways to make load: as fast as answers come, and at a pace that does not care for answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::http::Connection;

/// The longest latency that is told apart, in microseconds.
const LONGEST: u64 = 120_000_000;
/// How long a sender waits after it was refused for the moment or lost its connection.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a load goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// Requests are sent again and again for so long.
    Elapsed(Duration),
    /// Every request is sent until it was accepted, but no longer than this.
    AllAccepted(Duration),
}

/// What came of a load.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Requests that were accepted.
    pub(crate) accepted: u64,
    /// Requests that were not, by status; 0 where there was no answer.
    pub(crate) refused: BTreeMap<u16, u64>,
    /// How long the accepted ones took, in microseconds.
    pub(crate) latency: Histogram<u64>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
}

impl Outcome {
    fn new() -> Result<Self> {
        Ok(Self {
            accepted: 0,
            refused: BTreeMap::new(),
            latency: Histogram::new_with_max(LONGEST, 3).context("a histogram")?,
            elapsed: Duration::ZERO,
        })
    }

    fn add(&mut self, other: &Self) -> Result<()> {
        self.accepted += other.accepted;
        for (status, count) in &other.refused {
            *self.refused.entry(*status).or_default() += count;
        }
        self.latency.add(&other.latency).context("histograms of one kind")
    }

    fn take(&mut self, answer: &Result<u16>, took: Duration) -> bool {
        match answer {
            Ok(200..=299) => {
                self.accepted += 1;
                self.latency.saturating_record(microseconds(took));
                true
            }
            Ok(status) => {
                *self.refused.entry(*status).or_default() += 1;
                false
            }
            Err(_) => {
                *self.refused.entry(0).or_default() += 1;
                false
            }
        }
    }

    /// A quantile of the latency in milliseconds.
    pub(crate) fn milliseconds(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// What was refused, in words; empty when nothing was.
    pub(crate) fn refusals(&self) -> String {
        let words = self.refused.iter().map(|(status, count)| match status {
            0 => format!("{count} without an answer"),
            status => format!("{count} answered {status}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// A duration as histograms take it.
pub(crate) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Each connection sends its next request when the answer to the one before has come.
pub(crate) async fn pressed(
    address: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    connections: usize,
    until: Until,
) -> Result<Outcome> {
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        let (requests, next) = (Arc::clone(requests), Arc::clone(&next));
        senders.spawn(async move { press(address, &requests, &next, start, until).await });
    }
    gathered(senders, start).await
}

async fn press(
    address: SocketAddr,
    requests: &[Vec<u8>],
    next: &AtomicUsize,
    start: Instant,
    until: Until,
) -> Result<Outcome> {
    let mut outcome = Outcome::new()?;
    let mut line = Line::to(address);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let (limit, request) = match until {
            Until::Elapsed(limit) => (limit, requests.get(index % requests.len().max(1))),
            Until::AllAccepted(limit) => (limit, requests.get(index)),
        };
        let Some(request) = request else {
            return Ok(outcome);
        };
        loop {
            if start.elapsed() >= limit {
                return Ok(outcome);
            }
            let sent = Instant::now();
            let answer = line.send(request).await;
            if outcome.take(&answer, sent.elapsed()) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            if matches!(until, Until::Elapsed(_)) {
                break;
            }
        }
    }
}

/// Request `n` is due `n` intervals after the beginning, whatever became of those before it; its latency counts from
/// when it was due, so a receiver that stops for a moment is not spared what it has missed.
pub(crate) async fn paced(
    address: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    connections: usize,
    per_second: u64,
    start: Instant,
) -> Result<Outcome> {
    let mut senders = JoinSet::new();
    for first in 0..connections {
        let requests = Arc::clone(requests);
        senders.spawn(async move {
            let mut outcome = Outcome::new()?;
            let mut line = Line::to(address);
            for index in (first..requests.len()).step_by(connections) {
                let due = due(start, index, per_second);
                tokio::time::sleep_until(due.into()).await;
                let mut answer = line.send(&requests[index]).await;
                while !outcome.take(&answer, due.elapsed()) && due.elapsed() < Duration::from_secs(30) {
                    tokio::time::sleep(PAUSE).await;
                    answer = line.send(&requests[index]).await;
                }
            }
            Ok(outcome)
        });
    }
    gathered(senders, start).await
}

/// When a request of a paced load is due.
pub(crate) fn due(start: Instant, index: usize, per_second: u64) -> Instant {
    start + Duration::from_secs_f64(index as f64 / per_second as f64)
}

async fn gathered(mut senders: JoinSet<Result<Outcome>>, start: Instant) -> Result<Outcome> {
    let mut all = Outcome::new()?;
    while let Some(one) = senders.join_next().await {
        all.add(&one.context("a sender broke off")??)?;
    }
    all.elapsed = start.elapsed();
    Ok(all)
}

/// A connection that is opened anew when it broke.
struct Line {
    address: SocketAddr,
    connection: Option<Connection>,
}

impl Line {
    fn to(address: SocketAddr) -> Self {
        Self {
            address,
            connection: None,
        }
    }

    async fn send(&mut self, request: &[u8]) -> Result<u16> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(self.address).await?),
        };
        let answer = connection.send(request).await;
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::http::post;

    /// Answers every second request with 503, on each connection.
    async fn moody() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    let mut count = 0;
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        count += 1;
                        let status = if count % 2 == 0 { "200 OK" } else { "503 Busy" };
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn what_is_refused_is_sent_again_until_it_is_accepted() {
        let requests = Arc::new(vec![post("/", "{}"); 6]);
        let until = Until::AllAccepted(Duration::from_secs(30));
        let outcome = pressed(moody().await, &requests, 2, until).await.unwrap();
        assert_eq!(
            (outcome.accepted, outcome.refused),
            (6, BTreeMap::from([(503, 6)]))
        );
    }

    #[tokio::test]
    async fn a_paced_latency_counts_from_when_it_was_due() {
        let requests = Arc::new(vec![post("/", "{}"); 1]);
        let start = Instant::now();
        let outcome = paced(moody().await, &requests, 1, 1000, start).await.unwrap();
        // The first answer is 503, so a pause lies within.
        assert_eq!(outcome.accepted, 1);
        assert!(outcome.milliseconds(1.0) >= PAUSE.as_secs_f64() * 1000.0);
    }
}
