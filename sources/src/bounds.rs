//! Cuts alerts that exceed the bounds: the text to a beginning, labels, annotations and links to those that fit. The alert
//! itself is always kept.
//!
//! Its identity is made of the full texts, even of those that are cut here: two alerts that differ only in what is cut stay
//! two, and the end of one that was cut finds it.

use std::collections::BTreeMap;

use domain::AlertBounds;
use schemas::{ActionRequest, EventStatus};

use crate::event::SourceEvent;

/// What stands at the end of a name or a value that was cut.
const CUT: &str = "…";
/// Room in the text for the line that says what was shortened, in bytes.
const NOTE_BYTES: usize = 256;
/// How much of an alert's name a warning has.
const WARNING_NAME_BYTES: usize = 120;
/// Rather than so few bytes of a value, none of it is taken.
const REST_BYTES_MIN: usize = 64;

/// What was cut of one alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shortened {
    text_bytes: usize,
    names: usize,
    labels: Entries,
    annotations: Entries,
    links: Entries,
}

/// What was left out of named values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Entries {
    left_out: usize,
    cut: usize,
}

/// How named values are bounded.
struct EntryBounds {
    count: usize,
    name_bytes: usize,
    value_bytes: usize,
    all_bytes: usize,
    /// Whether a value may be cut rather than left out.
    cut: bool,
}

impl Shortened {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The parts that were cut, as the label `what` of the metric has them.
    pub fn what(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("text", self.text_bytes > 0),
            ("names", self.names > 0),
            ("labels", self.labels != Entries::default()),
            ("annotations", self.annotations != Entries::default()),
            ("links", self.links != Entries::default()),
        ];
        all.into_iter().filter_map(|(what, is)| is.then_some(what))
    }

    /// The warning for the sender, if anything was cut.
    pub(crate) fn warning(&self, name: &str) -> Option<String> {
        (!self.is_nothing()).then(|| {
            let mut name = name.to_owned();
            cut(&mut name, WARNING_NAME_BYTES);
            format!(
                "alert {name:?} exceeds the bounds of one alert and was accepted without a part of it: {}",
                self.to_text()
            )
        })
    }

    fn to_text(self) -> String {
        let mut parts = Vec::new();
        if self.text_bytes > 0 {
            parts.push(format!("{} bytes of the text left out", self.text_bytes));
        }
        if self.names > 0 {
            parts.push(format!("names cut: {}", self.names));
        }
        for (what, entries) in [
            ("labels", self.labels),
            ("annotations", self.annotations),
            ("links", self.links),
        ] {
            if entries.left_out > 0 {
                parts.push(format!("{what} left out: {}", entries.left_out));
            }
            if entries.cut > 0 {
                parts.push(format!("values of {what} cut: {}", entries.cut));
            }
        }
        parts.join("; ")
    }
}

/// Cuts what exceeds the bounds, and says so at the end of the text.
pub(crate) fn shorten(alert: &mut SourceEvent, bounds: &AlertBounds) -> Shortened {
    let names = [&mut alert.name, &mut alert.object, &mut alert.source];
    let asked = [&mut alert.service, &mut alert.environment, &mut alert.scenario];
    let names = names.into_iter().chain(asked.into_iter().flatten());
    let names = names
        .filter_map(|name| cut(name, bounds.alert_name_bytes))
        .count();
    let labels = EntryBounds {
        count: bounds.alert_labels,
        name_bytes: bounds.alert_label_name_bytes,
        value_bytes: bounds.alert_label_value_bytes,
        all_bytes: bounds.alert_labels_bytes,
        cut: true,
    };
    let annotations = EntryBounds {
        count: bounds.alert_annotations,
        name_bytes: bounds.alert_name_bytes,
        value_bytes: bounds.alert_annotations_bytes,
        all_bytes: bounds.alert_annotations_bytes,
        cut: true,
    };
    let links = EntryBounds {
        count: bounds.alert_links,
        name_bytes: bounds.alert_name_bytes,
        value_bytes: bounds.alert_links_bytes,
        all_bytes: bounds.alert_links_bytes,
        // The beginning of an address leads elsewhere.
        cut: false,
    };
    let mut shortened = Shortened {
        text_bytes: 0,
        names,
        labels: labels.keep(&mut alert.labels),
        annotations: annotations.keep(&mut alert.annotations),
        links: links.keep(&mut alert.links),
    };
    let too_long = prefix(&alert.output, bounds.alert_text_bytes).is_some();
    // The end of an alert may come without a text; then it does not replace the one that is there.
    let has_text = !alert.output.is_empty() || alert.status == EventStatus::Firing;
    if too_long || (!shortened.is_nothing() && has_text) {
        let room = bounds.alert_text_bytes.saturating_sub(NOTE_BYTES);
        if let Some(end) = prefix(&alert.output, room) {
            shortened.text_bytes = alert.output.len() - end;
            alert.output.truncate(end);
        }
        if !alert.output.is_empty() {
            alert.output.push('\n');
        }
        alert.output += &format!("[shortened: {}]", shortened.to_text());
    }
    shortened
}

