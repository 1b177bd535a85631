//! Requests to the routes, in process, on a simulated log.

use std::io::Write;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chassis::connections::ConnectionLimits;
use chassis::secrets::key_hash;
use chassis::settings::Settings;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use jiff::Timestamp;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Consumer, Follower, From};
use pipeline::{Clock, Log, LogError, Record};
use schemas::config::{ConfigEntry, Integration};
use schemas::rejection::Rejected;
use schemas::{
    ActionRequest, AlertEvent, EndEvidence, EventKind, EventStatus, HEADER_TRACEPARENT, KeyUsage, Topic,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

use super::*;

const API: &str = "/monitoring-system/api?integration_key=api-key";

/// The least that can be set.
const BUDGET_BYTES: usize = 32 * 1024 * 1024;

const SITE_KEY: SiteKey = SiteKey::from_bytes([7; 32]);

/// Collectors on a log.
struct World {
    log: SimulatedLog,
    context: Context,
    site: watch::Sender<Arc<Site>>,
    collectors: Collectors,
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
        Self::with(log, seen_by_routes, Sns::default(), budget_bytes)
    }

    fn with(log: SimulatedLog, seen_by_routes: Arc<dyn Log>, sns: Sns, budget_bytes: usize) -> Self {
        let clock = Clock::simulated(Timestamp::from_second(1_788_000_000).unwrap());
        let context = Context::new(seen_by_routes, clock);
        let (site, seen) = watch::channel(Arc::new(site()));
        let collectors = Collectors::within(
            context.clone(),
            seen,
            Some(SITE_KEY),
            AlertBounds::default(),
            sns,
            budget_bytes,
        );
        tokio::spawn(collectors.clone().report_usage());
        Self {
            log,
            context,
            site,
            routes: chassis::addresses::completed(collectors.routes()),
            collectors,
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

    /// An answer that is text.
    async fn text(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.routes.clone().call(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        (status, String::from_utf8(bytes.into()).unwrap())
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

    /// What is told of this key, once it is.
    async fn usage(&self, key: &str) -> Option<KeyUsage> {
        tokio::time::sleep(Duration::from_secs(21)).await;
        let told = self.log.records(Topic::INTEGRATIONS_USAGE).into_iter();
        let mut usages =
            told.map(|record| serde_json::from_slice::<KeyUsage>(&record.value.unwrap()).unwrap());
        usages.find(|usage| usage.key_hash == key_hash(key))
    }

    /// Changes an integration of the site.
    fn change(&self, source_type: &str, change: impl FnOnce(&mut Integration)) {
        let mut site = Site::clone(&self.site.borrow());
        let mut integration = Integration::clone(&site.integrations[&format!("my-{source_type}")]);
        change(&mut integration);
        let entry = ConfigEntry::Integration(integration);
        site.apply(&entry.key(), Some(entry));
        self.site.send_replace(Arc::new(site));
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

/// More than a test needs.
fn connections(world: &World) -> Connections {
    ConnectionLimits::new(&Settings::default(), 1024, &world.context.metrics).http()
}

fn site() -> Site {
    let mut site = Site::default();
    for source_type in ["api", "prometheus", "any"] {
        let entry = integration(source_type);
        site.apply(&entry.key(), Some(entry));
    }
    site.revision = Some(1);
    site
}

/// Of this type, with the key `<type>-key`.
fn integration(source_type: &str) -> ConfigEntry {
    ConfigEntry::Integration(Integration {
        name: format!("my-{source_type}"),
        source_type: source_type.to_owned(),
        environment: "default".to_owned(),
        scenario: "default".to_owned(),
        key_hashes: vec![key_hash(&format!("{source_type}-key"))],
        ..Integration::default()
    })
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
mod bounds;
mod declared;
mod endpoints;
mod front_door;
mod keys;
mod troubles;
