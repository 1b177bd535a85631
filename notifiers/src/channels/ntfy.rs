//! Push messages, by ntfy.
//!
//! All messages about one episode of an alert have one sequence id. A server of version 2.16 or newer replaces the message on
//! the phone by the next one with the same id; an older one ignores the id and shows each message
//! (<https://docs.ntfy.sh/publish/#updating-notifications>).

use async_trait::async_trait;
use pipeline::Clock;
use schemas::{Channel, Notification, NotificationKind, Severity};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::facts::{alert_url, facts, headline, links, summary, texts};
use super::guarded::{GuardedClient, NoReply};
use super::http::Reply;
use super::text::{cut, lines, one_line};
use crate::sender::{Payload, SendRequest, SendResult, Sender};

/// The most bytes of a message; a server makes a file of a longer one (<https://docs.ntfy.sh/publish/#limitations>).
const MAX_MESSAGE_BYTES: usize = 4_096;
/// The most characters of a title, and of a line of facts.
const MAX_LINE_CHARACTERS: usize = 200;
/// The most buttons of a message (<https://docs.ntfy.sh/publish/#action-buttons>).
const MAX_ACTIONS: usize = 3;
/// Longer URLs get no button: all buttons together must fit into the request.
const MAX_ACTION_URL_BYTES: usize = 1_000;
/// The most characters on a button.
const MAX_LABEL_CHARACTERS: usize = 30;

/// Sends to ntfy.
pub struct NtfySender {
    client: GuardedClient,
    console_url: String,
}

/// A message without its topic, as <https://docs.ntfy.sh/publish/#publish-as-json> has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// In one line.
    pub title: String,
    /// Plain text.
    pub message: String,
    /// From 1 (silent) to 5 (overrides the phone's quiet mode).
    pub priority: u8,
    /// Names of emojis that stand before the title.
    pub tags: [&'static str; 1],
    /// What a tap on the message opens.
    pub click: String,
    /// Buttons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// What later messages with the same id replace.
    pub sequence_id: String,
}

/// A button that opens a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    action: &'static str,
    label: String,
    url: String,
}

/// The message for a notification.
pub fn compose(notification: &Notification, console_url: &str) -> Message {
    let alert = &notification.alert;
    let texts = texts(notification);
    let mut parts: Vec<_> = texts.reason.into_iter().chain(texts.output).map(lines).collect();
    let facts = facts(notification);
    let facts = facts.iter().map(|fact| {
        let value = cut(&one_line(&fact.value), MAX_LINE_CHARACTERS);
        format!("{}: {value}", fact.title)
    });
    parts.push(facts.collect::<Vec<_>>().join("\n"));
    let short = links(alert)
        .into_iter()
        .filter(|(_, url)| url.len() <= MAX_ACTION_URL_BYTES);
    Message {
        title: cut(&headline(notification), MAX_LINE_CHARACTERS),
        message: cut_bytes(&parts.join("\n\n"), MAX_MESSAGE_BYTES),
        priority: priority(notification.kind, alert.severity),
        tags: [tag(notification.kind, alert.severity)],
        click: alert_url(console_url, notification.fingerprint),
        actions: short
            .take(MAX_ACTIONS)
            .map(|(title, url)| view(title, url))
            .collect(),
        sequence_id: format!("{}-{}", notification.fingerprint, notification.episode),
    }
}

/// One message for many notifications.
pub fn compose_digest(id: Uuid, of: &[Notification], console_url: &str) -> Message {
    let summary = summary(of);
    let kind = of.first().map_or(NotificationKind::Open, |one| one.kind);
    let mut named = summary.named;
    if summary.more > 0 {
        named.push(format!("and {} more", summary.more));
    }
    Message {
        title: cut(&summary.headline, MAX_LINE_CHARACTERS),
        message: cut_bytes(&named.join("\n"), MAX_MESSAGE_BYTES),
        priority: priority(kind, summary.worst),
        tags: [tag(kind, summary.worst)],
        click: console_url.to_owned(),
        actions: Vec::new(),
        sequence_id: id.simple().to_string(),
    }
}

