//! Receipts to the daemon, and what failed for good to an operator.

use jiff::Timestamp;
use pipeline::log::{Batch, Received, Record};
use pipeline::parking::{Parking, parked};
use pipeline::trace::record_headers;
use pipeline::{Context, LogError};
use schemas::{HEADER_TRACEPARENT, Receipt, Topic};

use super::waiting::Waiting;

/// The stage, as parked messages name it.
const STAGE: &str = "notifiers";

/// The record of a receipt.
pub(super) fn record(receipt: &Receipt, traceparent: Option<&str>) -> Record {
    #[expect(
        clippy::expect_used,
        reason = "text, numbers and times always have a JSON form"
    )]
    let value = serde_json::to_vec(receipt).expect("a receipt has a JSON form");
    Record {
        key: receipt.fingerprint.to_string(),
        value: Some(value.into()),
        headers: record_headers(traceparent),
    }
}

/// The record that keeps a notification which could not be delivered, with the error.
pub(super) fn parked_record(
    topic: Topic,
    destination: &str,
    waiting: &Waiting,
    error: &str,
    now: Timestamp,
) -> Option<Record> {
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
    parked(&batch, &received, STAGE, error, now).map(|(_, record)| record)
}

/// Appends receipts and parked notifications; answers when all are safe. Receipts that the log will never take are
/// parked.
pub(super) async fn append(
    context: &Context,
    topic: Topic,
    receipts: Vec<Record>,
    failed: Vec<Record>,
) -> Result<(), LogError> {
    let parking = Parking {
        log: context.log.as_ref(),
        metrics: &context.metrics,
        stage: STAGE,
        now: context.clock.now(),
    };
    if let (Some(parked), false) = (topic.parked(), failed.is_empty()) {
        parking.append(parked, failed).await?;
    }
    if receipts.is_empty() {
        return Ok(());
    }
    parking.append(Topic::NOTIFICATIONS_RECEIPTS, receipts).await
}
