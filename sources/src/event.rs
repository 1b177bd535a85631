//! One alert, as its source means it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::formats::json::{self, Node, Object, Place};
use crate::text::severity;

/// One alert of a body, as its source means it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEvent {
    /// What tells this alert from every other one of the same integration and source. Nothing in it is shortened, and
    /// nothing is in it that changes while the problem lasts.
    pub identity: Vec<String>,
    /// Whether the problem exists.
    pub status: EventStatus,
    /// Whether the source says of a problem that exists that it is acknowledged there.
    pub acknowledged: bool,
    /// When the problem began by the sender's clock, where a resolved event rests on that clock alone: on an end that has
    /// passed. `severity` is then that of the problem while it exists.
    pub began_at: Option<Timestamp>,
    /// Where the end is only guessed: the severity of the alert that opens if none of this identity is open.
    pub opens_as: Option<Severity>,
    /// Its severity.
    pub severity: Severity,
    /// Which server of the monitoring system.
    pub source: String,
    /// Service or host group.
    pub service: Option<String>,
    /// The thing that has the problem.
    pub object: String,
    /// The rule or trigger.
    pub name: String,
    /// Text of the problem.
    pub output: String,
    /// What it can be filtered and grouped by.
    pub labels: BTreeMap<String, String>,
    /// Further texts of the source, unchanged.
    pub annotations: BTreeMap<String, String>,
    /// Links: title to address.
    pub links: BTreeMap<String, String>,
    /// When it happened, by the source's clock.
    pub occurred_at: Option<Timestamp>,
    /// When it expires, where the source repeats it while it lasts and sends nothing at its end.
    pub expires_at: Option<Timestamp>,
    /// The same, where the source gives a duration from now on.
    pub lifetime: Option<SignedDuration>,
    /// Whether its sender only tests the connection.
    pub is_test: bool,
    /// The heartbeat that this is a call of.
    pub heartbeat: Option<String>,
    /// The environment that the body asks for: a name or a number of Harp's.
    pub environment: Option<String>,
    /// The scenario that the body asks for: a name or a number of Harp's.
    pub scenario: Option<String>,
    /// What the sender should know although the alert is accepted.
    pub warnings: Vec<String>,
}