fn view(title: &str, url: &str) -> Action {
    Action {
        action: "view",
        label: cut(&one_line(title), MAX_LABEL_CHARACTERS),
        url: one_line(url),
    }
}

/// <https://docs.ntfy.sh/publish/#message-priority>
const fn priority(kind: NotificationKind, severity: Severity) -> u8 {
    match (kind, severity) {
        (NotificationKind::Close, _) | (_, Severity::Ok | Severity::Information) => 2,
        (_, Severity::Warning | Severity::Unknown) => 3,
        (_, Severity::Critical) => 4,
        (_, Severity::Urgent | Severity::Down) => 5,
    }
}

/// <https://docs.ntfy.sh/emojis/>
const fn tag(kind: NotificationKind, severity: Severity) -> &'static str {
    match (kind, severity) {
        (NotificationKind::Close, _) | (_, Severity::Ok) => "white_check_mark",
        (_, Severity::Information) => "information_source",
        (_, Severity::Warning) => "warning",
        (_, Severity::Unknown) => "question",
        (_, Severity::Critical | Severity::Urgent | Severity::Down) => "rotating_light",
    }
}

/// The text, or its beginning with an ellipsis when it has more bytes than `most`.
fn cut_bytes(text: &str, most: usize) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub(ELLIPSIS.len()));
    format!("{}{ELLIPSIS}", &text[..end])
}

/// A response of ntfy: a message, or an error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Response {
    /// The id of the message.
    id: Option<String>,
    /// The error, five digits that begin with the status.
    code: u32,
}

/// Reads a server's response.
fn read(reply: &Reply) -> SendResult {
    let body: Response = serde_json::from_slice(&reply.body).unwrap_or_default();
    let error = reply.text();
    let transient = |maybe_delivered| SendResult::Transient {
        after: reply.retry_after,
        error: error.clone(),
        maybe_delivered,
    };
    match (reply.status.as_u16(), body.code) {
        (200..300, _) => SendResult::Sent { reference: body.id },
        // Topics that the server's operator has forbidden, and topics of UnifiedPush.
        (_, 40_009 | 40_010 | 50_701) => SendResult::BadDestination(error),
        // Too many attempts with a wrong token.
        (401 | 403, _) | (_, 42_909) => SendResult::BadCredentials(format!(
            "the ntfy server does not let the bot publish to the topic: {error}"
        )),
        (300..=399 | 404 | 405, _) => SendResult::BadCredentials(format!(
            "{error}; is `server` of the ntfy bot right? Redirects are not followed"
        )),
        (429 | 503, _) => transient(false),
        (408 | 500..600, _) => transient(true),
        _ => SendResult::Refused(error),
    }
}

impl NtfySender {
    /// A sender whose messages link to this console.
    ///
    /// # Errors
    ///
    /// When the machine has no certificates.
    pub fn new(console_url: &str, allow_private: bool, clock: Clock) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: GuardedClient::new(allow_private, clock)?,
            console_url: console_url.to_owned(),
        })
    }

    async fn publish(&self, message: &Message, request: &SendRequest<'_>) -> Result<SendResult, SendResult> {
        #[derive(Serialize)]
        struct Publish<'a> {
            topic: &'a str,
            #[serde(flatten)]
            message: &'a Message,
        }
        let credentials = request.credentials;
        let server = credentials.setting_or_default(Channel::Ntfy, "server");
        let url = self.client.url("`server` of the ntfy bot", server);
        let mut url = url.map_err(SendResult::BadCredentials)?;
        // Messages as JSON are posted to the root; the topic is in the body.
        url.set_path("/");
        let body = Publish {
            topic: request.destination,
            message,
        };
        let body = serde_json::to_vec(&body)
            .map_err(|error| SendResult::Refused(format!("the message has no JSON form: {error}")))?;
        let mut call = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        if let Some(token) = credentials.secret("token") {
            call = call.bearer_auth(token);
        }
        match self.client.send(call).await {
            Ok(reply) => Ok(read(&reply)),
            Err(NoReply::NotPublic(error)) => Err(SendResult::BadCredentials(error)),
            Err(NoReply::Failed(result)) => Err(result),
        }
    }
}

