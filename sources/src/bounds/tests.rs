use proptest::prelude::*;
use schemas::{Action, Severity};

use super::*;

fn alert() -> SourceEvent {
    SourceEvent {
        name: "disk".to_owned(),
        output: "97 %".to_owned(),
        ..SourceEvent::new(["disk"], EventStatus::Firing, Severity::Critical)
    }
}

fn named<T: Into<String>>(entries: impl IntoIterator<Item = (String, T)>) -> BTreeMap<String, String> {
    entries
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

fn short_names() -> AlertBounds {
    AlertBounds {
        alert_name_bytes: 1024,
        ..AlertBounds::default()
    }
}

#[test]
fn an_alert_within_the_bounds_stays_as_it_is() {
    let mut alert = SourceEvent {
        output: "x".repeat(16 * 1024),
        labels: named((0..64).map(|number| (format!("label_{number}"), "value"))),
        annotations: named([("description".to_owned(), "x".repeat(30_000))]),
        ..alert()
    };
    let before = alert.clone();
    assert!(shorten(&mut alert, &AlertBounds::default()).is_nothing());
    assert_eq!(alert, before);
}

#[test]
fn s7_a_long_text_is_cut_and_says_by_how_much() {
    let mut alert = SourceEvent {
        output: "x".repeat(200_000),
        ..alert()
    };
    let shortened = shorten(&mut alert, &AlertBounds::default());
    assert!(alert.output.len() <= 16 * 1024);
    let (kept, note) = alert.output.split_once('\n').unwrap();
    assert_eq!(
        note,
        format!("[shortened: {} bytes of the text left out]", 200_000 - kept.len())
    );
    assert_eq!(shortened.what().collect::<Vec<_>>(), ["text"]);
    let warning = shortened.warning("disk").unwrap();
    assert!(
        warning.contains("\"disk\"") && warning.contains("bytes of the text left out"),
        "{warning}"
    );
}

#[test]
fn s7_labels_that_do_not_fit_are_left_out_and_the_short_ones_stay() {
    let mut alert = SourceEvent {
        labels: named((0..100).map(|number| (format!("label_{number:03}"), "value"))),
        ..alert()
    };
    alert.labels.insert("a_long_one".to_owned(), "x".repeat(100_000));
    alert.labels.insert("n".repeat(257), "value".to_owned());
    let bounds = AlertBounds {
        alert_labels: 101,
        ..AlertBounds::default()
    };
    let shortened = shorten(&mut alert, &bounds);
    assert_eq!((shortened.labels.left_out, shortened.labels.cut), (1, 1));
    assert_eq!(alert.labels["label_099"], "value");
    assert_eq!(alert.labels["a_long_one"].len(), 4096);
    assert!(alert.labels["a_long_one"].ends_with('…'));
    assert_eq!(
        alert.output,
        "97 %\n[shortened: labels left out: 1; values of labels cut: 1]"
    );
}

#[test]
fn s7_a_long_annotation_costs_no_other_and_half_an_address_is_none() {
    let mut alert = SourceEvent {
        annotations: named([
            ("description".to_owned(), "x".repeat(200_000)),
            ("summary".to_owned(), "short".to_owned()),
        ]),
        links: named([
            ("long".to_owned(), "https://x/".repeat(1_000)),
            ("runbook".to_owned(), "https://wiki/disk".to_owned()),
        ]),
        ..alert()
    };
    let shortened = shorten(&mut alert, &AlertBounds::default());
    assert_eq!(alert.annotations["summary"], "short");
    assert!((30_000..=32 * 1024).contains(&alert.annotations["description"].len()));
    assert_eq!(alert.links.keys().collect::<Vec<_>>(), ["runbook"]);
    assert_eq!(shortened.what().collect::<Vec<_>>(), ["annotations", "links"]);
}

#[test]
fn s7_names_are_cut_and_an_end_without_a_text_stays_without_one() {
    let mut alert = SourceEvent {
        name: "ä".repeat(2_000),
        output: String::new(),
        ..SourceEvent::new(["disk"], EventStatus::Resolved, Severity::Ok)
    };
    shorten(&mut alert, &short_names());
    assert!(alert.name.len() <= 1024 && alert.name.ends_with("ä…"));
    assert_eq!(
        (alert.output.as_str(), alert.identity.as_slice()),
        ("", ["disk".to_owned()].as_slice())
    );
}

#[test]
fn s7_the_texts_of_a_requested_action_are_cut_too() {
    let mut request = ActionRequest {
        author: Some("a".repeat(5_000)),
        action: Action::Assign {
            assignee: "b".repeat(5_000),
            until: None,
            comment: Some("c".repeat(100_000)),
        },
    };
    shorten_action(&mut request, &short_names());
    let Action::Assign {
        assignee,
        comment: Some(comment),
        ..
    } = request.action
    else {
        panic!("it is still an assignment");
    };
    assert_eq!((assignee.len(), comment.len()), (1024, 16 * 1024));
    assert_eq!(request.author.unwrap().len(), 1024);
}

proptest! {
    #[test]
    fn whatever_comes_fits_into_the_bounds(
        output in ".{0,2000}|[\\x00-\\x20\"\\\\]{0,2000}",
        labels in prop::collection::btree_map(".{0,40}", ".{0,400}", 0..20),
        links in prop::collection::btree_map(".{0,40}", ".{0,400}", 0..20),
    ) {
        let bounds = AlertBounds {
            alert_text_bytes: 600,
            alert_labels: 10,
            alert_label_name_bytes: 20,
            alert_label_value_bytes: 200,
            alert_labels_bytes: 700,
            alert_links: 5,
            alert_links_bytes: 300,
            ..AlertBounds::default()
        };
        let mut alert = SourceEvent { output, labels, links, ..alert() };
        shorten(&mut alert, &bounds);
        let size = |text: &str| serde_json::to_string(text).unwrap().len() - 2;
        let sizes = |entries: &BTreeMap<String, String>| -> usize {
            entries.iter().map(|(name, value)| size(name) + size(value)).sum()
        };
        prop_assert!(size(&alert.output) <= 600);
        prop_assert!(alert.labels.len() <= 10 && sizes(&alert.labels) <= 700);
        prop_assert!(alert.links.len() <= 5 && sizes(&alert.links) <= 300);
        let again = alert.clone();
        prop_assert!(prefix(&again.output, 600).is_none());
    }
}
