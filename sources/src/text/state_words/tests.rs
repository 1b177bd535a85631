use schemas::{EventStatus, Severity};

use super::*;

use self::pairs::{DIFFERENT, PAIRS};

mod pairs;

const FIRING: Option<EventStatus> = Some(EventStatus::Firing);
const RESOLVED: Option<EventStatus> = Some(EventStatus::Resolved);

#[test]
fn i2_a_beginning_and_an_end_are_about_the_same() {
    let mut wrong = Vec::new();
    for (opening, closing, about) in PAIRS {
        let (begun, ended) = (state_of_line(opening, None), state_of_line(closing, None));
        if (begun.status, ended.status) != (FIRING, RESOLVED)
            || begun.about != *about
            || ended.about != *about
        {
            wrong.push(format!("{opening:?} / {closing:?}\n    {begun:?}\n    {ended:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn other_words_are_about_other_things() {
    for (one, other) in DIFFERENT {
        assert_ne!(
            state_of_line(one, None).about,
            state_of_line(other, None).about,
            "{one} / {other}"
        );
    }
}

#[test]
fn a_word_that_is_a_state_by_chance_ends_nothing() {
    for line in [
        "Set up",
        "SET UP",
        "Machine start up",
        "backup",
        "Nightly backup",
        "follow up",
        "Please follow up",
        "queue builds up",
        "Memory is up to 90 %",
        "CPU is up by 30 %",
        "load is up at 95 %",
        "Too many files open",
        "Disk problem",
        "Port 443 is closed",
        "Connection closed",
        "the down link of db-1",
        "host name could not be resolved",
        "DNS name not resolved",
        "shop is not up",
        "Only 1 of 3 replicas is up",
        "0 of 3 pods are healthy",
        "1/3 pods are healthy",
        "No host is up",
        "Not all checks are OK",
        "Waiting until shop is up",
        "A new version is available",
        "Root login successful",
        "Certificate deadline has passed",
        "Number of OK checks is too low",
        "Open the door, normal people said",
        "Ok, see you then",
        "shop is NOT OK",
        "No tests passed",
        "2 of 5 checks passed",
        "Time to recovery passed",
        "Start up: web-1",
        "shop is partially up",
        "shop is partly operational",
        "Heads up: the disk of db-1 grows",
        "Heads up! the deployment begins",
        "UP to 90 % of memory",
        "shop is back to 90 %",
        "shop is back to failing",
        "The query came back empty",
        "Port 500 | 200",
        "Start Up",
        "Server Start Up",
        "Sign Up",
        "Operational costs rise",
        "No: shop is not up",
        "UP time of web-1",
        "***",
        "",
        "🔥",
    ] {
        let found = state_of_line(line, None);
        assert_ne!(found.status, RESOLVED, "{line}: {found:?}");
    }
}

#[test]
fn a_color_makes_an_end_of_up_but_not_of_set_up() {
    assert_eq!(state_of_line("shop up", None).status, None);
    assert_eq!(state_of_line("shop up", RESOLVED).status, RESOLVED);
    assert_eq!(
        state_of_line("shop up", RESOLVED).about,
        state_of_line("shop down", FIRING).about
    );
    assert_eq!(state_of_line("Set up", RESOLVED).status, None);
}

/// Senders with a color for the state and a title that never changes.
#[test]
fn a_title_is_about_the_same_with_any_color() {
    for title in [
        "Battery critical",
        "Critical battery",
        "Queue clear",
        "Line up",
        "Down link of db-1",
    ] {
        let (begun, ended) = (state_of_line(title, FIRING), state_of_line(title, RESOLVED));
        assert_eq!(begun.about, ended.about, "{title}");
    }
    assert_eq!(state_of_line("Up shop", RESOLVED).status, RESOLVED);
    assert_eq!(state_of_line("Up shop", FIRING).status, None);
    assert_eq!(state_of_line("Up shop", None).status, None);
}

#[test]
fn the_word_of_the_state_says_how_bad_it_is() {
    for (line, severity) in [
        ("shop is degraded", Some(Severity::Warning)),
        ("Degraded performance: shop", Some(Severity::Warning)),
        ("Partial outage: shop", Some(Severity::Warning)),
        ("[WARN] shop", Some(Severity::Warning)),
        ("shop CRITICAL", Some(Severity::Critical)),
        ("DOWN shop", Some(Severity::Down)),
        ("Major outage: shop", None),
        ("[FIRING] shop", None),
        ("shop", None),
    ] {
        assert_eq!(state_of_line(line, None).severity(), severity, "{line}");
    }
    assert_eq!(
        state_of_line("DOWN shop", None).severity_of_alarm(),
        Severity::Critical
    );
    assert_eq!(
        state_of_line("DEGRADED shop", None).severity_of_alarm(),
        Severity::Warning
    );
}

#[test]
fn a_line_without_a_state_stays_as_it_is() {
    for (line, about) in [
        ("[pay] disk", "[pay] disk"),
        ("deploy: it is done", "deploy: it is done"),
        ("HighErrorRate (pay-3 checkout)", "HighErrorRate (pay-3 checkout)"),
        (":fire: disk of db-1 is full", "disk of db-1 is full"),
        ("Too many files open", "Too many files open"),
        ("Disk problem", "Disk problem"),
        ("Hello, world", "Hello, world"),
        ("Oh no! the disk grows", "Oh no! the disk grows"),
        ("UP time of web-1", "UP time of web-1"),
        ("***", ""),
        ("", ""),
    ] {
        let found = state_of_line(line, None);
        assert_eq!((found.status, found.about.as_str()), (None, about), "{line}");
    }
    for (line, about) in [("[OK]", ""), ("Resolved", ""), ("OK", "")] {
        assert_eq!(state_of_line(line, None).about_or(line), line, "{about}");
    }
}

#[test]
fn titles_of_tools_tell_no_alert_from_another() {
    for title in [
        ":x: Gatus",
        ":helmet_with_white_cross: Gatus",
        "Uptime Kuma Alert",
        "Service PROBLEM notification",
        "Alert",
        "[FIRING]",
        "Monitoring alert",
    ] {
        assert!(state_of_line(title, None).is_generic(), "{title}");
    }
    for title in ["shop", "[FIRING] HighCPU", "Grafana on web-1"] {
        assert!(!state_of_line(title, None).is_generic(), "{title}");
    }
}

#[test]
fn i2_the_value_behind_netdatas_names_is_left_out() {
    for title in [
        "disk space usage = 98%",
        "disk space usage = 9.8 GiB",
        "disk space usage (alarm was raised for 3 minutes)",
        "disk space usage = 98% (was warning for 2 minutes)",
    ] {
        assert_eq!(state_of_line(title, None).about, "disk space usage", "{title}");
    }
    assert_ne!(
        state_of_line("queue = full", None).about,
        state_of_line("queue = empty", None).about
    );
}

#[test]
fn i20_an_article_alone_is_a_name() {
    assert!(!state_of_line("A is down", None).is_generic());
    assert!(state_of_line("Your alert", None).is_generic());
    assert_ne!(
        state_of_line("A is down", None).about,
        state_of_line("B is up", None).about
    );
}

#[test]
fn what_is_measured_does_not_tell_one_thing_from_another() {
    assert_eq!(
        without_measures("CPU at 97 % of db-1"),
        without_measures("CPU at 3.5 % of db-1")
    );
    assert_eq!(
        without_measures("answered in 20ms"),
        without_measures("answered in 900ms")
    );
    assert_ne!(without_measures("Queue 1"), without_measures("Queue 2"));
}

#[test]
fn a_long_line_is_no_title() {
    let line = "[".repeat(LINE_BYTES_MAX + 1);
    let found = state_of_line(&line, None);
    assert_eq!((found.status, found.about), (None, line));
}
