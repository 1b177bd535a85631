//! The frames of [`schemas::live::ServerMessage`], put together from JSON that is already there.

use schemas::Fingerprint;
use schemas::live::{Counters, ServerMessage};
use serde::Serialize;

/// Alerts in one frame at most.
pub(crate) const FRAME_ALERTS_MAX: usize = 500;
/// Bytes of alerts after which a frame is full. A client's connection keeps a buffer as large as its largest frame,
/// so large frames would cost memory for each client.
pub(crate) const FRAME_BYTES_FULL: usize = 32 * 1024;

/// The alerts of one frame, as JSON.
#[derive(Default)]
pub(crate) struct Alerts {
    text: String,
    count: usize,
}

impl Alerts {
    pub fn push(&mut self, alert: &str) {
        if self.count > 0 {
            self.text.push(',');
        }
        self.text.push_str(alert);
        self.count += 1;
    }

    pub fn is_full(&self) -> bool {
        self.count >= FRAME_ALERTS_MAX || self.text.len() >= FRAME_BYTES_FULL
    }
}

pub(crate) fn snapshot(
    cursor: &str,
    alerts: &Alerts,
    first: bool,
    complete: bool,
    counters: &Counters,
) -> String {
    let (cursor, counters) = (json(cursor), json(counters));
    format!(
        r#"{{"type":"snapshot","cursor":{cursor},"alerts":[{}],"first":{first},"complete":{complete},"counters":{counters}}}"#,
        alerts.text
    )
}

pub(crate) fn delta(cursor: &str, changed: &Alerts, removed: &[Fingerprint], counters: &Counters) -> String {
    let (cursor, removed, counters) = (json(cursor), json(removed), json(counters));
    format!(
        r#"{{"type":"delta","cursor":{cursor},"changed":[{}],"removed":{removed},"counters":{counters}}}"#,
        changed.text
    )
}

pub(crate) fn message(message: &ServerMessage) -> String {
    json(message)
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    #[expect(
        clippy::expect_used,
        reason = "text, numbers, times and maps by text always have a JSON form"
    )]
    let text = serde_json::to_string(value).expect("a message has a JSON form");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(frame: &str) -> ServerMessage {
        serde_json::from_str(frame).unwrap()
    }

    #[test]
    fn frames_are_what_the_schema_says() {
        let alert = crate::examples::alert(1, 1);
        let mut alerts = Alerts::default();
        alerts.push(&serde_json::to_string(&alert).unwrap());
        alerts.push(&serde_json::to_string(&alert).unwrap());
        let counters = Counters {
            total: 2,
            by_severity: [("critical".to_owned(), 2)].into(),
            ..Counters::default()
        };
        let both = vec![alert.clone(), alert.clone()];
        let cursor = r#"quoted"-7"#;

        let wanted = ServerMessage::Snapshot {
            cursor: cursor.to_owned(),
            alerts: both.clone(),
            first: true,
            complete: false,
            counters: counters.clone(),
        };
        assert_eq!(read(&snapshot(cursor, &alerts, true, false, &counters)), wanted);

        let removed = vec![alert.fingerprint];
        let wanted = ServerMessage::Delta {
            cursor: cursor.to_owned(),
            changed: both,
            removed: removed.clone(),
            counters: counters.clone(),
        };
        assert_eq!(read(&delta(cursor, &alerts, &removed, &counters)), wanted);
    }
}
