//! Requests to the routes, in process, on a simulated log.

use std::io::Write;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{Request, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use jiff::Timestamp;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Consumer, Follower, From};
use pipeline::trace::Tracer;
use pipeline::{Clock, Health, Log, LogError, Metrics, Record};
use schemas::config::{ConfigEntry, Integration};
use schemas::rejection::Rejected;
use schemas::{AlertEvent, HEADER_TRACEPARENT, Topic};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::*;

const API: &str = "/monitoring-system/api?integration_key=api-key";

/// Collectors on a log.
struct World {
    log: SimulatedLog,
    context: Context,
    site: watch::Sender<Arc<Site>>,
    routes: Router,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn message(&self) -> &str {
        assert_eq!(
            self.body["detail"], self.body["error"]["message"],
            "{}",
            self.body
        );
        self.body["detail"].as_str().unwrap_or_default()
    }

    /// Status and code of an error.
    fn error(&self) -> (u16, &str) {
        (
            self.status.as_u16(),
            self.body["error"]["code"].as_str().unwrap_or_default(),
        )
    }
}

impl World {
    fn new() -> Self {
        let log = SimulatedLog::new(3);
        Self::on(log.clone(), Arc::new(log), BUDGET_BYTES)
    }

    fn on(log: SimulatedLog, seen_by_routes: Arc<dyn Log>, budget_bytes: usize) -> Self {
        let clock = Clock::simulated(Timestamp::from_second(1_788_000_000).unwrap());
        let context = Context {
            log: seen_by_routes,
            health: Health::new(clock.clone()),
            clock,
            metrics: Metrics::new(),
            tracer: Tracer::disabled(),
            shutdown: CancellationToken::new(),
        };
        let (site, seen) = watch::channel(Arc::new(site()));
        let routes = routes_within(context.clone(), seen, budget_bytes);
        Self {
            log,
            context,
            site,
            routes,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.routes.clone().call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            // The answer to a HEAD has none.
            body: match bytes.is_empty() {
                true => Value::Null,
                false => serde_json::from_slice(&bytes).unwrap(),
            },
        }
    }

    async fn post(&self, address: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::post(address).body(body.into()).unwrap()).await
    }

    async fn post_gzip(&self, body: Vec<u8>) -> Answer {
        self.send(
            Request::post(API)
                .header("content-encoding", "gzip")
                .body(body.into())
                .unwrap(),
        )
        .await
    }

    async fn works(&self) -> bool {
        self.post(API, alert("good").to_string()).await.status == StatusCode::OK
    }

    fn collected(&self) -> Vec<AlertEvent> {
        let records = self.log.records(Topic::ALERTS_COLLECTED);
        records
            .iter()
            .map(|record| serde_json::from_slice(record.value.as_deref().unwrap()).unwrap())
            .collect()
    }

    fn rejected(&self) -> Vec<Rejected> {
        let records = self.log.records(Topic::INGEST_REJECTED);
        records
            .iter()
            .map(|record| serde_json::from_slice(record.value.as_deref().unwrap()).unwrap())
            .collect()
    }

    /// How many requests of a source were not taken for this reason.
    fn counted(&self, source: &str, reason: &str) -> f64 {
        let families = self.context.metrics.registry().gather();
        let rejected = families
            .iter()
            .filter(|family| family.name() == "reveille_collectors_rejected_total");
        let wanted = |label: &str, value: &str, metric: &prometheus::proto::Metric| {
            metric
                .get_label()
                .iter()
                .any(|pair| pair.name() == label && pair.value() == value)
        };
        rejected
            .flat_map(|family| family.get_metric())
            .filter(|metric| wanted("source", source, metric) && wanted("reason", reason, metric))
            .map(|metric| metric.get_counter().get_value())
            .sum()
    }
}

fn site() -> Site {
    let mut site = Site::default();
    for source_type in ["api", "prometheus", "any"] {
        let entry = ConfigEntry::Integration(Integration {
            name: format!("my-{source_type}"),
            source_type: source_type.to_owned(),
            environment: "default".to_owned(),
            scenario: "default".to_owned(),
            key_hashes: vec![hex::encode(Sha256::digest(format!("{source_type}-key")))],
        });
        site.apply(&entry.key(), Some(entry));
    }
    site.revision = Some(1);
    site
}

fn alert(name: &str) -> Value {
    json!({
        "alert_name": name, "alert_severity": "critical", "source": "nagios-1", "object": "db-1",
        "notification_output": "full",
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

mod answers;
mod troubles;
