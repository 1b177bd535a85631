//! The site's configuration, followed on the `config` topic.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{Pace, Site};
use pipeline::health::Task;
use pipeline::log::{Follower, From, Received};
use pipeline::{Context, LogError};
use schemas::Topic;
use schemas::config::ConfigEntry;
use tokio::sync::watch;

use self::memory::Memory;

mod memory;

const RETRY_AFTER: Duration = Duration::from_secs(1);
/// After so long without a record it is said how it is.
const QUIET: Duration = Duration::from_secs(10);
/// What is waited for while a change has come in part: its publisher, or the next one, writes the rest.
const REST_OF_CHANGE: &str = "the rest of a change of the site";

/// Follows the site for as long as the process lives.
///
/// What is watched has no revision until the topic was read to its end once: stages wait for that before their first
/// event. A restart of the log is waited out; the site stays what it was meanwhile.
pub fn follow(context: &Context) -> watch::Receiver<Arc<Site>> {
    follow_from(context, None, Pace::default())
}

/// The same for a daemon that writes what changes all the time at this pace.
pub fn follow_at_pace(context: &Context, pace: Pace) -> watch::Receiver<Arc<Site>> {
    follow_from(context, None, pace)
}

/// The same for a process that does its work also when it starts while the log is away: until it can read the topic,
/// the site is what this file remembers.
pub fn follow_remembering(context: &Context, file: PathBuf) -> watch::Receiver<Arc<Site>> {
    follow_from(context, Some(Memory::new(file)), Pace::default())
}

fn follow_from(context: &Context, memory: Option<Memory>, pace: Pace) -> watch::Receiver<Arc<Site>> {
    let remembered = memory.as_ref().and_then(Memory::site).unwrap_or_default();
    let (sender, receiver) = watch::channel(Arc::new(remembered));
    let task = context.health.task("site");
    task.waiting("configuration");
    let reader = Reader {
        context: context.clone(),
        task,
        sender,
        memory,
        pace,
    };
    tokio::spawn(reader.run());
    receiver
}

/// Reads the topic, and tells what it says.
struct Reader {
    context: Context,
    task: Task,
    sender: watch::Sender<Arc<Site>>,
    memory: Option<Memory>,
    pace: Pace,
}

/// What was read of the topic.
struct Read {
    site: Site,
    /// The last record was the revision, with which each change ends.
    whole: bool,
    /// As they came, for a process that remembers them.
    entries: Option<BTreeMap<String, ConfigEntry>>,
}

impl Reader {
    async fn run(self) {
        let shutdown = self.context.shutdown.clone();
        shutdown.run_until_cancelled(self.read_for_ever()).await;
        self.task.ended();
    }

    async fn read_for_ever(&self) {
        loop {
            if let Err(error) = self.read().await {
                tracing::warn!(%error, "the configuration cannot be read");
            }
            self.task.waiting("log");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn read(&self) -> Result<(), LogError> {
        let mut follower = self.context.log.follow(Topic::CONFIG, From::Start).await?;
        let mut read = Read {
            site: Site::at_pace(self.pace),
            whole: false,
            entries: self.memory.is_some().then(BTreeMap::new),
        };
        loop {
            if follower.caught_up() && read.whole {
                self.tell(&read).await;
            }
            self.take_in(&mut read, follower.as_mut()).await?;
        }
    }

    async fn tell(&self, read: &Read) {
        let modified = self.sender.send_if_modified(|known| {
            let modified = **known != read.site;
            if modified {
                *known = Arc::new(read.site.clone());
            }
            modified
        });
        if modified {
            self.report_unusable(&read.site.unusable);
        }
        if let (Some(memory), Some(entries), true) = (&self.memory, &read.entries, modified) {
            memory.keep(entries).await;
        }
    }

    /// Names in `/readyz` the entries that cannot be used, and counts them.
    fn report_unusable(&self, unusable: &BTreeMap<String, String>) {
        let subject = |key: &str| format!("site entry {key}");
        for warning in self.context.health.warnings() {
            let key = warning.subject.strip_prefix("site entry ");
            if key.is_some_and(|key| !unusable.contains_key(key)) {
                self.context.health.clear(&warning.subject);
            }
        }
        for (key, error) in unusable {
            let warning = format!("cannot be used, and what was there before it stays in use: {error}");
            self.context.health.warn(&subject(key), &warning);
        }
        self.context.metrics.unusable_site_entries(unusable.len());
    }

    /// Takes in the next records; tells of life while there are none.
    async fn take_in(&self, read: &mut Read, follower: &mut dyn Follower) -> Result<(), LogError> {
        let batch = loop {
            match tokio::time::timeout(QUIET, follower.next()).await {
                Ok(batch) => break batch?,
                Err(_) if read.site.revision.is_none() => self.task.waiting("configuration"),
                Err(_) if !read.whole => self.task.waiting(REST_OF_CHANGE),
                Err(_) => self.task.progress(),
            }
        };
        for record in batch.records {
            read.apply(record);
        }
        if read.site.revision.is_some() {
            self.task.progress();
        }
        Ok(())
    }
}

impl Read {
    fn apply(&mut self, record: Received) {
        let Received { key, value, .. } = record;
        let entry = value
            .map(|value| serde_json::from_slice::<ConfigEntry>(&value))
            .transpose();
        match entry {
            Ok(entry) => {
                if let Some(entries) = &mut self.entries {
                    entries.remove(&key);
                    entries.extend(entry.clone().map(|entry| (key.clone(), entry)));
                }
                self.whole = matches!(entry, Some(ConfigEntry::Revision(_)));
                self.site.apply(&key, entry);
            }
            Err(error) => self.site.cannot_use(&key, &error),
        }
        if let Some(error) = self.site.unusable.get(&key) {
            tracing::error!(key, error, "a configuration entry cannot be used");
        }
    }
}

/// Waits until the site has been read to its end once.
pub async fn complete(site: &mut watch::Receiver<Arc<Site>>) -> Arc<Site> {
    match site.wait_for(|site| site.revision.is_some()).await {
        Ok(site) => Arc::clone(&site),
        // The follower is gone: the process ends, and so will whoever waits here.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
