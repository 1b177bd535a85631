//! A port for mail that mail servers forward. The key is the local part of the recipient's address, or what follows a plus
//! in it.

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
use sources::systems::email;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::tcp::{self, BodyChunks};
use crate::collector::Collector;
use crate::intake::body::{IO_TIMEOUT, MAX_BODY_BYTES, MAX_DRAINED_BYTES};
use crate::intake::error::IngestError;
use crate::intake::request::{IncomingRequest, IngestRequest};
use crate::intake::transfer_rate::TransferRate;

/// Where a stored message can be posted again, followed by its source.
const ADDRESS: &str = "/monitoring-system";
/// How long a client may wait before its next command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(300);
/// How many wrong recipients are answered, each later than the one before, until the connection is closed.
const WRONG_RECIPIENTS_MAX: u32 = 8;
/// How long the text of an answer may be.
const MAX_ANSWER_CHARACTERS: usize = 400;

/// Serves mail servers until shutdown.
pub(crate) async fn serve(
    collector: Arc<Collector>,
    context: Context,
    listener: TcpListener,
    connections: Connections,
) {
    tcp::serve(listener, connections, &context, |stream| {
        let session = Session {
            collector: Arc::clone(&collector),
            stream: BufReader::new(stream),
            requests: RequestReceiver::default(),
            envelope: Envelope::None,
            wrong_recipients: 0,
        };
        let shutdown = context.shutdown.clone();
        async move {
            if let Err(error) = session.run(shutdown.cancelled()).await {
                // Clients disconnect at any time.
                tracing::debug!(%error, "a mail server has disconnected");
            }
        }
    })
    .await;
}

struct Session {
    collector: Arc<Collector>,
    stream: BufReader<Tracked<TcpStream>>,
    requests: RequestReceiver,
    envelope: Envelope,
    wrong_recipients: u32,
}

/// The envelope of the next message. It has one recipient, as the answer to a message covers all its recipients.
enum Envelope {
    None,
    Sender,
    /// The keys that its address may hold.
    Recipient(Vec<String>),
}

/// What follows an answer.
enum Next {
    Listen,
    HangUp,
}

