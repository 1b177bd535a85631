use std::collections::BTreeMap;

use domain::Site;
use jiff::Timestamp;
use pipeline::log::Received;
use pipeline::log::simulated::SimulatedLog;
use pipeline::trace::record_headers;
use pipeline::{Clock, Log, Record};
use schemas::config::{ConfigEntry, Environment, Integration, Rule, Rules, Scenario};
use schemas::rejection::{DeadLetter, Rejected};
use schemas::{
    AlertEvent, DecoratedEvent, EventKind, EventStatus, HEADER_SPOOLED, HEADER_TRACEPARENT, Origin, Severity,
};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A decorator at work on a simulated log.
struct World {
    log: SimulatedLog,
    context: Context,
    site: watch::Sender<Arc<Site>>,
    running: JoinHandle<()>,
}

impl World {
    fn begin(site: Site) -> Self {
        let clock = Clock::simulated(Timestamp::from_second(1_788_000_000).unwrap());
        let log = SimulatedLog::new(1);
        let context = Context::new(Arc::new(log.clone()), clock);
        let (site, seen) = watch::channel(Arc::new(site));
        let running = tokio::spawn(run(context.clone(), seen));
        Self {
            log,
            context,
            site,
            running,
        }
    }

    async fn collect(&self, value: impl Into<Vec<u8>>) {
        self.collect_with(value, record_headers(Some(TRACE))).await;
    }

    async fn collect_with(&self, value: impl Into<Vec<u8>>, headers: Vec<(String, String)>) {
        let record = Record {
            key: "key".to_owned(),
            value: Some(value.into().into()),
            headers,
        };
        self.log
            .append(Topic::ALERTS_COLLECTED, vec![record])
            .await
            .unwrap();
    }

    async fn collect_event(&self, event: &AlertEvent) {
        self.collect(serde_json::to_vec(event).unwrap()).await;
    }

