//! Every source over every one of its examples. The expected events lie beside the bodies, as `<case>.snap`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use http::{HeaderMap, Method};
use schemas::{EventStatus, Severity};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

mod defects;
mod fuzz;
mod lifecycles;
mod mutation;

/// What every source must show: an alert from its opening to its end.
const CASES: [&str; 4] = ["open", "update", "severity-change", "close"];
/// What those show whose alerts neither end nor change.
const FEW_CASES: [&str; 2] = ["open", "update"];
const ENDLESS: [&str; 3] = ["airbrake", "crashlytics", "email"];

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn examples(source: &Source) -> Vec<(String, PathBuf)> {
    let folder = crate_folder().join("examples").join(source.name);
    let mut examples: Vec<_> = fs::read_dir(&folder)
        .expect("the source has examples")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "snap"))
        .map(|path| {
            (
                path.file_stem().expect("a name").to_string_lossy().into_owned(),
                path,
            )
        })
        .collect();
    examples.sort();
    examples
}

fn delivery(source: &Source) -> Delivery {
    Delivery {
        integration: "default".to_owned(),
        key: None,
        monitoring_system: source.name.into(),
        environment: None,
        scenario: None,
        accepted_at: "2026-09-01T10:05:00Z".parse().expect("a time"),
        first_id: Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000),
        called_by_alerts: Vec::new(),
        bounds: Default::default(),
    }
}

/// What becomes of a body: the events and warnings, or the error.
fn outcome(source: &Source, body: &[u8]) -> Value {
    match (source.parse)(&HeaderMap::new(), body) {
        Ok(alerts) => {
            let accepted = delivery(source).make_events(alerts);
            json!({ "events": accepted.events, "warnings": accepted.warnings })
        }
        Err(error) => json!({ "field": error.field(), "error": error.to_string() }),
    }
}

#[test]
fn every_example_becomes_the_events_beside_it() {
    for source in SOURCES {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(crate_folder().join("examples").join(source.name));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            for (case, path) in examples(source) {
                let outcome = outcome(source, &fs::read(path).expect("the example can be read"));
                assert_eq!(
                    outcome.get("error").is_some(),
                    case.starts_with("refused"),
                    "{case}: {outcome}"
                );
                insta::assert_json_snapshot!(case, outcome);
            }
        });
    }
}

#[test]
fn the_cases_of_one_alert_are_one_alert() {
    for source in SOURCES {
        let examples = examples(source);
        let cases = if ENDLESS.contains(&source.name) {
            FEW_CASES.as_slice()
        } else {
            CASES.as_slice()
        };
        let fingerprints: BTreeSet<_> = cases
            .iter()
            .map(|case| {
                let (_, path) = examples
                    .iter()
                    .find(|(name, _)| name == case)
                    .expect("every source has the case");
                let outcome = outcome(source, &fs::read(path).expect("the example can be read"));
                outcome["events"][0]["fingerprint"]
                    .as_str()
                    .expect("an event")
                    .to_owned()
            })
            .collect();
        assert_eq!(fingerprints.len(), 1, "{}", source.name);
    }
}

#[test]
fn an_alert_is_the_same_in_all_shapes_that_its_sender_has_for_it() {
    for (name, cases) in [
        ("apprise", &["open", "xml-open", "xml-close"][..]),
        (
            "healthchecks",
            &["open", "as-form", "as-query", "whole-check"][..],
        ),
        ("netdata", &["unreachable", "reachable", "reachable-by-text"]),
        ("netdata-agent", &["open", "form", "removed"]),
        (
            "sentry",
            &[
                "open",
                "issue-created",
                "issue-archived",
                "error-without-issue-id",
            ],
        ),
        (
            "sentry",
            &["metric-alert", "metric-alert-warning", "metric-alert-resolved"],
        ),
        (
            "pagerduty-events",
            &["without-dedup-key", "without-dedup-key-again"],
        ),
        (
            "zabbix",
            &[
                "open",
                "event-driven",
                "event-driven-ansible",
                "closed-by-hand",
                "unacknowledged",
            ],
        ),
        ("datadog", &["default-payload", "default-payload-recovered"]),
        ("prtg", &["raw-form", "raw-form-with-ampersands"]),
        ("site24x7", &["open", "critical-as-form"]),
        ("email", &["message-open", "message-close"]),
        ("email", &["message-down-elsewhere", "message-up-elsewhere"]),
        ("slack", &["gatus-triggered", "gatus-resolved"]),
        ("slack", &["healthchecks-down", "healthchecks-up"]),
        ("slack", &["uptime-kuma-down", "uptime-kuma-up"]),
        ("slack", &["checkmk-problem", "checkmk-recovery"]),
        (
            "slack",
            &[
                "state-between-bars-down",
                "state-between-bars-up",
                "interjection-down",
                "interjection-up",
            ],
        ),
        ("slack", &["degraded", "operational"]),
        ("oncall", &["uptime-kuma-down", "uptime-kuma-up"]),
        ("goalert", &["uptime-kuma-down", "uptime-kuma-up"]),
        ("statuscake", &["open", "as-json"]),
        (
            "uptime-kuma",
            &[
                "open",
                "down-as-multipart",
                "up-as-multipart",
                "down-as-query",
                "up-as-query",
            ],
        ),
        (
            "uptime-kuma",
            &["certificate-expires", "certificate-expires-sooner"],
        ),
    ] {
        let source = find(name).expect("a source");
        let examples = examples(source);
        let of = |wanted: &&str| {
            let (_, path) = examples
                .iter()
                .find(|(case, _)| case == wanted)
                .expect("an example");
            let outcome = outcome(source, &fs::read(path).expect("the example can be read"));
            outcome["events"][0]["fingerprint"]
                .as_str()
                .expect("an event")
                .to_owned()
        };
        let fingerprints: BTreeSet<_> = cases.iter().map(of).collect();
        assert_eq!(fingerprints.len(), 1, "{name}: {cases:?}");
    }
}