/// Cuts the texts of a requested action. The size of an amendment is bounded where it is applied.
pub(crate) fn shorten_action(request: &mut ActionRequest, bounds: &AlertBounds) {
    let (names, text) = request.action.texts_mut();
    for name in [request.author.as_mut(), names].into_iter().flatten() {
        cut(name, bounds.alert_name_bytes);
    }
    if let Some(text) = text {
        cut(text, bounds.alert_text_bytes);
    }
}

impl EntryBounds {
    /// Keeps what fits; the short ones first, so that a long one costs no other.
    fn keep(&self, entries: &mut BTreeMap<String, String>) -> Entries {
        let mut kept = Entries::default();
        let size = |(name, value): (&String, &String)| json_bytes(name) + json_bytes(value);
        let all: usize = entries.iter().map(size).sum();
        let fits = |(name, value): (&String, &String)| {
            json_bytes(name) <= self.name_bytes && json_bytes(value) <= self.value_bytes
        };
        if entries.len() <= self.count && all <= self.all_bytes && entries.iter().all(fits) {
            return kept;
        }
        let mut by_size: Vec<_> = std::mem::take(entries).into_iter().collect();
        by_size.sort_by_key(|(name, value)| size((name, value)));
        let mut left = self.all_bytes;
        for (name, mut value) in by_size {
            let room = left.saturating_sub(json_bytes(&name)).min(self.value_bytes);
            let too_long = prefix(&value, room).is_some();
            let of_use = !too_long || (self.cut && room >= REST_BYTES_MIN);
            let room_for_one = entries.len() < self.count && json_bytes(&name) <= self.name_bytes.min(left);
            if !of_use || !room_for_one {
                kept.left_out += 1;
                continue;
            }
            kept.cut += usize::from(cut(&mut value, room).is_some());
            left = left.saturating_sub(json_bytes(&name) + json_bytes(&value));
            entries.insert(name, value);
        }
        kept
    }
}

/// Cuts a text that is longer; answers how many bytes are left out then.
pub(crate) fn cut(text: &mut String, bytes: usize) -> Option<usize> {
    prefix(text, bytes)?;
    let end = prefix(text, bytes.saturating_sub(CUT.len())).unwrap_or(0);
    let left_out = text.len() - end;
    text.truncate(end);
    text.push_str(CUT);
    Some(left_out)
}

/// Where the longest beginning ends that has at most so many bytes in JSON; none if the whole text has.
fn prefix(text: &str, bytes: usize) -> Option<usize> {
    const LONGEST_ESCAPE: usize = 6;
    if text.len() <= bytes / LONGEST_ESCAPE {
        return None;
    }
    let mut size = 0;
    text.char_indices().find_map(|(place, character)| {
        size += json_char_bytes(character);
        (size > bytes).then_some(place)
    })
}

fn json_bytes(text: &str) -> usize {
    text.chars().map(json_char_bytes).sum()
}

/// As `serde_json` writes it.
fn json_char_bytes(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..'\u{20}' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests;
