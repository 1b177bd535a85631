//! Reading a topic for as long as the process lives.

use std::time::Duration;

use pipeline::health::Task;
use pipeline::log::{Batch, From};
use pipeline::{Context, LogError};
use schemas::Topic;

const RETRY_AFTER: Duration = Duration::from_secs(1);
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// What a follower learns.
pub(crate) enum Followed {
    /// From now on nothing is missed.
    Begun,
    /// Records.
    Batch(Batch),
    /// The log is unavailable. It is tried again, from the same place as at first.
    Lost,
}

/// Reads all of a topic in a task of its own, until shutdown.
pub(crate) fn follow(
    context: &Context,
    name: &'static str,
    topic: Topic,
    from: From,
    mut on_event: impl FnMut(Followed) + Send + 'static,
) {
    let context = context.clone();
    tokio::spawn(async move {
        let task = context.health.task(name);
        let for_ever = async {
            loop {
                if let Err(error) = read_topic(&context, &task, topic, from, &mut on_event).await {
                    tracing::warn!(%topic, %error, "a topic cannot be read");
                }
                on_event(Followed::Lost);
                task.waiting("log");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        };
        context.shutdown.run_until_cancelled(for_ever).await;
        task.ended();
    });
}

async fn read_topic(
    context: &Context,
    task: &Task,
    topic: Topic,
    from: From,
    on_event: &mut (impl FnMut(Followed) + Send),
) -> Result<(), LogError> {
    let mut follower = context.log.follow(topic, from).await?;
    on_event(Followed::Begun);
    loop {
        task.progress();
        if let Ok(batch) = tokio::time::timeout(SIGN_OF_LIFE, follower.next()).await {
            on_event(Followed::Batch(batch?));
        }
    }
}
