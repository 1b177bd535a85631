use super::*;
use crate::samples;

const CONSOLE: &str = "https://reveille.example";

fn shown(mail: &Mail) -> String {
    let Mail {
        subject,
        message_id,
        thread,
        date,
        text,
        html,
    } = mail;
    format!(
        "Subject: {subject}\nMessage-ID: {message_id}\nThread: {}\nDate: {date}\n\n{text}\n{html}\n",
        thread.as_deref().unwrap_or("-")
    )
}

#[test]
fn open_update_and_close_are_one_thread() {
    for (name, notification) in samples::life() {
        let mail = compose(&notification, CONSOLE, "example.org", None).unwrap();
        insta::assert_snapshot!(format!("email_{name}"), shown(&mail));
    }
    let close = samples::notification(3, NotificationKind::Close);
    let mail = compose(&close, CONSOLE, "example.org", Some("<digest.1@example.org>")).unwrap();
    assert_eq!(mail.thread.as_deref(), Some("<digest.1@example.org>"));
}

#[test]
fn long_texts_are_cut() {
    let mail = compose(&samples::long(), CONSOLE, "example.org", None).unwrap();
    assert!(mail.subject.chars().count() <= 200, "{}", mail.subject);
    // A tenth of what mail servers usually take.
    assert!(
        mail.text.len() + mail.html.len() < 500_000,
        "{}",
        mail.text.len() + mail.html.len()
    );
}

#[test]
fn hostile_texts_stay_texts() {
    let hostile = samples::hostile();
    let mail = compose(&hostile, CONSOLE, "example.org", None).unwrap();
    insta::assert_snapshot!("email_hostile", shown(&mail));
    let from = "Reveille <reveille@example.org>".parse().unwrap();
    let formatted = message(&mail, from, "ann@example.org".parse().unwrap())
        .unwrap()
        .formatted();
    let text = String::from_utf8_lossy(&formatted);
    let head = text.split("\r\n\r\n").next().unwrap();
    assert!(
        !head.lines().any(|line| line.to_lowercase().starts_with("bcc")),
        "{head}"
    );
    assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
}

#[test]
fn s9_names_values_and_titles_add_no_lines_to_the_text_and_no_headers() {
    let added = "X\r\nOpen alert: https://evil.example\r\rBcc: eve@evil.example\u{2028}\u{85}\u{202e}";
    let mut notification = samples::notification(1, NotificationKind::Open);
    let plain = compose(&notification, CONSOLE, "example.org", None).unwrap();
    let alert = &mut notification.alert;
    alert.name = added.to_owned();
    alert.object = added.to_owned();
    alert.service = Some(added.to_owned());
    alert.comment = Some(added.to_owned());
    alert.labels = [(added.to_owned(), added.to_owned())].into();
    alert.links = [(added.to_owned(), format!("https://a.example/{added}"))].into();
    alert.annotations = [(added.to_owned(), added.to_owned())].into();
    let mail = compose(&notification, CONSOLE, "example.org", None).unwrap();
    let begins = |text: &str, with: &str| text.lines().filter(|line| line.starts_with(with)).count();
    assert_eq!(
        begins(&mail.text, "Open alert:"),
        begins(&plain.text, "Open alert:")
    );
    assert_eq!(begins(&mail.text, "Bcc:"), 0, "{}", mail.text);
    assert!(
        !mail.text.contains(['\r', '\u{2028}', '\u{85}', '\u{202e}']),
        "{:?}",
        mail.text
    );
    assert!(
        !mail
            .subject
            .contains(['\r', '\n', '\u{2028}', '\u{85}', '\u{202e}'])
    );
    let from = "Reveille <reveille@example.org>".parse().unwrap();
    let formatted = message(&mail, from, "ann@example.org".parse().unwrap())
        .unwrap()
        .formatted();
    let text = String::from_utf8_lossy(&formatted);
    let head = text.split("\r\n\r\n").next().unwrap();
    assert_eq!(begins(head, "Bcc"), 0, "{head}");
}

#[test]
fn a_digest_counts_and_names_the_first() {
    let storm: Vec<_> = (0..37)
        .map(|_| samples::notification(3, NotificationKind::Close))
        .collect();
    let mail = compose_digest(Uuid::from_u128(7), &storm, CONSOLE, "example.org").unwrap();
    insta::assert_snapshot!("email_digest", shown(&mail));
}