#[test]
fn no_tag_is_lost() {
    let mut event = SourceEvent::new(["x"], EventStatus::Firing, Severity::Critical);
    event.add_label("host", Some("web-7".to_owned()));
    event.add_tags("team:web, urgent, team:pay, host:web-7, host:other, late:, :odd,, url:http://x");
    event.add_tag("one, with a comma");
    event.add_named_tag("a:b", "c");
    let label = |name: &str| event.labels.get(name).map(String::as_str);
    let tags = "urgent, team:pay, host:other, late, :odd, one, with a comma";
    assert_eq!((label("tags"), label("team")), (Some(tags), Some("web")));
    assert_eq!((label("host"), label("url")), (Some("web-7"), Some("http://x")));
    assert_eq!(label("a:b"), Some("c"));
}

#[test]
fn two_alertmanagers_of_a_pair_speak_of_one_alert() {
    let source = find("prometheus").expect("a source");
    let fingerprint = |case: &str| {
        let path = crate_folder()
            .join("examples/prometheus")
            .join(format!("{case}.json"));
        outcome(source, &fs::read(path).expect("the example"))["events"][0]["fingerprint"].clone()
    };
    assert_eq!(fingerprint("open"), fingerprint("second-of-a-pair"));
}

#[test]
fn broken_bodies_are_answered_and_never_panic() {
    for source in SOURCES {
        let understand = |body: &[u8]| {
            if let Ok(alerts) = (source.parse)(&HeaderMap::new(), body) {
                delivery(source).make_events(alerts);
            }
        };
        for (_, path) in examples(source) {
            let body = fs::read(path).expect("the example can be read");
            // Large bodies repeat themselves; some hundred places are enough of them.
            for place in (0..body.len()).step_by(1 + body.len() / 300) {
                understand(&body[..place]);
                for flip in [0x01, 0x20, 0x80] {
                    let mut body = body.clone();
                    body[place] ^= flip;
                    understand(&body);
                }
            }
        }
    }
}

#[test]
fn names_that_differ_only_far_behind_are_different_alerts() {
    let source = find("api").expect("a source");
    let of = |name: String| {
        let body = json!({
            "alert_name": name, "alert_severity": "warning", "source": "s", "object": "o", "notification_output": "",
        });
        let outcome = outcome(source, body.to_string().as_bytes());
        assert_eq!(outcome["events"][0]["name"], name);
        outcome["events"][0]["fingerprint"].clone()
    };
    let long = "x".repeat(5_000);
    assert_ne!(of(format!("{long}1")), of(format!("{long}2")));
}

#[test]
fn what_is_not_json_is_told_with_its_place() {
    let source = find("api").expect("a source");
    let error = |body: &[u8]| {
        outcome(source, body)["error"]
            .as_str()
            .expect("an error")
            .to_owned()
    };
    assert!(error(b"{\n  \"alert_name\": x\n}").contains("line 2 column 17"));
    assert!(error(b"{\"alert_name\": \"a\xff\"}").contains("its byte 17 cannot be read"));
    assert!(error(b" \n").contains("the body is empty"));
    assert!(error(b"{} {}").contains("line 1 column 4"));
    assert!(outcome(source, b"\xef\xbb\xbf[]")["events"].is_array());
}

#[test]
fn too_many_alerts_in_one_body_are_refused_as_a_whole() {
    let source = find("api").expect("a source");
    let body = format!("[{}1]", "1,".repeat(MAX_ALERTS_PER_BODY));
    let error = outcome(source, body.as_bytes())["error"]
        .as_str()
        .expect("an error")
        .to_owned();
    assert!(error.contains("has 20001 alerts; send at most 20000"), "{error}");
}

#[test]
fn every_source_has_its_page_and_the_page_names_it() {
    for source in SOURCES {
        let page = crate_folder().join("..").join(source.documentation);
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(
            text.contains(&format!("/monitoring-system/{}", source.name)),
            "{}",
            page.display()
        );
        assert!(text.contains(source.title), "{}", page.display());
    }
}

#[test]
fn the_list_of_sources_has_all_of_them() {
    let list = crate_folder().join("../docs/sources/README.md");
    let text = fs::read_to_string(list).expect("the list");
    for source in SOURCES {
        let methods: Vec<_> = source.methods.iter().map(Method::as_str).collect();
        let (name, title, methods) = (source.name, source.title, methods.join(", "));
        let line = format!("| [{name}]({name}.md) | {title} | {methods}");
        assert!(text.contains(&line), "the list lacks {line}");
    }
}

#[test]
fn there_is_a_type_of_integration_for_each_source_and_no_other() {
    let sources = SOURCES.iter().map(|source| source.name);
    let expected: BTreeSet<_> = sources.chain(["any", HEARTBEAT]).collect();
    assert_eq!(BTreeSet::from(schemas::config::SOURCE_TYPES), expected);
}
