//! Slack, through a bot (`chat.postMessage`, `chat.update`).
//!
//! An open posts a message. Updates and the close edit that message, so that it shows the current state, and reply in its
//! thread, since phones notify of replies and not of edits.

mod responses;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Client;
use schemas::{Alert, Channel, HistoryKind, Notification, NotificationKind, Severity, Status};
use serde_json::{Value, json};

use self::responses::{Failure, Posted, read};
use super::facts::{alert_url, annotations, facts, headline, links, summary, texts};
use super::http::{Reply, no_answer};
use super::text::{cut_with, one_line, shown};
use crate::credentials::Credentials;
use crate::sender::{Payload, SendRequest, SendResult, Sender};

const TIMEOUT: Duration = Duration::from_secs(15);

// Slack's limits are 150 for a header, 3,000 for a section, 2,000 for a field and ten fields, and about 13,200 for all
// blocks together. Ours add up to less than that.
const HEADER: usize = 150;
const FALLBACK: usize = 400;
const REASON: usize = 1_500;
const OUTPUT: usize = 2_900;
const FIELD: usize = 250;
const FIELDS: usize = 10;
const ANNOTATIONS: usize = 1_500;
const LABELS: usize = 1_500;
const LINKS: usize = 2_000;
const DIGEST: usize = 2_900;

/// Marks the reference of a digest, which must not be edited for one of its alerts.
const DIGEST_MARK: &str = "digest:";

/// Sends to Slack.
pub struct SlackSender {
    client: Client,
    console_url: String,
}

/// A message, as far as it does not depend on where it goes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Message {
    /// What phones and screen readers show.
    pub text: String,
    /// The message itself, with its colour.
    pub attachment: Value,
}

/// The message that shows an alert as the notification has it.
pub fn compose(notification: &Notification, console_url: &str) -> Message {
    let alert = &notification.alert;
    let headline = headline(notification);
    let mut blocks = vec![header(&headline)];
    let texts = texts(notification);
    blocks.extend(texts.reason.map(|reason| section(&escaped(reason, REASON))));
    blocks.extend(texts.output.map(|output| section(&verbatim(output, OUTPUT))));
    blocks.extend(annotated(alert).map(|text| section(&text)));
    let fields: Vec<_> = facts(notification)
        .into_iter()
        .take(FIELDS)
        .map(|fact| mrkdwn(&format!("*{}*\n{}", fact.title, escaped(&fact.value, FIELD))))
        .collect();
    blocks.push(json!({ "type": "section", "fields": fields }));
    blocks.extend(context(labels(alert)));
    blocks.extend(context(linked(alert)));
    let url = alert_url(console_url, notification.fingerprint);
    blocks.push(button("Open alert", &url));
    Message {
        text: escaped(
            &format!("{headline}: {}", one_line(&notification.reason)),
            FALLBACK,
        ),
        attachment: json!({ "color": colour(notification), "blocks": blocks }),
    }
}

/// The reply in the thread; `None` when only texts have changed, which the edited message shows.
pub fn compose_reply(notification: &Notification) -> Option<String> {
    let silent = notification.kind == NotificationKind::Update && notification.cause == HistoryKind::Updated;
    (!silent).then(|| reply(notification))
}

fn reply(notification: &Notification) -> String {
    format!(
        "*{}*\n{}",
        escaped(&headline(notification), HEADER),
        escaped(&notification.reason, REASON)
    )
}

/// One message for many notifications.
pub fn compose_digest(of: &[Notification], console_url: &str) -> Message {
    let summary = summary(of);
    let mut lines: Vec<_> = summary.named.iter().map(|line| format!("• {line}")).collect();
    if summary.more > 0 {
        lines.push(format!("and {} more", summary.more));
    }
    let closed = of.first().is_some_and(|one| one.kind == NotificationKind::Close);
    let blocks = [
        header(&summary.headline),
        section(&escaped(&lines.join("\n"), DIGEST)),
        button("Open console", console_url),
    ];
    Message {
        text: escaped(&summary.headline, FALLBACK),
        attachment: json!({
            "color": if closed { CLOSED } else { severity_colour(summary.worst) },
            "blocks": blocks,
        }),
    }
}

