//! Hostile clients at all listeners at once: good senders go on being answered, and everything is whole when they are gone.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::World;
use tests::site::keys;
use tests::waiting::until;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long a good sender may wait for its answer.
const ANSWERED: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_secs(60);
/// So many descriptors may the process have open, and not one more.
const DESCRIPTORS: u32 = 1024;
const HALF_OPEN: usize = 1100;
const IDLE: usize = 1030;
/// So many clients try one wrong key after the other.
const GUESSERS: usize = 8;
/// So many alerts does each good sender send meanwhile.
const ALERTS: usize = 12;
/// The largest body.
const BODY_BYTES: usize = 8 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn s1_s2_s5_s6_hostile_clients_keep_no_good_sender_out() -> Result<()> {
    let _turn = tests::alone().await;
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut world = World::on_up_with_descriptors("hostile", DESCRIPTORS).await?;
    let console = world.console().await?;
    let http = address(&world)?;
    let hostile = Hostile::begin(&world, http).await?;
    for number in 0..ALERTS {
        good_senders(&world, http, number).await?;
    }
    let up = world.stage("up")?;
    ensure!(up.admin("/healthz").await?.status == StatusCode::OK);
    until("every guesser is counted", SOON, async || {
        let wrong = up.metric("reveille_wrong_credentials_total", "sender").await?;
        Ok((wrong >= Some(GUESSERS as f64)).then_some(()))
    })
    .await?;
    hostile.end().await;

    let up = world.stage("up")?;
    for listener in ["http", "smtp", "riemann"] {
        let evicted = up.metric("reveille_connections_evicted_total", listener).await?;
        ensure!(
            evicted.is_some_and(|evicted| evicted >= 100.0),
            "{listener}: {evicted:?}"
        );
    }
    until("all memory of bodies is free again", SOON, async || {
        let held = up.metric("reveille_collectors_body_memory_bytes", "").await?;
        Ok((held == Some(0.0)).then_some(()))
    })
    .await?;
    ensure!(up.admin("/healthz").await?.status == StatusCode::OK);
    up.ready(SOON).await?;
    until(
        "every alert is in the list and on the console",
        SOON,
        async || {
            let alerts = world.client.alerts("").await?;
            let listed = |name: &str| alerts.iter().any(|alert| alert.name == name);
            let shown = |name: &str| console.read(|screen| screen.by_name(name).is_some());
            let all = (0..ALERTS).all(|number| {
                let [http, mail, riemann] = names(number);
                listed(&http) && listed(&mail) && listed(&riemann) && shown(&http)
            });
            Ok(all.then_some(()))
        },
    )
    .await?;
    two_hundred_requests_of_one_connection(http).await?;
    world.all_alive()
}

fn address(world: &World) -> Result<SocketAddr> {
    let url = world.console_url();
    Ok(url.trim_start_matches("http://").parse()?)
}

fn names(number: usize) -> [String; 3] {
    ["http", "mail", "riemann"].map(|way| format!("by {way} {number}"))
}

/// What they hold open, and those that go on.
struct Hostile {
    held: Vec<TcpStream>,
    guessing: JoinSet<()>,
}

impl Hostile {
    async fn begin(world: &World, http: SocketAddr) -> Result<Self> {
        let body = format!("POST /v2/enqueue HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_BYTES}\r\n\r\n{{");
        let mut message = u32::try_from(BODY_BYTES)?.to_be_bytes().to_vec();
        message.push(0);
        let mut held = Vec::new();
        for (address, beginning, count) in [
            (http, body.as_bytes(), 4),
            (http, b"GET / HTTP/1.1\r\nX:".as_slice(), HALF_OPEN),
            (http, body.as_bytes(), 4),
            (world.riemann()?, message.as_slice(), 4),
            (world.riemann()?, b"".as_slice(), IDLE),
            (world.mail()?, b"".as_slice(), IDLE),
        ] {
            held.extend(try_join_all((0..count).map(|_| opened(address, beginning))).await?);
        }
        let mut guessing = JoinSet::new();
        for guesser in 0..GUESSERS {
            guessing.spawn(async move {
                for attempt in 0.. {
                    // Its connection may be closed for a good one.
                    let _ = guess(http, &format!("{guesser}-{attempt}")).await;
                }
            });
        }
        Ok(Self { held, guessing })
    }

