//! Signed HTTP calls, as [Standard Webhooks](https://www.standardwebhooks.com) has them.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use pipeline::Clock;
use reqwest::StatusCode;
use schemas::{Alert, Channel, Fingerprint, Notification, NotificationKind};
use serde::Serialize;
use sha2::Sha256;

use super::facts::alert_url;
use super::guarded::{GuardedClient, NoReply};
use super::http::Reply;
use crate::sender::{Payload, SendRequest, SendResult, Sender};

/// Sends webhooks.
pub struct WebhookSender {
    client: GuardedClient,
    console_url: String,
    clock: Clock,
}

/// The request, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Header `webhook-id`; the same at each attempt.
    pub id: String,
    /// JSON.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: Fingerprint,
    url: String,
    reason: &'a str,
    cause: schemas::HistoryKind,
    sequence: u32,
    // Among it the episode.
    #[serde(flatten)]
    alert: &'a Alert,
}

/// The message for a notification.
pub fn compose(notification: &Notification, console_url: &str) -> Message {
    let body = Body {
        r#type: match notification.kind {
            NotificationKind::Open => "alert.opened",
            NotificationKind::Update => "alert.updated",
            NotificationKind::Close => "alert.closed",
        },
        timestamp: notification.created_at,
        data: Data {
            id: notification.fingerprint,
            url: alert_url(console_url, notification.fingerprint),
            reason: &notification.reason,
            cause: notification.cause,
            sequence: notification.sequence,
            alert: &notification.alert,
        },
    };
    #[expect(
        clippy::expect_used,
        reason = "text, numbers, times and maps of text always have a JSON form"
    )]
    let body = serde_json::to_vec(&body).expect("a webhook has a JSON form");
    Message {
        id: notification.notification_id.to_string(),
        body,
    }
}

/// The header `webhook-signature`, by each of the secrets.
fn signatures(secrets: &str, id: &str, timestamp: i64, body: &[u8]) -> Result<String, String> {
    let signatures: Result<Vec<_>, _> = secrets
        .split_whitespace()
        .map(|secret| signature(secret, id, timestamp, body))
        .collect();
    Ok(signatures?.join(" "))
}

fn signature(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Result<String, String> {
    let wrong = || {
        "signing_secret of the webhook bot is not `whsec_` and base64: make one with \
         `echo whsec_$(head -c 32 /dev/urandom | base64)`"
            .to_owned()
    };
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap_or(secret))
        .map_err(|_| wrong())?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| wrong())?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// Reads a receiver's response. Only 2xx is success.
fn read(reply: &Reply) -> SendResult {
    let error = reply.text();
    match reply.status.as_u16() {
        200..300 => SendResult::Sent { reference: None },
        410 => SendResult::BadDestination(error),
        401 | 403 | 407 => SendResult::BadCredentials(format!("the receiver does not accept us: {error}")),
        // The address does not exist at the moment, or a proxy or gateway answers: the receiver can correct all of these.
        302 | 303 | 307 | 404 | 408 | 409 | 421 | 423 | 425 | 429 | 500..600 => SendResult::Transient {
            after: reply.retry_after,
            error,
            maybe_delivered: maybe_delivered(reply.status),
        },
        300..=399 => SendResult::Refused(format!(
            "{error}; redirects are not followed, so declare the new address"
        )),
        _ => SendResult::Refused(error),
    }
}

/// Whether a receiver that answers with this status may have accepted the message: a gateway may have lost the response, or
/// the receiver failed half-way.
fn maybe_delivered(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE
        || status == StatusCode::REQUEST_TIMEOUT
}

impl WebhookSender {
    /// A sender whose messages link to this console.
    ///
    /// # Errors
    ///
    /// When the machine has no certificates.
    pub fn new(console_url: &str, allow_private: bool, clock: Clock) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: GuardedClient::new(allow_private, clock.clone())?,
            console_url: console_url.to_owned(),
            clock,
        })
    }

    async fn post(
        &self,
        notification: &Notification,
        request: &SendRequest<'_>,
    ) -> Result<SendResult, SendResult> {
        let url = self.client.url("the destination", request.destination);
        let url = url.map_err(SendResult::BadDestination)?;
        let message = compose(notification, &self.console_url);
        let timestamp = self.clock.now().as_second();
        let mut call = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp);
        if let Some(secrets) = request.credentials.secret("signing_secret") {
            let signatures = signatures(secrets, &message.id, timestamp, &message.body);
            call = call.header(
                "webhook-signature",
                signatures.map_err(SendResult::BadCredentials)?,
            );
        }
        match self.client.send(call.body(message.body)).await {
            Ok(reply) => Ok(read(&reply)),
            Err(NoReply::NotPublic(error)) => Err(SendResult::BadDestination(error)),
            Err(NoReply::Failed(result)) => Err(result),
        }
    }
}

#[async_trait]
impl Sender for WebhookSender {
    fn channel(&self) -> Channel {
        Channel::Webhook
    }

    async fn send(&self, request: &SendRequest<'_>) -> SendResult {
        match request.payload {
            Payload::One(notification) => self
                .post(notification, request)
                .await
                .unwrap_or_else(|failed| failed),
            Payload::Digest { .. } => SendResult::Refused("webhooks are sent one by one".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::samples;

    #[test]
    fn the_signature_is_the_one_of_the_specification() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let sign = |secrets: &str| {
            signatures(
                secrets,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#,
            )
        };
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(secret).unwrap(), expected);
        let both = sign(&format!("whsec_c2Vjb25k {secret}")).unwrap();
        assert!(both.ends_with(expected) && both.split(' ').count() == 2, "{both}");
        assert!(sign("whsec_###").unwrap_err().contains("signing_secret"));
    }

    #[test]
    fn open_update_and_close_say_what_happened() {
        for (name, notification) in samples::life() {
            let message = compose(&notification, "https://reveille.example/");
            assert_eq!(message.id, notification.notification_id.to_string());
            let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            insta::assert_json_snapshot!(format!("webhook_{name}"), body);
        }
    }

    #[test]
    fn every_status_has_its_meaning() {
        let meaning = |status: u16| {
            let after = Some(Duration::from_secs(7));
            let status = StatusCode::from_u16(status).unwrap();
            match read(&Reply {
                status,
                retry_after: after,
                body: Vec::new(),
            }) {
                SendResult::Sent { .. } => "sent",
                SendResult::Transient {
                    after,
                    maybe_delivered,
                    ..
                } => {
                    assert_eq!(after, Some(Duration::from_secs(7)));
                    if maybe_delivered {
                        "again, perhaps delivered"
                    } else {
                        "again"
                    }
                }
                SendResult::BadDestination(_) => "bad destination",
                SendResult::BadCredentials(_) => "bad credentials",
                SendResult::Refused(_) => "refused",
            }
        };
        let mut table = String::new();
        let mut before = (0, "");
        for status in 200..600 {
            if meaning(status) != before.1 {
                before = (status, meaning(status));
                table.push_str(&format!("from {status}: {}\n", before.1));
            }
        }
        insta::assert_snapshot!("webhook_statuses", table);
    }
}