#[async_trait]
impl Sender for NtfySender {
    fn channel(&self) -> Channel {
        Channel::Ntfy
    }

    async fn send(&self, request: &SendRequest<'_>) -> SendResult {
        let message = match request.payload {
            Payload::One(notification) => compose(notification, &self.console_url),
            Payload::Digest { id, of } => compose_digest(id, of, &self.console_url),
        };
        self.publish(&message, request)
            .await
            .unwrap_or_else(|failed| failed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::StatusCode;

    use super::*;
    use crate::samples;

    const CONSOLE: &str = "https://reveille.example";

    #[test]
    fn open_update_and_close_replace_each_other() {
        for (name, notification) in samples::life() {
            let message = compose(&notification, CONSOLE);
            assert_eq!(
                message.sequence_id,
                format!("{}-1", notification.fingerprint),
                "{name}"
            );
            insta::assert_json_snapshot!(format!("ntfy_{name}"), message);
        }
    }

    #[test]
    fn a_digest_counts_and_names_the_first() {
        let storm: Vec<_> = (0..37)
            .map(|_| samples::notification(3, NotificationKind::Close))
            .collect();
        let digest = compose_digest(Uuid::from_u128(7), &storm, CONSOLE);
        insta::assert_json_snapshot!("ntfy_digest", digest);
    }

    #[test]
    fn long_and_hostile_texts_stay_within_the_limits_of_the_server() {
        let long = compose(&samples::long(), CONSOLE);
        assert!(long.message.len() <= MAX_MESSAGE_BYTES && long.message.ends_with('…'));
        assert!(long.title.chars().count() <= MAX_LINE_CHARACTERS);
        assert_eq!(long.actions.len(), MAX_ACTIONS);
        assert!(serde_json::to_vec(&long).unwrap().len() < 32_768);
        let hostile = compose(&samples::hostile(), CONSOLE);
        assert!(
            !hostile.title.contains(['\r', '\n', '\u{202e}']),
            "{}",
            hostile.title
        );
        assert!(
            hostile
                .actions
                .iter()
                .all(|action| action.url.starts_with("https://")),
            "{:?}",
            hostile.actions
        );
        assert_eq!(cut_bytes("größer", 8), "größer");
        assert_eq!(cut_bytes("größer", 7), "grö…");
        assert_eq!(cut_bytes("größer", 6), "gr…");
    }

    #[test]
    fn every_status_and_code_has_its_meaning() {
        let meaning = |status: u16, code: u32| {
            let reply = Reply {
                status: StatusCode::from_u16(status).unwrap(),
                retry_after: Some(Duration::from_secs(7)),
                body: format!(r#"{{"id":"Kx3","code":{code},"http":{status},"error":"no"}}"#).into_bytes(),
            };
            match read(&reply) {
                SendResult::Sent { reference } => {
                    assert_eq!(reference.as_deref(), Some("Kx3"));
                    "sent"
                }
                SendResult::Transient {
                    after,
                    maybe_delivered,
                    ..
                } => {
                    assert_eq!(after, Some(Duration::from_secs(7)));
                    match maybe_delivered {
                        true => "again, maybe delivered",
                        false => "again",
                    }
                }
                SendResult::BadDestination(_) => "bad destination",
                SendResult::BadCredentials(_) => "bad credentials",
                SendResult::Refused(_) => "refused",
            }
        };
        for (status, code, expected) in [
            (200, 0, "sent"),
            (308, 0, "bad credentials"),
            (400, 40_007, "refused"),
            (400, 40_009, "bad destination"),
            (401, 40_101, "bad credentials"),
            (403, 40_301, "bad credentials"),
            (404, 40_401, "bad credentials"),
            (408, 0, "again, maybe delivered"),
            (413, 41_301, "refused"),
            (429, 42_901, "again"),
            (429, 42_908, "again"),
            (429, 42_909, "bad credentials"),
            (500, 50_001, "again, maybe delivered"),
            (503, 0, "again"),
            (507, 50_701, "bad destination"),
        ] {
            assert_eq!(meaning(status, code), expected, "{status} {code}");
        }
    }
}
