//! What would become of a body, without a sender, a key or a log.

use std::borrow::Cow;

use axum::http::HeaderMap;
use chassis::settings::AlertBounds;
use domain::CompiledMapping;
use jiff::Timestamp;
use schemas::AlertEvent;
use serde::Serialize;
use uuid::Uuid;

use crate::accept::Delivery;
use crate::sources::{self, SourceError, mapping, ready_made};

/// What a body would become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// Its alerts, in their order.
    pub alerts: Vec<TriedAlert>,
    /// What its sender would be told although it is taken.
    pub remarks: Vec<String>,
}

/// An alert of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TriedAlert {
    /// What tells it from every other of its integration and source.
    pub identity: Vec<String>,
    /// As it would stand in `alerts.collected`.
    pub event: AlertEvent,
}

/// Why a body would not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// Nothing understands it.
    #[error("there is no source {name:?}; give a mapping of the site, or one of: {known}")]
    #[allow(missing_docs)]
    UnknownSource { name: String, known: String },
    /// It would be refused.
    #[error(transparent)]
    Refused(#[from] SourceError),
}

impl TrialError {
    /// Path of the field that is wrong, if it is one field.
    pub fn field(&self) -> Option<&str> {
        match self {
            TrialError::UnknownSource { .. } => None,
            TrialError::Refused(error) => error.field(),
        }
    }
}

/// Understands a body as the source, or the mapping of this name, does.
pub fn run(
    source: &str,
    mappings: &[CompiledMapping],
    integration: &str,
    (headers, body): (&HeaderMap, &[u8]),
    now: Timestamp,
) -> Result<Trial, TrialError> {
    let declared = || mappings.iter().find(|mapping| mapping.name() == source);
    let understood = match (sources::find(source), declared(), ready_made::find(source)) {
        (Some(source), _, _) => (source.read)(headers, body)?,
        (None, Some(declared), _) => mapping::read(declared, headers, body)?,
        (None, None, Some(ready_made)) => mapping::read(&ready_made, headers, body)?,
        (None, None, None) => {
            return Err(TrialError::UnknownSource {
                name: source.to_owned(),
                known: sources::nearest(source).join(", "),
            });
        }
    };
    let delivery = Delivery {
        integration: integration.to_owned(),
        monitoring_system: Cow::Owned(source.to_owned()),
        environment: None,
        scenario: None,
        accepted_at: now,
        first_id: Uuid::nil(),
        called_by_alerts: Vec::new(),
        bounds: AlertBounds::default(),
    };
    let accepted = delivery.accept(understood);
    let alerts = accepted.receipts.into_iter().zip(accepted.events);
    Ok(Trial {
        alerts: alerts
            .map(|(receipt, event)| TriedAlert {
                identity: receipt.identity,
                event,
            })
            .collect(),
        remarks: accepted.remarks,
    })
}
