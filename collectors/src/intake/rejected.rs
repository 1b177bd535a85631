//! Refused bodies, as `ingest.rejected` has them.

use axum::http::{HeaderName, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::rejection::{Rejected, RejectedKind};
use sources::mapping;

use crate::intake::decode::ReceivedRequest;
use crate::intake::error::IngestError;
use crate::intake::key;

/// The most bytes of a refused body that are stored.
const MAX_STORED_BYTES: usize = 1_000_000;

/// The headers that are stored with a refused body, as it could not be parsed again without them.
const STORED_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_ENCODING, mapping::TOPIC];

/// The record of a refused body, without the key that stands in it.
pub(crate) fn rejected(error: &IngestError, received: &ReceivedRequest) -> Rejected {
    let body = key::redact(&received.body.bytes, &received.key.text);
    let stored = &body[..body.len().min(MAX_STORED_BYTES)];
    let cut = stored.len() < body.len() || matches!(error, IngestError::TooLarge { packed: false, .. });
    let mut reason = error.to_string();
    if cut {
        reason.push_str(&format!(" (only its first {} bytes are kept)", stored.len()));
    }
    let stored_header = |(name, value): (&HeaderName, &HeaderValue)| {
        // The last are the attributes of a binary CloudEvent.
        let is_stored = STORED_HEADERS.contains(name) || name.as_str().starts_with("ce-");
        let value = is_stored.then(|| value.to_str().ok()).flatten()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    Rejected {
        at: received.delivery.accepted_at,
        monitoring_system: received.delivery.monitoring_system.to_string(),
        integration: Some(received.delivery.integration.clone()),
        reason,
        kind: RejectedKind::Body,
        path: Some(received.path.clone()),
        headers: received.headers.iter().filter_map(stored_header).collect(),
        environment: received.delivery.environment.clone(),
        scenario: received.delivery.scenario.clone(),
        body_base64: STANDARD.encode(stored),
        cut,
    }
}
