//! Icinga 2: the environment of its notification scripts, as JSON or as a form.
//!
//! Identity: the host, or host and service. Which node of a cluster sent it is no part of it.

use axum::http::HeaderMap;

use super::address::encoded;
use super::notification::{self, Notification};
use super::{SourceError, SourceEvent, Understood};

/// Reads one notification.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    notification::read(body, "ICINGA_", event)
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
