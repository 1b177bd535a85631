use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use http::HeaderMap;
use schemas::EventStatus;

use super::*;
use crate::{ParsedBody, SourceEvent, mapping};

/// Products that say of nothing that it has ended.
const ENDLESS: [&str; 6] = [
    "elastalert2",
    "falco",
    "graylog",
    "sentry-legacy",
    "smartd",
    "splunk",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")
}

/// The examples of a mapping, by name.
fn examples(name: &str) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder().join(name)).expect("the mapping has a folder");
    let paths = files.map(|file| file.expect("a file").path());
    let examples = paths.filter(|path| path.extension().is_some_and(|extension| extension != "yaml"));
    let named = |path: PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, fs::read(path).expect("the example can be read"))
    };
    examples.map(named).collect()
}

fn parse_example(name: &str, case: &str, body: &[u8]) -> ParsedBody {
    let declared = find(name).unwrap_or_else(|| panic!("{name} cannot be used"));
    mapping::parse(&declared, &HeaderMap::new(), body)
        .unwrap_or_else(|error| panic!("{name}, {case}: {error}"))
}

fn one(name: &str, case: &str, body: &[u8]) -> SourceEvent {
    let mut parsed = parse_example(name, case, body);
    assert_eq!(parsed.events.len(), 1, "{name}, {case}: {parsed:?}");
    let event = parsed.events.swap_remove(0);
    assert_eq!(event.warnings, [""; 0], "{name}, {case}");
    event
}

#[test]
fn every_file_is_a_mapping_and_every_folder_is_listed() {
    for (name, text) in FILES {
        if let Err(error) = compile(name, text) {
            panic!("{name}: {error}");
        }
    }
    let folders = fs::read_dir(folder()).expect("the mappings");
    let folders: BTreeSet<_> = folders
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let listed: BTreeSet<_> = names().map(str::to_owned).collect();
    assert_eq!(folders, listed);
    let types = schemas::config::READY_MADE_TYPES
        .iter()
        .map(|name| (*name).to_owned());
    assert_eq!(types.collect::<BTreeSet<_>>(), listed);
}

/// What is called `close`, or ends so, ends what is called `open`, with the same beginning; `nothing-…` is no alert; all else
/// speaks of the alert of `open`.
#[test]
fn every_example_opens_an_alert_or_speaks_of_the_one_that_is_open_or_ends_it() {
    let fails = |name: &&str| std::panic::catch_unwind(|| check_examples(name)).is_err();
    let failed: Vec<_> = names().filter(fails).collect();
    assert_eq!(failed, [""; 0]);
}

fn check_examples(name: &str) {
    let examples = examples(name);
    assert!(examples.contains_key("open"), "{name} has no open");
    assert_eq!(examples.contains_key("close"), !ENDLESS.contains(&name), "{name}");
    for (case, body) in &examples {
        if case.starts_with("nothing") {
            assert_eq!(parse_example(name, case, body).events, [], "{name}, {case}");
            continue;
        }
        let event = one(name, case, body);
        for (field, text) in [
            ("name", &event.name),
            ("object", &event.object),
            ("source", &event.source),
        ] {
            assert!(!text.is_empty(), "{name}, {case}: no {field}");
        }
        if let Some(of) = case.strip_suffix("close") {
            let opened = one(name, "open", &examples[&format!("{of}open")]);
            assert_eq!(opened.identity, event.identity, "{name}, {case}");
            assert_eq!(
                (opened.status, event.status),
                (EventStatus::Firing, EventStatus::Resolved),
                "{name}, {case}"
            );
        } else {
            let expected = match case.as_str() {
                "acknowledged" => EventStatus::Acknowledged,
                _ => EventStatus::Firing,
            };
            assert_eq!(event.status, expected, "{name}, {case}");
            assert_ne!(event.severity, Severity::Unknown, "{name}, {case}");
        }
        let same = ["acknowledged", "again", "better", "worse", "repeated", "degraded"];
        if same.contains(&case.as_str()) {
            assert_eq!(
                one(name, "open", &examples["open"]).identity,
                event.identity,
                "{name}, {case}"
            );
        }
    }
}

#[test]
fn the_page_lists_every_mapping_with_what_opens_and_what_ends() {
    let page = folder().join("../../docs/sources/ready-made.md");
    let text = fs::read_to_string(page).expect("the page");
    for name in names() {
        assert!(
            text.contains(&format!("| `{name}` | ")),
            "{name} is not in the table"
        );
    }
}
