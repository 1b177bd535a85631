//! Who may write the rows of a partition, and where it goes on reading.

use std::collections::BTreeMap;

use schemas::Topic;

use crate::connection::{Session, Statement, row};
use crate::values::{Reader, Value, count};
use crate::{Claim, Store, StoreError};

impl Store {
    /// Takes a partition over: from now on commits under older epochs fail.
    pub async fn claim(&self, scope: &str, partition: u32, owner: &str) -> Result<Claim, StoreError> {
        let mut session = self
            .write(format!("the claim of {scope} partition {partition}"))
            .await?;
        let what = session.what().to_owned();
        let key: Vec<Value> = vec![scope.into(), partition.into()];
        // Also waits for a commit of the owner before, whose position is then seen below.
        let take = format!(
            "INSERT INTO claims (scope, partition_number, owner, epoch, commits) VALUES (?, ?, ?, 1, 0){}, \
             epoch = claims.epoch + 1",
            self.dialect().or_replace("scope, partition_number", &["owner"])
        );
        session
            .execute(Statement::kept(take), [key.clone(), vec![owner.into()]].concat())
            .await?;
        let rows = session
            .fetch(
                "SELECT epoch FROM claims WHERE scope = ? AND partition_number = ?",
                key.clone(),
            )
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| StoreError::corrupt(&what, "the claim is not there"))?;
        let epoch = Reader { row, what: &what }.integer(0)?;
        let positions =
            "SELECT topic, next_offset, trail FROM positions WHERE scope = ? AND partition_number = ?";
        let (mut known, mut trails) = (BTreeMap::new(), BTreeMap::new());
        for row in session.fetch(positions, key).await? {
            let reader = Reader {
                row: &row,
                what: &what,
            };
            // A topic that is no more has nothing to go on with.
            if let Some(topic) = Topic::from_name(reader.text(0)?) {
                known.insert(topic, reader.number(1)?);
                if let Some(trail) = reader.optional_text(2)? {
                    trails.insert(topic, trail.to_owned());
                }
            }
        }
        session.commit().await?;
        Ok(Claim {
            scope: scope.to_owned(),
            partition,
            epoch,
            positions: known,
            trails,
        })
    }
}

/// Goes on only while the claim holds. The row stays locked until the end of the transaction, so that whoever claims
/// meanwhile waits for it.
pub(crate) async fn fence(session: &mut Session, claim: &Claim) -> Result<(), StoreError> {
    let statement =
        "UPDATE claims SET commits = commits + 1 WHERE scope = ? AND partition_number = ? AND epoch = ?";
    let values = vec![
        claim.scope.as_str().into(),
        claim.partition.into(),
        claim.epoch.into(),
    ];
    match session.execute(statement, values).await? {
        0 => Err(StoreError::Fenced(claim.partition)),
        _ => Ok(()),
    }
}

/// Stores where to go on reading, each position with the trail that the claim has of it.
pub(crate) async fn store_positions(
    session: &mut Session,
    claim: &Claim,
    positions: impl IntoIterator<Item = (Topic, u64)>,
) -> Result<(), StoreError> {
    let values = |(topic, offset): (Topic, u64)| {
        vec![
            claim.scope.as_str().into(),
            claim.partition.into(),
            topic.name().into(),
            count(offset),
            claim.trails.get(&topic).cloned().into(),
        ]
    };
    let rows = positions.into_iter().map(values).collect();
    let end = session
        .dialect()
        .or_replace("scope, partition_number, topic", &["next_offset", "trail"]);
    let into = "positions (scope, partition_number, topic, next_offset, trail)";
    session.insert(into, &row(5), rows, &end).await
}
