//! Notifications in a channel's hands.

use std::collections::HashMap;

use schemas::{Channel, Fingerprint, Notification, NotificationKind, Topic};
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::claims::{fence, store_positions};
use crate::connection::{Session, Statement, list, padded, row};
use crate::outbox::{outbox_rows, put_outbox, remove_published};
use crate::values::{Reader, Value, count, document, endpoint};
use crate::{Claim, Delivery, DeliveryState, DeliveryUpdate, OutboxMessage, Store, StoreError};

/// The most deliveries in one update: each column is chosen by comparing with all of them.
const UPDATES: usize = 48;
/// The most ids in one statement.
const IDS: usize = 500;

/// Some of the deliveries of a partition.
#[derive(Debug, Default)]
pub struct DeliveryPage {
    /// In the order in which they were accepted.
    pub deliveries: Vec<Delivery>,
    /// Where the next page begins; none when this is the last.
    pub next: Option<i64>,
}

impl Store {
    /// Takes notifications into a channel's hands, with the position after them. Known ones stay as they are.
    pub async fn accept(
        &self,
        claim: &Claim,
        notifications: &[Notification],
        position: (Topic, u64),
    ) -> Result<(), StoreError> {
        let mut session = self.write(of_partition(claim)).await?;
        fence(&mut session, claim).await?;
        let rows: Result<Vec<_>, _> = notifications.iter().map(|new| delivery_row(claim, new)).collect();
        let into = "deliveries (notification_id, scope, partition_number, fingerprint, episode, channel, \
                    endpoint_hash, kind, created_at, state, unfinished, attempts, next_attempt_at, document)";
        session
            .insert(into, &row(14), rows?, &self.dialect().or_keep("notification_id"))
            .await?;
        store_positions(&mut session, claim, [position]).await?;
        session.commit().await
    }

    /// Which of these notifications are in a channel's hands, or were.
    pub async fn known(&self, notifications: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let mut session = self.read("deliveries that are known".to_owned()).await?;
        let mut known = Vec::new();
        for notifications in notifications.chunks(IDS) {
            let values = ids(notifications);
            let select = format!(
                "SELECT notification_id FROM deliveries WHERE notification_id IN ({})",
                list(values.len())
            );
            for row in session.fetch(Statement::kept(select), values).await? {
                let reader = Reader {
                    row: &row,
                    what: session.what(),
                };
                let text = reader.text(0)?;
                known.push(text.parse().map_err(|_| reader.unexpected(0, text))?);
            }
        }
        Ok(known)
    }

    /// A page of the deliveries of a claimed partition that are to be sent, or beside which a version before has stored a receipt
    /// that is to be published, in the order in which they were accepted. `after` is [`DeliveryPage::next`] of the page before, 0 for the first.
    pub async fn unfinished(
        &self,
        claim: &Claim,
        after: i64,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        let values = vec![claim.scope.as_str().into(), claim.partition.into(), after.into()];
        self.delivery_page(claim, "", values, limit).await
    }

    /// A page of the deliveries to one destination of a claimed partition that are to be sent, in the order in which they
    /// were accepted; `after` as in [`Store::unfinished`].
    pub async fn pending_at(
        &self,
        claim: &Claim,
        (destination, bot): (&str, Option<&str>),
        after: i64,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        let values = vec![
            claim.scope.as_str().into(),
            claim.partition.into(),
            after.into(),
            endpoint(destination, bot),
        ];
        let condition = "AND endpoint_hash = ? AND state = 'pending' ";
        self.delivery_page(claim, condition, values, limit).await
    }

    async fn delivery_page(
        &self,
        claim: &Claim,
        condition: &str,
        values: Vec<Value>,
        limit: usize,
    ) -> Result<DeliveryPage, StoreError> {
        let mut session = self.read(of_partition(claim)).await?;
        let select = format!(
            "SELECT document, state, attempts, next_attempt_at, reference, receipt, notification_id, id FROM deliveries \
             WHERE scope = ? AND partition_number = ? AND unfinished = 1 AND id > ? {condition}ORDER BY id LIMIT {limit}"
        );
        let rows = session.fetch(Statement::kept(select), values).await?;
        let mut page = DeliveryPage::default();
        for row in &rows {
            let what = session.what();
            let reader = Reader { row, what };
            if rows.len() == limit {
                page.next = Some(reader.number(7)?);
            }
            let id = reader.text(6)?;
            page.deliveries
                .extend(self.unreadable().skip("deliveries", id, delivery(row, what))?);
        }
        Ok(page)
    }

