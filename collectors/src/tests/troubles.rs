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
async fn when_the_memory_for_bodies_is_taken_others_wait_and_then_come_again() {
    let log = SimulatedLog::new(1);
    let world = Arc::new(World::on(log.clone(), Arc::new(log), 32 * 1024));
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.post(API, endless("{")).await.error().0 })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = world.post(API, alert("disk").to_string()).await;
    assert_eq!(
        (answer.error(), answer.headers.contains_key("retry-after")),
        ((503, "overloaded"), true)
    );
    for slow in slow {
        assert_eq!(slow.await.unwrap(), 408);
    }
    assert!(world.works().await);
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
    tokio::spawn(axum::serve(listener, world.routes.clone()).into_future());
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
    let kept: Vec<_> = world
        .rejected()
        .iter()
        .map(|rejected| rejected.body_base64.len())
        .collect();
    assert_eq!(kept, [1_333_336, 0]);
}
