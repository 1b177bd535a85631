//! The daemon's answers to commands, handed to the requests that wait for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pipeline::Context;
use pipeline::log::{Batch, From};
use schemas::{Alert, AlertChanged, CommandAnswer, Topic};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::following::{Followed, follow};

/// What a record with answers holds, and one without does not.
const MARK: &[u8] = b"\"answers\":";

/// An answer, with the alert as it is after the command.
pub(crate) type Answer = (CommandAnswer, Option<Alert>);

/// The requests that wait; cheap to clone.
#[derive(Clone)]
pub(crate) struct Answers {
    waiting: Arc<Mutex<HashMap<Uuid, oneshot::Sender<Answer>>>>,
    listening: watch::Receiver<bool>,
}

impl Answers {
    /// Follows `alerts.changed` from now on.
    pub(crate) fn start(context: &Context) -> Self {
        let (sender, listening) = watch::channel(false);
        let answers = Self {
            waiting: Arc::default(),
            listening,
        };
        let follower = answers.clone();
        follow(
            context,
            "answers",
            Topic::ALERTS_CHANGED,
            From::End,
            move |followed| match followed {
                Followed::Begun => {
                    sender.send_replace(true);
                }
                Followed::Batch(batch) => follower.deliver_all(batch),
                Followed::Lost => {
                    sender.send_replace(false);
                }
            },
        );
        answers
    }

    /// Waits for the answer to this command; to be called before the command is appended.
    pub(crate) fn expect(&self, command: Uuid) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(command, sender);
        receiver
    }

    /// No request waits for these any more.
    pub(crate) fn forget(&self, commands: &[Uuid]) {
        let mut waiting = self.lock();
        for command in commands {
            waiting.remove(command);
        }
    }

    /// Whether answers are heard; a command that is appended before would be applied, and its answer be missed.
    pub(crate) async fn listening(&self) {
        let mut listening = self.listening.clone();
        // The sender lives as long as the process.
        let _ = listening.wait_for(|listening| *listening).await;
    }

    fn deliver_all(&self, batch: Batch) {
        for record in batch.records {
            if let Some(value) = record.value.filter(|value| contains(value, MARK)) {
                self.deliver(&value);
            }
        }
    }

    fn deliver(&self, value: &[u8]) {
        match serde_json::from_slice::<AlertChanged>(value) {
            Ok(change) => {
                let mut waiting = self.lock();
                for answer in change.answers {
                    if let Some(sender) = waiting.remove(&answer.command_id) {
                        // The request may have ended meanwhile.
                        let _ = sender.send((answer, change.alert.clone()));
                    }
                }
            }
            Err(error) => tracing::error!(%error, "a change of an alert cannot be read"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn contains(value: &[u8], mark: &[u8]) -> bool {
    value.windows(mark.len()).any(|window| window == mark)
}
