//! The running Reveille that a command talks to.

use anyhow::Context as _;
use clap::Args;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

/// Names and values; those without a value are left out.
type Query<'q> = &'q [(&'q str, Option<&'q str>)];

/// Where it is, and what opens it.
#[derive(Args)]
pub(crate) struct Server {
    /// Where Reveille is.
    #[arg(
        long,
        env = "REVEILLE_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    url: String,
    /// The access token, if the API asks for one.
    #[arg(
        long,
        env = "REVEILLE_ACCESS_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: Option<String>,
}

impl Server {
    /// A request to the API.
    pub(crate) fn api(&self, method: Method, path: &str, query: Query<'_>) -> RequestBuilder {
        let request = self.outside(method, path, query);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A request as senders make it: the access token is not for them.
    pub(crate) fn outside(&self, method: Method, path: &str, query: Query<'_>) -> RequestBuilder {
        let pairs = query.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let base = self.url.trim_end_matches('/');
        reqwest::Client::new().request(method, format!("{base}{path}?{query}"))
    }

    /// Sends it; answers with what Reveille says.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> anyhow::Result<(StatusCode, Value)> {
        let answer = request
            .send()
            .await
            .with_context(|| format!("{} cannot be reached", self.url))?;
        let status = answer.status();
        let body = answer
            .json()
            .await
            .with_context(|| format!("{} answered {status}, but not as Reveille does", self.url))?;
        Ok((status, body))
    }

    /// The same, where anything but success is an error with Reveille's message.
    pub(crate) async fn successful_answer(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let (status, answer) = self.answer(request).await?;
        if !status.is_success() {
            anyhow::bail!(message(&answer));
        }
        Ok(answer)
    }
}

/// Why Reveille has not done something.
pub(crate) fn message(answer: &Value) -> String {
    let message = answer["error"]["message"].as_str();
    // Some endpoints answer in words of their own.
    message.map_or_else(|| answer.to_string(), str::to_owned)
}

/// What lets alerts in.
#[derive(Args)]
pub(crate) struct SenderKey {
    /// The key of the integration whose alerts these are.
    #[arg(
        long,
        env = "REVEILLE_INTEGRATION_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub(crate) integration_key: String,
}
