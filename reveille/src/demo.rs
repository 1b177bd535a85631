//! `reveille up --demo`: a lifelike, never-ending scene of alerts, posted as any sender would.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Alerts that are open when the scene has settled.
const OPEN_ON_AVERAGE: usize = 60;
const PAUSE: std::ops::Range<u64> = 300..1800;

/// A rule of the imagined company, with what it may say.
struct Rule {
    name: &'static str,
    severity: &'static str,
    worse: &'static str,
    output: &'static str,
    unit: &'static str,
    range: std::ops::Range<u32>,
}

const fn rule(
    name: &'static str,
    severity: &'static str,
    worse: &'static str,
    output: &'static str,
    unit: &'static str,
    range: std::ops::Range<u32>,
) -> Rule {
    Rule {
        name,
        severity,
        worse,
        output,
        unit,
        range,
    }
}

const RULES: [Rule; 14] = [
    rule(
        "Disk almost full",
        "warning",
        "critical",
        "/var is full to",
        "%",
        85..99,
    ),
    rule(
        "High error rate",
        "critical",
        "urgent",
        "answers with 5xx:",
        "%",
        2..40,
    ),
    rule(
        "Slow answers",
        "warning",
        "critical",
        "p99 latency is",
        "ms",
        800..6000,
    ),
    rule(
        "Replication lag",
        "warning",
        "critical",
        "the replica is behind by",
        "s",
        20..900,
    ),
    rule(
        "Certificate expires soon",
        "information",
        "warning",
        "the certificate ends in",
        "days",
        2..21,
    ),
    rule(
        "Queue grows",
        "warning",
        "critical",
        "messages waiting:",
        "",
        5000..90000,
    ),
    rule(
        "Pod restarts",
        "warning",
        "critical",
        "restarts within the hour:",
        "",
        3..30,
    ),
    rule(
        "Memory pressure",
        "warning",
        "critical",
        "memory in use:",
        "%",
        90..99,
    ),
    rule(
        "Host is down",
        "down",
        "down",
        "no answer to pings for",
        "s",
        60..600,
    ),
    rule(
        "Backup is late",
        "warning",
        "critical",
        "last backup was hours ago:",
        "h",
        26..70,
    ),
    rule("Job failed", "critical", "critical", "exit code", "", 1..5),
    rule(
        "Checkout fails [urgent]",
        "urgent",
        "urgent",
        "failed payments per minute:",
        "",
        5..80,
    ),
    rule(
        "Probe timed out",
        "unknown",
        "critical",
        "no answer within",
        "s",
        10..30,
    ),
    rule(
        "Synthetic login [test]",
        "information",
        "warning",
        "login takes",
        "ms",
        500..3000,
    ),
];

const SERVICES: [(&str, &str); 8] = [
    ("checkout", "pay"),
    ("catalogue", "shop"),
    ("search", "shop"),
    ("identity", "core"),
    ("mail", "core"),
    ("warehouse", "logistics"),
    ("postgres", "data"),
    ("kafka", "data"),
];

const REGIONS: [&str; 3] = ["eu-central", "eu-west", "us-east"];

/// An alert of the scene that is open.
#[derive(Clone)]
struct Scene {
    rule: usize,
    service: usize,
    host: u32,
    region: &'static str,
    worse: bool,
    value: u32,
}

/// Plays until shutdown.
pub(crate) async fn play(listen: SocketAddr, key: String, shutdown: CancellationToken) {
    let client = reqwest::Client::new();
    let url = format!("http://{listen}/monitoring-system/api?integration_key={key}");
    let mut open: Vec<Scene> = Vec::new();
    loop {
        let (scene, severity) = next(&mut open);
        if let Err(error) = client.post(&url).json(&body(&scene, severity)).send().await {
            tracing::warn!(%error, "the demo cannot post");
        }
        // The scene is set quickly, then goes on at a human pace.
        let pause = if open.len() < OPEN_ON_AVERAGE / 2 {
            30
        } else {
            rand::rng().random_range(PAUSE)
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(pause)) => {}
        }
    }
}

/// What happens next: something opens, changes, or ends; the more is open, the more ends.
fn next(open: &mut Vec<Scene>) -> (Scene, &'static str) {
    let mut random = rand::rng();
    let dice = random.random_range(0..OPEN_ON_AVERAGE * 2);
    if dice < open.len() {
        let index = random.random_range(0..open.len());
        if random.random_bool(0.5) {
            return (open.swap_remove(index), "ok");
        }
        let scene = &mut open[index];
        scene.worse = random.random_bool(0.4);
        scene.value = random.random_range(RULES[scene.rule].range.clone());
        return (scene.clone(), severity(scene));
    }
    let rule = random.random_range(0..RULES.len());
    let scene = Scene {
        rule,
        service: random.random_range(0..SERVICES.len()),
        host: random.random_range(1..9),
        region: REGIONS.choose(&mut random).copied().unwrap_or(REGIONS[0]),
        worse: false,
        value: random.random_range(RULES[rule].range.clone()),
    };
    let severity = severity(&scene);
    open.push(scene.clone());
    (scene, severity)
}

fn severity(scene: &Scene) -> &'static str {
    let rule = &RULES[scene.rule];
    if scene.worse { rule.worse } else { rule.severity }
}

fn body(scene: &Scene, severity: &str) -> serde_json::Value {
    let rule = &RULES[scene.rule];
    let (service, team) = SERVICES[scene.service];
    json!({
        "alert_name": rule.name,
        "alert_severity": severity,
        "source": format!("prometheus-{}", scene.region),
        "object": format!("{service}-{}", scene.host),
        "service": service,
        "notification_output": format!("{} {} {}", rule.output, scene.value, rule.unit).trim_end(),
        "additional_fields": { "team": team, "region": scene.region, "service": service },
        "additional_urls": { "Runbook": format!("https://wiki.example.org/runbooks/{service}") },
    })
}
