//! E-mail, over SMTP.
//!
//! Message ids are made from the notification, so a mail that was sent twice is the same mail twice, and everything
//! about one opening of an alert is in one thread.

mod replies;
mod transport;

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, AsyncTransport};
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use schemas::{Channel, Notification, NotificationKind, Severity};
use serde::Serialize;
use uuid::Uuid;

use self::transport::Transports;
use super::facts::{Fact, alert_url, annotations, facts, headline, links, summary, texts};
use super::text::{cut, lines, one_line};
use crate::sender::{Payload, SendRequest, SendResult, Sender};

const SUBJECT: usize = 200;
const TEXT: usize = 20_000;
const FACT: usize = 1_000;
const ANNOTATION: usize = 2_000;
const ANNOTATIONS: usize = 30;
const LABELS: usize = 100;
const LINKS: usize = 20;
/// The time limit of one mail: connecting, greeting and handing over.
const TIMEOUT: Duration = Duration::from_secs(45);

/// Sends mail.
pub struct EmailSender {
    console_url: String,
    transports: Transports,
}

/// A mail without its sender and receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// In one line.
    pub subject: String,
    /// With angle brackets.
    pub message_id: String,
    /// The id of the mail that began the thread.
    pub thread: Option<String>,
    /// When it was decided.
    pub date: Timestamp,
    /// The plain text.
    pub text: String,
    /// The HTML.
    pub html: String,
}

/// The mail for a notification. `host` is the part after the @ of the sender.
pub fn compose(
    notification: &Notification,
    console_url: &str,
    host: &str,
    thread_ref: Option<&str>,
) -> Result<Mail, minijinja::Error> {
    #[derive(Serialize)]
    struct Page {
        headline: String,
        colour: &'static str,
        reason: Option<String>,
        output: Option<String>,
        annotations: Vec<(String, String)>,
        facts: Vec<Fact>,
        labels: Vec<(String, String)>,
        url: String,
        links: Vec<(String, String)>,
    }
    let alert = &notification.alert;
    let texts = texts(notification);
    let short = |fact: Fact| Fact {
        value: cut(&one_line(&fact.value), FACT),
        ..fact
    };
    let page = Value::from(Serde(Page {
        headline: cut(&headline(notification), FACT),
        colour: colour(notification.kind, alert.severity),
        reason: texts.reason.map(|reason| cut(&lines(reason), TEXT)),
        output: texts.output.map(|output| cut(&lines(output), TEXT)),
        annotations: annotations(alert)
            .into_iter()
            .take(ANNOTATIONS)
            .map(|(name, text)| (one_line(name), cut(&indented(text), ANNOTATION)))
            .collect(),
        facts: facts(notification).into_iter().map(short).collect(),
        labels: alert
            .labels
            .iter()
            .take(LABELS)
            .map(|(key, value)| (one_line(key), cut(&one_line(value), FACT)))
            .collect(),
        url: alert_url(console_url, notification.fingerprint),
        links: links(alert)
            .into_iter()
            .take(LINKS)
            .map(|(title, url)| (one_line(title), one_line(url)))
            .collect(),
    }));
    let id = |sequence| {
        format!(
            "<{}.{}.{sequence}@{host}>",
            notification.fingerprint, notification.episode
        )
    };
    let thread = match notification.kind {
        NotificationKind::Open => None,
        NotificationKind::Update | NotificationKind::Close => {
            Some(thread_ref.map_or_else(|| id(1), str::to_owned))
        }
    };
    Ok(Mail {
        subject: subject(notification),
        message_id: id(notification.sequence),
        thread,
        date: notification.created_at,
        text: render("message.txt", page.clone())?,
        html: render("message.html", page)?,
    })
}

/// A text below a name: its further lines cannot be taken for lines of the mail.
fn indented(text: &str) -> String {
    lines(text).replace('\n', "\n  ")
}

fn subject(notification: &Notification) -> String {
    let alert = &notification.alert;
    let object = one_line(&alert.object);
    let on = if object.is_empty() {
        String::new()
    } else {
        format!(" on {object}")
    };
    let name = cut(&headline(notification), SUBJECT * 2 / 3);
    cut(&format!("{name}{on} ({})", one_line(&alert.environment)), SUBJECT)
}

/// One mail for many notifications.
pub fn compose_digest(
    id: Uuid,
    of: &[Notification],
    console_url: &str,
    host: &str,
) -> Result<Mail, minijinja::Error> {
    #[derive(Serialize)]
    struct Page<'a> {
        headline: &'a str,
        colour: &'static str,
        named: &'a [String],
        more: usize,
        url: &'a str,
    }
    let summary = summary(of);
    let kind = of.first().map_or(NotificationKind::Open, |one| one.kind);
    let page = Value::from(Serde(Page {
        headline: &summary.headline,
        colour: colour(kind, summary.worst),
        named: &summary.named,
        more: summary.more,
        url: console_url,
    }));
    Ok(Mail {
        subject: cut(&summary.headline, SUBJECT),
        message_id: format!("<digest.{}@{host}>", id.simple()),
        thread: None,
        date: of
            .iter()
            .map(|one| one.created_at)
            .max()
            .unwrap_or(Timestamp::UNIX_EPOCH),
        text: render("digest.txt", page.clone())?,
        html: render("digest.html", page)?,
    })
}

