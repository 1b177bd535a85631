//! What Harp did wrong, and must not come back. Each test is named after the defect, and says how it is now.

use super::*;

fn example(source: &str, case: &str) -> Value {
    let source = find(source).expect("a source");
    let (_, path) = examples(source)
        .into_iter()
        .find(|(name, _)| name == case)
        .unwrap_or_else(|| panic!("{} has no example {case}", source.name));
    outcome(source, &fs::read(path).expect("the example can be read"))
}

fn first(source: &str, case: &str) -> Value {
    example(source, case)["events"][0].clone()
}

/// The first event of the opening of each source, when its sender's address asks for an environment and a scenario.
fn asked_by_the_query(environment: &str, scenario: &str) -> Vec<(&'static str, schemas::AlertEvent)> {
    let of = |source: &'static Source| {
        let (_, path) = examples(source)
            .into_iter()
            .find(|(case, _)| case == "open")
            .expect("every source has the case");
        let body = fs::read(path).expect("the example can be read");
        let parsed = (source.parse)(&HeaderMap::new(), &body).expect("the source parses it");
        let delivery = Delivery {
            environment: Some(environment.to_owned()),
            scenario: Some(scenario.to_owned()),
            ..delivery(source)
        };
        let event = delivery.make_events(parsed).events.swap_remove(0);
        (source.name, event)
    };
    SOURCES.iter().map(of).collect()
}

#[test]
fn an_acknowledgement_at_the_source_was_an_error_or_did_nothing() {
    for source in [
        "atatus",
        "icinga",
        "nagios",
        "newrelic",
        "pagerduty",
        "prtg",
        "zabbix",
    ] {
        let event = first(source, "acknowledged");
        assert_eq!(event["kind"]["type"], "acknowledged", "{source}");
        assert_ne!(event["severity"], "ok", "{source}");
        assert_eq!(
            event["fingerprint"],
            first(source, "open")["fingerprint"],
            "{source}"
        );
        let by = event["labels"]["acknowledged_by"].as_str();
        assert!(by.is_some() || source == "prtg", "{source}");
    }
}

#[test]
fn a_resolve_of_a_high_pagerduty_incident_kept_its_severity() {
    assert_eq!(first("pagerduty", "close")["labels"]["urgency"], "high");
    assert_eq!(first("pagerduty", "close")["severity"], "ok");
}

#[test]
fn a_pagerduty_incident_of_low_urgency_was_a_problem_that_is_ok() {
    let event = first("pagerduty", "open");
    assert_eq!(
        (&event["kind"]["type"], &event["severity"]),
        (&json!("firing"), &json!("warning"))
    );
}

#[test]
fn no_open_problem_of_any_source_is_ok_and_no_ended_one_is_anything_else() {
    for source in SOURCES {
        for (case, path) in examples(source) {
            let outcome = outcome(source, &fs::read(path).expect("the example can be read"));
            for event in outcome["events"].as_array().into_iter().flatten() {
                let has_ended = event["kind"]["type"] == "resolved";
                assert_eq!(has_ended, event["severity"] == "ok", "{} {case}", source.name);
            }
        }
    }
}

#[test]
fn the_start_of_a_flapping_or_a_downtime_at_nagios_closed_the_problem() {
    assert_eq!(first("nagios", "flapping-starts")["kind"]["type"], "firing");
    assert_eq!(example("nagios", "downtime-starts")["events"], json!([]));
    assert_eq!(
        first("nagios", "flapping-stops-when-well")["kind"]["type"],
        "resolved"
    );
}

#[test]
fn nagios_kept_only_the_host_name() {
    let event = first("nagios", "open");
    assert_eq!(
        (&event["name"], &event["output"]),
        (&json!("Replication"), &json!("lag 812 s"))
    );
}

#[test]
fn icinga_worked_for_the_severity_2112_alone() {
    assert_eq!(first("icinga", "number-of-severity")["severity"], "critical");
    assert_eq!(first("icinga", "open")["severity"], "warning");
}

#[test]
fn grafana_unified_alerting_and_legacy_bodies_without_message_or_tags_were_refused() {
    assert_eq!(first("grafana", "open")["kind"]["type"], "firing");
    assert_eq!(
        first("grafana", "legacy-without-message-and-tags")["kind"]["type"],
        "firing"
    );
}

#[test]
fn cloudwatch_never_understood_what_sns_sends() {
    assert_eq!(first("cloudwatch", "open")["object"], "orders");
    assert_eq!(
        first("cloudwatch", "raw-delivery")["fingerprint"],
        first("cloudwatch", "open")["fingerprint"]
    );
    let warning = &example("cloudwatch", "subscription-confirmation")["warnings"][0];
    assert!(
        warning
            .to_string()
            .contains("https://sns.eu-west-1.amazonaws.com/"),
        "{warning}"
    );
}