impl Session {
    async fn run(mut self, end: impl Future<Output = ()>) -> io::Result<()> {
        let mut end = std::pin::pin!(end);
        self.say("220 reveille ESMTP").await?;
        loop {
            let request = tokio::select! {
                biased;
                () = &mut end => return self.say("421 4.3.2 shutting down; try again later").await,
                request = tokio::time::timeout(COMMAND_TIMEOUT, self.request()) => request,
            };
            let next = match request {
                Ok(Ok(Ok(request))) => self.answer(request).await?,
                Ok(Ok(Err(error))) => self.syntax_error(&error).await?,
                Ok(Err(error)) => return Err(error),
                Err(_) => return self.say("421 4.4.2 no command for too long").await,
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
                self.say(&format!("250 SIZE {MAX_BODY_BYTES}")).await?;
            }
            Request::Helo { .. } => {
                self.envelope = Envelope::None;
                self.say("250 reveille").await?;
            }
            Request::Mail { from } if from.size > MAX_BODY_BYTES => {
                self.say(&format!("552 5.3.4 at most {MAX_BODY_BYTES} bytes are taken"))
                    .await?;
            }
            Request::Mail { .. } => {
                self.envelope = Envelope::Sender;
                self.say("250 2.1.0 ok").await?;
            }
            Request::Rcpt { to } => return self.recipient(&to.address).await,
            Request::Data => return self.message().await,
            Request::Rset => {
                self.envelope = Envelope::None;
                self.say("250 2.0.0 reset").await?;
            }
            Request::Noop { .. } => self.say("250 2.0.0 ok").await?,
            Request::Vrfy { .. } => self.say("252 2.1.5 send a message to verify").await?,
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

    async fn syntax_error(&mut self, error: &Error) -> io::Result<Next> {
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
            Envelope::None => Some("503 5.5.1 send MAIL FROM first"),
            // Mail servers send the message again for the others.
            Envelope::Recipient(_) => Some("452 4.5.3 one recipient at a time"),
            Envelope::Sender => None,
        };
        if let Some(order) = order {
            self.say(order).await?;
            return Ok(Next::Listen);
        }
        let keys = keys(address);
        let request = ingest_request(&self.collector, keys.clone(), Body::empty());
        match self.collector.authorize(request) {
            Ok(()) => {
                self.envelope = Envelope::Recipient(keys);
                self.stream.get_ref().slot().activity().succeeded();
                self.say("250 2.1.5 ok").await?;
            }
            Err(error) => {
                if error.is_wrong_key() {
                    let activity = self.stream.get_ref().slot().activity().clone();
                    activity.wrong_credential(WrongCredential::Sender).await;
                    self.wrong_recipients += 1;
                }
                self.say(&error_reply(&error)).await?;
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
                self.say("503 5.5.1 send MAIL FROM and RCPT TO first").await?;
                return Ok(Next::Listen);
            }
        };
        self.say("354 end the message with a dot on a line of its own")
            .await?;
        let (chunks, body) = tcp::body();
        let request = ingest_request(&self.collector, keys, body);
        let (ingested, read) = tokio::join!(
            self.collector.ingest(request),
            tcp::forward_body(chunks.clone(), forward(&mut self.stream, chunks))
        );
        if let Err(error) = read {
            if error.kind() == io::ErrorKind::TimedOut {
                self.say(&format!("421 4.4.2 {error}")).await?;
            }
            return Err(error);
        }
        match ingested {
            Ok(_) => self.say("250 2.0.0 the alert is safe").await?,
            Err(error) => self.say(&error_reply(&error)).await?,
        }
        Ok(Next::Listen)
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\r\n");
        tokio::time::timeout(IO_TIMEOUT, self.stream.write_all(line.as_bytes())).await?
    }
}

/// A message, to be parsed by the mapping that is the type of the key's integration, or else by the source for mail.
fn ingest_request(collector: &Collector, keys: Vec<String>, body: Body) -> IngestRequest {
    let mut incoming = IncomingRequest::bare(ADDRESS, body, 0);
    let request = match collector.mapping_of(&keys) {
        Some(mapping) => {
            let content = HeaderValue::from_static(email::MESSAGE);
            incoming.headers.insert(header::CONTENT_TYPE, content);
            IngestRequest::mapped(mapping, incoming)
        }
        None => IngestRequest::new(&email::SOURCE, incoming),
    };
    let mut request = request.replayed_at_its_source();
    request.keys = keys;
    request
}

/// Forwards a message as it arrives, up to the dot behind it. It is read to its end even if it is refused.
async fn forward(stream: &mut BufReader<Tracked<TcpStream>>, chunks: BodyChunks) -> io::Result<()> {
    let mut receiver = DataReceiver::new();
    // It looks for the dot behind the end of a line; in an empty message that is the line of the command.
    receiver.ingest(&mut b"\r\n".iter(), &mut Vec::new());
    let (mut read, mut rate) = (0, TransferRate::default());
    loop {
        let available = tcp::read_at_rate(&mut rate, stream.fill_buf()).await?;
        if available.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut bytes, mut piece) = (available.iter(), Vec::with_capacity(available.len()));
        let ended = receiver.ingest(&mut bytes, &mut piece);
        let used = available.len() - bytes.len();
        stream.consume(used);
        rate.received(used);
        read += used;
        if read > MAX_DRAINED_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let _ = chunks.send(Ok(piece.into())).await;
        if ended {
            return Ok(());
        }
    }
}

/// The keys that a recipient's address may hold: `KEY@…` or `anything+KEY@…`.
fn keys(address: &str) -> Vec<String> {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    let behind_plus = local.split_once('+').map(|(_, key)| key);
    [Some(local), behind_plus]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect()
}

/// A 4xx reply where the message may be accepted later; the others make the mail server return it to its sender.
fn error_reply(error: &IngestError) -> String {
    let code = match error.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            "451 4.3.0"
        }
        StatusCode::UNAUTHORIZED => "550 5.1.1",
        StatusCode::PAYLOAD_TOO_LARGE => "552 5.3.4",
        _ => "554 5.6.0",
    };
    let text = match error {
        IngestError::Key { what } => format!(
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
    let text: String = text.chars().map(plain).take(MAX_ANSWER_CHARACTERS).collect();
    format!("{code} {text}")
}
