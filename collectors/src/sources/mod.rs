//! The monitoring systems that are understood: one file each, and one line each in [`SOURCES`].
//!
//! A source is a pure function from headers and body to events. It says which parts of the body tell one alert from
//! every other, and what the body means; everything else is the same for all of them.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use jiff::Timestamp;
use schemas::{EventStatus, Severity};

mod api;
mod json;
mod prometheus;
mod severity;

/// The most alerts that one body may have.
pub const MOST_ALERTS: usize = 20_000;

/// A monitoring system that can post here.
pub struct Source {
    /// Its name: the last part of the path it posts to, and the type of an integration.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Its page, field by field, from the root of the repository. Its examples are in `collectors/examples/<name>`.
    pub documentation: &'static str,
    /// Understands a body.
    pub read: fn(&HeaderMap, &[u8]) -> Result<Vec<SourceEvent>, SourceError>,
}

/// All of them.
pub const SOURCES: &[Source] = &[
    Source {
        name: "prometheus",
        title: "Prometheus Alertmanager webhook, version 4",
        documentation: "docs/sources/prometheus.md",
        read: prometheus::read,
    },
    Source {
        name: "api",
        title: "Anything that can post JSON (the generic API of Harp)",
        documentation: "docs/sources/api.md",
        read: api::read,
    },
];

/// The source with this name.
pub fn find(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name == name)
}

/// The names of all sources, the most similar to `name` first.
pub fn nearest(name: &str) -> Vec<&'static str> {
    let mut names: Vec<_> = SOURCES.iter().map(|source| source.name).collect();
    names.sort_by_key(|known| strsim::damerau_levenshtein(known, name));
    names
}

/// One alert of a body, as its source means it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEvent {
    /// What tells this alert from every other one of the same integration and source. Nothing in it is shortened, and
    /// nothing is in it that changes while the problem lasts.
    pub identity: Vec<String>,
    /// Whether the problem is there.
    pub status: EventStatus,
    /// How bad it is.
    pub severity: Severity,
    /// Which server of the monitoring system.
    pub source: String,
    /// Service or host group.
    pub service: Option<String>,
    /// The thing that is ill.
    pub object: String,
    /// The rule or trigger.
    pub name: String,
    /// Text of the problem.
    pub output: String,
    /// What it can be filtered and grouped by.
    pub labels: BTreeMap<String, String>,
    /// Where to look further: title to address.
    pub links: BTreeMap<String, String>,
    /// When it happened, by the source's clock.
    pub occurred_at: Option<Timestamp>,
    /// The environment that the body asks for: a name or a number of Harp's.
    pub environment: Option<String>,
    /// The scenario that the body asks for: a name or a number of Harp's.
    pub scenario: Option<String>,
    /// What the sender should know although the alert was taken.
    pub remarks: Vec<String>,
}

impl SourceEvent {
    /// Takes in a link. What is no address that a person may follow stays visible as a label.
    fn add_link(&mut self, title: &str, address: String) {
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

/// Why a body was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is not even the format that the source speaks.
    #[error("{reason}; {remedy}")]
    Malformed {
        /// What is wrong, with its position.
        reason: String,
        /// What the sender can do.
        remedy: &'static str,
    },
    /// A field is missing, or holds what it cannot hold.
    #[error("{field} {reason}; {remedy}")]
    Invalid {
        /// Path of the field, such as `alerts[3].labels`.
        field: String,
        /// What is wrong with it.
        reason: String,
        /// What the sender can do.
        remedy: String,
    },
}

impl SourceError {
    /// Path of the field that is wrong, if it is one field.
    pub fn field(&self) -> Option<&str> {
        match self {
            SourceError::Malformed { .. } => None,
            SourceError::Invalid { field, .. } => Some(field),
        }
    }
}

#[cfg(test)]
mod tests;
