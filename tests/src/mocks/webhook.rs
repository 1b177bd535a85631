//! A receiver of webhooks that trusts nobody: it checks each signature and knows each message by its id.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha256;

use super::listener::Listener;
use crate::recorded::Recorded;

/// The secret that senders sign with.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// How old a signature may be.
const TOLERANCE_SECONDS: i64 = 300;

/// The receiver.
#[derive(Debug)]
pub struct WebhookReceiver {
    /// To let it misbehave.
    pub listener: Listener,
    seen: Recorded<Seen>,
}

/// What came in.
#[derive(Debug, Default)]
pub struct Seen {
    /// Messages in the order of their arrival, each once.
    pub messages: Vec<Message>,
    /// How often a message came that was known.
    pub duplicates: u64,
    /// What was refused, and why.
    pub refused: Vec<String>,
    ids: BTreeSet<String>,
}

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its `webhook-id`.
    pub id: String,
    /// The path it was sent to.
    pub path: String,
    /// What it says.
    pub body: Value,
}

impl WebhookReceiver {
    /// Opens its door.
    pub async fn start() -> Result<Self> {
        let seen = Recorded::<Seen>::default();
        let routes = Router::new().fallback(receive).with_state(seen.clone());
        Ok(Self {
            listener: Listener::start(routes).await?,
            seen,
        })
    }

    /// A destination here; any path will do.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.listener.address())
    }

    /// Looks at what came in.
    pub fn read<R>(&self, look: impl FnOnce(&Seen) -> R) -> R {
        self.seen.read(look)
    }

    /// Waits for a message that is like this.
    pub async fn message(
        &self,
        what: &str,
        within: Duration,
        like: impl Fn(&Message) -> bool,
    ) -> Result<Message> {
        let look = |seen: &Seen| seen.messages.iter().find(|message| like(message)).cloned();
        self.seen
            .wait_for(what, within, look, |seen| format!("{seen:#?}"))
            .await
    }
}

async fn receive(
    State(seen): State<Recorded<Seen>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let checked = check(&headers, &body);
    seen.change(|seen| match checked {
        Ok((id, value)) => {
            if seen.ids.insert(id.clone()) {
                seen.messages.push(Message {
                    id,
                    path: uri.path().to_owned(),
                    body: value,
                });
            } else {
                seen.duplicates += 1;
            }
            StatusCode::NO_CONTENT
        }
        Err(error) => {
            seen.refused.push(format!("{error:#}"));
            StatusCode::UNAUTHORIZED
        }
    })
}

/// What Standard Webhooks asks of a receiver.
fn check(headers: &HeaderMap, body: &[u8]) -> Result<(String, Value)> {
    let header = |name: &str| -> Result<&str> {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .with_context(|| format!("no {name}"))
    };
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let age = Timestamp::now().as_second() - timestamp.parse::<i64>().context("webhook-timestamp")?;
    ensure!(age.abs() <= TOLERANCE_SECONDS, "webhook-timestamp is {age} s old");
    let expected = signature(id, timestamp, body)?;
    let signed = header("webhook-signature")?
        .split(' ')
        .any(|given| given == expected);
    ensure!(signed, "webhook-signature is wrong");
    Ok((id.to_owned(), serde_json::from_slice(body).context("the body")?))
}

/// The signature of a body with [`SECRET`], as Standard Webhooks has it.
pub fn signature(id: &str, timestamp: &str, body: &[u8]) -> Result<String> {
    let key = SECRET.strip_prefix("whsec_").unwrap_or(SECRET);
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(key).context("the secret")?)?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_specification() {
        let body = br#"{"test": 2432232314}"#;
        let signature = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[tokio::test]
    async fn a_message_counts_once_and_a_forged_one_never() {
        crate::install_cryptography();
        let receiver = WebhookReceiver::start().await.unwrap();
        let now = Timestamp::now().as_second().to_string();
        let send = async |signature: String| {
            let request = reqwest::Client::new()
                .post(receiver.url("hook"))
                .header("webhook-id", "a")
                .header("webhook-timestamp", &now)
                .header("webhook-signature", signature)
                .body("{}");
            request.send().await.unwrap().status()
        };
        let signed = signature("a", &now, b"{}").unwrap();
        assert_eq!(send(signed.clone()).await, StatusCode::NO_CONTENT);
        assert_eq!(send(format!("v1,xx {signed}")).await, StatusCode::NO_CONTENT);
        assert_eq!(send("v1,xx".to_owned()).await, StatusCode::UNAUTHORIZED);
        receiver.read(|seen| {
            assert_eq!(
                (seen.messages.len(), seen.duplicates, seen.refused.len()),
                (1, 1, 1)
            )
        });
    }
}
