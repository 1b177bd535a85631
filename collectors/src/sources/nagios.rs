//! Nagios: its notification macros, as JSON or as a form, with or without the prefix `NAGIOS_`.
//!
//! Identity: the host, or host and service.

use axum::http::HeaderMap;

use super::address::encoded;
use super::notification::{self, Notification};
use super::{SourceError, SourceEvent, Understood};

/// Reads one notification.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    notification::read(body, "NAGIOS_", event)
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
