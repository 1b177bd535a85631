//! What waits to be sent, and what is sent next. Knows no clock, no store and no provider.
//!
//! There is one lane per destination and alert; of a lane at most one notification is under way, and they go in order.
//! A destination has its rate, and its bad times: after failures it is left alone for a while and then tried with one
//! message at a time, so that a dead provider costs little and is noticed soon when it is back.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use schemas::{DeliveryFailure, Fingerprint, NotificationKind};
use uuid::Uuid;

use super::destination::Destination;
use super::lane;
use super::limiter::Limits;
use super::schedule::{self, Next, Past};
use super::waiting::{Place, Waiting};
use crate::answer::Answer;

/// How many openings are remembered; the store knows the rest.
const REMEMBERED: usize = 100_000;
/// How many destinations are kept that have nothing to do.
const IDLE_DESTINATIONS: usize = 10_000;

/// What waits to be sent.
pub(crate) struct Queue {
    limits: Limits,
    destinations: HashMap<Arc<Place>, Destination>,
    /// When each destination can take its next message; the turn makes it fair.
    timetable: BTreeSet<(Timestamp, u64, Arc<Place>)>,
    openings: HashMap<(Arc<Place>, Fingerprint), Opening>,
    settled: Vec<Settled>,
    turn: u64,
    order: u64,
    len: usize,
    /// The latest time that was told.
    now: Timestamp,
}

/// What became of the open of an episode.
#[derive(Debug, Clone)]
struct Opening {
    episode: u32,
    /// The provider's id of the message; none when the open failed for good.
    reference: Option<Arc<str>>,
    /// That message is a digest.
    in_digest: bool,
}

/// What is sent in one message.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) place: Arc<Place>,
    pub(crate) partition: u32,
    /// Of one kind; more than one is a digest.
    pub(crate) members: Vec<Waiting>,
}

