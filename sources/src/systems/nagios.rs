//! Nagios: its notification macros, as JSON or as a form, with or without the prefix `NAGIOS_`.
//!
//! Identity: the host, or host and service.

use http::HeaderMap;

use super::notification::{self, Notification};
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::address::encoded;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "nagios",
    title: "Nagios notification macros",
    documentation: "docs/sources/nagios.md",
    methods: POST,
    parse,
};

/// Parses one notification.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    notification::parse(body, "NAGIOS_", event)
}

fn event(notification: &Notification<'_, '_>) -> Result<SourceEvent, SourceError> {
    let mut event = notification.event()?;
    let server = notification.field("NAGIOSSERVER")?;
    if let Some(server) = &server {
        let base = if server.contains("://") {
            server.trim_end_matches('/').to_owned()
        } else {
            format!("http://{server}/nagios")
        };
        let host = encoded(&event.object);
        let address = match &notification.service {
            Some(service) => format!(
                "{base}/cgi-bin/extinfo.cgi?type=2&host={host}&service={}",
                encoded(service)
            ),
            None => format!("{base}/cgi-bin/extinfo.cgi?type=1&host={host}"),
        };
        event.add_link("Nagios", address);
    }
    event.source = server.unwrap_or_else(|| "nagios".to_owned());
    Ok(event)
}