#[test]
fn prtg_was_told_to_send_json_and_understood_forms_alone() {
    let (json, form) = (first("prtg", "open"), first("prtg", "update"));
    assert_eq!(json["fingerprint"], form["fingerprint"]);
    assert_eq!(form["severity"], "warning");
}

#[test]
fn a_state_of_prtg_in_small_letters_was_a_problem_that_is_ok() {
    assert_eq!(
        first("prtg", "escalation-of-a-partial-outage")["severity"],
        "critical"
    );
}

#[test]
fn an_alert_of_severity_information_was_dropped() {
    let bodies = [
        (
            "api",
            json!({"alert_name": "a", "alert_severity": "information", "source": "s", "object": "o",
                   "notification_output": ""}),
        ),
        (
            "zabbix",
            json!({"trigger_status": "PROBLEM", "trigger_severity": "Information", "trigger_name": "a", "event_id": 1}),
        ),
        (
            "signalfx",
            json!({"status": "anomalous", "severity": "Info", "incidentId": "1", "rule": "a"}),
        ),
    ];
    for (source, body) in bodies {
        let outcome = outcome(find(source).expect("a source"), body.to_string().as_bytes());
        assert_eq!(outcome["events"][0]["severity"], "information", "{source}");
    }
}

#[test]
fn crashlytics_and_email_lost_all_their_fields() {
    assert_eq!(
        first("crashlytics", "open")["name"],
        "NullPointerException in Cart"
    );
    assert_eq!(first("email", "open")["name"], "Backup failed");
}

#[test]
fn an_appdynamics_event_that_is_upgraded_was_of_unknown_severity() {
    assert_eq!(first("appdynamics", "severity-change")["severity"], "critical");
}

#[test]
fn an_alert_of_anodot_ended_with_its_first_metric() {
    assert_eq!(
        first("anodot", "one-of-two-metrics-closed")["kind"]["type"],
        "firing"
    );
}

#[test]
fn a_pingdom_check_without_a_second_probe_was_refused() {
    assert_eq!(first("pingdom", "open")["kind"]["type"], "firing");
}

#[test]
fn prometheus_and_prtg_exchanged_environment_and_scenario_and_gcp_and_api_read_neither() {
    for (source, event) in asked_by_the_query("shop", "night") {
        if ["prometheus", "prtg", "gcp", "api"].contains(&source) {
            assert_eq!(event.environment.as_deref(), Some("shop"), "{source}");
            assert_eq!(event.scenario.as_deref(), Some("night"), "{source}");
        }
    }
}

#[test]
fn an_alert_whose_integration_moved_to_another_environment_was_another_alert() {
    let (here, there) = (
        asked_by_the_query("shop", "night"),
        asked_by_the_query("bank", "day"),
    );
    for ((source, here), (_, there)) in here.iter().zip(&there) {
        assert_eq!(here.fingerprint, there.fingerprint, "{source}");
    }
}

#[test]
fn the_alerts_before_a_wrong_one_were_sent_and_the_whole_body_answered_with_an_error() {
    for (source, case) in [
        ("prometheus", "refused-one-of-two"),
        ("api", "refused-one-of-three"),
    ] {
        let outcome = example(source, case);
        assert!(outcome["field"].is_string(), "{outcome}");
        assert!(outcome.get("events").is_none(), "{outcome}");
    }
}

#[test]
fn i13_tests_of_azure_datadog_and_legacy_grafana_are_shown_as_tests() {
    for (source, body) in [
        (
            "azure",
            json!({ "data": { "essentials": {
                "alertId": "/subscriptions/11111111-1111-1111-1111-111111111111/providers/x/alerts/1",
                "originAlertId": "1", "alertRule": "test-metricAlertRule", "severity": "Sev1", "monitorCondition": "Fired",
            } } }),
        ),
        (
            "datadog",
            json!({ "alert_id": "5", "alert_title": "[TEST] [Triggered] 5xx", "alert_transition": "Triggered" }),
        ),
        (
            "grafana",
            json!({ "ruleId": 3_424_234_324_u64, "ruleName": "Test notification", "state": "alerting", "evalMatches": [],
                "message": "Someone is testing the alert notification within Grafana." }),
        ),
    ] {
        let of = find(source).expect("a source");
        let events = outcome(of, body.to_string().as_bytes())["events"].clone();
        assert_eq!(events[0]["severity"], "information", "{source}");
        assert_eq!(events[0]["labels"]["test"], "true", "{source}");
    }
}
