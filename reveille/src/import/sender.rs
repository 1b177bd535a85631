//! Posting a body, however long the other side is busy.

use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use reqwest::{Response, StatusCode, header};
use serde_json::Value;

use super::GENERIC;

/// How long to wait when nobody says how long.
const USUAL_WAIT: Duration = Duration::from_secs(5);
/// The longest wait that is obeyed at once; then it is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Posts to one source with one key.
pub(super) struct Sender {
    http: reqwest::Client,
    address: String,
    key: String,
    /// Whether a body may be a list of alerts.
    pub(super) takes_lists: bool,
}

/// What became of a body.
pub(super) enum Verdict {
    /// So many alerts are safe.
    Accepted(u64),
    /// The body cannot be used: which field, and why.
    Refused(Option<String>, String),
}

impl Sender {
    pub(super) fn new(url: &str, source: &str, key: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            address: format!("{}/monitoring-system/{source}", url.trim_end_matches('/')),
            key: key.to_owned(),
            takes_lists: source == GENERIC,
        }
    }

    /// Posts a body until it is taken or refused. An error means that none of the following would fare better.
    pub(super) async fn post(&self, body: String, bar: &ProgressBar) -> anyhow::Result<Verdict> {
        loop {
            let request = self
                .http
                .post(&self.address)
                .bearer_auth(&self.key)
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.clone());
            let answer = request
                .send()
                .await
                .with_context(|| format!("{} cannot be reached", self.address))?;
            match answer.status() {
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                    let wait = wait_of(&answer);
                    bar.set_message(format!("{}, waiting {} s", answer.status(), wait.as_secs()));
                    tokio::time::sleep(wait).await;
                    bar.set_message("");
                }
                _ => return self.verdict(answer).await,
            }
        }
    }

    async fn verdict(&self, answer: Response) -> anyhow::Result<Verdict> {
        let status = answer.status();
        let text = answer.text().await.context("the answer broke off")?;
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = said["error"]["message"].as_str().map_or(text, str::to_owned);
        match status {
            status if status.is_success() => Ok(Verdict::Accepted(said["accepted"].as_u64().unwrap_or(0))),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                let field = said["error"]["field"].as_str().map(str::to_owned);
                Ok(Verdict::Refused(field, message))
            }
            _ => bail!("{} answers {status}: {message}", self.address),
        }
    }
}

fn wait_of(answer: &Response) -> Duration {
    let said = answer.headers().get(header::RETRY_AFTER);
    let seconds = said
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse().ok());
    seconds.map_or(USUAL_WAIT, Duration::from_secs).min(LONGEST_WAIT)
}
