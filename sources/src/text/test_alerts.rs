//! Alerts by which a person tries the connection of a sender: nothing ends them there, so they end by themselves.
//!
//! They are known by what the senders' test buttons write, at any endpoint: Grafana can post its test as a
//! webhook, as Slack, PagerDuty or Opsgenie does.

use jiff::SignedDuration;
use schemas::{EventStatus, Severity};

use crate::event::SourceEvent;

/// How long a test holds.
const LIFETIME: SignedDuration = SignedDuration::from_mins(2);
const WARNING: &str =
    "this is a test of the sender's connection: it is shown as one, and ends by itself after 2 minutes";
const TEXT: &str = "This is a test of the sender's connection; it ends by itself after 2 minutes.";
/// In front of the name, which makes it a test for people: see `domain::transition`.
const BADGE: &str = "[test] ";

/// Names that tests have and nothing else has, in lower case.
const NAMES: [&str; 13] = [
    // Grafana, legacy.
    "test notification",
    // Healthchecks.
    "test",
    // Zabbix.
    "test subject",
    // Google Cloud Monitoring.
    "test incident",
    "test alert",
    "test alarm",
    "test message",
    "test event",
    "this is a test",
    "this is a test alert",
    "this is a test message",
    "this is a test notification",
    "webhook test",
];
/// What the texts of tests contain, in lower case.
const TEXTS: [&str; 5] = [
    // Grafana, legacy.
    "someone is testing the alert notification within grafana",
    // Zabbix.
    "this is the test message from zabbix",
    // Grafana OnCall.
    "this alert was sent by user for the demonstration purposes",
    // Google Cloud Monitoring.
    "webhook test message",
    // Healthchecks.
    "this is a test notification",
];
/// Uptime Kuma's name of the alert that its test opens through Opsgenie, and the source that it has through PagerDuty.
const KUMA_ALIAS: &str = "uptime-kuma-notification-test";
const KUMA_BUTTON: &str = "Uptime Kuma Test Button";
/// What Uptime Kuma writes behind the name of a notification that is tested.
const KUMA_END: &str = " Testing";
/// The title of what Uptime Kuma says of no monitor, through Grafana OnCall.
const KUMA_GENERAL: &str = "General notification";

/// Sources whose tests are known by such names and texts. Others have alerts of such names that are none.
const SOURCES: [&str; 7] = [
    "slack",
    "oncall",
    "goalert",
    "email",
    "healthchecks",
    "zabbix",
    "gcp",
];

/// Shows an alert of a source as a test, and lets it end by itself, if it is one.
pub(crate) fn mark(source: &str, event: &mut SourceEvent) {
    if event.status != EventStatus::Firing || !is_test(source, event) {
        return;
    }
    event.severity = Severity::Information;
    event.lifetime = Some(LIFETIME);
    event.expires_at = None;
    event.labels.insert("test".to_owned(), "true".to_owned());
    if !event.name.to_lowercase().contains(BADGE.trim_end()) {
        event.name.insert_str(0, BADGE);
    }
    if !event.output.is_empty() {
        event.output.push('\n');
    }
    event.output.push_str(TEXT);
    event.warnings.push(WARNING.to_owned());
}

fn is_test(source: &str, event: &SourceEvent) -> bool {
    let is_of_kuma = event.identity.last().is_some_and(|last| last == KUMA_ALIAS)
        || event.source == KUMA_BUTTON
        || event.object == KUMA_BUTTON
        || (event.name == KUMA_GENERAL && is_of_kuma(&event.output));
    event.is_test || is_of_kuma || is_of_grafana(source, event) || is_named(source, event)
}

fn is_named(source: &str, event: &SourceEvent) -> bool {
    if !SOURCES.contains(&source) {
        return false;
    }
    let output = event.output.to_lowercase();
    let name = event.name.trim().to_lowercase();
    NAMES.contains(&name.as_str()) || TEXTS.iter().any(|text| output.contains(text))
}

/// `TestAlert` of the instance Grafana; through Slack and the like both are in the title. OnCall's own has no instance.
fn is_of_grafana(source: &str, event: &SourceEvent) -> bool {
    let mut words = event.name.split(|character: char| !character.is_alphanumeric());
    let is_named = words.clone().any(|word| word == "TestAlert");
    let instance = event.labels.get("instance").map(String::as_str);
    let is_grafana = instance == Some("Grafana") || words.any(|word| word == "Grafana");
    is_named && (is_grafana || source == "oncall")
}

/// Whether a message that is nothing but a text is a test of Uptime Kuma's: `My Slack Alert (1) Testing`.
pub(crate) fn is_of_kuma(text: &str) -> bool {
    let text = text.trim();
    text.ends_with(KUMA_END) && !text.contains('\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, output: &str) -> SourceEvent {
        let mut event = SourceEvent::new(["x"], EventStatus::Firing, Severity::Critical);
        (event.name, event.output) = (name.to_owned(), output.to_owned());
        event
    }

    #[test]
    fn i13_tests_are_shown_as_tests_and_end_by_themselves() {
        for (source, name, output) in [
            ("slack", "TestAlert Grafana", ""),
            ("pagerduty-events", "[FIRING:1] TestAlert Grafana", "**Firing**"),
            (
                "oncall",
                "TestAlert: The whole system is down",
                "Smth happened. Oh no!",
            ),
            (
                "slack",
                "Test notification",
                "Someone is testing the alert notification within Grafana.",
            ),
            (
                "oncall",
                "General notification",
                "My Grafana OnCall Alert (1) Testing",
            ),
            ("healthchecks", "TEST", ""),
            ("zabbix", "Test subject", "This is the test message from Zabbix"),
        ] {
            let mut event = event(name, output);
            mark(source, &mut event);
            assert_eq!(event.lifetime, Some(LIFETIME), "{name}");
            assert_eq!(event.severity, Severity::Information, "{name}");
            assert!(event.name.starts_with("[test] "), "{name}");
            assert!(event.output.ends_with(TEXT), "{name}");
            assert_eq!(
                event.labels.get("test").map(String::as_str),
                Some("true"),
                "{name}"
            );
        }
    }

    #[test]
    fn i13_a_test_is_one_whatever_door_it_comes_through() {
        let mut grafana = event("TestAlert", "Notification test");
        grafana.add_label("instance", Some("Grafana".to_owned()));
        let mut alias = event("My Opsgenie Alert (1) Testing", "");
        alias.identity = vec!["alias".to_owned(), KUMA_ALIAS.to_owned()];
        let mut button = event("[Uptime Kuma Alert] My PagerDuty Alert (1) Testing", "");
        button.source = KUMA_BUTTON.to_owned();
        for mut event in [grafana, alias, button] {
            mark("any", &mut event);
            assert_eq!(event.lifetime, Some(LIFETIME), "{}", event.name);
        }
    }

    #[test]
    fn alerts_about_tests_are_no_tests() {
        for (source, name, output) in [
            ("slack", "Load tests fail", "12 of 400"),
            ("slack", "Test suite of shop is DOWN", ""),
            ("slack", "TestAlerts of Grafana", ""),
            ("prometheus", "TestAlert", "an alert of one's own"),
            ("prometheus", "test", ""),
            ("opsgenie", "Test alert", ""),
            (
                "oncall",
                "General notification",
                "[shop] certificate will expire in 7 days",
            ),
            ("api", "Environment Testing", "disk full"),
            ("api", "[test] disk full", "97 %"),
        ] {
            let mut event = event(name, output);
            let before = event.clone();
            mark(source, &mut event);
            assert_eq!(event, before, "{name}");
        }
    }
}
