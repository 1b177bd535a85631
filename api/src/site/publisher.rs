//! Keeps the `config` topic as the database says.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use pipeline::log::From;
use pipeline::trace::record_headers;
use pipeline::{Context, LogError, Record};
use schemas::Topic;
use schemas::config::{ConfigEntry, Revision};
use store::{Store, StoreError};
use tokio::sync::{mpsc, watch};

const RETRY_AFTER: Duration = Duration::from_secs(2);
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
            let work = async {
                loop {
                    publish_patiently(&context, &store, &task, &sender).await;
                    loop {
                        task.progress();
                        if tokio::time::timeout(Duration::from_secs(10), wakes.recv())
                            .await
                            .is_ok()
                        {
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
    context: &Context,
    store: &Store,
    task: &pipeline::health::Task,
    published: &watch::Sender<Option<u64>>,
) {
    loop {
        match publish(context, store).await {
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

/// Writes what the topic lacks, removes what it should not have, and the revision last.
async fn publish(context: &Context, store: &Store) -> Result<u64, PublishError> {
    let site = store.site().await?;
    let on_topic = read_topic(context).await?;
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
        context.log.append(Topic::CONFIG, records).await?;
    }
    store.site_published(site.revision).await?;
    Ok(site.revision)
}

fn record(key: String, value: Option<Bytes>) -> Record {
    Record {
        key,
        value,
        headers: record_headers(None),
    }
}

/// The newest value of each key on the topic.
async fn read_topic(context: &Context) -> Result<BTreeMap<String, Bytes>, LogError> {
    let mut follower = context.log.follow(Topic::CONFIG, From::Start).await?;
    let mut values = BTreeMap::new();
    while !follower.caught_up() {
        for record in follower.next().await?.records {
            match record.value {
                Some(value) => drop(values.insert(record.key, value)),
                None => drop(values.remove(&record.key)),
            }
        }
    }
    Ok(values)
}
