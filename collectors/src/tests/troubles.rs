//! When the log, the memory or the sender is not as it should be.

use super::*;

#[tokio::test(start_paused = true)]
async fn while_the_log_is_away_senders_are_asked_to_come_again() {
    let world = World::new();
    world.log.set_available(false);
    let answer = world.post(API, alert("disk").to_string()).await;
    assert_eq!(
        (answer.error(), &answer.headers["retry-after"]),
        ((503, "log_unavailable"), &"5".parse().unwrap())
    );
    // A refusal that cannot be kept must not be the end of it either.
    assert_eq!(
        world.post(API, "not json").await.error(),
        (503, "log_unavailable")
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    let waits_for = || world.context.health.report().remove(0).waiting_for;
    assert_eq!(waits_for().as_deref(), Some("log"));
    world.log.set_available(true);
    assert!(world.works().await);
    assert_eq!((world.collected().len(), world.rejected().len()), (1, 0));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(waits_for(), None);
}

/// A log that writes half of what it is given and fails, or never answers.
struct BadLog {
    inner: SimulatedLog,
    silent: bool,
}

#[async_trait]
impl Log for BadLog {
    async fn append(&self, topic: Topic, mut records: Vec<Record>) -> Result<(), LogError> {
        if self.silent {
            return std::future::pending().await;
        }
        records.truncate(records.len() / 2);
        self.inner.append(topic, records).await?;
        Err(LogError::Unavailable("it broke off in the middle".to_owned()))
    }

    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        self.inner.join(group, topics).await
    }

    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
        self.inner.follow(topic, from).await
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.inner.partitions(topic)
    }

    async fn extent(&self, topic: Topic, partition: u32) -> Result<pipeline::log::Extent, LogError> {
        self.inner.extent(topic, partition).await
    }

    async fn record_at(
        &self,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<pipeline::log::Received>, LogError> {
        self.inner.record_at(topic, partition, offset).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_in_the_middle_or_says_nothing_is_no_success() {
    for silent in [false, true] {
        let inner = SimulatedLog::new(1);
        let bad = BadLog {
            inner: inner.clone(),
            silent,
        };
        let world = World::on(inner, Arc::new(bad), BUDGET_BYTES);
        let answer = world.post(API, json!([alert("a"), alert("b")]).to_string()).await;
        assert_eq!(answer.error(), (503, "log_unavailable"));
        assert_eq!(world.counted("api", "log_unavailable"), 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_configuration_is_known_senders_are_asked_to_come_again() {
    let world = World::new();
    world.site.send_replace(Arc::new(Site::default()));
    let answer = world.post(API, alert("disk").to_string()).await;
    assert_eq!(
        (answer.error(), answer.headers.contains_key("retry-after")),
        ((503, "not_ready"), true)
    );
    world.site.send_replace(Arc::new(site()));
    assert!(world.works().await);
}

/// A body whose end never comes.
pub(super) fn endless(beginning: &'static str) -> Body {
    let beginning = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(beginning.as_bytes()))]);
    Body::from_stream(futures_util::StreamExt::chain(beginning, stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn s1_bodies_that_never_come_hold_no_memory() {
    let world = Arc::new(World::new());
    let pagerduty = "/v2/enqueue";
    let announced = [API, pagerduty].repeat(8).into_iter().map(|address| {
        let world = Arc::clone(&world);
        let request = Request::post(address).header("content-length", crate::intake::body::MAX_BODY_BYTES);
        let request = request.body(endless("{")).unwrap();
        tokio::spawn(async move { world.send(request).await.status.as_u16() })
    });
    let announced: Vec<_> = announced.collect();
    tokio::task::yield_now().await;
    let begun = tokio::time::Instant::now();
    assert!(world.works().await);
    assert!(begun.elapsed() < Duration::from_secs(1), "nothing is waited for");
    for announced in announced {
        assert_eq!(announced.await.unwrap(), 408);
    }
    assert_eq!(begun.elapsed().as_secs(), 5, "as soon as nothing comes");
}

#[tokio::test(start_paused = true)]
async fn s1_when_the_memory_is_taken_the_slowest_gives_way_to_a_good_sender() {
    let log = SimulatedLog::new(1);
    // A share of 32 KiB for each key.
    let world = Arc::new(World::on(log.clone(), Arc::new(log), 64 * 1024));
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.post(API, endless("{")).await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(
        world.works().await,
        "it has waited until the others made no progress"
    );
    let mut answers = Vec::new();
    for slow in slow {
        let answer = slow.await.unwrap();
        let retry_after = answer.headers.contains_key("retry-after");
        answers.push((answer.status.as_u16(), retry_after));
    }
    answers.sort_unstable();
    assert_eq!(answers, [(408, false), (503, true)]);
    assert!(world.works().await);
}

/// A body of 60,000 bytes, so many each second.
fn steady(bytes_per_second: usize) -> Body {
    let mut text = alert("steady").to_string();
    text.push_str(&" ".repeat(60_000 - text.len()));
    let pieces: Vec<_> = text
        .as_bytes()
        .chunks(bytes_per_second)
        .map(Bytes::copy_from_slice)
        .collect();
    Body::from_stream(futures_util::StreamExt::then(
        stream::iter(pieces),
        |piece| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>(piece)
        },
    ))
}

#[tokio::test(start_paused = true)]
async fn s1_a_slow_but_steady_sender_is_taken_and_one_that_trickles_is_not() {
    let world = World::new();
    assert_eq!(world.post(API, steady(2048)).await.status, 200);
    let answer = world.post(API, steady(100)).await;
    assert_eq!(answer.error(), (408, "too_slow"));
    assert!(
        answer.message().contains("slower than 1024 bytes a second"),
        "{}",
        answer.message()
    );
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_goes_away_is_counted() {
    let world = World::new();
    let gone = tokio::time::timeout(Duration::from_secs(1), world.post(API, endless("{"))).await;
    assert!(gone.is_err());
    assert_eq!(world.counted("api", "abandoned"), 1.0);
}

/// Writes a request and reads the whole answer.
async fn raw(address: std::net::SocketAddr, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.expect("the whole body is read");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("the connection is not reset");
    answer
}

#[tokio::test]
async fn a_body_of_ten_megabytes_gets_a_clear_answer_over_the_wire() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = world.collectors.routes();
    let served = chassis::server::serve(
        listener,
        connections(&world),
        routes,
        world.context.shutdown.clone(),
    );
    tokio::spawn(served);
    let head = |length: usize, more: &str| {
        format!(
            "POST {API} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n"
        )
    };
    let large = vec![b'x'; 10_000_000];
    let answer = raw(address, &head(large.len(), ""), &large).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("the body has more than 8388608 bytes; send fewer alerts in one body"),
        "{answer}"
    );
    // Who asks before sending is answered before sending.
    let answer = raw(address, &head(large.len(), "Expect: 100-continue\r\n"), b"").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let good = alert("disk").to_string();
    let answer = raw(address, &head(good.len(), ""), good.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = raw(
        address,
        &head(good.len(), "Expect: 100-continue\r\n"),
        good.as_bytes(),
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 100 ") && answer.contains("HTTP/1.1 200 "),
        "{answer}"
    );
    let packed = gzip(good.as_bytes());
    let mut chunked = format!("{:x}\r\n", packed.len()).into_bytes();
    chunked.extend([packed.as_slice(), b"\r\n0\r\n\r\n"].concat());
    let chunked_head = "Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n";
    let chunked_head = head(0, chunked_head).replace("Content-Length: 0\r\n", "");
    let answer = raw(address, &chunked_head, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let kept: Vec<_> = world
        .rejected()
        .iter()
        .map(|rejected| rejected.body_base64.len())
        .collect();
    assert_eq!(kept, [1_333_336, 0]);
}
