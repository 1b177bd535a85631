//! Reading HTTP responses.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::text::{cut, one_line};
use crate::sender::SendResult;

/// The most bytes that are read of a response's body.
const BODY_BYTES: usize = 4096;
/// How long the body is read after the status. It matters little, and a body that trickles must not delay others.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// The most characters of it that are shown to people.
const SHOWN_CHARACTERS: usize = 200;

/// A response, as far as it is read.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// Reads the response: the beginning of its body, for a few seconds at most. Of a body that breaks off, the part that has
    /// arrived counts.
    pub(super) async fn read(mut response: Response, now: Timestamp) -> Self {
        let status = response.status();
        let retry_after = retry_after(response.headers(), now);
        let mut body = Vec::new();
        let reading = async {
            while body.len() < BODY_BYTES {
                match response.chunk().await {
                    Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                    Ok(None) | Err(_) => break,
                }
            }
        };
        // After the timeout, what has arrived until then counts.
        let _ = tokio::time::timeout(BODY_TIMEOUT, reading).await;
        body.truncate(BODY_BYTES);
        Self {
            status,
            retry_after,
            body,
        }
    }

    /// The status and the beginning of the body, for people.
    pub(super) fn text(&self) -> String {
        let body = one_line(&String::from_utf8_lossy(&self.body));
        if body.is_empty() {
            format!("HTTP {}", self.status)
        } else {
            format!("HTTP {}: {}", self.status, cut(&body, SHOWN_CHARACTERS))
        }
    }
}

/// The pause that the provider asks for: seconds or an HTTP date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// The result of a request without a response.
pub(super) fn no_answer(error: &reqwest::Error) -> SendResult {
    SendResult::Transient {
        after: None,
        error: cut(&causes(error), SHOWN_CHARACTERS),
        // Without a connection nothing was sent.
        maybe_delivered: !error.is_connect(),
    }
}

/// The error and its causes, without the URL, which may hold secrets.
fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "no answer".to_owned()
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            read("Tue, 01 Sep 2026 10:01:30 GMT"),
            Some(Duration::from_secs(90))
        );
        assert_eq!(read("Tue, 01 Sep 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
