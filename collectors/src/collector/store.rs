//! Appending to the log, with a bound on the time that it may take.

use std::time::Duration;

use pipeline::trace::record_headers;
use pipeline::{LogError, Record};
use schemas::Topic;

use super::Collector;
use crate::intake::decode::ReceivedRequest;
use crate::intake::error::IngestError;
use crate::intake::rejected::rejected;

/// How long the log may take to acknowledge; senders close the connection soon after.
const APPEND_TIMEOUT: Duration = Duration::from_secs(8);

impl Collector {
    /// Stores events. When this returns, they are safe.
    pub(super) async fn store_events(&self, records: Vec<Record>) -> Result<(), IngestError> {
        if records.is_empty() {
            return Ok(());
        }
        self.append(Topic::ALERTS_COLLECTED, records).await
    }

    /// Stores a refused body. If that fails, the sender gets that error and sends again, since it would not after the
    /// refusal itself.
    pub(super) async fn store_rejected(
        &self,
        error: &IngestError,
        received: &ReceivedRequest,
    ) -> Result<(), IngestError> {
        let rejected = rejected(error, received);
        let value =
            serde_json::to_vec(&rejected).map_err(|error| IngestError::Unavailable(error.to_string()))?;
        let record = Record {
            key: rejected.monitoring_system,
            value: Some(value.into()),
            headers: record_headers(None),
        };
        self.append(Topic::INGEST_REJECTED, vec![record]).await
    }

    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), IngestError> {
        let appended = tokio::time::timeout(APPEND_TIMEOUT, self.context.log.append(topic, records)).await;
        let appended = appended.unwrap_or_else(|_| {
            Err(LogError::Unavailable(format!(
                "no answer for {} seconds",
                APPEND_TIMEOUT.as_secs()
            )))
        });
        match appended {
            Ok(()) => {
                self.log_health.succeeded();
                Ok(())
            }
            Err(error) => {
                if matches!(error, LogError::Unavailable(_)) {
                    self.log_health.failed(&error);
                }
                Err(IngestError::Unavailable(error.to_string()))
            }
        }
    }
}