const fn colour(kind: NotificationKind, severity: Severity) -> &'static str {
    match (kind, severity) {
        (NotificationKind::Close, _) | (_, Severity::Ok) => "#2a9d4b",
        (_, Severity::Information) => "#2f7ed8",
        (_, Severity::Warning) => "#e6a700",
        (_, Severity::Unknown) => "#7d5ba6",
        (_, Severity::Critical | Severity::Urgent | Severity::Down) => "#c1121f",
    }
}

const TEMPLATES: [(&str, &str); 4] = [
    ("message.txt", include_str!("../../templates/email/message.txt")),
    ("message.html", include_str!("../../templates/email/message.html")),
    ("digest.txt", include_str!("../../templates/email/digest.txt")),
    ("digest.html", include_str!("../../templates/email/digest.html")),
];

/// The name decides about escaping: `.html` is escaped, `.txt` is not.
fn render(name: &str, page: Value) -> Result<String, minijinja::Error> {
    #[expect(
        clippy::expect_used,
        reason = "the templates are compiled in, and tests render each of them"
    )]
    static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in TEMPLATES {
            environment
                .add_template(name, source)
                .expect("the template is well-formed");
        }
        environment
    });
    ENVIRONMENT.get_template(name)?.render(page)
}

impl EmailSender {
    /// A sender whose messages link to this console.
    pub fn new(console_url: &str) -> Self {
        Self {
            console_url: console_url.to_owned(),
            transports: Transports::default(),
        }
    }

    /// Sends the mail; answers its message id.
    async fn deliver(&self, request: &SendRequest<'_>) -> Result<String, SendResult> {
        let from = from(request.credentials.setting("from"))?;
        let to = request.destination.parse::<Address>().map_err(|error| {
            SendResult::BadDestination(format!(
                "{:?} is not an e-mail address: {error}",
                request.destination
            ))
        })?;
        let mail = match request.payload {
            Payload::One(notification) => compose(
                notification,
                &self.console_url,
                from.email.domain(),
                request.thread_ref,
            ),
            Payload::Digest { id, of } => compose_digest(id, of, &self.console_url, from.email.domain()),
        };
        let mail =
            mail.map_err(|error| SendResult::Refused(format!("the mail cannot be written: {error}")))?;
        let message = message(&mail, from, to)
            .map_err(|error| SendResult::Refused(format!("the mail cannot be written: {error}")))?;
        let transport = self
            .transports
            .of(request.credentials)
            .map_err(SendResult::BadCredentials)?;
        match tokio::time::timeout(TIMEOUT, transport.send(message)).await {
            Ok(Ok(_)) => Ok(mail.message_id),
            Ok(Err(error)) => Err(replies::read(&error, request.destination)),
            Err(_) => Err(SendResult::Transient {
                after: None,
                error: format!("the mail server did not answer within {} s", TIMEOUT.as_secs()),
                maybe_delivered: true,
            }),
        }
    }
}

fn from(setting: Option<&str>) -> Result<Mailbox, SendResult> {
    let setting = setting.ok_or_else(|| {
        SendResult::BadCredentials("the email bot has no sender: add `from` to its settings".to_owned())
    })?;
    setting.parse().map_err(|error| {
        SendResult::BadCredentials(format!("`from` of the email bot is not an address: {error}"))
    })
}

fn message(mail: &Mail, from: Mailbox, to: Address) -> Result<lettre::Message, lettre::error::Error> {
    let mut builder = lettre::Message::builder()
        .from(from)
        .to(Mailbox::new(None, to))
        .subject(&mail.subject)
        .message_id(Some(mail.message_id.clone()))
        .date(SystemTime::from(mail.date))
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    if let Some(thread) = &mail.thread {
        builder = builder.in_reply_to(thread.clone()).references(thread.clone());
    }
    builder.multipart(MultiPart::alternative_plain_html(
        mail.text.clone(),
        mail.html.clone(),
    ))
}

#[async_trait]
impl Sender for EmailSender {
    fn channel(&self) -> Channel {
        Channel::Email
    }

    async fn send(&self, request: &SendRequest<'_>) -> SendResult {
        match self.deliver(request).await {
            Ok(message_id) => SendResult::Sent {
                reference: Some(message_id),
            },
            Err(result) => result,
        }
    }
}

#[cfg(test)]
mod tests;
