//! What a source makes of a body.

use schemas::{Action, ActionRequest, Fingerprint};

use crate::error::SourceError;
use crate::event::SourceEvent;

/// What a source makes of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedBody {
    /// Its alerts, in their order.
    pub events: Vec<SourceEvent>,
    /// What the sender should know although the body is accepted.
    pub warnings: Vec<String>,
    /// How many items of the body are no alerts, where the answer to the sender can say so.
    pub skipped: usize,
    /// Why an item that was meant to be an alert is none, where the others are accepted nevertheless. The body is then
    /// stored in `ingest.rejected`.
    pub unusable: Option<SourceError>,
    /// Actions on its alerts that the sender requests, as an operator would.
    pub action_requests: Vec<SourceActionRequest>,
    /// The alert of the whole body, where the sender names it by the id that it was given rather than by its identity.
    pub alert: Option<Fingerprint>,
    /// The sender may ask for the outcome later.
    pub outcome_wanted: bool,
}

/// An action that a sender requests for one of its alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceActionRequest {
    /// The identity of the alert, as in its events.
    pub identity: Vec<String>,
    /// The action, and its author.
    pub request: ActionRequest,
}

impl SourceActionRequest {
    pub(crate) fn new(identity: Vec<String>, author: Option<String>, action: Action) -> Self {
        let request = ActionRequest { author, action };
        Self { identity, request }
    }
}

impl ParsedBody {
    /// A valid body without an alert.
    pub(crate) fn nothing(warning: impl Into<String>) -> Self {
        Self {
            warnings: vec![warning.into()],
            ..Self::default()
        }
    }

    /// An alert whose acknowledgement was withdrawn. The event fires, in case the alert is not known yet; as firing alone ends
    /// no acknowledgement, the action is requested too.
    pub(crate) fn unacknowledged(event: SourceEvent, author: Option<String>) -> Self {
        let requested = SourceActionRequest::new(event.identity.clone(), author, Action::Unacknowledge);
        Self {
            action_requests: vec![requested],
            ..Self::from(event)
        }
    }

    /// Skips an item that was meant to be an alert and is none. Of several the first is the reason why the body is stored.
    pub(crate) fn skip(&mut self, error: SourceError) {
        self.skipped += 1;
        self.warnings.push(error.to_string());
        self.unusable.get_or_insert(error);
    }

    /// The same with a warning.
    pub(crate) fn with_warning(mut self, warning: Option<&str>) -> Self {
        self.warnings.extend(warning.map(str::to_owned));
        self
    }
}

impl From<Vec<SourceEvent>> for ParsedBody {
    fn from(events: Vec<SourceEvent>) -> Self {
        Self {
            events,
            ..Self::default()
        }
    }
}

impl From<SourceEvent> for ParsedBody {
    fn from(event: SourceEvent) -> Self {
        Self::from(vec![event])
    }
}
