//! What a message says by its words, and by its color where those say nothing.

use schemas::{EventStatus, Severity};

use crate::text::state_words::{self, LineState, state_of_line};

/// Words in front of a colon, or titles of fields, that say what a message is about, in lower case.
const SUBJECTS: [&str; 34] = [
    "alert",
    "alertname",
    "app",
    "application",
    "check",
    "cluster",
    "component",
    "container",
    "device",
    "endpoint",
    "host",
    "host name",
    "hostname",
    "instance",
    "job",
    "monitor",
    "monitor name",
    "name",
    "namespace",
    "node",
    "pod",
    "probe",
    "project",
    "resource",
    "rule",
    "sensor",
    "server",
    "service",
    "service name",
    "site",
    "target",
    "trigger",
    "url",
    "website",
];

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wording {
    pub(super) status: EventStatus,
    pub(super) severity: Severity,
    /// Only a color or a picture says so, or nothing does.
    pub(super) is_guessed: bool,
    /// For people.
    pub(super) name: String,
    /// What tells the alert from others of the channel.
    pub(super) identity: Vec<String>,
}

/// How things stand by a color.
type ByColor = Option<(EventStatus, Severity)>;

impl Wording {
    /// Parses a title, the text below it, the text above all attachments, the fields and the color.
    pub(super) fn of(
        title: &str,
        text: &str,
        above: &str,
        fields: &[(String, String)],
        by_color: ByColor,
    ) -> Self {
        let hint = by_color.map(|(status, _)| status);
        let by_title = state_of_line(title, hint);
        let lines = || {
            let lines = text.lines().chain(above.lines()).map(str::trim);
            lines.filter(|line| !line.is_empty() && *line != title.trim())
        };
        let says = |by_line: &LineState| by_line.status.is_some() && !by_line.is_generic();
        let (by_text, subject) = if by_title.is_generic() {
            let by_line = lines().map(|line| state_of_line(line, hint)).find(says);
            let subject = subject(by_line.as_ref(), text, title, fields, hint);
            (by_line, subject)
        } else if by_title.status.is_none() {
            let by_first = |mut lines: std::str::Lines<'_>| {
                let first = lines.find(|line| !line.trim().is_empty() && line.trim() != title.trim());
                first
                    .map(|line| state_of_line(line, hint))
                    .filter(|line_state| line_state.status.is_some())
            };
            let by_line = by_first(text.lines()).or_else(|| by_first(above.lines()));
            let subject = by_line.as_ref().filter(|line_state| says(line_state));
            let subject = subject.map(|line_state| state_words::without_measures(&line_state.about));
            (by_line, subject.filter(|subject| *subject != by_title.about))
        } else {
            (None, None)
        };
        let name = match &subject {
            Some(subject) if by_title.is_generic() => subject.lines().next().unwrap_or_default(),
            _ => by_title.about_or(title),
        };
        let stated = [Some(&by_title), by_text.as_ref()].into_iter().flatten();
        let stated = stated.clone().find(|line_state| line_state.status.is_some());
        let by_picture = by_title.pictured.map(|status| (status, Severity::Unknown));
        let (status, severity) = standing(stated, by_color, by_picture);
        Self {
            status,
            severity,
            is_guessed: stated.is_none(),
            name: name.to_owned(),
            identity: std::iter::once(by_title.about_or(title).to_owned())
                .chain(subject)
                .collect(),
        }
    }
}

/// How things stand: by words, else by the color, else by a picture; what says nothing fires.
fn standing(stated: Option<&LineState>, by_color: ByColor, by_picture: ByColor) -> (EventStatus, Severity) {
    let of_color = by_color.map_or(Severity::Unknown, |(_, severity)| severity);
    let Some(line_state) = stated else {
        return by_color
            .or(by_picture)
            .unwrap_or((EventStatus::Firing, Severity::Unknown));
    };
    let by_word = line_state.severity().unwrap_or(Severity::Unknown);
    let severity = match of_color {
        // Green, though its words say that it burns: that is only the color of the sender.
        Severity::Ok | Severity::Unknown => by_word,
        severity => severity,
    };
    match line_state.status {
        Some(EventStatus::Resolved) => (EventStatus::Resolved, Severity::Ok),
        status => (status.unwrap_or(EventStatus::Firing), severity),
    }
}

/// What a message is about whose title does not say it: what the line that says the state is about, and what is named by
/// a word such as "host"; without either the whole text, without its states.
fn subject(
    by_line: Option<&LineState>,
    text: &str,
    title: &str,
    fields: &[(String, String)],
    hint: Option<EventStatus>,
) -> Option<String> {
    let mut parts: Vec<String> = by_line
        .map(|line_state| state_words::without_measures(&line_state.about))
        .into_iter()
        .collect();
    let lines = text.lines().filter_map(named);
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in lines.chain(fields).filter(|(name, _)| is_subject(name)) {
        let about = state_of_line(value, hint).about;
        let is_known = parts.iter().any(|part| part.contains(&about));
        if !about.is_empty() && !is_known {
            parts.push(format!("{}: {about}", plain(name)));
        }
    }
    if parts.is_empty() {
        let lines = text.lines().filter(|line| line.trim() != title.trim());
        let rest = lines.collect::<Vec<_>>().join("\n");
        parts.push(state_words::without_states(&rest, hint));
    }
    Some(parts.join("\n")).filter(|subject| !subject.is_empty())
}

/// `*Host:* web-1`.
fn named(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    Some((name, value.trim_start_matches(['*', '_'])))
}

fn is_subject(name: &str) -> bool {
    SUBJECTS.contains(&plain(name).to_lowercase().as_str())
}

fn plain(name: &str) -> &str {
    name.trim_matches(|character: char| !character.is_alphanumeric())
}

#[cfg(test)]
mod tests;
