//! A port for mail: what somebody's mail server sends on. The key is the address of the recipient, or what stands in it
//! behind a plus.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use chassis::attempts::WrongCredential;
use chassis::connections::{Connections, Tracked};
use pipeline::Context;
use smtp_proto::request::receiver::{DataReceiver, RequestReceiver};
use smtp_proto::{Error, Request};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::tcp::{self, Pieces};
use crate::body::{DRAINED, LARGEST, PATIENCE};
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::pace::Pace;
use crate::refusal::Refusal;
use crate::sources::EMAIL;
use crate::sources::email::MESSAGE;

/// Where the same can be posted, with the source behind it.
const ADDRESS: &str = "/monitoring-system";
/// How long a client may think before its next command.
const THINKING_TIME: Duration = Duration::from_secs(300);
/// So many wrong recipients are answered, the later the more there were; then the connection is closed.
const WRONG_RECIPIENTS_MAX: u32 = 8;
/// How much of an answer may be text.
const LONGEST_TEXT: usize = 400;

/// Serves mail servers until shutdown.
pub(crate) async fn serve(
    collector: Arc<Collector>,
    context: Context,
    listener: TcpListener,
    connections: Connections,
) {
    tcp::serve(listener, connections, &context, |stream| {
        let conversation = Conversation {
            collector: Arc::clone(&collector),
            stream: BufReader::new(stream),
            requests: RequestReceiver::default(),
            envelope: Envelope::None,
            wrong_recipients: 0,
        };
        let shutdown = context.shutdown.clone();
        async move {
            if let Err(error) = conversation.hold(shutdown.cancelled()).await {
                // Clients come and go as they like.
                tracing::debug!(%error, "a mail server is gone");
            }
        }
    })
    .await;
}

struct Conversation {
    collector: Arc<Collector>,
    stream: BufReader<Tracked<TcpStream>>,
    requests: RequestReceiver,
    envelope: Envelope,
    wrong_recipients: u32,
}

/// What was said of the next message. It has one recipient: one answer can tell of no more.
enum Envelope {
    None,
    Sender,
    /// The keys that its address shows.
    Recipient(Vec<String>),
}

/// What is done after an answer.
enum Next {
    Listen,
    HangUp,
}

impl Conversation {
    async fn hold(mut self, end: impl Future<Output = ()>) -> io::Result<()> {
        let mut end = std::pin::pin!(end);
        self.say("220 reveille ESMTP").await?;
        loop {
            let request = tokio::select! {
                biased;
                () = &mut end => return self.say("421 4.3.2 going down; come again").await,
                request = tokio::time::timeout(THINKING_TIME, self.request()) => request,
            };
            let next = match request {
                Ok(Ok(Ok(request))) => self.answer(request).await?,
                Ok(Ok(Err(error))) => self.misunderstood(&error).await?,
                Ok(Err(error)) => return Err(error),
                Err(_) => return self.say("421 4.4.2 nothing was said for too long").await,
            };
            if matches!(next, Next::HangUp) {
                return Ok(());
            }
        }
    }

    async fn request(&mut self) -> io::Result<Result<Request<String>, Error>> {
        loop {
            let available = self.stream.fill_buf().await?;
            if available.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut bytes = available.iter();
            let request = self.requests.ingest(&mut bytes).map(Request::into_owned);
            let incomplete = matches!(request, Err(Error::NeedsMoreData { .. }));
            let rest = if incomplete { 0 } else { bytes.len() };
            let used = available.len() - rest;
            self.stream.consume(used);
            if !incomplete {
                return Ok(request);
            }
        }
    }

    async fn answer(&mut self, request: Request<String>) -> io::Result<Next> {
        match request {
            Request::Ehlo { .. } => {
                self.envelope = Envelope::None;
                self.say("250-reveille\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES")
                    .await?;
                self.say(&format!("250 SIZE {LARGEST}")).await?;
            }
            Request::Helo { .. } => {
                self.envelope = Envelope::None;
                self.say("250 reveille").await?;
            }
            Request::Mail { from } if from.size > LARGEST => {
                self.say(&format!("552 5.3.4 at most {LARGEST} bytes are taken"))
                    .await?;
            }
            Request::Mail { .. } => {
                self.envelope = Envelope::Sender;
                self.say("250 2.1.0 fine").await?;
            }
            Request::Rcpt { to } => return self.recipient(&to.address).await,
            Request::Data => return self.message().await,
            Request::Rset => {
                self.envelope = Envelope::None;
                self.say("250 2.0.0 forgotten").await?;
            }
            Request::Noop { .. } => self.say("250 2.0.0 still here").await?,
            Request::Vrfy { .. } => self.say("252 2.1.5 send a message to see").await?,
            Request::Quit => {
                self.say("221 2.0.0 bye").await?;
                return Ok(Next::HangUp);
            }
            other => {
                let text = format!("502 5.5.1 {} is not understood here", other.name());
                self.say(&text).await?;
            }
        }
        Ok(Next::Listen)
    }

    async fn misunderstood(&mut self, error: &Error) -> io::Result<Next> {
        let text = match error {
            Error::UnknownCommand => "500 5.5.1 that is no command of SMTP".to_owned(),
            Error::ResponseTooLong => {
                self.say("500 5.5.6 the line is too long").await?;
                return Ok(Next::HangUp);
            }
            Error::SyntaxError { syntax } => format!("501 5.5.4 say {syntax}"),
            _ => "501 5.5.4 the address or a parameter is not understood".to_owned(),
        };
        self.say(&text).await?;
        Ok(Next::Listen)
    }