    /// The provider's id of the message that opened this alert's episode at this endpoint, if it was sent and has one.
    pub async fn thread_ref(
        &self,
        fingerprint: Fingerprint,
        episode: u32,
        channel: Channel,
        (destination, bot): (&str, Option<&str>),
    ) -> Result<Option<String>, StoreError> {
        let mut session = self.read(format!("deliveries of alert {fingerprint}")).await?;
        let select = "SELECT reference FROM deliveries WHERE fingerprint = ? AND episode = ? AND channel = ? \
                      AND endpoint_hash = ? AND kind = 'open' AND state = 'sent' AND reference IS NOT NULL \
                      ORDER BY id DESC LIMIT 1";
        let values = vec![
            fingerprint.into(),
            episode.into(),
            channel.name().into(),
            endpoint(destination, bot),
        ];
        let rows = session.fetch(select, values).await?;
        rows.first()
            .map(|row| {
                Ok(Reader {
                    row,
                    what: session.what(),
                }
                .text(0)?
                .to_owned())
            })
            .transpose()
    }

    /// Stores new states of deliveries with the messages to publish after that, and removes what was published of those
    /// before; answers the id of the outbox row, if one was written. Doing it twice does no harm, but that its messages may be
    /// published twice.
    pub async fn update_deliveries(
        &self,
        claim: &Claim,
        updates: &[DeliveryUpdate],
        outbox: &[OutboxMessage],
        published: &[i64],
    ) -> Result<Option<i64>, StoreError> {
        let outbox = outbox_rows(outbox)?;
        let mut session = self.write(of_partition(claim)).await?;
        fence(&mut session, claim).await?;
        let (alike, others) = split(updates);
        for (end, ids) in &alike {
            for ids in ids.chunks(IDS) {
                store_alike(&mut session, end, ids).await?;
            }
        }
        for updates in others.chunks(UPDATES) {
            store_updates(&mut session, updates).await?;
        }
        remove_published(&mut session, published).await?;
        let row = put_outbox(&mut session, claim, outbox).await?;
        session.commit().await?;
        Ok(row)
    }

    /// Forgets receipts that a version before has stored beside their deliveries, after they were published.
    pub async fn forget_receipts(&self, claim: &Claim, published: &[Uuid]) -> Result<(), StoreError> {
        let mut session = self.write(of_partition(claim)).await?;
        fence(&mut session, claim).await?;
        for published in published.chunks(IDS) {
            let values = ids(published);
            let text = format!(
                "UPDATE deliveries SET receipt = NULL, unfinished = CASE WHEN state = 'pending' THEN 1 ELSE 0 END \
                 WHERE notification_id IN ({})",
                list(values.len())
            );
            session.execute(Statement::kept(text), values).await?;
        }
        session.commit().await
    }
}

fn of_partition(claim: &Claim) -> String {
    format!("deliveries of {} partition {}", claim.scope, claim.partition)
}

fn delivery_row(claim: &Claim, notification: &Notification) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        id(notification.notification_id),
        claim.scope.as_str().into(),
        claim.partition.into(),
        notification.fingerprint.into(),
        notification.episode.into(),
        notification.channel.name().into(),
        endpoint(&notification.destination, notification.bot.as_deref()),
        kind(notification.kind).into(),
        notification.created_at.into(),
        DeliveryState::Pending.name().into(),
        true.into(),
        0_i64.into(),
        notification.created_at.into(),
        document("a new notification", notification)?,
    ])
}

fn delivery(row: &AnyRow, what: &str) -> Result<Delivery, StoreError> {
    let reader = Reader { row, what };
    let state = reader.text(1)?;
    let receipt = reader.optional_text(5)?.map(|_| reader.document(5)).transpose()?;
    Ok(Delivery {
        notification: reader.document(0)?,
        state: DeliveryState::from_name(state).ok_or_else(|| reader.unexpected(1, state))?,
        attempts: reader.number(2)?,
        next_attempt_at: reader.time(3)?,
        reference: reader.optional_text(4)?.map(str::to_owned),
        receipt,
    })
}

