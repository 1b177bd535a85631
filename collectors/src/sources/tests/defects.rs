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
        assert_eq!(event["status"], "acknowledged", "{source}");
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
        (&event["status"], &event["severity"]),
        (&json!("firing"), &json!("warning"))
    );
}

#[test]
fn no_open_problem_of_any_source_is_ok_and_no_ended_one_is_anything_else() {
    for source in SOURCES.iter().filter(|source| source.name != "prometheus") {
        for (case, path) in examples(source) {
            let outcome = outcome(source, &fs::read(path).expect("the example can be read"));
            for event in outcome["events"].as_array().into_iter().flatten() {
                let has_ended = event["status"] == "resolved";
                assert_eq!(has_ended, event["severity"] == "ok", "{} {case}", source.name);
            }
        }
    }
}

#[test]
fn the_start_of_a_flapping_or_a_downtime_at_nagios_closed_the_problem() {
    assert_eq!(first("nagios", "flapping-starts")["status"], "firing");
    assert_eq!(example("nagios", "downtime-starts")["events"], json!([]));
    assert_eq!(first("nagios", "flapping-stops-when-well")["status"], "resolved");
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
    assert_eq!(first("grafana", "open")["status"], "firing");
    assert_eq!(
        first("grafana", "legacy-without-message-and-tags")["status"],
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
    let remark = &example("cloudwatch", "subscription-confirmation")["remarks"][0];
    assert!(
        remark
            .to_string()
            .contains("https://sns.eu-west-1.amazonaws.com/"),
        "{remark}"
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
    assert_eq!(first("anodot", "one-of-two-metrics-closed")["status"], "firing");
}

#[test]
fn a_pingdom_check_without_a_second_probe_was_refused() {
    assert_eq!(first("pingdom", "open")["status"], "firing");
}
