use axum::Extension;
use axum::routing::{get, post};
use pipeline::metrics::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::connections::ConnectionLimits;
use crate::settings::Settings;

fn routes() -> Router {
    let wrong = || async { (StatusCode::UNAUTHORIZED, Extension(WrongCredential::Sender)) };
    let routes = Router::new()
        .route("/x", get(|| async { "x" }))
        .route("/wrong", get(wrong))
        .route(
            "/length",
            post(|body: String| async move { body.len().to_string() }),
        );
    addresses::completed(routes)
}

/// The fewest that there can be, for all of which one address may ask.
fn connections() -> Connections {
    let settings = Settings {
        connections: Some(1),
        connections_per_address: Some(1000),
        ..Settings::default()
    };
    ConnectionLimits::new(&settings, 1024, &Metrics::new()).http()
}

async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, connections(), routes(), CancellationToken::new()));
    address
}

async fn asked(address: SocketAddr, request: &str) -> String {
    exchanged(TcpStream::connect(address).await.unwrap(), request).await
}

/// The same in memory, where time can be simulated.
async fn asked_in_memory(connections: &Connections, request: &str) -> String {
    let (theirs, ours) = duplex(64 * 1024);
    let slot = connections.admit(SocketAddr::from(([10, 0, 0, 1], 1000))).await;
    let activity = slot.activity().clone();
    let ours = Tracked::new(ours, slot);
    tokio::spawn(requests(ours, routes(), activity, CancellationToken::new()));
    exchanged(theirs, request).await
}

async fn exchanged(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const GOOD: &str = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn s2_half_open_requests_do_not_keep_others_out() {
    let address = server().await;
    let mut half_open = Vec::new();
    for beginning in [
        "",
        "GET / HTTP/1.1\r\nX:",
        "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
    ]
    .repeat(20)
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        half_open.push(stream);
    }
    assert!(asked(address, GOOD).await.starts_with("HTTP/1.1 200 "));
    // The oldest had to make room.
    let ended = half_open[0].read(&mut [0; 1]).await;
    assert!(!matches!(ended, Ok(1..)), "{ended:?}");
}

#[tokio::test]
async fn s2_two_hundred_requests_of_one_connection_are_answered() {
    let address = server().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..200 {
        let request = "POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n3") {
            answer.push(stream.read_u8().await.unwrap());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s2_a_head_that_does_not_come_in_time_ends_the_connection() {
    let answer = asked_in_memory(&connections(), "GET / HTTP/1.1\r\nX:").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn s6_wrong_credentials_wait_and_a_correct_one_beside_them_does_not() {
    let connections = connections();
    let begun = tokio::time::Instant::now();
    for _ in 0..12 {
        let answer = asked_in_memory(&connections, &GOOD.replace("/x", "/wrong")).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    assert!(begun.elapsed() > Duration::from_secs(20), "{:?}", begun.elapsed());
    let begun = tokio::time::Instant::now();
    let answer = asked_in_memory(&connections, GOOD).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn s2_a_body_that_stops_ends_the_request() {
    let request = "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx";
    let answer = asked_in_memory(&connections(), request).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn s9_a_request_with_two_hosts_or_an_impossible_one_is_refused() {
    let address = server().await;
    for (hosts, told) in [
        ("Host: x\r\nHost: y", "more than one Host"),
        ("Host: x\r\nhost: x", "more than one Host"),
        ("Host: x, y", "no host"),
        ("Host: x@y", "no host"),
    ] {
        let answer = asked(address, &GOOD.replace("Host: x", hosts)).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains(told),
            "{hosts:?}: {answer}"
        );
    }
    for host in ["x", "x:80", "127.0.0.1:8080", "[::1]:8080", "a_b.example", ""] {
        let answer = asked(address, &GOOD.replace("Host: x", &format!("Host: {host}"))).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
}

#[tokio::test]
async fn s9_http_2_is_not_spoken() {
    let address = server().await;
    let answer = asked(address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 "),
        "no frame of HTTP/2: {answer:?}"
    );
    let upgrade = "Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA";
    let answer = asked(address, &GOOD.replace("Connection: close", upgrade)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
}
