//! What a monitoring system and an operator's script do over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use reqwest::StatusCode;
use schemas::{Alert, Fingerprint, ShownHistoryEntry};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::mocks::webhook::signature;

/// Longer than any stage thinks before it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Speaks to collectors and API.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    collectors: SocketAddr,
    api: SocketAddr,
}

/// An answer of any kind.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its `Retry-After`, if there is one.
    pub retry_after: Option<String>,
    /// Its body: JSON, or text as a JSON string.
    pub body: Value,
}

impl Answer {
    /// The ids of the events that were accepted.
    pub fn events(&self) -> Result<Vec<Uuid>> {
        ensure!(self.status.is_success(), "not accepted: {self:?}");
        Vec::<Uuid>::deserialize(&self.body["events"])
            .with_context(|| format!("no event ids in {}", self.body))
    }
}

/// A part of a list, whatever it is a list of.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    alerts: Vec<Alert>,
    #[serde(default)]
    entries: Vec<ShownHistoryEntry>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl Client {
    /// A client of these collectors and this API.
    pub fn new(collectors: SocketAddr, api: SocketAddr) -> Result<Self> {
        crate::install_cryptography();
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .context("an HTTP client")?;
        Ok(Self {
            http,
            collectors,
            api,
        })
    }

    /// The same, with the API at another address.
    #[must_use]
    pub fn with_api(&self, api: SocketAddr) -> Self {
        Self { api, ..self.clone() }
    }

    /// Posts any body to a source's path.
    pub async fn post(&self, source: &str, key: &str, body: impl Into<reqwest::Body>) -> Result<Answer> {
        let url = format!(
            "http://{}/monitoring-system/{source}?integration_key={key}",
            self.collectors
        );
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        answer(request).await
    }

    /// Posts a JSON body to a source's path.
    pub async fn ingest(&self, source: &str, key: &str, body: &Value) -> Result<Answer> {
        self.post(source, key, body.to_string()).await
    }

    /// Posts a JSON body until it is taken; tells how often it was answered that there is no room yet.
    pub async fn ingest_until_taken(&self, source: &str, key: &str, body: &Value) -> Result<usize> {
        let mut refused = 0;
        loop {
            let answer = self.ingest(source, key, body).await?;
            if answer.status == StatusCode::OK {
                return Ok(refused);
            }
            ensure!(answer.status == StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
            refused += 1;
        }
    }

    /// Posts a body that is signed as Standard Webhooks has it.
    pub async fn post_signed(&self, source: &str, key: &str, body: &str) -> Result<Answer> {
        let (id, time) = ("msg_1", Timestamp::now().as_second().to_string());
        let request = self
            .http
            .post(format!("http://{}/monitoring-system/{source}", self.collectors))
            .header("x-integration-key", key)
            .header("webhook-signature", signature(id, &time, body.as_bytes())?)
            .header("webhook-id", id)
            .header("webhook-timestamp", time)
            .body(body.to_owned());
        answer(request).await
    }

    /// Reads anything of the API.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        answer(self.http.get(format!("http://{}{path}", self.api))).await
    }

    /// Posts JSON to any path of the API.
    pub async fn send_to_api(&self, path: &str, body: &Value) -> Result<Answer> {
        answer(self.http.post(format!("http://{}{path}", self.api)).json(body)).await
    }

    /// All alerts of a query such as `state=any`, page by page.
    pub async fn alerts(&self, query: &str) -> Result<Vec<Alert>> {
        self.pages(&format!("/api/v1/alerts?limit=200&{query}"), |page| page.alerts)
            .await
    }

    /// One alert.
    pub async fn alert(&self, id: Fingerprint) -> Result<Alert> {
        let answer = self.found(&format!("/api/v1/alerts/{id}")).await?;
        Alert::deserialize(&answer).with_context(|| format!("not an alert: {answer}"))
    }

    /// An alert's whole history, oldest first.
    pub async fn history(&self, id: Fingerprint) -> Result<Vec<ShownHistoryEntry>> {
        let mut entries = self
            .pages(&format!("/api/v1/alerts/{id}/history?limit=200"), |page| {
                page.entries
            })
            .await?;
        entries.sort_by_key(|entry| entry.sequence);
        Ok(entries)
    }

    /// What was told where about an alert, as it is answered.
    pub async fn notifications(&self, id: Fingerprint) -> Result<Value> {
        self.found(&format!("/api/v1/alerts/{id}/notifications")).await
    }

    /// Asks for an action on one alert. `more` holds whatever the action needs beyond alert, author and key.
    pub async fn act(
        &self,
        action: &str,
        id: Fingerprint,
        author: &str,
        key: &str,
        more: Value,
    ) -> Result<Answer> {
        let mut body = json!({ "alerts": [id], "author": author, "idempotency_key": key });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        answer(
            self.http
                .post(format!("http://{}/api/v1/actions/{action}", self.api))
                .json(&body),
        )
        .await
    }

    /// The same, and it must have been applied; answers the alert as it is now.
    pub async fn acted(
        &self,
        action: &str,
        id: Fingerprint,
        author: &str,
        key: &str,
        more: Value,
    ) -> Result<Alert> {
        let answer = self.act(action, id, author, key, more).await?;
        let result = &answer.body["results"][0];
        ensure!(
            answer.status.is_success() && result["outcome"] == "applied" && result["id"] == json!(id),
            "{action} was not applied: {answer:?}"
        );
        Alert::deserialize(&result["alert"]).with_context(|| format!("no alert in {result}"))
    }

    async fn found(&self, path: &str) -> Result<Value> {
        let answer = self.get(path).await?;
        ensure!(answer.status.is_success(), "{path}: {answer:?}");
        Ok(answer.body)
    }

    async fn pages<T>(&self, path: &str, of: impl Fn(Page) -> Vec<T>) -> Result<Vec<T>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        for _ in 0..1000 {
            let body = self.found(&format!("{path}{cursor}")).await?;
            let page = Page::deserialize(&body).with_context(|| format!("{path}: not a page: {body}"))?;
            let next = page.next_cursor.clone();
            all.extend(of(page));
            match next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
        bail!("{path}: the pages never end")
    }
}

/// Reads anything at a URL.
pub async fn get(http: &reqwest::Client, url: &str) -> Result<Answer> {
    answer(http.get(url)).await
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer> {
    let response = request.send().await?;
    let status = response.status();
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer {
        status,
        retry_after,
        body,
    })
}
