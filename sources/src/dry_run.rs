//! A dry run: the events that a body would become, without a sender, a key or a log.

use std::borrow::Cow;

use domain::{AlertBounds, CompiledMapping};
use http::HeaderMap;
use jiff::Timestamp;
use schemas::AlertEvent;
use serde::Serialize;
use uuid::Uuid;

use crate::delivery::Delivery;
use crate::error::SourceError;
use crate::{mapping, ready_made, registry};

/// The result of a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DryRun {
    /// Its alerts, in their order.
    pub alerts: Vec<DryRunAlert>,
    /// What its sender should know although the body would be accepted.
    pub warnings: Vec<String>,
}

/// An alert of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DryRunAlert {
    /// What tells it from every other alert of its integration and source.
    pub identity: Vec<String>,
    /// As it would stand in `alerts.collected`.
    pub event: AlertEvent,
}

/// Why a body would not be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DryRunError {
    /// No source and no mapping has this name.
    #[error("there is no source {name:?}; give a mapping of the site, or one of: {known}")]
    #[allow(missing_docs)]
    UnknownSource { name: String, known: String },
    /// It would be refused.
    #[error(transparent)]
    Refused(#[from] SourceError),
}

impl DryRunError {
    /// Path of the field that is wrong, if it is one field.
    pub fn field(&self) -> Option<&str> {
        match self {
            DryRunError::UnknownSource { .. } => None,
            DryRunError::Refused(error) => error.field(),
        }
    }
}

/// Parses a body by the source or the mapping of this name.
///
/// # Errors
///
/// An unknown name, and a body that the source refuses.
pub fn run(
    source: &str,
    mappings: &[CompiledMapping],
    integration: &str,
    (headers, body): (&HeaderMap, &[u8]),
    now: Timestamp,
) -> Result<DryRun, DryRunError> {
    let declared = || mappings.iter().find(|mapping| mapping.name() == source);
    let parsed = match (registry::find(source), declared(), ready_made::find(source)) {
        (Some(source), _, _) => (source.parse)(headers, body)?,
        (None, Some(declared), _) => mapping::parse(declared, headers, body)?,
        (None, None, Some(ready_made)) => mapping::parse(&ready_made, headers, body)?,
        (None, None, None) => {
            return Err(DryRunError::UnknownSource {
                name: source.to_owned(),
                known: registry::nearest(source).join(", "),
            });
        }
    };
    let delivery = Delivery {
        integration: integration.to_owned(),
        key: None,
        monitoring_system: Cow::Owned(source.to_owned()),
        environment: None,
        scenario: None,
        accepted_at: now,
        first_id: Uuid::nil(),
        called_by_alerts: Vec::new(),
        bounds: AlertBounds::default(),
    };
    let accepted = delivery.make_events(parsed);
    let alerts = accepted.receipts.into_iter().zip(accepted.events);
    Ok(DryRun {
        alerts: alerts
            .map(|(receipt, event)| DryRunAlert {
                identity: receipt.identity,
                event,
            })
            .collect(),
        warnings: accepted.warnings,
    })
}
