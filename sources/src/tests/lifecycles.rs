//! What several bodies of one alert become: one alert, from its beginning to its end.

use super::*;

fn first(source: &str, case: &str) -> Value {
    let source = find(source).expect("a source");
    let path = crate_folder()
        .join("examples")
        .join(source.name)
        .join(format!("{case}.json"));
    let body = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    outcome(source, &body)["events"][0].clone()
}

/// Each case, and the status that it must have; all are one alert.
fn assert_one_alert(source: &str, cases: &[(&str, &str)]) {
    let events: Vec<_> = cases.iter().map(|(case, _)| first(source, case)).collect();
    for ((case, status), event) in cases.iter().zip(&events) {
        assert_eq!(event["kind"]["type"], *status, "{case}");
        assert_eq!(event["fingerprint"], events[0]["fingerprint"], "{case}");
    }
}

#[test]
fn i5_an_incident_of_azures_own_is_one_alert_until_it_is_over() {
    assert_one_alert(
        "azure",
        &[
            ("service-health-active", "firing"),
            ("service-health-resolved", "resolved"),
            ("service-health-analysis", "resolved"),
        ],
    );
    assert_one_alert(
        "azure",
        &[
            ("maintenance-planned", "firing"),
            ("maintenance-complete", "resolved"),
        ],
    );
    assert_one_alert(
        "azure",
        &[
            ("resource-health-unavailable", "firing"),
            ("resource-health-available", "resolved"),
        ],
    );
    assert_one_alert(
        "azure",
        &[("operation-started", "firing"), ("operation-succeeded", "firing")],
    );
    let other = first("azure", "maintenance-planned")["fingerprint"].clone();
    assert_ne!(first("azure", "service-health-active")["fingerprint"], other);
}

#[test]
fn i9_log_searches_and_rules_of_prometheus_have_text_labels_and_links() {
    for (case, text, label, link) in [
        (
            "log-search-version-1",
            "slow pages\nrequests | where duration > 3000 Greater Than 10: 17",
            ("cloud_RoleName", "checkout"),
            "Search results",
        ),
        (
            "log-search-version-1-of-an-application",
            "slow pages\nrequests | where duration > 3000 Greater Than 10: 17",
            ("signalType", "Log"),
            "Search results",
        ),
        (
            "log-search-version-2",
            "Heartbeat | where Level == \"Error\" GreaterThan 0: 3.0",
            ("Computer", "pay-3"),
            "Search results",
        ),
        (
            "prometheus-rule",
            "a pod restarts again and again\ncart-0 restarts 15 times an hour\nrate(restarts[5m]) > 0: 0.25",
            ("pod", "cart-0"),
            "Runbook URL",
        ),
    ] {
        let event = first("azure", case);
        assert_eq!(event["output"], text, "{case}");
        assert_eq!(event["labels"][label.0], label.1, "{case}");
        assert!(event["links"][link].is_string(), "{case}");
    }
    let rule = first("azure", "prometheus-rule");
    assert_eq!(
        rule["annotations"]["description"],
        "cart-0 restarts 15 times an hour"
    );
}

#[test]
fn i10_a_priority_is_a_number_too_and_an_update_has_nanoseconds() {
    let event = first("opsgenie", "webhook-in-nanoseconds");
    assert_eq!(
        (&event["severity"], &event["occurred_at"]),
        (&json!("warning"), &json!("2026-09-01T10:00:00.123456789Z"))
    );
    let severity = |case: &str| first("opsgenie", case)["severity"].clone();
    assert_eq!(severity("priority-in-small-letters"), "urgent");
    assert_eq!(severity("priority-as-a-number"), "information");
    let source = find("opsgenie").expect("a source");
    for (priority, severity) in [
        (json!(1), "urgent"),
        (json!("2"), "critical"),
        (json!(3), "warning"),
        (json!("p3"), "warning"),
        (json!("P5"), "information"),
        (Value::Null, "warning"),
    ] {
        let body = json!({"message": "x", "priority": priority});
        let outcome = outcome(source, body.to_string().as_bytes());
        assert_eq!(outcome["events"][0]["severity"], severity, "{priority}");
    }
    for priority in [json!(0), json!("P6"), json!("high"), json!("PP1")] {
        let body = json!({"message": "x", "priority": priority});
        let outcome = outcome(source, body.to_string().as_bytes());
        assert_eq!(outcome["field"], "priority", "{priority}");
    }
}

#[test]
fn i11_what_a_pagerduty_incident_says_of_itself_goes_before_what_its_event_is_called() {
    let source = find("pagerduty").expect("a source");
    let said = |event_type: &str, status: Option<&str>| {
        let mut data = json!({"id": "P1", "type": "incident", "title": "x"});
        if let Some(status) = status {
            data["status"] = json!(status);
        }
        let body = json!({"event": {"event_type": event_type, "data": data}});
        let outcome = outcome(source, body.to_string().as_bytes());
        let event = &outcome["events"][0];
        let requests = outcome["events"].as_array().expect("events").len() - 1;
        let acknowledged = event["kind"]["acknowledged"] == true;
        (
            event["kind"]["type"].as_str().expect("a status").to_owned(),
            acknowledged,
            requests,
        )
    };
    let all = [
        "incident.triggered",
        "incident.acknowledged",
        "incident.unacknowledged",
        "incident.reopened",
        "incident.resolved",
        "incident.priority_updated",
        "incident.reassigned",
        "incident.escalated",
        "incident.delegated",
        "incident.annotated",
        "incident.responder.added",
    ];
    for event_type in all {
        let is_acknowledgement = event_type == "incident.acknowledged";
        let acknowledged = match is_acknowledgement {
            true => ("acknowledged".to_owned(), false, 0),
            false => ("firing".to_owned(), true, 0),
        };
        assert_eq!(
            said(event_type, Some("acknowledged")),
            acknowledged,
            "{event_type}"
        );
        assert_eq!(said(event_type, Some("resolved")).0, "resolved", "{event_type}");
        let triggered = said(event_type, Some("triggered"));
        assert_eq!(
            (triggered.0.as_str(), triggered.1),
            ("firing", false),
            "{event_type}"
        );
        let takes_back = event_type == "incident.unacknowledged";
        assert_eq!(triggered.2, usize::from(takes_back), "{event_type}");
    }
    assert_eq!(said("incident.resolved", None).0, "resolved");
    assert_eq!(
        said("incident.unacknowledged", None),
        ("firing".to_owned(), false, 1)
    );
}

