//! Keeps the `config` topic as the database says.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use pipeline::trace::record_headers;
use pipeline::{Context, LogError, Record};
use schemas::Topic;
use schemas::config::{ConfigEntry, Revision};
use store::{Store, StoreError};
use tokio::sync::{mpsc, watch};

use self::topic::OnTopic;

mod topic;

const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How long is waited for a change before a sign of life.
const WAIT: Duration = Duration::from_secs(10);
/// After so many of these waits topic and database are compared: once a minute.
const COMPARED_AFTER_WAITS: u32 = 6;
/// How long a caller waits for the stages to be able to read what was applied.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(10);

/// Publishes in the background; cheap to clone.
#[derive(Clone)]
pub(crate) struct Publisher {
    wake: mpsc::Sender<()>,
    published: watch::Receiver<Option<u64>>,
}

#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Publisher {
    /// Begins with what may not have been published before.
    pub(crate) fn start(context: &Context, store: Store) -> Self {
        let (wake, mut wakes) = mpsc::channel(1);
        let (sender, published) = watch::channel(None);
        let context = context.clone();
        tokio::spawn(async move {
            let task = context.health.task("configuration publisher");
            let mut on_topic = OnTopic::default();
            let work = async {
                loop {
                    publish_patiently((&context, &store), &mut on_topic, &task, &sender).await;
                    // Or compared again all the same: another publisher may have written what it had read before.
                    for _ in 0..COMPARED_AFTER_WAITS {
                        task.progress();
                        if tokio::time::timeout(WAIT, wakes.recv()).await.is_ok() {
                            break;
                        }
                    }
                }
            };
            tokio::select! {
                () = context.shutdown.cancelled() => {}
                () = work => {}
            }
            task.ended();
        });
        Self { wake, published }
    }

    /// Whether every stage can read this revision; waits some time for it.
    pub(crate) async fn publish(&self, revision: u64) -> bool {
        // A wake that is already waiting will do.
        let _ = self.wake.try_send(());
        let mut published = self.published.clone();
        let done = published.wait_for(|published| published.is_some_and(|published| published >= revision));
        matches!(tokio::time::timeout(PUBLISHED_WITHIN, done).await, Ok(Ok(_)))
    }
}

async fn publish_patiently(
    (context, store): (&Context, &Store),
    on_topic: &mut OnTopic,
    task: &pipeline::health::Task,
    published: &watch::Sender<Option<u64>>,
) {
    loop {
        match publish(context, store, on_topic).await {
            Ok(revision) => {
                published.send_replace(Some(revision));
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "the configuration is not published yet");
                task.waiting(match error {
                    PublishError::Log(_) => "log",
                    PublishError::Store(_) => "database",
                });
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

/// Writes to the topic until it says what the database says; answers the revision.
///
/// Several processes publish, and one may be held up between reading and writing: what it writes then is older than what
/// another one has written meanwhile. So each reads on after it has written.
async fn publish(context: &Context, store: &Store, on_topic: &mut OnTopic) -> Result<u64, PublishError> {
    loop {
        let (revision, missing) = compared(context, store, on_topic).await?;
        if missing.is_empty() {
            store.site_published(revision).await?;
            return Ok(revision);
        }
        context.log.append(Topic::CONFIG, missing).await?;
    }
}

/// The revision of the database, and what is to be written for the topic to say the same: what the topic lacks, removals
/// of what it should not have, and the revision last.
async fn compared(
    context: &Context,
    store: &Store,
    on_topic: &mut OnTopic,
) -> Result<(u64, Vec<Record>), PublishError> {
    // The topic first: what the database says then is no older.
    on_topic.read_on(context.log.as_ref()).await?;
    let on_topic = on_topic.values();
    let site = store.site().await?;
    let revision = ConfigEntry::Revision(Revision {
        revision: site.revision,
    });
    let mut wanted: BTreeMap<String, Bytes> = site
        .entries
        .iter()
        .map(|(key, text)| (key.clone(), Bytes::from(text.clone())))
        .collect();
    let revision_key = revision.key();
    let mut records: Vec<_> = on_topic
        .keys()
        .filter(|key| !wanted.contains_key(*key) && **key != revision_key)
        .map(|key| record(key.clone(), None))
        .collect();
    wanted.retain(|key, value| on_topic.get(key) != Some(value));
    records.extend(wanted.into_iter().map(|(key, value)| record(key, Some(value))));
    let revision_value = Bytes::from(serde_json::json!(revision).to_string());
    if !records.is_empty() || on_topic.get(&revision_key) != Some(&revision_value) {
        records.push(record(revision_key, Some(revision_value)));
    }
    Ok((site.revision, records))
}

fn record(key: String, value: Option<Bytes>) -> Record {
    Record {
        key,
        value,
        headers: record_headers(None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chassis::site;
    use jiff::Timestamp;
    use pipeline::Clock;
    use pipeline::log::simulated::SimulatedLog;
    use schemas::config::Environment;

    use super::*;

    async fn change(store: &Store, description: &str) {
        let entry = ConfigEntry::Environment(Environment {
            name: "shop".to_owned(),
            description: description.to_owned(),
            number: None,
        });
        let entries = BTreeMap::from([(entry.key(), serde_json::json!(entry).to_string())]);
        let revision = store.site().await.unwrap().revision;
        let new = store::NewRevision {
            expected: revision,
            set: &entries,
            remove: &[],
            by: &schemas::Principal::system(),
            at: Timestamp::UNIX_EPOCH,
            keep: 100,
        };
        store.change_site(&new).await.unwrap();
    }

    async fn agree(context: &Context, store: &Store) -> bool {
        compared(context, store, &mut OnTopic::default())
            .await
            .unwrap()
            .1
            .is_empty()
    }

    async fn world() -> (Context, Store) {
        let store = Store::in_memory().await.unwrap();
        let clock = Clock::simulated(Timestamp::UNIX_EPOCH);
        (Context::new(Arc::new(SimulatedLog::new(1)), clock), store)
    }

    #[tokio::test(start_paused = true)]
    async fn l4_a_publisher_that_was_held_up_takes_nothing_newer_back() {
        let (context, store) = world().await;
        let mut on_topic = OnTopic::default();
        change(&store, "first").await;
        let (_, held_up) = compared(&context, &store, &mut OnTopic::default()).await.unwrap();
        change(&store, "second").await;
        assert_eq!(publish(&context, &store, &mut on_topic).await.unwrap(), 2);

        // It goes on: writes, and reads again.
        context.log.append(Topic::CONFIG, held_up).await.unwrap();
        assert!(!agree(&context, &store).await);
        assert_eq!(publish(&context, &store, &mut on_topic).await.unwrap(), 2);
        assert!(agree(&context, &store).await);
        let mut followed = site::follow(&context);
        let site = site::complete(&mut followed).await;
        assert_eq!(site.environments["shop"].description, "second");
        assert_eq!(site.revision, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn l4_what_a_publisher_that_is_gone_wrote_too_late_is_put_right_within_a_minute() {
        let (context, store) = world().await;
        change(&store, "first").await;
        let (_, held_up) = compared(&context, &store, &mut OnTopic::default()).await.unwrap();
        change(&store, "second").await;
        let publishers = [(); 2].map(|()| Publisher::start(&context, store.clone()));
        for publisher in &publishers {
            assert!(publisher.publish(2).await);
        }
        context.log.append(Topic::CONFIG, held_up).await.unwrap();
        assert!(!agree(&context, &store).await);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(agree(&context, &store).await);
    }
}
