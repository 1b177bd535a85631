//! How many webhooks a notifier hands over in a second: `cargo run --release -p notifiers --example webhook_rate`.
//!
//! The store is a SQLite file and the receiver runs in the same process, so the number is a lower bound.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it measures, for developers"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use chassis::secrets::SiteKey;
use domain::Site;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Follower, From};
use pipeline::{Clock, Context, Log, Record};
use schemas::config::{ConfigEntry, Revision};
use schemas::{Channel, NotificationKind, Topic};
use store::Store;
use tokio::sync::watch;

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

const NOTIFICATIONS: u32 = 50_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    chassis::install_cryptography();
    let received = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let destination = format!("http://{}/hook", listener.local_addr()?);
    let receive = |State(received): State<Arc<AtomicUsize>>| async move {
        received.fetch_add(1, Ordering::Relaxed);
        StatusCode::NO_CONTENT
    };
    let routes = Router::new()
        .route("/hook", post(receive))
        .with_state(Arc::clone(&received));
    tokio::spawn(async move { axum::serve(listener, routes).await });

    let folder = tempfile::tempdir()?;
    let store = Store::open(&format!(
        "sqlite://{}",
        folder.path().join("state.sqlite").display()
    ))
    .await?;
    store.migrate().await?;
    let log = SimulatedLog::new(1);
    let records = (0..NOTIFICATIONS).map(|alert| {
        let mut notification = support::notification(alert, NotificationKind::Open);
        notification.destination.clone_from(&destination);
        let value = serde_json::to_vec(&notification).unwrap_or_default();
        Record {
            key: destination.clone(),
            value: Some(value.into()),
            headers: Vec::new(),
        }
    });
    log.append(Channel::Webhook.topic(), records.collect()).await?;
    let mut receipts = log.follow(Topic::NOTIFICATIONS_RECEIPTS, From::Start).await?;

    let mut site = Site::default();
    site.apply(
        "revision/site",
        Some(ConfigEntry::Revision(Revision { revision: 1 })),
    );
    let (_site, site) = watch::channel(Arc::new(site));
    let clock = Clock::system();
    let context = Context::new(Arc::new(log.clone()), clock.clone());
    let settings = notifiers::Settings {
        console_url: "http://127.0.0.1:8080".to_owned(),
        allow_private_destinations: true,
    };
    let start = Instant::now();
    let shutdown = context.shutdown.clone();
    let running = tokio::spawn(notifiers::run(
        context,
        site,
        store,
        SiteKey::from_bytes([7; 32]),
        settings,
    ));
    count(receipts.as_mut()).await?;
    let took = start.elapsed();
    let rate = f64::from(NOTIFICATIONS) / took.as_secs_f64();
    println!(
        "{} received in {took:.1?}: {rate:.0} a second",
        received.load(Ordering::Relaxed)
    );
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await??;
    Ok(())
}

async fn count(receipts: &mut dyn Follower) -> Result<(), pipeline::LogError> {
    let mut count = 0;
    while count < NOTIFICATIONS as usize {
        count += receipts.next().await?.records.len();
    }
    Ok(())
}