#[test]
fn i14_every_match_of_a_legacy_rule_gives_its_tags() {
    let event = first("grafana", "legacy-matches-with-different-tags");
    let labels = &event["labels"];
    assert_eq!((&labels["host"], &labels["fs"]), (&json!("db-1"), &json!("/var")));
    assert_eq!(labels["tags"], "host:db-2");
}

#[test]
fn c7_what_apprise_posts_as_json_and_xml_is_taken_by_its_source_and_the_generic_api() {
    let folder = crate_folder().join("examples/apprise");
    for name in ["apprise", "api"] {
        let source = find(name).expect("a source");
        for (file, status, severity) in [
            ("severity-change.json", "firing", "critical"),
            ("close.json", "resolved", "ok"),
            ("xml-open.xml", "firing", "critical"),
            ("xml-close.xml", "resolved", "ok"),
        ] {
            let outcome = outcome(source, &fs::read(folder.join(file)).expect("the example"));
            let event = &outcome["events"][0];
            assert_eq!(
                (&event["kind"]["type"], &event["severity"], &event["name"]),
                (&json!(status), &json!(severity), &json!("checkout is slow")),
                "{name}, {file}"
            );
        }
    }
}

/// The titles of Slack, OnCall, GoAlert and mails are read by the same rules.
#[test]
fn i2_titles_of_all_senders_with_nothing_but_a_text_open_and_end_one_alert() {
    for (down, up, severity) in [
        ("DOWN shop", "UP shop", "critical"),
        ("DOWN | shop | 500", "UP | shop | 200", "critical"),
        ("Oh no! shop is down", "Yay! shop is up again", "critical"),
        ("shop is degraded", "shop is operational", "warning"),
        ("[DEGRADED] shop", "[OPERATIONAL] shop", "warning"),
    ] {
        let mail = |title: &str| format!("From: monitor@shop.example\r\nSubject: {title}\r\n\r\ntext\r\n");
        let title = |title: &str| json!({ "title": title, "message": "" }).to_string();
        let text = |title: &str| json!({ "text": title }).to_string();
        let apprise = |title: &str, message: &str, kind: &str| {
            json!({ "version": "1.0", "title": title, "message": message, "type": kind }).to_string()
        };
        let summary = |title: &str, action: &str| json!({ "summary": title, "action": action }).to_string();
        for (name, opening, end) in [
            ("slack", text(down), text(up)),
            ("oncall", title(down), title(up)),
            ("goalert", summary(down, ""), summary(up, "close")),
            ("email", mail(down), mail(up)),
            (
                "apprise",
                apprise(down, "", "failure"),
                apprise(up, "", "success"),
            ),
            ("apprise", apprise(down, "", "info"), apprise(up, "", "info")),
            (
                "apprise",
                apprise("Uptime Kuma Alert", down, "info"),
                apprise("Uptime Kuma Alert", up, "info"),
            ),
        ] {
            let source = find(name).expect("a source");
            let first = |body: &str| outcome(source, body.as_bytes())["events"][0].clone();
            let (opened, ended) = (first(&opening), first(&end));
            assert_eq!(opened["kind"]["type"], "firing", "{name}: {down}");
            assert_eq!(ended["kind"]["type"], "resolved", "{name}: {up}");
            assert_eq!(
                opened["fingerprint"], ended["fingerprint"],
                "{name}: {down} / {up}"
            );
            let is_rated_alike =
                matches!(name, "oncall" | "goalert") || (name != "apprise" && severity == "warning");
            assert!(
                !is_rated_alike || opened["severity"] == severity,
                "{name}: {opened}"
            );
        }
    }
}

#[test]
fn i1_a_title_of_a_tool_does_not_make_one_alert_of_several_at_apprise() {
    let source = find("apprise").expect("a source");
    let fingerprint = |message: &str| {
        let body =
            json!({ "version": "1.0", "title": "Uptime Kuma Alert", "message": message, "type": "failure" });
        outcome(source, body.to_string().as_bytes())["events"][0]["fingerprint"].clone()
    };
    let down = fingerprint("[shop] [🔴 Down] timeout");
    assert_ne!(down, fingerprint("[pay] [🔴 Down] timeout"));
    assert_eq!(down, fingerprint("[shop] [✅ Up] 200 - OK"));
}

#[test]
fn the_documentation_of_a_gcp_policy_may_be_a_text() {
    let event = first("gcp", "documentation-as-text");
    assert_eq!(
        event["annotations"]["documentation"],
        "see the runbook: https://wiki.example.org/5xx"
    );
}
