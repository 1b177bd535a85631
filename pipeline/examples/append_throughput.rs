//! How many records per second a log takes in, and how many reach a reader.
//!
//! `cargo run --release -p pipeline --example append_throughput [folder | kafka:host:port] [seconds] [callers]`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints what it measures"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pipeline::log::embedded::EmbeddedLog;
use pipeline::log::kafka::{KafkaLog, KafkaSettings};
use pipeline::log::{Delivery, Log, Positions};
use pipeline::{Clock, Record};
use schemas::Topic;

const TOPIC: Topic = Topic::ALERTS_CHANGED_DLQ;
const BATCH: usize = 64;

async fn open(place: &str) -> Arc<dyn Log> {
    if let Some(bootstrap) = place.strip_prefix("kafka:") {
        let settings = KafkaSettings {
            bootstrap: bootstrap.to_owned(),
            client_id: "throughput".to_owned(),
            ..KafkaSettings::default()
        };
        let log = KafkaLog::connect(settings).unwrap();
        log.ensure_topics().await.unwrap();
        return Arc::new(log);
    }
    Arc::new(EmbeddedLog::open(PathBuf::from(place), Clock::system()).unwrap())
}

fn batch(caller: u64, n: u64) -> Vec<Record> {
    let record = |i: u64| {
        let key = format!(
            "{:032x}",
            (caller << 32 | (n * BATCH as u64 + i)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        );
        let value = format!(
            r#"{{"fingerprint":"{key}","status":"firing","severity":"critical","object":"node{i}.example.org","text":"load
 is {n} since {caller} minutes","labels":{{"alertname":"HighLoad","instance":"node{i}:9100","job":"node","team":"t{caller}"}}}}"#
        );
        let headers = vec![("schema-version".to_owned(), "1".to_owned())];
        Record {
            key,
            value: Some(value.into()),
            headers,
        }
    };
    (0..BATCH as u64).map(record).collect()
}

/// The first number of `/proc/self/status` with this name, in KiB.
fn memory(name: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find(|line| line.starts_with(name))
        .unwrap_or("?")
        .to_owned()
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let temporary = std::env::temp_dir()
        .join("append_throughput")
        .display()
        .to_string();
    let place = arguments.next().unwrap_or(temporary);
    let seconds: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10);
    let callers: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(16);
    let opening = Instant::now();
    let log = open(&place).await;
    println!("opened in {:?}; {}", opening.elapsed(), memory("VmRSS"));

    let mut consumer = log
        .join(&format!("throughput-{}", std::process::id()), &[TOPIC])
        .await
        .unwrap();
    let read = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&read);
    tokio::spawn(async move {
        loop {
            match consumer.next().await {
                Ok(Delivery::Assigned(_)) => consumer.start(&Positions::new()).await.unwrap(),
                Ok(Delivery::Batch(batch)) => {
                    counted.fetch_add(batch.records.len() as u64, Ordering::Relaxed);
                    consumer
                        .commit(batch.topic, batch.partition, batch.next_offset())
                        .await
                        .unwrap();
                }
                _ => {}
            }
        }
    });

    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < end {
                    let began = Instant::now();
                    log.append(TOPIC, batch(caller, latencies.len() as u64))
                        .await
                        .unwrap();
                    latencies.push(began.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.unwrap());
    }
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let records = (latencies.len() * BATCH) as f64;
    println!("appended {records} records: {:.0} per second", records / seconds);
    println!(
        "an append of {BATCH}: median {:?}, 99th percentile {:?}, longest {:?}",
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100],
        latencies[latencies.len() - 1]
    );
    println!("read meanwhile: {}", read.load(Ordering::Relaxed));
    println!("{}; {}", memory("VmRSS"), memory("VmHWM"));
}