    /// Waits until so many records are in the topic.
    async fn records(&self, topic: Topic, count: usize) -> Vec<Received> {
        let arrived = async {
            loop {
                let records = self.log.records(topic);
                if records.len() >= count {
                    return records;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), arrived)
            .await
            .expect("the records arrive")
    }

    async fn decorated(&self, count: usize) -> Vec<DecoratedEvent> {
        let records = self.records(Topic::ALERTS_DECORATED, count).await;
        records
            .iter()
            .map(|record| serde_json::from_slice(record.value.as_deref().unwrap()).unwrap())
            .collect()
    }

    fn metric(&self, name: &str) -> f64 {
        let families = self.context.metrics.registry().gather();
        let family = families
            .iter()
            .find(|family| family.name() == name)
            .expect("the family is there");
        family
            .get_metric()
            .iter()
            .map(|metric| metric.get_counter().get_value())
            .sum()
    }

    async fn end(self) {
        self.context.shutdown.cancel();
        self.running.await.unwrap();
    }
}

fn event(name: &str) -> AlertEvent {
    AlertEvent {
        event_id: Uuid::nil(),
        fingerprint: domain::fingerprint([name]),
        accepted_at: Timestamp::from_second(1_788_000_000).unwrap(),
        occurred_at: None,
        expires_at: None,
        outcome_wanted: false,
        key: None,
        kind: EventKind::Firing { acknowledged: false },
        severity: Severity::Warning,
        integration: "shop".to_owned(),
        monitoring_system: "api".to_owned(),
        source: "nagios-1".to_owned(),
        service: None,
        object: "web-1".to_owned(),
        name: name.to_owned(),
        output: "full".to_owned(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        links: BTreeMap::new(),
        environment: None,
        scenario: None,
    }
}

fn asking(integration: &str, environment: &str, scenario: &str) -> AlertEvent {
    AlertEvent {
        integration: integration.to_owned(),
        environment: Some(environment.to_owned()),
        scenario: Some(scenario.to_owned()),
        ..event("asking")
    }
}

fn rule(name: &str, when: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        when: when.to_owned(),
        ..Rule::default()
    }
}

fn incomplete_site(rules: Vec<Rule>) -> Site {
    let environment = |name: &str, number| {
        ConfigEntry::Environment(Environment {
            name: name.to_owned(),
            description: String::new(),
            number,
        })
    };
    let scenario = |name: &str, number| {
        ConfigEntry::Scenario(Scenario {
            name: name.to_owned(),
            description: String::new(),
            number,
            steps: vec![],
        })
    };
    let integration = |name: &str, environment: &str, scenario: &str| {
        ConfigEntry::Integration(Integration {
            name: name.to_owned(),
            source_type: "api".to_owned(),
            environment: environment.to_owned(),
            scenario: scenario.to_owned(),
            key_hashes: vec![],
            ..Integration::default()
        })
    };
    let mut site = Site::default();
    for entry in [
        environment("payments", Some(12)),
        environment("7", None),
        environment("logistics", Some(7)),
        scenario("page", Some(3)),
        integration("shop", "payments", "page"),
        integration("open", "", ""),
        ConfigEntry::Rules(Rules { rules }),
    ] {
        site.apply(&entry.key(), Some(entry));
    }
    site
}

fn site(rules: Vec<Rule>) -> Site {
    let mut site = incomplete_site(rules);
    site.revision = Some(1);
    site
}

#[tokio::test(start_paused = true)]
async fn an_event_gets_environment_scenario_and_origin_and_keeps_its_trace() {
    let world = World::begin(site(vec![]));
    let event = event("disk");
    world.collect("first").await;
    world.collect_event(&event).await;
    let decorated = world.decorated(1).await;
    assert_eq!(
        decorated,
        [DecoratedEvent {
            event: event.clone(),
            origin: Origin {
                partition: 0,
                offset: 1
            },
            spooled: false,
            rules: Vec::new(),
            environment: "payments".to_owned(),
            scenario: "page".to_owned(),
        }]
    );
    let record = world.records(Topic::ALERTS_DECORATED, 1).await.remove(0);
    assert_eq!(record.key, event.fingerprint.to_string());
    assert_eq!(record.header(HEADER_TRACEPARENT), Some(TRACE));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_in_a_spool_stays_marked() {
    let world = World::begin(site(vec![]));
    let value = serde_json::to_vec(&event("disk")).unwrap();
    let spooled = (HEADER_SPOOLED.to_owned(), "1".to_owned());
    world.collect_with(value.clone(), vec![spooled]).await;
    world.collect(value).await;
    let marked: Vec<_> = world
        .decorated(2)
        .await
        .iter()
        .map(|event| event.spooled)
        .collect();
    assert_eq!(marked, [true, false]);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_integration_decides_and_then_names_and_numbers_that_are_asked_for() {
    let world = World::begin(site(vec![]));
    for event in [
        asking("shop", "logistics", "other"),
        asking("open", "logistics", "page"),
        asking("open", "12", "3"),
        asking("open", "7", "4"),
        asking("open", "nowhere", ""),
        asking("removed", "payments", "3"),
        event("nothing asked for"),
    ] {
        world.collect_event(&event).await;
    }
    let places: Vec<_> = world
        .decorated(7)
        .await
        .into_iter()
        .map(|event| (event.environment, event.scenario))
        .collect();
    let places: Vec<_> = places
        .iter()
        .map(|(environment, scenario)| (environment.as_str(), scenario.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            ("payments", "page"),
            ("logistics", "page"),
            ("payments", "page"),
            ("7", "default"),
            ("default", "default"),
            ("payments", "page"),
            ("payments", "page"),
        ]
    );
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_decorated_before_the_site_is_complete() {
    let world = World::begin(incomplete_site(vec![]));
    world.collect_event(&event("disk")).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.log.records(Topic::ALERTS_DECORATED), []);
    let report = world.context.health.report();
    assert_eq!(report[0].waiting_for.as_deref(), Some("configuration"));
    assert!(report[0].healthy);
    world.site.send_replace(Arc::new(site(vec![])));
    assert_eq!(world.decorated(1).await[0].environment, "payments");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_an_event_becomes_a_dead_letter_and_the_next_one_goes_on() {
    let world = World::begin(site(vec![]));
    world.collect("{\"event_id\": 5").await;
    world.collect([0xff, 0xfe]).await;
    world.collect_event(&event("disk")).await;
    assert_eq!(world.decorated(1).await[0].event.name, "disk");
    let kept = world.records(Topic::ALERTS_COLLECTED_DLQ, 2).await;
    let kept: DeadLetter = serde_json::from_slice(kept[0].value.as_deref().unwrap()).unwrap();
    assert_eq!((kept.stage.as_str(), kept.offset), ("decorator", 0));
    assert!(kept.error.contains("line 1"), "{}", kept.error);
    assert_eq!(world.metric("reveille_decorator_events_total"), 3.0);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn rules_change_events_drop_with_a_reason_and_do_not_stop_anything_when_they_fail() {
    let world = World::begin(site(vec![
        rule("broken", "int(output) > 3"),
        Rule {
            drop: Some("nobody cares".to_owned()),
            ..rule("noise", "name.startsWith('Debug')")
        },
        Rule {
            labels: BTreeMap::from([("team".to_owned(), "storage".to_owned())]),
            severity: Some(Severity::Urgent),
            ..rule("disk", "name == 'disk'")
        },
    ]));
    world.collect_event(&event("Debug it")).await;
    world
        .collect_event(&AlertEvent {
            kind: EventStatus::Resolved.into(),
            ..event("Debug it")
        })
        .await;
    world.collect_event(&event("disk")).await;
    let decorated = world.decorated(2).await;
    assert_eq!(decorated[0].event.status(), Some(EventStatus::Resolved));
    assert_eq!(
        (
            decorated[1].event.severity,
            decorated[1].event.labels["team"].as_str()
        ),
        (Severity::Urgent, "storage")
    );
    let rejected = world.records(Topic::INGEST_REJECTED, 1).await;
    let rejected: Rejected = serde_json::from_slice(rejected[0].value.as_deref().unwrap()).unwrap();
    assert_eq!(rejected.reason, "dropped by rule noise: nobody cares");
    assert_eq!(
        (
            rejected.integration.as_deref(),
            rejected.monitoring_system.as_str()
        ),
        (Some("shop"), "api")
    );
    assert_eq!(world.metric("reveille_decorator_dropped_total"), 1.0);
    assert_eq!(world.metric("reveille_decorator_rule_failures_total"), 3.0);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn new_rules_are_used_for_what_comes_after_them() {
    let world = World::begin(site(vec![]));
    world.collect_event(&event("disk")).await;
    assert_eq!(world.decorated(1).await[0].event.severity, Severity::Warning);
    let urgent = Rule {
        severity: Some(Severity::Urgent),
        ..rule("urgent", "true")
    };
    world.site.send_replace(Arc::new(site(vec![urgent])));
    world.collect_event(&event("disk")).await;
    assert_eq!(world.decorated(2).await[1].event.severity, Severity::Urgent);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_log_is_waited_out_and_loses_nothing() {
    let world = World::begin(site(vec![]));
    world.collect_event(&event("before")).await;
    world.decorated(1).await;
    world.log.set_available(false);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    world.log.set_available(true);
    world.collect_event(&event("after")).await;
    let names: Vec<_> = world
        .decorated(2)
        .await
        .into_iter()
        .map(|decorated| decorated.event.name)
        .collect();
    assert_eq!(names, ["before", "after"]);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_a_rule_makes_too_large_becomes_a_dead_letter_and_the_others_go_on() {
    let labels = BTreeMap::from([("text".to_owned(), "x".repeat(999_900))]);
    let world = World::begin(site(vec![Rule {
        labels,
        ..rule("huge", "name == 'huge'")
    }]));
    let batch = ["first", "huge", "last"].map(|name| Record {
        key: "key".to_owned(),
        value: Some(serde_json::to_vec(&event(name)).unwrap().into()),
        headers: vec![],
    });
    world
        .log
        .append(Topic::ALERTS_COLLECTED, batch.to_vec())
        .await
        .unwrap();
    let names: Vec<_> = world
        .decorated(2)
        .await
        .into_iter()
        .map(|decorated| decorated.event.name)
        .collect();
    assert_eq!(names, ["first", "last"]);
    assert_eq!(world.records(Topic::ALERTS_COLLECTED_DLQ, 1).await.len(), 1);
    world.end().await;
}
