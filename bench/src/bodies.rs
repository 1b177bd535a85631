//! What monitoring systems send, ready before the clock starts.

use std::fmt::Write as _;

use crate::arrivals::MARK;
use crate::http;
use crate::subject::{Audience, Ingest};

/// One alert as it is sent once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    /// Which alert it is.
    pub(crate) alert: usize,
    /// What its text says: another number is another text.
    pub(crate) sequence: usize,
}

/// Different alerts, each of which says its own number.
pub(crate) fn distinct(from: usize, count: usize) -> Vec<Item> {
    (from..from + count)
        .map(|alert| Item {
            alert,
            sequence: alert,
        })
        .collect()
}

/// Requests with so many alerts each, as this receiver wants them.
pub(crate) fn requests(ingest: &Ingest, audience: Audience, items: &[Item], batch: usize) -> Vec<Vec<u8>> {
    let path = ingest.path(audience);
    items
        .chunks(batch.max(1))
        .map(|items| http::post(path, &ingest.body(audience, items)))
        .collect()
}

/// A body of Alertmanager's webhook, version 4.
pub(crate) fn webhook(audience: Audience, items: &[Item]) -> String {
    let mut body = String::with_capacity(512 + items.len() * 700);
    body.push_str(
        r#"{"version":"4","groupKey":"{}:{alertname=\"HighErrorRate\"}","truncatedAlerts":0,"status":"firing",
"receiver":"reveille","groupLabels":{"alertname":"HighErrorRate"},"commonLabels":{"alertname":"HighErrorRate"},
"commonAnnotations":{},"externalURL":"http://alertmanager.example:9093","alerts":["#,
    );
    each(&mut body, items, |body, item| {
        body.push_str(r#"{"status":"firing","#);
        labels(body, audience, item);
        let _ = write!(
            body,
            r#","endsAt":"0001-01-01T00:00:00Z","fingerprint":"{:016x}"}}"#,
            item.alert
        );
    });
    body.push_str("]}");
    body
}

/// A body of Alertmanager's own API, version 2.
pub(crate) fn api_v2(audience: Audience, items: &[Item]) -> String {
    let mut body = String::with_capacity(64 + items.len() * 700);
    body.push('[');
    each(&mut body, items, |body, item| {
        body.push('{');
        labels(body, audience, item);
        body.push('}');
    });
    body.push(']');
    body
}

fn each(body: &mut String, items: &[Item], mut one: impl FnMut(&mut String, &Item)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        one(body, item);
    }
}

/// What both forms have in common: a handful of labels, a text, a link, a beginning. Writing to a text cannot fail.
fn labels(body: &mut String, audience: Audience, item: &Item) {
    let Item { alert, sequence } = item;
    let severity = ["warning", "critical", "info"][alert % 3];
    let audience = audience.name();
    let _ = write!(
        body,
        r#""labels":{{"alertname":"HighErrorRate","cluster":"eu-{}","instance":"pay-{alert:06}.example:8080","job":"pay","namespace":"checkout","severity":"{severity}","team":"payments","told":"{audience}"}},"#,
        alert % 7
    );
    let _ = write!(
        body,
        r#""annotations":{{"description":"The share of failed requests has been above 2 % for five minutes, {MARK}{sequence}","summary":"5xx above 2 % on pay-{alert:06}","runbook_url":"https://wiki.example/pay/errors"}},"#
    );
    body.push_str(
        r#""startsAt":"2026-09-01T10:00:00.5Z","generatorURL":"http://prometheus.example:9090/graph?g0.expr=rate&g0.tab=1""#,
    );
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::arrivals::number;

    #[test]
    fn both_forms_are_json_and_say_their_numbers() {
        let items = distinct(41, 2);
        let webhook: Value = serde_json::from_str(&webhook(Audience::Console, &items)).unwrap();
        let api: Value = serde_json::from_str(&api_v2(Audience::Console, &items)).unwrap();
        for alerts in [&webhook["alerts"], &api] {
            assert_eq!(alerts.as_array().unwrap().len(), 2);
            let text = alerts[1]["annotations"]["description"].as_str().unwrap();
            assert_eq!(number(text.as_bytes()), Some(42));
            assert_eq!(alerts[1]["labels"]["instance"], "pay-000042.example:8080");
        }
    }
}