    async fn recipient(&mut self, address: &str) -> io::Result<Next> {
        let order = match self.envelope {
            Envelope::None => Some("503 5.5.1 say MAIL FROM first"),
            // Mail servers send it again for the others.
            Envelope::Recipient(_) => Some("452 4.5.3 one recipient at a time"),
            Envelope::Sender => None,
        };
        if let Some(order) = order {
            self.say(order).await?;
            return Ok(Next::Listen);
        }
        let keys = keys(address);
        let call = call(&self.collector, keys.clone(), Body::empty());
        match self.collector.consents(call) {
            Ok(()) => {
                self.envelope = Envelope::Recipient(keys);
                self.stream.get_ref().slot().activity().succeeded();
                self.say("250 2.1.5 fine").await?;
            }
            Err(refusal) => {
                if refusal.is_wrong_key() {
                    let activity = self.stream.get_ref().slot().activity().clone();
                    activity.wrong_credential(WrongCredential::Sender).await;
                    self.wrong_recipients += 1;
                }
                self.say(&refused(&refusal)).await?;
            }
        }
        if self.wrong_recipients >= WRONG_RECIPIENTS_MAX {
            self.say("421 4.7.0 too many recipients without a valid key")
                .await?;
            return Ok(Next::HangUp);
        }
        Ok(Next::Listen)
    }

    async fn message(&mut self) -> io::Result<Next> {
        let keys = match std::mem::replace(&mut self.envelope, Envelope::None) {
            Envelope::Recipient(keys) => keys,
            other => {
                self.envelope = other;
                self.say("503 5.5.1 say MAIL FROM and RCPT TO first").await?;
                return Ok(Next::Listen);
            }
        };
        self.say("354 go on, and end with a dot on a line of its own")
            .await?;
        let (pieces, body) = tcp::body();
        let call = call(&self.collector, keys, body);
        let (taken, read) = tokio::join!(
            self.collector.take(call),
            tcp::handed_over(pieces.clone(), hand_over(&mut self.stream, pieces))
        );
        if let Err(error) = read {
            if error.kind() == io::ErrorKind::TimedOut {
                self.say(&format!("421 4.4.2 {error}")).await?;
            }
            return Err(error);
        }
        match taken {
            Ok(_) => self.say("250 2.0.0 the alert is safe").await?,
            Err(refusal) => self.say(&refused(&refusal)).await?,
        }
        Ok(Next::Listen)
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\r\n");
        tokio::time::timeout(PATIENCE, self.stream.write_all(line.as_bytes())).await?
    }
}

/// A message, understood by the mapping that the key's integration has for its type, or else as all mail.
fn call(collector: &Collector, keys: Vec<String>, body: Body) -> Call {
    let mut posted = Posted::bare(ADDRESS, body, 0);
    let call = match collector.mapping_of(&keys) {
        Some(mapping) => {
            let content = HeaderValue::from_static(MESSAGE);
            posted.headers.insert(header::CONTENT_TYPE, content);
            Call::mapped(mapping, posted)
        }
        None => Call::new(&EMAIL, posted),
    };
    let mut call = call.again_at_its_source();
    call.keys = keys;
    call
}

/// Hands a message over as it comes, to the dot behind it. What nobody takes any more is read all the same.
async fn hand_over(stream: &mut BufReader<Tracked<TcpStream>>, pieces: Pieces) -> io::Result<()> {
    let mut receiver = DataReceiver::new();
    // It looks for the dot behind the end of a line; in a message without a line that end is the command's.
    receiver.ingest(&mut b"\r\n".iter(), &mut Vec::new());
    let (mut read, mut pace) = (0, Pace::default());
    loop {
        let available = tcp::paced(&mut pace, stream.fill_buf()).await?;
        if available.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut bytes, mut piece) = (available.iter(), Vec::with_capacity(available.len()));
        let ended = receiver.ingest(&mut bytes, &mut piece);
        let used = available.len() - bytes.len();
        stream.consume(used);
        pace.arrived(used);
        read += used;
        if read > DRAINED {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let _ = pieces.send(Ok(piece.into())).await;
        if ended {
            return Ok(());
        }
    }
}

/// The keys that a recipient may show: `KEY@…` or `anything+KEY@…`.
fn keys(address: &str) -> Vec<String> {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    let behind_plus = local.split_once('+').map(|(_, key)| key);
    [Some(local), behind_plus]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect()
}

/// What can pass is to be sent again; all else goes back to its sender.
fn refused(refusal: &Refusal) -> String {
    let code = match refusal.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            "451 4.3.0"
        }
        StatusCode::UNAUTHORIZED => "550 5.1.1",
        StatusCode::PAYLOAD_TOO_LARGE => "552 5.3.4",
        _ => "554 5.6.0",
    };
    let text = match refusal {
        Refusal::Key { what } => format!(
            "the integration key is {what}; write to KEY@ or anything+KEY@ with the key of an integration whose type is email or a mapping"
        ),
        other => other.to_string(),
    };
    let plain = |character: char| {
        if character.is_ascii_graphic() {
            character
        } else {
            ' '
        }
    };
    let text: String = text.chars().map(plain).take(LONGEST_TEXT).collect();
    format!("{code} {text}")
}
