use prost::Message;
use sources::systems::riemann::wire::{Attribute, Event, Msg};
use tokio::task::JoinHandle;

use super::*;

/// A client of Riemann, and the door that it is connected to.
struct Client {
    world: World,
    stream: TcpStream,
    door: JoinHandle<()>,
}

impl Client {
    async fn connected(key: Option<&str>) -> Self {
        let world = World::new();
        declare(&world, "riemann");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door =
            world
                .collectors
                .clone()
                .serve_riemann(listener, connections(&world), key.map(str::to_owned));
        Self {
            door: tokio::spawn(door),
            stream: TcpStream::connect(address).await.unwrap(),
            world,
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap();
        self.stream.write_u32(length).await.unwrap();
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn answer(&mut self) -> Msg {
        let length = self.stream.read_u32().await.unwrap();
        let mut bytes = vec![0; length as usize];
        self.stream.read_exact(&mut bytes).await.unwrap();
        Msg::decode(bytes.as_slice()).unwrap()
    }

    async fn ask(&mut self, bytes: &[u8]) -> Msg {
        self.send(bytes).await;
        self.answer().await
    }

    /// Sends what must be refused.
    async fn refused(&mut self, bytes: &[u8]) -> String {
        let answer = self.ask(bytes).await;
        assert_eq!(answer.ok, Some(false));
        answer.error.unwrap()
    }
}

fn event(state: &str) -> Event {
    Event {
        host: Some("web-1".to_owned()),
        service: Some("http".to_owned()),
        state: Some(state.to_owned()),
        ..Event::default()
    }
}

fn message(events: Vec<Event>) -> Vec<u8> {
    Msg {
        events,
        ..Msg::default()
    }
    .encode_to_vec()
}

fn with_key(key: &str, state: &str) -> Vec<u8> {
    let attribute = Attribute {
        key: "integration_key".to_owned(),
        value: Some(key.to_owned()),
    };
    message(vec![Event {
        attributes: vec![attribute],
        ..event(state)
    }])
}

#[tokio::test]
async fn a_message_is_answered_when_its_alerts_are_safe() {
    let mut client = Client::connected(Some("riemann-key")).await;
    assert_eq!(client.ask(&message(vec![event("critical")])).await.ok, Some(true));
    assert_eq!(client.ask(&message(vec![event("ok")])).await.ok, Some(true));
    let collected = client.world.collected();
    assert_eq!(collected[0].fingerprint, collected[1].fingerprint);
    assert_eq!(collected[0].integration, "my-riemann");
    client.world.log.set_available(false);
    let error = client.refused(&message(vec![event("critical")])).await;
    assert!(error.contains("send it again in 5 seconds"), "{error}");
}

#[tokio::test]
async fn messages_that_are_sent_without_waiting_are_answered_in_turn() {
    let mut client = Client::connected(Some("riemann-key")).await;
    for state in ["warning", "purple", "ok"] {
        client.send(&message(vec![event(state)])).await;
    }
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(client.answer().await.ok);
    }
    assert_eq!(answers, [Some(true), Some(false), Some(true)]);
}

#[tokio::test]
async fn the_key_stands_in_the_events_where_no_setting_gives_it() {
    let mut client = Client::connected(None).await;
    assert_eq!(
        client.ask(&with_key("riemann-key", "critical")).await.ok,
        Some(true)
    );
    for body in [
        with_key("another-key", "critical"),
        message(vec![event("critical")]),
    ] {
        let error = client.refused(&body).await;
        assert!(
            error.contains("give all events of a message the attribute integration_key"),
            "{error}"
        );
    }
    assert_eq!(client.world.collected().len(), 1);
    assert!(client.world.rejected().is_empty());
}

#[tokio::test]
async fn what_is_refused_is_kept_without_its_key_and_the_conversation_goes_on() {
    let mut client = Client::connected(None).await;
    let error = client.refused(&with_key("riemann-key", "purple")).await;
    assert!(error.starts_with("events[0].state is \"purple\""), "{error}");
    let rejected = client.world.rejected().remove(0);
    let kept = STANDARD.decode(rejected.body_base64).unwrap();
    assert_eq!(kept, with_key("***********", "purple"));
    assert_eq!(rejected.path.as_deref(), Some("/monitoring-system/riemann"));
    assert_eq!(
        client.ask(&with_key("riemann-key", "critical")).await.ok,
        Some(true)
    );
}

#[tokio::test]
async fn what_expects_another_protocol_is_told_and_hung_up_on() {
    let mut client = Client::connected(Some("riemann-key")).await;
    client.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let answer = client.answer().await;
    assert!(answer.error.unwrap().contains("has more than 8388608 bytes"));
    assert_eq!(client.world.counted("riemann", "too_large"), 1.0);
}

#[tokio::test]
async fn half_a_message_is_not_taken_for_a_whole_one() {
    let mut client = Client::connected(Some("riemann-key")).await;
    // Both events are whole, and more was announced.
    let bytes = message(vec![event("critical"), event("warning")]);
    client
        .stream
        .write_u32(u32::try_from(bytes.len() + 10).unwrap())
        .await
        .unwrap();
    client.stream.write_all(&bytes).await.unwrap();
    client.stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    client.stream.read_to_end(&mut rest).await.unwrap();
    assert!(client.world.collected().is_empty());
    assert_eq!(client.world.counted("riemann", "broken_off"), 1.0);
}

#[tokio::test]
async fn shutdown_ends_the_conversations() {
    let mut client = Client::connected(Some("riemann-key")).await;
    assert_eq!(client.ask(&message(vec![event("critical")])).await.ok, Some(true));
    client.world.context.shutdown.cancel();
    client.door.await.unwrap();
    assert_eq!(client.stream.read(&mut [0]).await.unwrap(), 0);
}
