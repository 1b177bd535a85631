//! The results of opens, remembered for the updates and closes that follow them. Knows no store.

use std::collections::HashMap;
use std::sync::Arc;

use schemas::{Fingerprint, NotificationKind};

use super::pending::{Endpoint, PendingNotification};
use super::queue::Disposition;

/// How many openings are remembered; the store knows the rest.
const MAX_OPENINGS: usize = 100_000;

/// The remembered opens, the last of each alert and endpoint.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    of: HashMap<(Arc<Endpoint>, Fingerprint), Opening>,
}

/// The result of the open of an episode.
#[derive(Debug, Clone)]
struct Opening {
    episode: u32,
    /// The provider's id of the message; none when the open failed permanently.
    reference: Option<Arc<str>>,
    /// That message is a digest.
    in_digest: bool,
}

impl Openings {
    /// The provider's id of the message that opened this episode there, if it is remembered.
    pub(crate) fn thread_ref(
        &self,
        endpoint: &Arc<Endpoint>,
        pending: &PendingNotification,
    ) -> Option<Arc<str>> {
        self.opening(endpoint, pending)?.reference.clone()
    }

    /// Whether a digest opened this episode there.
    pub(crate) fn in_digest(&self, endpoint: &Arc<Endpoint>, pending: &PendingNotification) -> bool {
        self.opening(endpoint, pending)
            .is_some_and(|opening| opening.in_digest)
    }

    /// The episode of the alert whose open failed permanently there, if it is the last that is remembered.
    pub(crate) fn failed_episode(&self, endpoint: &Arc<Endpoint>, fingerprint: Fingerprint) -> Option<u32> {
        let opening = self.of.get(&(Arc::clone(endpoint), fingerprint))?;
        opening.reference.is_none().then_some(opening.episode)
    }

    /// Remembers the result of an open, and forgets the open when its episode is closed there.
    pub(crate) fn remember(
        &mut self,
        endpoint: &Arc<Endpoint>,
        pending: &PendingNotification,
        disposition: &Disposition,
        in_digest: bool,
    ) {
        let reference = match (pending.kind, disposition) {
            (_, Disposition::Again { .. }) | (NotificationKind::Update, _) => return,
            (
                NotificationKind::Open,
                Disposition::Sent {
                    reference: Some(reference),
                },
            ) => Some(reference.as_str().into()),
            (NotificationKind::Open, Disposition::Failed { .. }) => None,
            (NotificationKind::Open | NotificationKind::Close, _) => return self.forget(endpoint, pending),
        };
        if self.of.len() >= MAX_OPENINGS {
            self.of.clear();
        }
        let opening = Opening {
            episode: pending.episode,
            reference,
            in_digest,
        };
        self.of
            .insert((Arc::clone(endpoint), pending.fingerprint), opening);
    }

    /// Forgets all but the openings at these endpoints.
    pub(crate) fn retain(&mut self, stays: impl Fn(&Arc<Endpoint>) -> bool) {
        self.of.retain(|(endpoint, _), _| stays(endpoint));
    }

    fn opening(&self, endpoint: &Arc<Endpoint>, pending: &PendingNotification) -> Option<&Opening> {
        let opening = self.of.get(&(Arc::clone(endpoint), pending.fingerprint))?;
        (opening.episode == pending.episode).then_some(opening)
    }

    fn forget(&mut self, endpoint: &Arc<Endpoint>, pending: &PendingNotification) {
        if self.opening(endpoint, pending).is_some() {
            self.of.remove(&(Arc::clone(endpoint), pending.fingerprint));
        }
    }
}
