use super::*;

const GOOD: ByColor = Some((EventStatus::Resolved, Severity::Ok));
const DANGER: ByColor = Some((EventStatus::Firing, Severity::Critical));

fn of(title: &str, text: &str, by_color: ByColor) -> Wording {
    Wording::of(title, text, "", &[], by_color)
}

#[test]
fn i1_a_title_of_a_tool_does_not_make_one_alert_of_several() {
    let triggered = |name: &str| {
        format!("An alert for *{name}* has been triggered due to having failed 3 time(s) in a row")
    };
    let resolved = |name: &str| {
        format!("An alert for *{name}* has been resolved after passing successfully 2 time(s) in a row")
    };
    let a = of(":x: Gatus", &triggered("shop-A"), DANGER);
    let b = of(":x: Gatus", &triggered("shop-B"), DANGER);
    let end = of(":x: Gatus", &resolved("shop-A"), GOOD);
    assert_eq!(
        (a.status, end.status),
        (EventStatus::Firing, EventStatus::Resolved)
    );
    assert_ne!(a.identity, b.identity);
    assert_eq!(a.identity, end.identity);
    assert_eq!(end.name, "An alert for shop-A");
    assert!(!end.is_guessed);
}

#[test]
fn i1_a_title_of_a_tool_that_is_not_known_does_not_either() {
    let (a, b) = (
        of("Acme", "shop-A is down", DANGER),
        of("Acme", "shop-B is down", DANGER),
    );
    let end = of("Acme", "shop-A is up", GOOD);
    assert_ne!(a.identity, b.identity);
    assert_eq!((a.identity, end.status), (end.identity, EventStatus::Resolved));
}

#[test]
fn i1_uptime_kuma_says_in_a_field_of_a_block_what_it_is_about() {
    let text =
        |message: &str, time: &str| format!("Uptime Kuma Alert\n*Message*\n{message}\n*Time (UTC)*\n{time}");
    let down = of(
        "Uptime Kuma Alert",
        &text("[shop] [🔴 Down] timeout", "2026-09-01 10:00:00"),
        DANGER,
    );
    let up = of(
        "Uptime Kuma Alert",
        &text("[shop] [✅ Up] 200 - OK", "2026-09-01 10:05:00"),
        GOOD,
    );
    assert_eq!(down.name, "shop");
    assert_eq!((down.identity, up.status), (up.identity, EventStatus::Resolved));
}

#[test]
fn i1_checkmk_says_in_lines_what_it_is_about() {
    let text = |service: &str, state: &str| {
        format!("Host: web-1 (IP: 192.0.2.1)\nService: {service}\nState: {state}")
    };
    let problem = of(
        "Service PROBLEM notification",
        &text("CPU load", "CRITICAL"),
        DANGER,
    );
    let other = of("Service PROBLEM notification", &text("Disk", "CRITICAL"), DANGER);
    let recovery = of("Service RECOVERY notification", &text("CPU load", "OK"), GOOD);
    assert_ne!(problem.identity, other.identity);
    assert_eq!(
        (problem.identity, recovery.status),
        (recovery.identity, EventStatus::Resolved)
    );
}

#[test]
fn i1_fields_say_what_it_is_about() {
    let fields = |host: &str| {
        [
            ("Host".to_owned(), host.to_owned()),
            ("State".to_owned(), "DOWN".to_owned()),
        ]
    };
    let one = Wording::of("Monitoring alert", "", "", &fields("web-1"), DANGER);
    let other = Wording::of("Monitoring alert", "", "", &fields("web-2"), DANGER);
    assert_ne!(one.identity, other.identity);
}

#[test]
fn the_text_above_says_whose_it_is() {
    let one = Wording::of("cpu usage", "", "web-1 is critical", &[], DANGER);
    let other = Wording::of("cpu usage", "", "web-2 is critical", &[], DANGER);
    let end = Wording::of("cpu usage", "", "web-1 recovered", &[], GOOD);
    assert_ne!(one.identity, other.identity);
    assert_eq!((one.identity, end.status), (end.identity, EventStatus::Resolved));
}

#[test]
fn i3_a_color_or_a_picture_alone_is_a_guess() {
    let by_color = of("nightly backup", "all is well", GOOD);
    assert!(by_color.is_guessed);
    assert_eq!(by_color.status, EventStatus::Resolved);
    let by_picture = of("✅ nightly backup", "", None);
    assert!(by_picture.is_guessed);
    assert_eq!(by_picture.status, EventStatus::Resolved);
    assert_eq!(by_color.identity, by_picture.identity);
    let by_word = of("[OK] nightly backup", "", None);
    assert!(!by_word.is_guessed);
    assert_eq!(by_word.identity, by_picture.identity);
}

#[test]
fn what_is_measured_in_a_text_is_no_part_of_the_identity() {
    let begun = of("CPU of web-1", "CPU is critical at 97 %", DANGER);
    let ended = of("CPU of web-1", "CPU is ok at 12.5 %", GOOD);
    assert_eq!(begun.identity, ended.identity);
}

#[test]
fn the_color_says_how_bad_it_is_and_else_the_word() {
    assert_eq!(of("[FIRING] disk", "", DANGER).severity, Severity::Critical);
    assert_eq!(of("[WARNING] disk", "", None).severity, Severity::Warning);
    assert_eq!(of("[FIRING] disk", "", GOOD).severity, Severity::Unknown);
    assert_eq!(of("[FIRING] disk", "", GOOD).status, EventStatus::Firing);
    assert_eq!(of("disk", "", None).severity, Severity::Unknown);
}

#[test]
fn i2_the_state_is_left_out_wherever_it_stands() {
    for (down, up, severity) in [
        ("DOWN shop", "UP shop", Severity::Down),
        ("DOWN | shop | 500", "UP | shop | 200", Severity::Down),
        ("shop | DOWN | 500", "shop | UP | 200", Severity::Down),
        ("Oh no! shop is down", "Yay! shop is up again", Severity::Down),
        ("shop is degraded", "shop is operational", Severity::Warning),
        (
            "Degraded performance: shop",
            "Operational: shop",
            Severity::Warning,
        ),
    ] {
        let (begun, ended) = (of(down, "", None), of(up, "", None));
        assert_eq!(
            (begun.status, begun.severity),
            (EventStatus::Firing, severity),
            "{down}"
        );
        assert_eq!(ended.status, EventStatus::Resolved, "{up}");
        assert_eq!(begun.identity, ended.identity, "{down} / {up}");
        assert!(!begun.is_guessed && !ended.is_guessed, "{down}");
        // Below a title of a tool.
        let (begun, ended) = (of("Acme monitor", down, None), of("Acme monitor", up, None));
        assert_eq!(begun.identity, ended.identity, "{down} / {up}");
        assert_eq!(ended.status, EventStatus::Resolved, "{up}");
    }
}
