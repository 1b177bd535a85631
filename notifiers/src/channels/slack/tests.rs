use reqwest::StatusCode;

use super::*;
use crate::samples;

const CONSOLE: &str = "https://reveille.example";

/// All texts of a message, with the path to each.
fn texts(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Array(values) => values.iter().for_each(|value| texts(value, path, found)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| texts(value, &format!("{path}/{name}"), found)),
        _ => {}
    }
}

fn within_limits(message: &Message) {
    let blocks = message.attachment["blocks"].as_array().unwrap();
    let mut total = 0;
    for block in blocks {
        let mut found = Vec::new();
        texts(block, "", &mut found);
        for (path, text) in found.iter().filter(|(path, _)| path.ends_with("/text")) {
            let limit = match (block["type"].as_str().unwrap(), path.as_str()) {
                ("header", _) => 150,
                (_, "/fields/text") => 2_000,
                _ => 3_000,
            };
            let length = text.chars().count();
            assert!((1..=limit).contains(&length), "{path} has {length} characters");
        }
        total += found.iter().map(|(_, text)| text.chars().count()).sum::<usize>();
    }
    assert!(total <= 13_000, "{total} characters in all");
    assert!(blocks.len() <= 50 && message.text.chars().count() <= 40_000);
}

#[test]
fn open_update_and_close_show_the_alert_as_it_is() {
    for (name, notification) in samples::life() {
        let message = compose(&notification, CONSOLE);
        within_limits(&message);
        insta::assert_json_snapshot!(format!("slack_{name}"), message);
    }
}

#[test]
fn long_texts_are_cut_to_what_slack_takes() {
    within_limits(&compose(&samples::long(), CONSOLE));
    within_limits(&compose_digest(&vec![samples::long(); 300], CONSOLE));
}

#[test]
fn hostile_texts_stay_texts() {
    let message = compose(&samples::hostile(), CONSOLE);
    within_limits(&message);
    insta::assert_json_snapshot!("slack_hostile", message);
}

#[test]
fn the_thread_gets_every_change_but_those_of_texts() {
    let mut update = samples::notification(2, NotificationKind::Update);
    assert_eq!(
        compose_reply(&update).unwrap(),
        "*[critical] checkout 5xx*\nacknowledged by ann"
    );
    update.cause = HistoryKind::Updated;
    assert_eq!(compose_reply(&update), None);
}

#[test]
fn a_digest_counts_and_names_the_first() {
    let mut storm: Vec<_> = (0..37)
        .map(|_| samples::notification(1, NotificationKind::Open))
        .collect();
    storm[5].alert.severity = Severity::Down;
    insta::assert_json_snapshot!("slack_digest", compose_digest(&storm, CONSOLE));
}

fn meaning(refusal: &Failure) -> &'static str {
    match refusal {
        Failure::MessageGone => "message gone",
        Failure::Result(SendResult::Sent { .. }) => "sent",
        Failure::Result(SendResult::Transient {
            maybe_delivered: true,
            ..
        }) => "again, perhaps delivered",
        Failure::Result(SendResult::Transient {
            maybe_delivered: false,
            ..
        }) => "again",
        Failure::Result(SendResult::BadDestination(_)) => "bad destination",
        Failure::Result(SendResult::BadCredentials(_)) => "bad credentials",
        Failure::Result(SendResult::Refused(_)) => "refused",
    }
}

#[test]
fn every_status_has_its_meaning() {
    let mut table = String::new();
    let mut before = "";
    for status in 200..600 {
        let status = StatusCode::from_u16(status).unwrap();
        let body = br#"{"ok":true,"channel":"C1","ts":"1.2"}"#.to_vec();
        let now = match read(&Reply {
            status,
            retry_after: None,
            body,
        }) {
            Ok(posted) => {
                assert_eq!(posted.reference(), "C1:1.2");
                "sent"
            }
            Err(refusal) => meaning(&refusal),
        };
        if now != before {
            before = now;
            table.push_str(&format!("from {}: {now}\n", status.as_u16()));
        }
    }
    insta::assert_snapshot!("slack_statuses", table);
}

#[test]
fn every_error_word_has_its_meaning() {
    let table = [
        ("channel_not_found", "bad destination"),
        ("not_in_channel", "bad destination"),
        ("is_archived", "bad destination"),
        ("invalid_auth", "bad credentials"),
        ("not_authed", "bad credentials"),
        ("token_revoked", "bad credentials"),
        ("account_inactive", "bad credentials"),
        ("missing_scope", "bad credentials"),
        ("msg_too_long", "refused"),
        ("msg_blocks_too_long", "refused"),
        ("invalid_blocks", "refused"),
        ("no_text", "refused"),
        ("a_word_of_tomorrow", "refused"),
        ("ratelimited", "again"),
        ("rate_limited", "again"),
        ("service_unavailable", "again"),
        ("internal_error", "again, perhaps delivered"),
        ("fatal_error", "again, perhaps delivered"),
        ("message_not_found", "message gone"),
        ("cant_update_message", "message gone"),
    ];
    for (word, expected) in table {
        let body = json!({ "ok": false, "error": word }).to_string().into_bytes();
        let reply = Reply {
            status: StatusCode::OK,
            retry_after: Some(Duration::from_secs(9)),
            body,
        };
        let refusal = read(&reply).unwrap_err();
        assert_eq!(meaning(&refusal), expected, "{word}");
        if let Failure::Result(SendResult::Transient { after, .. }) = refusal {
            assert_eq!(after, Some(Duration::from_secs(9)));
        }
    }
}

#[test]
fn an_answer_that_was_cut_is_understood_and_another_page_is_not() {
    let reply = |body: &str| Reply {
        status: StatusCode::OK,
        retry_after: None,
        body: body.as_bytes().to_vec(),
    };
    let cut = read(&reply(
        r#"{"ok":true,"channel":"C1","ts":"1.2","message":{"text":"aaa"#,
    ))
    .unwrap();
    assert_eq!(cut.reference(), "C1:1.2");
    let page = read(&reply("<html>Log in to the proxy</html>")).unwrap_err();
    assert_eq!(meaning(&page), "again, perhaps delivered");
}