/// State, attempts and reference, by which ends are alike.
type Alike<'a> = (DeliveryState, u32, Option<&'a str>);

/// What has ended in the same way, and the rest; of several updates of a delivery the last one counts.
fn split(updates: &[DeliveryUpdate]) -> (HashMap<Alike<'_>, Vec<Uuid>>, Vec<&DeliveryUpdate>) {
    let (mut alike, mut others) = (HashMap::<_, Vec<_>>::new(), Vec::new());
    let last: HashMap<_, _> = updates
        .iter()
        .map(|update| (update.notification_id, update))
        .collect();
    for update in last.into_values() {
        if update.state == DeliveryState::Pending {
            others.push(update);
        } else {
            let key = (update.state, update.attempts, update.reference.as_deref());
            alike.entry(key).or_default().push(update);
        }
    }
    // A statement for each would be more work than one in which each column is chosen.
    alike.retain(|_, of| {
        let few = of.len() < 4;
        if few {
            others.append(of);
        }
        !few
    });
    let id = |update: &DeliveryUpdate| update.notification_id;
    let alike = alike.into_iter();
    let alike = alike.map(|(end, of)| (end, of.into_iter().map(id).collect()));
    (alike.collect(), others)
}

/// One statement for many deliveries that ended alike. When the next attempt would have been does not matter any more.
async fn store_alike(
    session: &mut Session,
    (state, attempts, reference): &Alike<'_>,
    ended: &[Uuid],
) -> Result<(), StoreError> {
    let ids = ids(ended);
    let text = format!(
        "UPDATE deliveries SET state = ?, attempts = ?, reference = ?, unfinished = 0 WHERE notification_id IN ({})",
        list(ids.len())
    );
    let end = vec![
        state.name().into(),
        count(*attempts),
        reference.map(str::to_owned).into(),
    ];
    session
        .execute(Statement::kept(text), [end, ids].concat())
        .await?;
    Ok(())
}

/// One statement for many deliveries, in words that both databases know.
async fn store_updates(session: &mut Session, updates: &[&DeliveryUpdate]) -> Result<(), StoreError> {
    let updates = padded(updates.to_vec());
    let rows: Vec<_> = updates.iter().copied().map(update_values).collect();
    let columns = ["state", "unfinished", "attempts", "next_attempt_at", "reference"];
    let choices = "WHEN ? THEN ? ".repeat(updates.len());
    let assignments = columns.map(|column| format!("{column} = CASE notification_id {choices}END"));
    let text = format!(
        "UPDATE deliveries SET {} WHERE notification_id IN ({})",
        assignments.join(", "),
        list(updates.len())
    );
    let ids = || updates.iter().map(|update| id(update.notification_id));
    let mut values = Vec::with_capacity(updates.len() * 11);
    for column in 0..columns.len() {
        values.extend(ids().zip(&rows).flat_map(|(id, row)| [id, row[column].clone()]));
    }
    values.extend(ids());
    session.execute(Statement::kept(text), values).await?;
    Ok(())
}

fn update_values(update: &DeliveryUpdate) -> [Value; 5] {
    [
        update.state.name().into(),
        (update.state == DeliveryState::Pending).into(),
        count(update.attempts),
        update.next_attempt_at.into(),
        update.reference.clone().into(),
    ]
}

fn ids(notification_ids: &[Uuid]) -> Vec<Value> {
    padded(notification_ids.iter().copied().map(id).collect())
}

fn id(notification_id: Uuid) -> Value {
    Value::Text(notification_id.to_string())
}

const fn kind(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::Open => "open",
        NotificationKind::Update => "update",
        NotificationKind::Close => "close",
    }
}

impl DeliveryState {
    const ALL: [DeliveryState; 4] = [
        DeliveryState::Pending,
        DeliveryState::Sent,
        DeliveryState::Failed,
        DeliveryState::Superseded,
    ];

    /// The word for it, as in the database.
    pub const fn name(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Sent => "sent",
            DeliveryState::Failed => "failed",
            DeliveryState::Superseded => "superseded",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}
