//! Receipts for the daemon, and dead letters for operators.

use jiff::Timestamp;
use pipeline::dead_letters::{DeadLetters, dead_letter};
use pipeline::log::{Batch, Received};
use pipeline::trace::record_headers;
use pipeline::{Context, LogError};
use schemas::{HEADER_TRACEPARENT, Receipt, Topic};
use store::OutboxMessage;

use super::pending::PendingNotification;

/// The stage, as dead letters name it.
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

/// The dead letter of a notification that failed permanently, with the error.
pub(super) fn dead_letter_message(
    topic: Topic,
    destination: &str,
    pending: &PendingNotification,
    error: &str,
    now: Timestamp,
) -> Option<OutboxMessage> {
    let headers = pending
        .traceparent
        .iter()
        .map(|parent| (HEADER_TRACEPARENT.to_owned(), parent.clone()));
    let received = Received {
        offset: pending.offset,
        key: destination.to_owned(),
        value: Some(pending.json.clone()),
        headers: headers.collect(),
    };
    let batch = Batch {
        topic,
        partition: 0,
        records: Vec::new(),
    };
    let (topic, record) = dead_letter(&batch, &received, STAGE, error, now)?;
    Some(OutboxMessage {
        topic: topic.name().to_owned(),
        key: record.key,
        // It is JSON, so it is text.
        value: String::from_utf8(record.value?.into()).ok()?,
        headers: record.headers,
    })
}

/// Appends receipts and dead letters; answers when all are safe. Receipts that the log will never take become dead
/// letters.
pub(super) async fn publish(context: &Context, messages: &[OutboxMessage]) -> Result<(), LogError> {
    let dead_letters = DeadLetters {
        log: context.log.as_ref(),
        metrics: &context.metrics,
        stage: STAGE,
        now: context.clock.now(),
    };
    store::publish(&dead_letters, messages, Topic::NOTIFICATIONS_RECEIPTS).await
}