fn header(text: &str) -> Value {
    json!({ "type": "header", "text": { "type": "plain_text", "text": escaped(text, HEADER), "emoji": false } })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn context(text: Option<String>) -> Option<Value> {
    text.map(|text| json!({ "type": "context", "elements": [mrkdwn(&text)] }))
}

fn button(label: &str, url: &str) -> Value {
    let text = json!({ "type": "plain_text", "text": label });
    json!({ "type": "actions", "elements": [{ "type": "button", "action_id": "open", "text": text, "url": url }] })
}

fn labels(alert: &Alert) -> Option<String> {
    let labels: Vec<_> = alert
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    (!labels.is_empty()).then(|| escaped(&one_line(&labels.join("  ")), LABELS))
}

fn annotated(alert: &Alert) -> Option<String> {
    let lines: Vec<_> = annotations(alert)
        .into_iter()
        .map(|(name, text)| format!("{}: {text}", one_line(name)))
        .collect();
    (!lines.is_empty()).then(|| verbatim(&lines.join("\n"), ANNOTATIONS))
}

/// As many of the links as there is room for; half a link would lead nowhere.
fn linked(alert: &Alert) -> Option<String> {
    let mut text = String::new();
    for (title, url) in links(alert) {
        let url = cut_with(
            &url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E"),
            LINKS,
            escape,
        );
        let link = format!("<{url}|{}>", escaped(&one_line(&title.replace('|', "/")), FIELD));
        if text.chars().count() + link.chars().count() < LINKS {
            text = if text.is_empty() {
                link
            } else {
                format!("{text} · {link}")
            };
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Text in which Slack finds neither mentions nor links.
fn escaped(text: &str, most: usize) -> String {
    cut_with(text, most, escape)
}

fn escape(character: char) -> String {
    match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        other => shown(other).to_string(),
    }
}

/// Text shown as it is, letter by letter.
fn verbatim(text: &str, most: usize) -> String {
    format!(
        "```{}```",
        escaped(text.trim_end().replace("```", "'''").as_str(), most)
    )
}

const CLOSED: &str = "#2a9d4b";

fn colour(notification: &Notification) -> &'static str {
    let closed = notification.kind == NotificationKind::Close || notification.alert.status == Status::Closed;
    if closed {
        CLOSED
    } else {
        severity_colour(notification.alert.severity)
    }
}

const fn severity_colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => CLOSED,
        Severity::Information => "#2f7ed8",
        Severity::Warning => "#e6a700",
        Severity::Unknown => "#7d5ba6",
        Severity::Critical => "#d40e0d",
        Severity::Urgent => "#a3001b",
        Severity::Down => "#7a0012",
    }
}

