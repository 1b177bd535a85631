//! A mail server that keeps the mails it receives, with scripted replies.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A mail as it was handed over.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// Who sent it, by the envelope.
    pub from: String,
    /// Who gets it, by the envelope.
    pub to: Vec<String>,
    /// Head and body, with the dots of the transport taken out.
    pub data: String,
}

impl Mail {
    /// The unfolded value of a header, or nothing.
    pub fn header(&self, name: &str) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        let found = head
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        found.unwrap_or_default()
    }
}

/// What the server saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Mails it took.
    pub mails: Vec<Mail>,
    /// How many connections were made.
    pub connections: usize,
}

/// The server.
#[derive(Clone)]
pub struct SmtpSink {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    /// What is answered to a verb instead of a friendly word; `.` is the end of the data.
    replies: Arc<BTreeMap<&'static str, &'static str>>,
}

impl SmtpSink {
    /// A server that answers these verbs like this, and all others in a friendly way.
    pub async fn start(replies: &[(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            replies: Arc::new(replies.iter().copied().collect()),
        };
        let server = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.seen.lock().unwrap().connections += 1;
                let server = server.clone();
                // A client that goes away in the middle is no concern of the server.
                tokio::spawn(async move { drop(server.converse(stream).await) });
            }
        });
        sink
    }

    /// Its port, as a setting.
    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// Looks at what it saw.
    pub fn read<R>(&self, look: impl FnOnce(&Seen) -> R) -> R {
        look(&self.seen.lock().unwrap())
    }

    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 sink.example ESMTP\r\n").await?;
        let mut mail = Mail::default();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let verb = line
                .split([' ', '\r', ':'])
                .next()
                .unwrap_or_default()
                .to_uppercase();
            let mut reply = match self.replies.get(verb.as_str()) {
                Some(reply) => (*reply).to_owned(),
                None => friendly(&verb),
            };
            if reply == "hang up" {
                return Ok(());
            }
            if reply.starts_with('2') {
                match verb.as_str() {
                    "MAIL" => {
                        mail = Mail {
                            from: address(&line),
                            ..Mail::default()
                        }
                    }
                    "RCPT" => mail.to.push(address(&line)),
                    _ => {}
                }
            }
            if reply.starts_with("354") {
                stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
                mail.data = data(&mut stream).await?;
                reply = (*self.replies.get(".").unwrap_or(&"250 kept")).to_owned();
                if reply == "hang up" {
                    return Ok(());
                }
                if reply.starts_with('2') {
                    self.seen.lock().unwrap().mails.push(std::mem::take(&mut mail));
                }
            }
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
            if verb == "QUIT" {
                return Ok(());
            }
        }
    }
}

fn friendly(verb: &str) -> String {
    match verb {
        "EHLO" => "250-sink.example\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8",
        "AUTH" => "235 welcome",
        "DATA" => "354 go on",
        "QUIT" => "221 goodbye",
        "MAIL" | "RCPT" | "RSET" | "NOOP" | "HELO" => "250 fine",
        _ => "502 not understood",
    }
    .to_owned()
}

fn address(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(|| line.trim().to_owned(), |(address, _)| address.to_owned())
}

async fn data(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(data);
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
