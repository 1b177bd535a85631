//! Icinga 2: the environment of its notification scripts, as JSON or as a form.
//!
//! Identity: the host, or host and service. Which node of a cluster sent it is no part of it.

use http::HeaderMap;

use super::notification::{self, Notification};
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::address::encoded;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "icinga",
    title: "Icinga 2 notification environment",
    documentation: "docs/sources/icinga.md",
    methods: POST,
    parse,
};

/// Parses one notification.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    notification::parse(body, "ICINGA_", event)
}

fn event(notification: &Notification<'_, '_>) -> Result<SourceEvent, SourceError> {
    let mut event = notification.event()?;
    event.source = notification
        .field("ICINGASERVER")?
        .unwrap_or_else(|| "icinga".to_owned());
    if let Some(web) = notification.field("ICINGAWEB2URL")? {
        let (web, host) = (web.trim_end_matches('/'), encoded(&event.object));
        let address = match &notification.service {
            Some(service) => format!(
                "{web}/monitoring/service/show?host={host}&service={}",
                encoded(service)
            ),
            None => format!("{web}/monitoring/host/show?host={host}"),
        };
        event.add_link("Icinga Web", address);
    }
    Ok(event)
}
