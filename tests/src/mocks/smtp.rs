//! A mail server that keeps what it is given.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::recorded::Recorded;

/// The mail server's end.
#[derive(Debug)]
pub struct SmtpSink {
    address: SocketAddr,
    mails: Recorded<Vec<Mail>>,
    serving: Option<JoinHandle<()>>,
}

/// One mail as it was handed over.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// Who sent it, by the envelope.
    pub from: String,
    /// Who gets it, by the envelope.
    pub to: Vec<String>,
    /// Its head: names in lower case, values unfolded.
    pub headers: Vec<(String, String)>,
    /// Its body as it came.
    pub body: String,
}

impl Mail {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    fn parse(from: &str, to: &[String], data: &str) -> Self {
        let (head, body) = data.split_once("\r\n\r\n").unwrap_or((data, ""));
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let headers = unfolded.lines().filter_map(|line| line.split_once(':'));
        Self {
            from: from.to_owned(),
            to: to.to_vec(),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }
}

impl SmtpSink {
    /// Opens its door.
    pub async fn start() -> Result<Self> {
        let address = crate::places::free_address()?;
        let mut sink = Self {
            address,
            mails: Recorded::default(),
            serving: None,
        };
        sink.come_back().await?;
        Ok(sink)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the door and cuts all lines.
    pub async fn go_away(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Opens the door again, at the same address.
    pub async fn come_back(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address)
            .await
            .context("listening as a mail server")?;
        let mails = self.mails.clone();
        self.serving = Some(tokio::spawn(async move {
            // Dropped with this task, and all conversations with it.
            let mut conversations = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mails = mails.clone();
                conversations.spawn(async move {
                    let _ = converse(stream, &mails).await;
                });
            }
        }));
        Ok(())
    }

    /// All mails, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.read(Clone::clone)
    }

    /// Waits for a mail that is like this.
    pub async fn mail(&self, what: &str, within: Duration, like: impl Fn(&Mail) -> bool) -> Result<Mail> {
        let look = |mails: &Vec<Mail>| mails.iter().find(|mail| like(mail)).cloned();
        self.mails
            .wait_for(what, within, look, |mails| format!("{mails:#?}"))
            .await
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn converse(stream: TcpStream, mails: &Recorded<Vec<Mail>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink.example ESMTP\r\n").await?;
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let command = line.get(..4).unwrap_or_default().to_uppercase();
        let answer = match command.as_str() {
            "EHLO" => "250-sink.example\r\n250-8BITMIME\r\n250 SMTPUTF8",
            "HELO" | "NOOP" => "250 yes",
            "RSET" => {
                (from, to) = (String::new(), Vec::new());
                "250 forgotten"
            }
            "MAIL" => {
                from = address(&line);
                "250 from whom"
            }
            "RCPT" => {
                to.push(address(&line));
                "250 to whom"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let data = data(&mut stream).await?;
                mails.change(|mails| mails.push(Mail::parse(&from, &to, &data)));
                (from, to) = (String::new(), Vec::new());
                "250 kept"
            }
            "QUIT" => {
                stream.write_all(b"221 goodbye\r\n").await?;
                return Ok(());
            }
            _ => "502 not understood",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_is_kept_with_its_folded_head_and_its_dots() {
        let sink = SmtpSink::start().await.unwrap();
        let mut stream = TcpStream::connect(sink.address()).await.unwrap();
        let talk = "EHLO me\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n\
                    Subject: it\r\n burns\r\nMessage-ID: <1@a>\r\n\r\nhot\r\n..\r\n.\r\nQUIT\r\n";
        stream.write_all(talk.as_bytes()).await.unwrap();
        let mail = sink
            .mail("it", Duration::from_secs(5), |mail| {
                mail.header("subject") == "it burns"
            })
            .await
            .unwrap();
        assert_eq!(
            (mail.from.as_str(), mail.to[0].as_str()),
            ("a@example.org", "b@example.org")
        );
        assert_eq!(
            (mail.header("message-id"), mail.body.as_str()),
            ("<1@a>", "hot\r\n.\r\n")
        );
    }

    #[tokio::test]
    async fn a_door_that_is_closed_opens_again_at_the_same_address() {
        let mut sink = SmtpSink::start().await.unwrap();
        sink.go_away().await;
        assert!(TcpStream::connect(sink.address()).await.is_err());
        sink.come_back().await.unwrap();
        assert!(TcpStream::connect(sink.address()).await.is_ok());
    }
}
