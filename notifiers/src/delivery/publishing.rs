//! Receipts to the daemon, and what failed for good to an operator.

use jiff::Timestamp;
use pipeline::log::{Batch, Received};
use pipeline::parking::{Parking, parked};
use pipeline::trace::record_headers;
use pipeline::{Context, LogError};
use schemas::{HEADER_TRACEPARENT, Receipt, Topic};
use store::OutboxMessage;

use super::waiting::Waiting;

/// The stage, as parked messages name it.
const STAGE: &str = "notifiers";

/// The message of a receipt.
pub(super) fn message(receipt: &Receipt, traceparent: Option<&str>) -> OutboxMessage {
    #[expect(
        clippy::expect_used,
        reason = "text, numbers and times always have a JSON form"
    )]
    let value = serde_json::to_string(receipt).expect("a receipt has a JSON form");
    OutboxMessage {
        topic: Topic::NOTIFICATIONS_RECEIPTS.name().to_owned(),
        key: receipt.fingerprint.to_string(),
        value,
        headers: record_headers(traceparent),
    }
}

/// The message that keeps a notification which could not be delivered, with the error.
pub(super) fn parked_message(
    topic: Topic,
    destination: &str,
    waiting: &Waiting,
    error: &str,
    now: Timestamp,
) -> Option<OutboxMessage> {
    let headers = waiting
        .traceparent
        .iter()
        .map(|parent| (HEADER_TRACEPARENT.to_owned(), parent.clone()));
    let received = Received {
        offset: waiting.offset,
        key: destination.to_owned(),
        value: Some(waiting.json.clone()),
        headers: headers.collect(),
    };
    let batch = Batch {
        topic,
        partition: 0,
        records: Vec::new(),
    };
    let (topic, record) = parked(&batch, &received, STAGE, error, now)?;
    Some(OutboxMessage {
        topic: topic.name().to_owned(),
        key: record.key,
        // It is JSON, so it is text.
        value: String::from_utf8(record.value?.into()).ok()?,
        headers: record.headers,
    })
}

/// Appends receipts and parked notifications; answers when all are safe. Receipts that the log will never take are
/// parked.
pub(super) async fn publish(context: &Context, messages: &[OutboxMessage]) -> Result<(), LogError> {
    let parking = Parking {
        log: context.log.as_ref(),
        metrics: &context.metrics,
        stage: STAGE,
        now: context.clock.now(),
    };
    store::publish(&parking, messages, Topic::NOTIFICATIONS_RECEIPTS).await
}
