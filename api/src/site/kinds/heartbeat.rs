//! Heartbeats: calls that come again and again while all is well.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Severity;
use schemas::config::{ConfigEntry, Heartbeat};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Check, Kind, LONGEST_DELAY, Reference};
use crate::site::document::{Document, items, place};

/// How much later than expected a call may come, if the document does not say.
const GRACE_SECONDS: u64 = 60;
/// What comes more often is no heartbeat, and what comes more rarely is nothing to wait for.
const PERIOD_SECONDS: std::ops::RangeInclusive<u64> = 10..=LONGEST_DELAY;

pub(super) const KIND: Kind = Kind {
    place: |document| place(&document.heartbeats),
    declare: |check, document| {
        check.heartbeats(document);
        check.without_heartbeats_of_clients_that_are_gone();
    },
    // Clients have made these; a document does not hold them.
    is_independent: |entry| matches!(entry, ConfigEntry::Heartbeat(heartbeat) if heartbeat.by_client.is_some()),
    references,
    ..Kind::new("heartbeat", "heartbeats")
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::site) struct HeartbeatText {
    name: Spanned<String>,
    integration: Spanned<String>,
    period: Spanned<String>,
    grace: Option<Spanned<String>>,
    severity: Option<Spanned<String>>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    alert: Option<Spanned<String>>,
}

fn references(entry: &ConfigEntry) -> Vec<Reference<'_>> {
    match entry {
        ConfigEntry::Heartbeat(heartbeat) => vec![("integration", heartbeat.integration.as_str())],
        _ => Vec::new(),
    }
}

impl Check<'_> {
    /// What a client has created goes with its integration, as no document can take it out.
    fn without_heartbeats_of_clients_that_are_gone(&mut self) {
        let there: BTreeSet<_> = self.after.keys().cloned().collect();
        self.after.retain(|_, entry| match entry {
            ConfigEntry::Heartbeat(heartbeat) if heartbeat.by_client.is_some() => {
                there.contains(&format!("integration/{}", heartbeat.integration))
            }
            _ => true,
        });
    }

    fn heartbeats(&mut self, document: &Document) {
        let mut armed_by = BTreeSet::new();
        for text in items(&document.heartbeats) {
            if let Some(alert) = &text.alert
                && !armed_by.insert((&text.integration.value, &alert.value))
            {
                self.problem(
                    alert,
                    format!(
                        "two heartbeats of one integration are called by the alert {:?}",
                        alert.value
                    ),
                    "let each alert call one",
                );
            }
            if let Some(heartbeat) = self.heartbeat(text) {
                self.add(&text.name, ConfigEntry::Heartbeat(heartbeat));
            }
        }
    }

    fn heartbeat(&mut self, text: &HeartbeatText) -> Option<Heartbeat> {
        self.reference("integration", &text.integration);
        let period_seconds = self.period(&text.period);
        let grace_seconds = match &text.grace {
            None => Some(GRACE_SECONDS),
            Some(grace) => self.delay(grace),
        };
        let severity = match &text.severity {
            None => Some(Severity::Critical),
            Some(severity) => self.parse_enum(severity).filter(|word| {
                let bad = *word != Severity::Ok;
                if !bad {
                    self.problem(
                        severity,
                        "a heartbeat that is missed is not ok",
                        "choose another severity",
                    );
                }
                bad
            }),
        };
        Some(Heartbeat {
            name: text.name.value.clone(),
            integration: text.integration.value.clone(),
            period_seconds: period_seconds?,
            grace_seconds: grace_seconds?,
            severity: severity?,
            labels: text.labels.clone(),
            alert: text.alert.as_ref().map(|alert| alert.value.clone()),
            by_client: None,
        })
    }

    fn period(&mut self, text: &Spanned<String>) -> Option<u64> {
        let seconds = self.delay(text)?;
        if !PERIOD_SECONDS.contains(&seconds) {
            self.problem(
                text,
                format!("{:?} is no period for a heartbeat", text.value),
                "choose one from 10s to 400d",
            );
            return None;
        }
        Some(seconds)
    }
}
