//! The site's configuration, followed on the `config` topic.

use std::sync::Arc;
use std::time::Duration;

use domain::Site;
use pipeline::log::{Follower, From};
use pipeline::{Context, LogError};
use schemas::Topic;
use schemas::config::ConfigEntry;
use tokio::sync::watch;

const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Follows the site for as long as the process lives.
///
/// What is watched has no revision until the topic was read to its end once: stages wait for that before their first
/// event. A restart of the log is waited out; the site stays what it was meanwhile.
pub fn follow(context: &Context) -> watch::Receiver<Arc<Site>> {
    let (sender, receiver) = watch::channel(Arc::new(Site::default()));
    let context = context.clone();
    tokio::spawn(async move {
        let task = context.health.task("site");
        task.waiting("configuration");
        tokio::select! {
            () = context.shutdown.cancelled() => {}
            () = read_for_ever(&context, &task, &sender) => {}
        }
        task.ended();
    });
    receiver
}

async fn read_for_ever(context: &Context, task: &pipeline::health::Task, sender: &watch::Sender<Arc<Site>>) {
    loop {
        if let Err(error) = read(context, task, sender).await {
            tracing::warn!(%error, "the configuration cannot be read");
        }
        task.waiting("log");
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

async fn read(
    context: &Context,
    task: &pipeline::health::Task,
    sender: &watch::Sender<Arc<Site>>,
) -> Result<(), LogError> {
    let mut follower = context.log.follow(Topic::CONFIG, From::Start).await?;
    let mut site = Site::default();
    loop {
        if follower.caught_up() && site.revision.is_some() {
            sender.send_if_modified(|known| {
                let modified = **known != site;
                if modified {
                    *known = Arc::new(site.clone());
                }
                modified
            });
        }
        take_in(&mut site, follower.as_mut(), task).await?;
    }
}

/// Takes in the next records; tells of life while there are none.
async fn take_in(
    site: &mut Site,
    follower: &mut dyn Follower,
    task: &pipeline::health::Task,
) -> Result<(), LogError> {
    let sign_of_life = Duration::from_secs(10);
    let batch = loop {
        match tokio::time::timeout(sign_of_life, follower.next()).await {
            Ok(batch) => break batch?,
            Err(_) if site.revision.is_some() => task.progress(),
            Err(_) => task.waiting("configuration"),
        }
    };
    for record in batch.records {
        let entry = record
            .value
            .map(|value| serde_json::from_slice::<ConfigEntry>(&value))
            .transpose();
        match entry {
            Ok(entry) => site.apply(&record.key, entry),
            Err(error) => tracing::error!(key = record.key, %error, "a configuration entry cannot be read"),
        }
    }
    if site.revision.is_some() {
        task.progress();
    }
    Ok(())
}

/// Waits until the site has been read to its end once.
pub async fn complete(site: &mut watch::Receiver<Arc<Site>>) -> Arc<Site> {
    match site.wait_for(|site| site.revision.is_some()).await {
        Ok(site) => Arc::clone(&site),
        // The follower is gone: the process ends, and so will whoever waits here.
        Err(_) => std::future::pending().await,
    }
}