impl SlackSender {
    /// A sender whose messages link to this console.
    pub fn new(console_url: &str) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("reveille/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            console_url: console_url.to_owned(),
        })
    }

    async fn call(&self, method: &str, credentials: &Credentials, body: &Value) -> Result<Posted, Failure> {
        let missing =
            || SendResult::BadCredentials("the slack bot has no token: add it under `secrets`".to_owned());
        let token = credentials
            .secret("token")
            .ok_or_else(|| Failure::Result(missing()))?;
        let api_url = credentials.setting_or_default(Channel::Slack, "api_url");
        let api_url = api_url.trim_end_matches('/');
        let request = self
            .client
            .post(format!("{api_url}/{method}"))
            .bearer_auth(token)
            .header("content-type", "application/json; charset=utf-8")
            .body(body.to_string());
        match request.send().await {
            // Slack gives seconds, never dates, so the time now does not matter.
            Ok(response) => read(&Reply::read(response, Timestamp::UNIX_EPOCH).await),
            Err(error) if error.is_builder() => {
                let error = format!("api_url of the slack bot is not a URL: {api_url}");
                Err(Failure::Result(SendResult::BadCredentials(error)))
            }
            Err(error) => Err(Failure::Result(no_answer(&error))),
        }
    }

    async fn post(
        &self,
        channel: &str,
        credentials: &Credentials,
        message: &Message,
    ) -> Result<Posted, Failure> {
        let body = json!({
            "channel": channel,
            "text": message.text,
            "attachments": [message.attachment],
            "unfurl_links": false,
            "unfurl_media": false,
        });
        self.call("chat.postMessage", credentials, &body).await
    }

    async fn reply_in_thread(
        &self,
        first: &Posted,
        credentials: &Credentials,
        text: &str,
    ) -> Result<Posted, Failure> {
        let body = json!({
            "channel": first.channel,
            "thread_ts": first.ts,
            "text": text,
            "unfurl_links": false,
            "unfurl_media": false,
        });
        self.call("chat.postMessage", credentials, &body).await
    }

    /// Edits the first message and replies in its thread. The edit is idempotent.
    async fn follow_up(
        &self,
        first: &Posted,
        credentials: &Credentials,
        notification: &Notification,
    ) -> Result<(), Failure> {
        let message = compose(notification, &self.console_url);
        let body = json!({
            "channel": first.channel,
            "ts": first.ts,
            "text": message.text,
            "attachments": [message.attachment],
        });
        self.call("chat.update", credentials, &body).await?;
        if let Some(text) = compose_reply(notification) {
            self.reply_in_thread(first, credentials, &text).await?;
        }
        Ok(())
    }

    /// Sends one notification; answers the reference of the message that shows the alert.
    async fn deliver(
        &self,
        request: &SendRequest<'_>,
        notification: &Notification,
    ) -> Result<String, Failure> {
        let credentials = request.credentials;
        let thread_ref = request
            .thread_ref
            .filter(|_| notification.kind != NotificationKind::Open);
        let followed_up = match thread_ref.map(|reference| (reference, reference.strip_prefix(DIGEST_MARK))) {
            Some((reference, Some(digest))) => match Posted::parse(digest) {
                Some(first) => self
                    .reply_in_thread(&first, credentials, &reply(notification))
                    .await
                    .map(|_| reference),
                None => Err(Failure::MessageGone),
            },
            Some((reference, None)) => match Posted::parse(reference) {
                Some(first) => self
                    .follow_up(&first, credentials, notification)
                    .await
                    .map(|()| reference),
                None => Err(Failure::MessageGone),
            },
            None => Err(Failure::MessageGone),
        };
        match followed_up {
            Ok(reference) => Ok(reference.to_owned()),
            Err(Failure::MessageGone) => {
                let message = compose(notification, &self.console_url);
                let posted = self.post(request.destination, credentials, &message).await?;
                Ok(posted.reference())
            }
            Err(failure) => Err(failure),
        }
    }
}

#[async_trait]
impl Sender for SlackSender {
    fn channel(&self) -> Channel {
        Channel::Slack
    }

    async fn send(&self, request: &SendRequest<'_>) -> SendResult {
        let sent = match request.payload {
            Payload::One(notification) => self.deliver(request, notification).await,
            Payload::Digest { of, .. } => {
                let message = compose_digest(of, &self.console_url);
                let posted = self
                    .post(request.destination, request.credentials, &message)
                    .await;
                posted.map(|posted| format!("{DIGEST_MARK}{}", posted.reference()))
            }
        };
        match sent {
            Ok(reference) => SendResult::Sent {
                reference: Some(reference),
            },
            Err(Failure::Result(result)) => result,
            Err(Failure::MessageGone) => SendResult::Refused("Slack does not find the message".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
