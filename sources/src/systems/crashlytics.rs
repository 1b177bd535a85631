//! Crashlytics: its webhook, which reports that an issue got worse and never that it has ended.
//!
//! Identity: the address of the issue; without one, its number and title.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "crashlytics",
    title: "Crashlytics webhook",
    documentation: "docs/sources/crashlytics.md",
    methods: POST,
    parse,
};

const REMEDY: &str = "send the body of Crashlytics as it is";

/// Parses one issue.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    let kind = body.needed(&["event"], REMEDY)?;
    if kind == "verification" {
        return Ok(ParsedBody::nothing("the address is verified"));
    }
    let of = body.needed(&["payload_type"], REMEDY)?;
    if of != "issue" {
        return Err(body.refuse(&["payload_type"], &of, "send issues only"));
    }
    let issue = body.required("payload", REMEDY)?.object()?;
    let title = issue.needed(&["title"], REMEDY)?;
    let address = issue.text("url")?.unwrap_or_default();
    let number = issue.text("display_id")?.unwrap_or_default();
    let identity = if address.is_empty() {
        vec!["issue", &number, &title]
    } else {
        vec!["url", &address]
    };
    let mut event = SourceEvent::new(identity, EventStatus::Firing, Severity::Critical);
    event.object = kind;
    event.source = "Crashlytics".to_owned();
    event.service = Some("Client".to_owned());
    let mut lines = Vec::new();
    for (title, name) in [
        ("Crashes", "crashes_count"),
        ("Devices", "impacted_devices_count"),
        ("Method", "method"),
    ] {
        lines.extend(issue.text(name)?.map(|text| format!("{title}: {text}")));
    }
    event.output = lines.join("\n");
    event.add_label("issue", Some(number));
    event.add_label("impact_level", issue.text("impact_level")?);
    event.add_link("Crashlytics", address);
    event.name = title;
    Ok(event.into())
}
