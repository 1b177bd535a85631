//! The JSON of an alert in a record, which has a greatest size.

use std::sync::Arc;

use ::aerospike::{Record, Value};
use schemas::Alert;

use crate::ViewError;

/// A record has at most 1 MiB by default; this leaves room for the other bins.
const BODY_BYTES_MAX: usize = 900 * 1024;
/// What is left of each text of an alert that is too large.
const CUT_TEXT_BYTES: usize = 64 * 1024;
/// Label of an alert that was cut, with what is missing.
const CUT_LABEL: &str = "reveille_cut";

pub(super) fn encode(alert: &Alert) -> Result<Vec<u8>, ViewError> {
    let body = to_json(alert)?;
    if body.len() <= BODY_BYTES_MAX {
        return Ok(body);
    }
    let mut cut = alert.clone();
    cut_text(&mut cut.output);
    cut.previous_output.as_mut().map(cut_text);
    cut.annotations.values_mut().for_each(cut_text);
    let texts = if cut.annotations.is_empty() {
        "output"
    } else {
        "output, annotations"
    };
    cut.labels.insert(CUT_LABEL.to_owned(), texts.to_owned());
    let body = to_json(&cut)?;
    if body.len() <= BODY_BYTES_MAX {
        return Ok(body);
    }
    cut.annotations.clear();
    cut.links.clear();
    cut.labels = [(CUT_LABEL.to_owned(), format!("{texts}, labels, links"))].into();
    to_json(&cut)
}

/// The alert in a record. One that cannot be read is left out, as it is worth no more than one that is not there: the
/// reconciling aggregator writes it anew.
pub(super) fn decode(mut record: Record) -> Option<Arc<Alert>> {
    let Some(Value::Blob(body)) = record.bins.swap_remove("body") else {
        tracing::error!("an alert in the view has no body");
        return None;
    };
    match serde_json::from_slice(&body) {
        Ok(alert) => Some(Arc::new(alert)),
        Err(error) => {
            tracing::error!(%error, "an alert in the view cannot be read");
            None
        }
    }
}

fn to_json(alert: &Alert) -> Result<Vec<u8>, ViewError> {
    serde_json::to_vec(alert)
        .map_err(|error| ViewError::Unavailable(format!("writing {} as JSON: {error}", alert.fingerprint)))
}

fn cut_text(text: &mut String) {
    if text.len() > CUT_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(CUT_TEXT_BYTES));
        text.push_str(" … (cut)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(output: &str, label: &str) -> Alert {
        serde_json::from_value(serde_json::json!({
            "fingerprint": "00000000000000000000000000000001", "version": 1, "environment": "production",
            "scenario": "default", "integration": "prometheus", "monitoring_system": "alertmanager",
            "source": "am-1", "object": "db-1", "name": "disk full", "severity": "critical", "status": "open",
            "operator_state": "active", "output": output, "labels": {"long": label}, "episode": 1,
            "first_opened_at": "2026-09-01T10:00:00Z", "opened_at": "2026-09-01T10:00:00Z",
            "last_event_at": "2026-09-01T10:00:00Z", "changed_at": "2026-09-01T10:00:00Z", "total_duration_ms": 0,
            "counts": {"opened": 1, "updated": 0, "severity_changed": 0, "closed": 0, "acknowledged": 0, "snoozed": 0},
        }))
        .unwrap()
    }

    #[test]
    fn an_alert_that_is_too_large_is_cut_and_says_so() {
        let whole = alert("short", "short");
        assert_eq!(
            serde_json::from_slice::<Alert>(&encode(&whole).unwrap()).unwrap(),
            whole
        );

        // Three bytes a character, so that a cut in the middle of one would show.
        let long = "€".repeat(320_000);
        for (alert, cut, label) in [
            (alert(&long, "short"), "output", Some("short")),
            (alert("short", &long), "output, labels, links", None),
        ] {
            let body = encode(&alert).unwrap();
            assert!(body.len() <= BODY_BYTES_MAX, "{}", body.len());
            let read: Alert = serde_json::from_slice(&body).unwrap();
            assert_eq!(read.labels[CUT_LABEL], cut);
            assert_eq!(read.labels.get("long").map(String::as_str), label);
        }
    }
}
