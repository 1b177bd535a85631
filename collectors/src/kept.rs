//! What is kept of a body that was refused: enough to see what was wrong with it, and to post it again.

use axum::http::{HeaderName, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::rejection::{Rejected, RejectedKind};

use crate::key;
use crate::refusal::Refusal;
use crate::sources::mapping;
use crate::work::Arrived;

/// How much of a refused body is kept.
const KEPT: usize = 1_000_000;

/// The headers that are kept with a refused body: without them it could not be read again.
const ABOUT_THE_BODY: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_ENCODING, mapping::TOPIC];

/// A body that was refused, as it is kept.
pub(crate) fn rejected(refusal: &Refusal, arrived: &Arrived) -> Rejected {
    let body = key::hidden(&arrived.held.bytes, &arrived.key.text);
    let kept = &body[..body.len().min(KEPT)];
    let cut = kept.len() < body.len() || matches!(refusal, Refusal::TooLarge { packed: false, .. });
    let mut reason = refusal.to_string();
    if cut {
        reason.push_str(&format!(" (only its first {} bytes are kept)", kept.len()));
    }
    let about = |(name, value): (&HeaderName, &HeaderValue)| {
        // The last are the attributes of a binary CloudEvent.
        let is_kept = ABOUT_THE_BODY.contains(name) || name.as_str().starts_with("ce-");
        let kept = is_kept.then(|| value.to_str().ok()).flatten()?;
        Some((name.as_str().to_owned(), kept.to_owned()))
    };
    Rejected {
        at: arrived.delivery.accepted_at,
        monitoring_system: arrived.delivery.monitoring_system.to_string(),
        integration: Some(arrived.delivery.integration.clone()),
        reason,
        kind: RejectedKind::Body,
        path: Some(arrived.path.clone()),
        headers: arrived.headers.iter().filter_map(about).collect(),
        environment: arrived.delivery.environment.clone(),
        scenario: arrived.delivery.scenario.clone(),
        body_base64: STANDARD.encode(kept),
        cut,
    }
}
