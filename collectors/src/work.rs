//! The work on one body: from what came to what the log keeps.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use pipeline::Record;
use schemas::Fingerprint;

use crate::accept::{Accepted, Delivery, Receipt, records};
use crate::body::Held;
use crate::bounds::Shortened;
use crate::call::Reader;
use crate::key::Known;
use crate::measure::Counts;
use crate::open_alerts::Turn;
use crate::parsing::Parsing;
use crate::refusal::Refusal;
use crate::signature::Signing;
use crate::sources::{SourceError, Understood};

/// A body from this size on is worked on beside the threads that serve everybody.
const LARGE: usize = 128 * 1024;

/// How a body is read, and what it must be like.
pub(crate) struct Reading {
    pub(crate) signing: Option<Signing>,
    pub(crate) read: Reader,
    pub(crate) alerts_limit: u32,
    pub(crate) parsing: Parsing,
}

/// A request of a known sender, with its body, or what came of it.
pub(crate) struct Arrived {
    pub(crate) path: String,
    /// The key that let it in, which may stand in the body, too.
    pub(crate) key: Arc<Known>,
    pub(crate) headers: HeaderMap,
    pub(crate) delivery: Delivery,
    pub(crate) held: Held,
}

/// All that is needed to make records of a body.
pub(crate) struct Work {
    pub(crate) reading: Reading,
    pub(crate) record_headers: Vec<(String, String)>,
    pub(crate) arrived: Arrived,
}

/// The records of a body, and what is told of them.
pub(crate) struct Prepared {
    /// One for each alert, in the order of the body; with what it does to the number of open alerts.
    pub(crate) records: Vec<(Fingerprint, Turn, Record)>,
    pub(crate) shortened: Vec<Shortened>,
    pub(crate) counts: Counts,
    pub(crate) taken: Taken,
    /// Why the body must be kept although it was taken: something in it was meant to be an alert, and is none.
    pub(crate) unusable: Option<SourceError>,
}

/// What was made of a body, once its alerts are safe.
pub(crate) struct Taken {
    /// One for each alert, in the order of the body.
    pub(crate) receipts: Vec<Receipt>,
    /// What the sender should know although the body was taken.
    pub(crate) remarks: Vec<String>,
    /// How many things in the body were left out.
    pub(crate) left_out: usize,
}

impl Taken {
    /// There was no alert in it.
    pub(crate) fn nothing(remark: String) -> Self {
        Self {
            receipts: Vec::new(),
            remarks: vec![remark],
            left_out: 0,
        }
    }
}

impl Work {
    /// Does the work, and gives the request back with its share of the budget.
    pub(crate) async fn done(self) -> (Result<Prepared, Refusal>, Option<Arrived>) {
        let Arrived { held, headers, .. } = &self.arrived;
        let packed = headers.contains_key(header::CONTENT_ENCODING);
        if held.bytes.len() < LARGE && !packed {
            return self.prepare();
        }
        let turn = match self.reading.parsing.turn(held.bytes.len(), packed).await {
            Ok(turn) => turn,
            Err(refusal) => return (Err(refusal), Some(self.arrived)),
        };
        let working = tokio::task::spawn_blocking(move || {
            let prepared = self.prepare();
            drop(turn);
            prepared
        });
        // It ends early only by a panic.
        working
            .await
            .unwrap_or_else(|error| (Err(Refusal::Unavailable(error.to_string())), None))
    }

    fn prepare(self) -> (Result<Prepared, Refusal>, Option<Arrived>) {
        let Self {
            reading,
            record_headers,
            mut arrived,
        } = self;
        let prepared = reading
            .done(&mut arrived)
            .and_then(|accepted| Ok(prepared(accepted, &record_headers)?));
        (prepared, Some(arrived))
    }
}

impl Reading {
    /// Understands a body that has proven to be its sender's.
    fn done(self, arrived: &mut Arrived) -> Result<Accepted, Refusal> {
        let Arrived {
            headers,
            delivery,
            held,
            ..
        } = arrived;
        if let Some(signing) = self.signing {
            signing.verify(headers, &held.bytes)?;
        }
        let unpacked = held.unpacked(headers)?;
        let body = unpacked.as_deref().unwrap_or(&held.bytes);
        let understood = (self.read)(headers, body)?;
        Ok(delivery.accept(not_too_many(understood, self.alerts_limit)?))
    }
}

fn not_too_many(understood: Understood, limit: u32) -> Result<Understood, Refusal> {
    let alerts = understood.events.len() + understood.wishes.len();
    if u32::try_from(alerts).is_ok_and(|alerts| alerts <= limit) {
        Ok(understood)
    } else {
        Err(Refusal::TooManyAlerts { alerts, limit })
    }
}

fn prepared(accepted: Accepted, headers: &[(String, String)]) -> Result<Prepared, SourceError> {
    let records = records(&accepted.events, headers)?.into_iter();
    let records = accepted.events.iter().zip(records);
    let records = records.map(|(event, record)| (event.fingerprint, Turn::of(event), record));
    Ok(Prepared {
        records: records.collect(),
        shortened: accepted.shortened,
        counts: Counts::of(&accepted.events),
        taken: Taken {
            receipts: accepted.receipts,
            remarks: accepted.remarks,
            left_out: accepted.left_out,
        },
        unusable: accepted.unusable,
    })
}