impl SourceEvent {
    /// An alert with no other fields yet. A resolved one has the severity ok.
    pub(crate) fn new<'t>(
        identity: impl IntoIterator<Item = &'t str>,
        status: EventStatus,
        severity: Severity,
    ) -> Self {
        Self {
            identity: identity.into_iter().map(str::to_owned).collect(),
            status,
            acknowledged: false,
            began_at: None,
            opens_as: None,
            severity: match status {
                EventStatus::Resolved => Severity::Ok,
                _ => severity,
            },
            source: String::new(),
            service: None,
            object: String::new(),
            name: String::new(),
            output: String::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            links: BTreeMap::new(),
            occurred_at: None,
            expires_at: None,
            lifetime: None,
            is_test: false,
            heartbeat: None,
            environment: None,
            scenario: None,
            warnings: Vec::new(),
        }
    }

    /// Adds a label, unless it is empty.
    pub(crate) fn add_label(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.labels.insert(name.to_owned(), value);
        }
    }

    /// Adds an annotation, unless it is empty.
    pub(crate) fn add_annotation(&mut self, name: &str, text: Option<String>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.annotations.insert(name.to_owned(), text);
        }
    }

    /// Adds the tags of a field: a list of them, or a text as [`add_tags`](Self::add_tags) has it. In a list a comma
    /// is a part of its tag.
    pub(crate) fn add_tags_of(&mut self, body: &Object<'_, '_>, name: &str) {
        match body.listed(name) {
            Some(tags) => tags.iter().for_each(|tag| self.add_tag(tag)),
            None => self.add_tags(&body.flat(name).unwrap_or_default()),
        }
    }

    /// Adds tags as senders write them: `env:prod, team:pay, urgent`.
    pub(crate) fn add_tags(&mut self, tags: &str) {
        tags.split(',').for_each(|tag| self.add_tag(tag));
    }

    /// Adds one tag, with a value or without one.
    pub(crate) fn add_tag(&mut self, tag: &str) {
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        match name.trim() {
            "" => self.add_named_tag(tag, ""),
            name => self.add_named_tag(name, value),
        }
    }

    /// Adds a tag as a label. A label that exists keeps its value: another value of it is listed in the label `tags`, as is a
    /// tag without a value.
    pub(crate) fn add_named_tag(&mut self, name: &str, value: &str) {
        let (name, value) = (name.trim(), value.trim());
        let listed = match self.labels.get(name) {
            _ if value.is_empty() => name.to_owned(),
            Some(known) if known == value => return,
            Some(_) => format!("{name}:{value}"),
            None => {
                self.labels.insert(name.to_owned(), value.to_owned());
                return;
            }
        };
        if listed.is_empty() {
            return;
        }
        let tags = self.labels.entry("tags".to_owned()).or_default();
        if !tags.is_empty() {
            tags.push_str(", ");
        }
        tags.push_str(&listed);
    }

    /// Takes the severity from the label `severity`, where the sender has no field for one.
    pub(crate) fn ask_severity_by_label(&mut self) {
        if self.status != EventStatus::Resolved
            && let Some(word) = self.labels.get("severity")
        {
            self.severity = severity::of_word(word).unwrap_or(Severity::Unknown);
        }
    }

    /// Warns which alert an end is about: the name was found in a text, so it may be another alert than was meant.
    pub(crate) fn warn_of_end(&mut self, about: &str) {
        if self.status == EventStatus::Resolved {
            let about = json::shortened(about);
            self.warnings.push(format!(
                "this ends the alert about {about}, as its text says; if none is open by that name, nothing is done"
            ));
        }
    }

    /// Takes environment and scenario from the labels `environment_id` and `scenario_id`.
    pub(crate) fn ask_by_labels(&mut self) {
        let asked = |name: &str| self.labels.get(name).filter(|text| !text.is_empty()).cloned();
        let (environment, scenario) = (asked("environment_id"), asked("scenario_id"));
        self.environment = environment.or(self.environment.take());
        self.scenario = scenario.or(self.scenario.take());
    }

    /// Takes the scenario from a name like `[PR_ID: 12] Checkout`, as Harp had it.
    pub(crate) fn ask_by_name(&mut self) {
        let asked = self.name.contains("PR_ID").then(|| {
            let (_, rest) = self.name.split_once(':')?;
            let (number, _) = rest.split_once(']')?;
            Some(number.replace(' ', "")).filter(|number| !number.is_empty())
        });
        self.scenario = asked.flatten().or(self.scenario.take());
    }

    /// Adds the links of the lists `links` and `images`, as PagerDuty defines them.
    pub(crate) fn add_lists_of_links(&mut self, body: &Object<'_, '_>) -> Result<(), SourceError> {
        for (list, addresses, titles) in [
            ("links", &["href"][..], &["text", "href"][..]),
            ("images", &["href", "src"], &["alt", "src"]),
        ] {
            let Some(node) = body.get(list).filter(Node::is_list) else {
                continue;
            };
            let place = node.place;
            for (index, raw) in node.list()?.into_iter().enumerate() {
                let link = Node::new(raw, Place::Item(&place, index)).object()?;
                if let (Some(address), Some(title)) = (link.first(addresses)?, link.first(titles)?) {
                    self.add_link(&title, address);
                }
            }
        }
        Ok(())
    }

    /// Adds a link. An address with another scheme than http, https or mailto becomes a label.
    pub(crate) fn add_link(&mut self, title: &str, address: String) {
        if address.is_empty() {
            return;
        }
        let scheme = address.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if matches!(scheme.as_str(), "http" | "https" | "mailto") {
            self.links.insert(title.to_owned(), address);
        } else {
            self.labels.entry(title.to_owned()).or_insert(address);
        }
    }
}
