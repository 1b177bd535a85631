//! Messages that are stored with what led to them, and published afterwards.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use pipeline::dead_letters::DeadLetters;
use pipeline::{LogError, Record};
use schemas::Topic;

use crate::connection::{Session, Statement, list, padded};
use crate::values::{Reader, Value, document};
use crate::{Claim, OutboxMessage, OutboxRow, Store, StoreError};

/// The most of one row; more than this goes into further rows, so that none outgrows a packet.
const OUTBOX_BYTES: usize = 2 << 20;
/// The most ids in one statement.
const IDS: usize = 1000;

impl Store {
    /// What owners of the claim's partition wrote to the outbox and did not say to have published, oldest first.
    pub async fn outbox(&self, claim: &Claim) -> Result<Vec<OutboxRow>, StoreError> {
        let what = format!("the outbox of {} partition {}", claim.scope, claim.partition);
        let mut session = self.read(what).await?;
        let select = "SELECT id, continues, messages FROM outbox WHERE partition_number = ? \
                      AND COALESCE(scope, 'daemon') = ? ORDER BY id";
        let values = vec![claim.partition.into(), claim.scope.as_str().into()];
        let mut outbox: Vec<OutboxRow> = Vec::new();
        for row in &session.fetch(select, values).await? {
            let reader = Reader {
                row,
                what: session.what(),
            };
            let (continues, messages) = (reader.optional_integer(1)?, reader.document::<Vec<_>>(2)?);
            match outbox.last_mut().filter(|last| Some(last.id) == continues) {
                Some(last) => last.messages.extend(messages),
                None => outbox.push(OutboxRow {
                    id: reader.integer(0)?,
                    messages,
                }),
            }
        }
        Ok(outbox)
    }
}

/// Appends messages to their topics, each topic's in their order and the topics side by side, and answers when all are safe.
/// Those that the log will never take become dead letters; one whose topic does not exist becomes one of `of`.
///
/// # Errors
///
/// Only what waiting may cure. Some of the messages may have been written.
pub async fn publish(
    dead_letters: &DeadLetters<'_>,
    messages: &[OutboxMessage],
    of: Topic,
) -> Result<(), LogError> {
    let mut by_topic: BTreeMap<Topic, Vec<Record>> = BTreeMap::new();
    for message in messages {
        match Topic::from_name(&message.topic) {
            Some(topic) => by_topic.entry(topic).or_default().push(record(message)),
            None => {
                let error = format!(
                    "the outbox names the topic {:?}, which does not exist",
                    message.topic
                );
                dead_letters
                    .write_dead_letter(of, &record(message), &error)
                    .await?;
            }
        }
    }
    let appends = by_topic
        .into_iter()
        .map(|(topic, records)| dead_letters.append(topic, records));
    // None is broken off by the failure of another: all are appended again then, and each in its order.
    join_all(appends).await.into_iter().collect()
}

fn record(message: &OutboxMessage) -> Record {
    Record {
        key: message.key.clone(),
        value: Some(message.value.clone().into()),
        headers: message.headers.clone(),
    }
}

/// The rows of the messages, each of limited size.
pub(crate) fn outbox_rows(messages: &[OutboxMessage]) -> Result<Vec<Value>, StoreError> {
    let parts = parts(messages);
    let rows = parts.iter().map(|part| document("new outbox messages", part));
    rows.collect()
}

/// Writes the rows; answers the id of the first, which stands for all.
pub(crate) async fn put_outbox(
    session: &mut Session,
    claim: &Claim,
    rows: Vec<Value>,
) -> Result<Option<i64>, StoreError> {
    let insert =
        "INSERT INTO outbox (partition_number, scope, continues, messages) VALUES (?, ?, ?, ?) RETURNING id";
    let mut first = None;
    for messages in rows {
        let scope = claim.scope.as_str().into();
        let values = vec![claim.partition.into(), scope, first.into(), messages];
        let rows = session.fetch(insert, values).await?;
        if first.is_none() {
            let row = rows
                .first()
                .ok_or_else(|| StoreError::corrupt(session.what(), "the outbox gave no id"))?;
            let what = session.what();
            first = Some(Reader { row, what }.integer(0)?);
        }
    }
    Ok(first)
}

/// Removes what was published.
pub(crate) async fn remove_published(session: &mut Session, published: &[i64]) -> Result<(), StoreError> {
    for ids in published.chunks(IDS) {
        let values: Vec<Value> = padded(ids.iter().map(|id| (*id).into()).collect());
        // Two statements, as each uses its own index.
        for column in ["id", "continues"] {
            let text = format!("DELETE FROM outbox WHERE {column} IN ({})", list(values.len()));
            session.execute(Statement::kept(text), values.clone()).await?;
        }
    }
    Ok(())
}

/// The messages in parts of limited size.
fn parts(messages: &[OutboxMessage]) -> Vec<&[OutboxMessage]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, message) in messages.iter().enumerate() {
        let size = message.value.len() + message.key.len();
        if index > start && bytes + size > OUTBOX_BYTES {
            parts.push(&messages[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    if start < messages.len() {
        parts.push(&messages[start..]);
    }
    parts
}
