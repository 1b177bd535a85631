//! Bytes that no client would send, on each listener: the connection ends, and the next good message is taken.
//!
//! The bytes are the same each time; `REVEILLE_TEST_FUZZ_SECONDS=60` lets each listener be sent new ones for a minute.

use std::net::SocketAddr;
use std::time::Instant;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use prost::Message;
use sources::systems::riemann::wire::{Event, Msg};

use super::*;

/// How many connections one run has.
const CONNECTIONS: usize = 60;
const SECONDS: &str = "REVEILLE_TEST_FUZZ_SECONDS";
/// A connection whose client is done ends within this time.
const END: Duration = Duration::from_secs(60);

/// A change of what a good client says.
#[derive(Debug, Clone)]
enum Damage {
    Cut(Index),
    Overwrite(Index, Vec<u8>),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = || {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..16),
            prop::sample::select(vec![
                &b"\r\n"[..],
                b"\n",
                b"\r\n.\r\n",
                b"\0",
                b"\xff\xff\xff\xff",
                b":",
                b"Content-Length: 7\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"BDAT 5 LAST\r\n",
                b"DATA\r\n",
                b"RSET\r\n",
                b"+email-key@",
                b"%00",
                b"{\"a\":",
            ])
            .prop_map(<[u8]>::to_vec),
        ]
    };
    prop_oneof![
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), bytes()).prop_map(|(at, bytes)| Damage::Overwrite(at, bytes)),
        (any::<Index>(), bytes()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<Index>(), any::<Index>(), 1..40_u8)
            .prop_map(|(from, to, times)| Damage::Repeat(from, to, times)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let count = bytes.len();
        let place = |index: &Index| index.index(count + 1);
        match damage {
            Damage::Cut(at) => bytes.truncate(place(at)),
            Damage::Overwrite(at, new) => {
                let start = place(at);
                let end = (start + new.len()).min(count);
                bytes.splice(start..end, new.iter().copied());
            }
            Damage::Insert(at, new) => {
                let start = place(at);
                bytes.splice(start..start, new.iter().copied());
            }
            Damage::Repeat(from, to, times) => {
                let (from, to) = (place(from), place(to));
                let part = bytes[from.min(to)..from.max(to)].repeat(usize::from(*times));
                bytes.splice(from.max(to)..from.max(to), part);
            }
        }
    }
    bytes
}

/// Sends what damages make of these conversations, each on a connection of its own, and asks after each whether the next good
/// message is taken.
async fn fuzz(address: SocketAddr, conversations: &[Vec<u8>], mut is_taken: impl AsyncFnMut() -> bool) {
    let strategy = (any::<Index>(), prop::collection::vec(damage(), 1..5));
    let same = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), same);
    let mut sent = 0;
    let seconds: u64 = std::env::var(SECONDS).map_or(0, |seconds| seconds.parse().expect("a number"));
    let begun = Instant::now();
    loop {
        let (which, damages) = strategy.new_tree(&mut runner).expect("a case").current();
        let bytes = damaged(which.get(conversations).clone(), &damages);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let said = async {
            // The other end may hang up before all is said.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
        };
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
        let ended = tokio::time::timeout(END, said).await;
        assert!(ended.is_ok(), "the connection stays open after {:?}", shown);
        assert!(is_taken().await, "no good message is taken after {:?}", shown);
        sent += 1;
        if sent == CONNECTIONS {
            runner = TestRunner::new(Config::default());
        }
        if sent >= CONNECTIONS && begun.elapsed().as_secs() >= seconds {
            return;
        }
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Says this on a new connection; answers what came back until this text, or the end.
async fn answered(address: SocketAddr, bytes: &[u8], until: &[u8]) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    while !answer.windows(until.len()).any(|window| window == until) {
        match stream.read(&mut piece).await.unwrap() {
            0 => return false,
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
    true
}

#[tokio::test]
async fn the_http_listener_outlives_any_bytes() {
    let world = World::new();
    let (listener, address) = listener().await;
    let server = tokio::spawn(chassis::server::serve(
        listener,
        connections(&world),
        world.collectors.routes(),
        world.context.shutdown.clone(),
    ));
    let body = alert("good").to_string();
    let length = body.len();
    let post =
        |head: &str, body: &str| format!("POST {API} HTTP/1.1\r\nHost: a\r\n{head}\r\n{body}").into_bytes();
    let conversations = [
        post(&format!("Content-Length: {length}\r\n"), &body),
        post(
            "Transfer-Encoding: chunked\r\n",
            &format!("{length:x}\r\n{body}\r\n0\r\n\r\n"),
        ),
        post(
            "Content-Encoding: gzip\r\nContent-Length: 40\r\n",
            &"x".repeat(40),
        ),
        b"GET /v2/alerts?query=a HTTP/1.1\r\nHost: a\r\nAuthorization: GenieKey x\r\n\r\n".to_vec(),
    ];
    let good = post(&format!("Content-Length: {length}\r\n"), &body);
    fuzz(address, &conversations, async || {
        answered(address, &good, b"HTTP/1.1 200").await
    })
    .await;
    server.abort();
}

#[tokio::test]
async fn the_smtp_listener_outlives_any_bytes() {
    let world = World::new();
    declare(&world, "email");
    let (listener, address) = listener().await;
    let server = tokio::spawn(world.collectors.clone().serve_smtp(listener, connections(&world)));
    let mail = "From: Nagios <nagios@mon-1.example.org>\r\nSubject: PROBLEM: disk full\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nfull\r\n--x--\r\n";
    let good =
        format!("EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<email-key@b.c>\r\nDATA\r\n{mail}.\r\nQUIT\r\n")
            .into_bytes();
    let chunked = format!(
        "EHLO a\r\nMAIL FROM:<a@b.c> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<email-key@b.c>\r\nBDAT {} LAST\r\n{mail}VRFY a\r\nNOOP\r\nRSET\r\n",
        mail.len()
    )
    .into_bytes();
    let conversations = [good.clone(), chunked, vec![b'x'; 70_000]];
    fuzz(address, &conversations, async || {
        answered(address, &good, b"250 2.0.0").await
    })
    .await;
    server.abort();
}

#[tokio::test]
async fn the_riemann_listener_outlives_any_bytes() {
    let world = World::new();
    declare(&world, "riemann");
    let (listener, address) = listener().await;
    let key = Some("riemann-key".to_owned());
    let server = tokio::spawn(
        world
            .collectors
            .clone()
            .serve_riemann(listener, connections(&world), key),
    );
    let event = Event {
        host: Some("web-1".to_owned()),
        service: Some("http".to_owned()),
        state: Some("critical".to_owned()),
        ..Event::default()
    };
    let message = |count: usize| {
        let message = Msg {
            events: vec![event.clone(); count],
            ..Msg::default()
        };
        let bytes = message.encode_to_vec();
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
    };
    let good = message(1);
    // Of the answer: its length, then the field `ok`, true.
    let ok = [0, 0, 0, 2, 0x10, 1];
    let conversations = [
        good.clone(),
        message(40),
        [message(2), message(3)].concat(),
        vec![0xff; 64],
    ];
    fuzz(address, &conversations, async || {
        answered(address, &good, &ok).await
    })
    .await;
    server.abort();
}
