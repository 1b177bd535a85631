//! From a body to the records of its events.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use pipeline::Record;
use schemas::{AlertEvent, Fingerprint};
use sources::{Delivery, EventBatch, ParsedBody, Receipt, Shortened, SourceError};

use crate::intake::body::BufferedBody;
use crate::intake::decode_slots::DecodeSlots;
use crate::intake::error::IngestError;
use crate::intake::key::ResolvedKey;
use crate::intake::open_alerts::CountChange;
use crate::intake::request::BodyParser;
use crate::intake::signature::RequiredSignature;
use crate::metrics::Counts;

/// A body from this size on is decoded on a thread of its own, so that it does not delay other requests.
const LARGE_BODY_BYTES: usize = 128 * 1024;

/// How a body is decoded, and what is required of it.
pub(crate) struct DecodePlan {
    pub(crate) signature: Option<RequiredSignature>,
    pub(crate) parse: BodyParser,
    pub(crate) alerts_limit: u32,
    pub(crate) slots: DecodeSlots,
}

/// A request of an authenticated sender, with as much of its body as was read.
pub(crate) struct ReceivedRequest {
    pub(crate) path: String,
    /// The key of the request, which may stand in the body, too.
    pub(crate) key: Arc<ResolvedKey>,
    pub(crate) headers: HeaderMap,
    pub(crate) delivery: Delivery,
    pub(crate) body: BufferedBody,
}

/// All that is needed to make records of a body.
pub(crate) struct DecodeJob {
    pub(crate) plan: DecodePlan,
    pub(crate) record_headers: Vec<(String, String)>,
    pub(crate) received: ReceivedRequest,
}

/// The records of a body, and what its sender is answered once they are stored.
pub(crate) struct EncodedBatch {
    /// One for each event, in the order of the body, with its effect on the number of open alerts.
    pub(crate) records: Vec<(Fingerprint, CountChange, Record)>,
    pub(crate) shortened: Vec<Shortened>,
    pub(crate) counts: Counts,
    pub(crate) accepted: Accepted,
    /// Why the body must be stored although it is accepted: an item was meant to be an alert, and is none.
    pub(crate) unusable: Option<SourceError>,
}

/// A body whose events are stored.
pub(crate) struct Accepted {
    /// One for each event, in the order of the body.
    pub(crate) receipts: Vec<Receipt>,
    /// What the sender should know although the body is accepted.
    pub(crate) warnings: Vec<String>,
    /// How many items of the body were skipped.
    pub(crate) skipped: usize,
}

impl Accepted {
    /// A body without an event.
    pub(crate) fn nothing(warning: String) -> Self {
        Self {
            receipts: Vec::new(),
            warnings: vec![warning],
            skipped: 0,
        }
    }

    /// The sender's own key of the first alert: what protocols with one event in a body answer.
    pub(crate) fn first_key(&self) -> Option<&str> {
        self.receipts.first()?.identity.last().map(String::as_str)
    }
}

impl DecodeJob {
    /// Decodes the body, and gives the request back with its share of the budget.
    pub(crate) async fn run(self) -> (Result<EncodedBatch, IngestError>, Option<ReceivedRequest>) {
        let ReceivedRequest { body, headers, .. } = &self.received;
        let packed = headers.contains_key(header::CONTENT_ENCODING);
        if body.bytes.len() < LARGE_BODY_BYTES && !packed {
            return self.decode();
        }
        let slot = match self.plan.slots.acquire(body.bytes.len(), packed).await {
            Ok(slot) => slot,
            Err(error) => return (Err(error), Some(self.received)),
        };
        let decoding = tokio::task::spawn_blocking(move || {
            let decoded = self.decode();
            drop(slot);
            decoded
        });
        // It fails only by a panic.
        decoding
            .await
            .unwrap_or_else(|error| (Err(IngestError::Unavailable(error.to_string())), None))
    }

    fn decode(self) -> (Result<EncodedBatch, IngestError>, Option<ReceivedRequest>) {
        let Self {
            plan,
            record_headers,
            mut received,
        } = self;
        let encoded = plan
            .events_of(&mut received)
            .and_then(|batch| Ok(encode(batch, &record_headers)?));
        (encoded, Some(received))
    }
}

impl DecodePlan {
    /// Verifies, unpacks and parses a body.
    fn events_of(self, received: &mut ReceivedRequest) -> Result<EventBatch, IngestError> {
        let ReceivedRequest {
            headers,
            delivery,
            body,
            ..
        } = received;
        if let Some(signature) = self.signature {
            signature.verify(headers, &body.bytes)?;
        }
        let unpacked = body.unpacked(headers)?;
        let bytes = unpacked.as_deref().unwrap_or(&body.bytes);
        let parsed = (self.parse)(headers, bytes)?;
        Ok(delivery.make_events(not_too_many(parsed, self.alerts_limit)?))
    }
}

fn not_too_many(parsed: ParsedBody, limit: u32) -> Result<ParsedBody, IngestError> {
    let alerts = parsed.events.len() + parsed.action_requests.len();
    if u32::try_from(alerts).is_ok_and(|alerts| alerts <= limit) {
        Ok(parsed)
    } else {
        Err(IngestError::TooManyAlerts { alerts, limit })
    }
}

/// The records of all events. If one of them is too large, the whole body is refused.
fn encode(batch: EventBatch, headers: &[(String, String)]) -> Result<EncodedBatch, SourceError> {
    let records = batch.events.iter().enumerate().map(|(index, event)| {
        let record = record(index, event, headers)?;
        Ok::<_, SourceError>((event.fingerprint, CountChange::of(event), record))
    });
    Ok(EncodedBatch {
        records: records.collect::<Result<_, _>>()?,
        shortened: batch.shortened,
        counts: Counts::of(&batch.events),
        accepted: Accepted {
            receipts: batch.receipts,
            warnings: batch.warnings,
            skipped: batch.skipped,
        },
        unusable: batch.unusable,
    })
}

fn record(index: usize, event: &AlertEvent, headers: &[(String, String)]) -> Result<Record, SourceError> {
    Ok(Record {
        key: event.fingerprint.to_string(),
        value: Some(sources::encode(index, event)?.into()),
        headers: headers.to_vec(),
    })
}