    async fn end(mut self) {
        self.guessing.shutdown().await;
        drop(self.held);
    }
}

async fn opened(address: SocketAddr, beginning: &[u8]) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await.context("connecting")?;
    // It may be closed already.
    let _ = stream.write_all(beginning).await;
    Ok(stream)
}

async fn guess(http: SocketAddr, key: &str) -> Result<()> {
    let mut stream = TcpStream::connect(http).await?;
    let request = format!(
        "POST /monitoring-system/api?integration_key={key} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    Ok(())
}

/// Each sends one alert, on a connection of its own.
async fn good_senders(world: &World, http: SocketAddr, number: usize) -> Result<()> {
    let [by_http, by_mail, by_riemann] = names(number);
    let begun = Instant::now();
    let body = alert(&by_http).to_string();
    let answer = asked(http, &request(&body, "Connection: close\r\n")).await;
    let answer = answer.with_context(|| by_http.clone())?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{by_http}: {answer}");
    mail(world.mail()?, &by_mail)
        .await
        .with_context(|| by_mail.clone())?;
    riemann(world.riemann()?, &by_riemann)
        .await
        .with_context(|| by_riemann.clone())?;
    ensure!(begun.elapsed() < ANSWERED, "{by_http}: {:?}", begun.elapsed());
    Ok(())
}

fn alert(name: &str) -> Value {
    json!({
        "alert_name": name, "alert_severity": "critical", "source": "nagios-1", "object": "db-1",
        "notification_output": "full",
    })
}

fn request(body: &str, more: &str) -> String {
    let (key, length) = (keys::MACHINES, body.len());
    format!(
        "POST /monitoring-system/api?integration_key={key} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {length}\r\n\r\n{body}"
    )
}

async fn asked(address: SocketAddr, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn mail(address: SocketAddr, name: &str) -> Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let message = format!("From: a@example.org\r\nSubject: PROBLEM: {name}\r\n\r\nfull\r\n.");
    for (line, code) in [
        ("HELO mon-1", "220 "),
        ("MAIL FROM:<a@example.org>", "250 "),
        (format!("RCPT TO:<{}@example.org>", keys::EMAIL).as_str(), "250 "),
        ("DATA", "250 "),
        (message.as_str(), "354 "),
        ("QUIT", "250 "),
    ] {
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        ensure!(answer.starts_with(code), "before {line:?}: {answer:?}");
        stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    }
    Ok(())
}

/// A message of Riemann's protocol with one event (<https://github.com/riemann/riemann-java-client>, `proto.proto`).
async fn riemann(address: SocketAddr, name: &str) -> Result<()> {
    let attribute = [field(1, b"integration_key"), field(2, keys::RIEMANN.as_bytes())].concat();
    let event = [
        field(2, b"critical"),
        field(3, name.as_bytes()),
        field(4, b"db-1"),
        field(9, &attribute),
    ];
    let message = field(6, &event.concat());
    let mut stream = TcpStream::connect(address).await?;
    stream.write_u32(u32::try_from(message.len())?).await?;
    stream.write_all(&message).await?;
    let mut answer = vec![0; usize::try_from(stream.read_u32().await?)?];
    stream.read_exact(&mut answer).await?;
    ensure!(answer == [0x10, 1], "{}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// A field with a length, which is below 128 here.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [[(number << 3) | 2, length].as_slice(), value].concat()
}

async fn two_hundred_requests_of_one_connection(http: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(http).await?;
    let body = alert("again").to_string();
    for _ in 0..200 {
        stream.write_all(request(&body, "").as_bytes()).await?;
        let mut answer = Vec::new();
        while !(answer.ends_with(b"}") && answer.windows(4).any(|window| window == b"\r\n\r\n")) {
            ensure!(
                stream.read_buf(&mut answer).await? > 0,
                "{}",
                String::from_utf8_lossy(&answer)
            );
        }
        ensure!(
            answer.starts_with(b"HTTP/1.1 200 "),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    Ok(())
}
