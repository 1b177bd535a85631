//! Whether what a document leaves as it is still finds what it refers to.

use std::collections::BTreeMap;

use schemas::config::ConfigEntry;
use serde_saphyr::Location;

use super::{Check, Kind, retained};
use crate::site::document::{Document, Problem};

impl Check<'_> {
    /// Entries of sections that the document does not have were checked when they were declared, but what they refer to
    /// may be gone with this one.
    pub(super) fn check_retained(&mut self, document: &Document, before: &BTreeMap<String, ConfigEntry>) {
        for (key, entry) in retained(document, before) {
            if !self.after.contains_key(&key) {
                continue;
            }
            let Some(kind) = Kind::of(&entry) else {
                continue;
            };
            for (referred, name) in (kind.references)(&entry) {
                if !self.after.contains_key(&format!("{referred}/{name}")) {
                    let message = format!("{key}, which stays, refers to {referred} {name:?}, which is gone");
                    let remedy =
                        format!("keep the {referred}, or declare in this document what takes its place");
                    let at = place(document, referred);
                    self.problems.push(Problem::at(at, message, remedy));
                }
            }
            for (missing, message, remedy) in (kind.check_retained)(self, &entry) {
                let message = format!("{key}, which stays, {message}");
                let at = place(document, missing);
                self.problems.push(Problem::at(at, message, remedy));
            }
        }
    }
}

/// Where the section of this kind begins: something is missing in it.
fn place(document: &Document, kind: &str) -> Location {
    let place = Kind::named(kind).and_then(|kind| (kind.place)(document));
    place.unwrap_or(Location::UNKNOWN)
}
