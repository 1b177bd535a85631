use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

fn connections(limit: usize, per_address: usize) -> Connections {
    let settings = Settings {
        connections_per_address: Some(u32::try_from(per_address).unwrap()),
        ..Settings::default()
    };
    let mut connections = ConnectionLimits::new(&settings, 1024, &Metrics::new()).http();
    let listener = Arc::get_mut(&mut connections.0).unwrap();
    listener.limit = limit;
    listener.permits = Arc::new(Semaphore::new(limit));
    connections
}

fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 1000))
}

struct Connected {
    theirs: DuplexStream,
    ours: Tracked<DuplexStream>,
}

impl Connected {
    async fn new(connections: &Connections, from: SocketAddr) -> Self {
        let (theirs, ours) = duplex(64);
        let slot = connections.admit(from).await;
        tokio::time::advance(Duration::from_millis(10)).await;
        let ours = Tracked::new(ours, slot);
        Self { theirs, ours }
    }

    fn activity(&self) -> &Activity {
        self.ours.slot().activity()
    }

    fn is_closed(&self) -> bool {
        self.activity().0.closed.is_cancelled()
    }

    async fn sends_a_byte(&mut self) {
        self.theirs.write_all(b"x").await.unwrap();
        self.ours.read_u8().await.unwrap();
    }
}

#[test]
fn s2_connections_leave_a_reserve_of_descriptors() {
    let total = |connections, bridge_clients, descriptors| {
        let settings = Settings {
            connections,
            bridge_clients,
            ..Settings::default()
        };
        total(&settings, descriptors)
    };
    assert_eq!(total(None, None, 1024), 768);
    assert_eq!(
        total(Some(10_000), None, 1024),
        768,
        "a setting does not go over it"
    );
    assert_eq!(total(Some(100), None, 1024), 100);
    assert_eq!(total(None, None, 256), 128);
    assert_eq!(total(None, None, 1 << 20), CONNECTIONS_DEFAULT_MAX);
    assert_eq!(total(None, Some(10_000), 1 << 20), 40_000, "consoles have room");
}

#[tokio::test(start_paused = true)]
async fn s2_when_full_the_longest_idle_makes_room_and_a_proven_one_goes_last() {
    let connections = connections(4, 4);
    let proven = Connected::new(&connections, peer(1)).await;
    proven.activity().succeeded();
    let mut trickling = Connected::new(&connections, peer(2)).await;
    let idle = Connected::new(&connections, peer(3)).await;
    let in_work = Connected::new(&connections, peer(4)).await;
    in_work.activity().work_begun();
    // Bytes without a request are worth nothing.
    trickling.sends_a_byte().await;
    let waiting = {
        let connections = connections.clone();
        tokio::spawn(async move { connections.admit(peer(5)).await })
    };
    tokio::task::yield_now().await;
    let open = [&proven, &trickling, &idle, &in_work].map(|connected| !connected.is_closed());
    assert_eq!(open, [true, false, true, true]);
    let broken = trickling.ours.read_u8().await.unwrap_err();
    assert_eq!(broken.kind(), io::ErrorKind::ConnectionAborted);
    assert!(!waiting.is_finished(), "never more than the limit at once");
    drop(trickling);
    let _slot = waiting.await.unwrap();
    assert_eq!(connections.0.evicted.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn s2_a_request_in_work_is_kept_unless_its_client_stalls_and_a_websocket_is_kept_longest() {
    let connections = connections(3, 3);
    let websocket = Connected::new(&connections, peer(1)).await;
    websocket.activity().upgraded();
    let stalled = Connected::new(&connections, peer(2)).await;
    stalled.activity().work_begun();
    tokio::time::advance(WORK_TIME).await;
    let in_work = Connected::new(&connections, peer(3)).await;
    in_work.activity().work_begun();
    connections.make_room(peer(4).ip());
    let closed = [&websocket, &stalled, &in_work].map(Connected::is_closed);
    assert_eq!(closed, [false, true, false]);
    drop(stalled);
    let ended = Connected::new(&connections, peer(4)).await;
    ended.activity().work_begun();
    ended.activity().work_ended();
    connections.make_room(peer(4).ip());
    assert!(ended.is_closed(), "an answered request is idle");
}

#[tokio::test(start_paused = true)]
async fn s5_one_address_has_a_share_and_closes_only_its_own() {
    let connections = connections(10, 2);
    let other = Connected::new(&connections, peer(1)).await;
    let console = Connected::new(&connections, peer(2)).await;
    console.activity().upgraded();
    let first = Connected::new(&connections, peer(2)).await;
    let second = Connected::new(&connections, peer(2)).await;
    let third = Connected::new(&connections, peer(2)).await;
    let all = [&other, &console, &first, &second, &third];
    assert_eq!(all.map(Connected::is_closed), [false, false, true, false, false]);
    assert_eq!(connections.0.open_gauge.get(), 5, "until it is dropped");
    drop((other, console, first, second, third));
    assert_eq!(connections.0.open_gauge.get(), 0);
}

#[test]
fn s5_an_address_of_ipv6_is_its_network() {
    let of = |text: &str| network(text.parse().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
    assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
    assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
}

#[tokio::test(start_paused = true)]
async fn s2_a_client_that_takes_nothing_is_given_up() {
    let mut connected = Connected::new(&connections(3, 3), peer(1)).await;
    let written = connected.ours.write_all(&[0; 1000]).await.unwrap_err();
    assert_eq!(written.kind(), io::ErrorKind::TimedOut);
}