/// Something became of a notification.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) place: Arc<Place>,
    pub(crate) partition: u32,
    pub(crate) waiting: Waiting,
    pub(crate) fate: Fate,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Sent {
        reference: Option<String>,
    },
    /// It waits again, until its `next_attempt_at`.
    Again {
        error: String,
    },
    Failed {
        failure: DeliveryFailure,
        error: String,
    },
    Superseded,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            destinations: HashMap::new(),
            timetable: BTreeSet::new(),
            openings: HashMap::new(),
            settled: Vec::new(),
            turn: 0,
            order: 0,
            len: 0,
            now: Timestamp::MIN,
        }
    }

    /// How many wait, without those under way.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many of those wait for this destination.
    pub(crate) fn waiting_at(&self, place: &Arc<Place>) -> usize {
        self.destinations.get(place).map_or(0, Destination::waiting)
    }

    /// Nothing waits for this destination or is under way to it.
    pub(crate) fn idle_at(&self, place: &Arc<Place>) -> bool {
        self.destinations.get(place).is_none_or(Destination::idle)
    }

    /// How many of those that wait have failed before.
    pub(crate) fn retrying(&self) -> usize {
        self.destinations.values().map(Destination::retrying).sum()
    }

    /// Takes a notification in, unless it is in.
    pub(crate) fn push(&mut self, partition: u32, place: Arc<Place>, waiting: Waiting) {
        if self.destinations.len() > IDLE_DESTINATIONS {
            self.forget_idle();
        }
        let fingerprint = waiting.fingerprint;
        let limits = &self.limits;
        let destination = self
            .destinations
            .entry(Arc::clone(&place))
            .or_insert_with(|| Destination::new(partition, limits));
        self.order += 1;
        if destination.push(waiting, self.order) {
            self.len += 1;
            self.tidy(&place, fingerprint);
            self.reschedule(&place);
        }
    }

    /// What is to be sent now, if anything.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Parcel> {
        self.now = now;
        while let Some((at, _, place)) = self.timetable.first() {
            if *at > now {
                return None;
            }
            let place = Arc::clone(place);
            let limits = self.limits;
            let destination = self.destinations.get_mut(&place)?;
            let partition = destination.partition;
            let openings = &self.openings;
            let in_digest = |waiting: &Waiting| {
                let opening = openings.get(&(Arc::clone(&place), waiting.fingerprint));
                opening.is_some_and(|opening| opening.in_digest && opening.episode == waiting.episode)
            };
            let members = destination.take(now, &limits, in_digest);
            self.len -= members.len();
            self.reschedule(&place);
            if !members.is_empty() {
                return Some(Parcel {
                    place,
                    partition,
                    members,
                });
            }
        }
        None
    }

    /// When [`Queue::next`] will have something, as far as is known now.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.timetable.first().map(|(at, _, _)| *at)
    }

    /// The provider has answered.
    pub(crate) fn answered(
        &mut self,
        parcel: Parcel,
        answer: &Answer,
        now: Timestamp,
        jitter: &mut dyn FnMut() -> f64,
    ) {
        let Parcel {
            place,
            partition,
            members,
        } = parcel;
        let destination = self.destinations.get_mut(&place);
        let credentials_bad_for = destination
            .map(|destination| destination.heard(answer, now))
            .unwrap_or_default();
        let fingerprints: Vec<_> = members.iter().map(|member| member.fingerprint).collect();
        let in_digest = members.len() > 1;
        for mut waiting in members {
            waiting.attempts += 1;
            let age = now
                .duration_since(waiting.created_at)
                .try_into()
                .unwrap_or_default();
            let past = Past {
                attempts: waiting.attempts,
                age,
                // Whoever comes later has an hour of its own.
                credentials_bad_for: credentials_bad_for.min(age),
                jitter: jitter(),
            };
            let fate = match schedule::next(answer, past) {
                Next::Sent { reference } => Fate::Sent { reference },
                Next::Never { failure, error } => Fate::Failed { failure, error },
                Next::Again {
                    wait,
                    error,
                    perhaps_delivered,
                } => {
                    waiting.next_attempt_at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
                    waiting.perhaps_delivered |= perhaps_delivered;
                    self.put_back(&place, waiting.clone());
                    Fate::Again { error }
                }
            };
            self.remember(&place, &waiting, &fate, in_digest);
            self.settled.push(Settled {
                place: Arc::clone(&place),
                partition,
                waiting,
                fate,
            });
        }
        self.landed(&place, fingerprints);
    }

    /// Nothing was said to the provider; the same again at this time.
    pub(crate) fn not_made(&mut self, parcel: Parcel, again_at: Timestamp) {
        let fingerprints: Vec<_> = parcel.members.iter().map(|member| member.fingerprint).collect();
        for mut waiting in parcel.members {
            waiting.next_attempt_at = again_at;
            self.put_back(&parcel.place, waiting);
        }
        self.landed(&parcel.place, fingerprints);
    }

    /// What has become of notifications since this was asked last, each alert's in order.
    pub(crate) fn take_settled(&mut self) -> Vec<Settled> {
        std::mem::take(&mut self.settled)
    }

    /// Forgets everything of a partition. What is under way stays under way.
    pub(crate) fn release(&mut self, partition: u32) {
        let len = &mut self.len;
        self.destinations.retain(|_, destination| {
            let stays = destination.partition != partition;
            if !stays {
                *len -= destination.waiting();
            }
            stays
        });
        let destinations = &self.destinations;
        self.timetable
            .retain(|(_, _, place)| destinations.contains_key(place));
        self.openings
            .retain(|(place, _), _| destinations.contains_key(place));
    }

    /// The site has changed: what was refused for its credentials is tried at once.
    pub(crate) fn credentials_changed(&mut self, now: Timestamp) {
        let mut changed = Vec::new();
        for (place, destination) in &mut self.destinations {
            if destination.credentials_changed(now) {
                changed.push(Arc::clone(place));
            }
        }
        for place in changed {
            self.reschedule(&place);
        }
    }

    /// The provider's id of the message that opened this episode there, if it is remembered.
    pub(crate) fn opened_as(&self, place: &Arc<Place>, waiting: &Waiting) -> Option<Arc<str>> {
        let opening = self.openings.get(&(Arc::clone(place), waiting.fingerprint))?;
        opening
            .reference
            .clone()
            .filter(|_| opening.episode == waiting.episode)
    }

    /// Remembers what became of an open, for what follows it.
    fn remember(&mut self, place: &Arc<Place>, waiting: &Waiting, fate: &Fate, in_digest: bool) {
        let reference = match (waiting.kind, fate) {
            (_, Fate::Again { .. }) | (NotificationKind::Update, _) => return,
            (
                NotificationKind::Open,
                Fate::Sent {
                    reference: Some(reference),
                },
            ) => Some(reference.as_str().into()),
            (NotificationKind::Open, Fate::Failed { .. }) => None,
            (NotificationKind::Open | NotificationKind::Close, _) => return self.forget(place, waiting),
        };
        if self.destinations.contains_key(place) {
            self.make_room_for_openings();
            let opening = Opening {
                episode: waiting.episode,
                reference,
                in_digest,
            };
            self.openings
                .insert((Arc::clone(place), waiting.fingerprint), opening);
        }
    }

    fn forget(&mut self, place: &Arc<Place>, waiting: &Waiting) {
        let key = (Arc::clone(place), waiting.fingerprint);
        if self
            .openings
            .get(&key)
            .is_some_and(|opening| opening.episode == waiting.episode)
        {
            self.openings.remove(&key);
        }
    }

    fn make_room_for_openings(&mut self) {
        if self.openings.len() >= REMEMBERED {
            self.openings.clear();
        }
    }

    fn put_back(&mut self, place: &Arc<Place>, waiting: Waiting) {
        // A partition that was released has no destinations any more.
        if let Some(destination) = self.destinations.get_mut(place) {
            self.order += 1;
            if destination.push(waiting, self.order) {
                self.len += 1;
            }
        }
    }

    fn landed(&mut self, place: &Arc<Place>, fingerprints: Vec<Fingerprint>) {
        let Some(destination) = self.destinations.get_mut(place) else {
            return;
        };
        destination.landed(&fingerprints);
        for fingerprint in fingerprints {
            self.tidy(place, fingerprint);
        }
        self.reschedule(place);
    }

    /// Takes out of a lane what is superseded, and puts the lane where it belongs.
    fn tidy(&mut self, place: &Arc<Place>, fingerprint: Fingerprint) {
        let Some(destination) = self.destinations.get_mut(place) else {
            return;
        };
        let opening = self.openings.get(&(Arc::clone(place), fingerprint));
        let failed = opening
            .filter(|opening| opening.reference.is_none())
            .map(|opening| opening.episode);
        let gone = destination.tidy(fingerprint, |items| lane::superseded(items, failed));
        self.len -= gone.len();
        let partition = destination.partition;
        for waiting in gone {
            self.remember(place, &waiting, &Fate::Superseded, false);
            self.settled.push(Settled {
                place: Arc::clone(place),
                partition,
                waiting,
                fate: Fate::Superseded,
            });
        }
    }

    fn reschedule(&mut self, place: &Arc<Place>) {
        let Some(destination) = self.destinations.get_mut(place) else {
            return;
        };
        if let Some((at, turn)) = destination.scheduled.take() {
            self.timetable.remove(&(at, turn, Arc::clone(place)));
        }
        if let Some(at) = destination.next_at(&self.limits) {
            self.turn += 1;
            // Those that could go already take turns, whoever could go first.
            let at = at.max(self.now);
            destination.scheduled = Some((at, self.turn));
            self.timetable.insert((at, self.turn, Arc::clone(place)));
        }
    }

    fn forget_idle(&mut self) {
        self.destinations.retain(|_, destination| !destination.idle());
    }
}

/// The id of a digest: the same notifications have the same.
pub(crate) fn digest_id(members: &[Waiting]) -> Uuid {
    use sha2::{Digest, Sha256};
    let mut ids: Vec<_> = members.iter().map(|member| member.id).collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in &ids {
        hash.update(id.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests;
