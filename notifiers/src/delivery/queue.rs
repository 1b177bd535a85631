//! What waits to be sent, and what is sent next. Knows no clock, no store and no provider.
//!
//! There is one lane per destination and alert; of a lane at most one notification is under way, and they go in order.
//! A destination has its rate, and its bad times: after failures it is left alone for a while and then tried with one
//! message at a time, so that a dead provider costs little and is noticed soon when it is back. Attempts that hang hold
//! few of the slots ([`super::slots`]), so that they do not hold up others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pipeline::Steady;
use schemas::{Channel, DeliveryFailure, Fingerprint, NotificationKind};
use uuid::Uuid;

use super::destination::{Destination, Scheduled, State, Urgency};
use super::lane;
use super::limiter::Limits;
use super::schedule::{self, Next, Past};
use super::slots::{Standing, admits};
use super::waiting::{Amount, Place, Waiting};
use crate::answer::Answer;

/// How many openings are remembered; the store knows the rest.
const REMEMBERED: usize = 100_000;
/// How many destinations are kept that have nothing to do.
const IDLE_DESTINATIONS: usize = 10_000;
/// How many groups are kept that have nothing to do.
const IDLE_GROUPS: usize = 1_000;

/// What waits to be sent.
pub(crate) struct Queue {
    channel: Channel,
    limits: Limits,
    destinations: HashMap<Arc<Place>, Destination>,
    groups: HashMap<Arc<str>, Group>,
    /// Attempts under way.
    in_flight: usize,
    /// When each destination can take its next message, of those that have to wait; the turn makes it fair.
    timetable: BTreeSet<(Steady, u64, Arc<Place>)>,
    openings: HashMap<(Arc<Place>, Fingerprint), Opening>,
    settled: Vec<Settled>,
    turn: u64,
    order: u64,
    held: Amount,
    /// The latest time that was told.
    now: Steady,
}

/// Destinations that share slots.
#[derive(Default)]
struct Group {
    in_flight: usize,
    standing: Standing,
    /// Those that have something to send now, the most urgent first, then by turns.
    ready: BTreeSet<(Urgency, u64, Arc<Place>)>,
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
    /// Whose slot it holds.
    pub(crate) group: Arc<str>,
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
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            channel,
            limits: Limits::of(channel),
            destinations: HashMap::new(),
            groups: HashMap::new(),
            in_flight: 0,
            timetable: BTreeSet::new(),
            openings: HashMap::new(),
            settled: Vec::new(),
            turn: 0,
            order: 0,
            held: Amount::default(),
            now: Steady::MIN,
        }
    }

    /// What waits, without those under way.
    pub(crate) const fn held(&self) -> Amount {
        self.held
    }

    /// What of that waits for this destination.
    pub(crate) fn held_at(&self, place: &Arc<Place>) -> Amount {
        self.destinations
            .get(place)
            .map(Destination::held)
            .unwrap_or_default()
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
        let (channel, limits) = (self.channel, &self.limits);
        let destination = self
            .destinations
            .entry(Arc::clone(&place))
            .or_insert_with(|| Destination::new(partition, channel, &place, limits));
        self.order += 1;
        let amount = Amount::of([&waiting]);
        if destination.push(waiting, self.order) {
            self.held += amount;
            self.tidy(&place, fingerprint);
            self.reschedule(&place);
        }
    }

    /// What is to be sent now, if anything: of what a slot is free for, the most urgent.
    pub(crate) fn next(&mut self, now: Steady) -> Option<Parcel> {
        self.now = now;
        while let Some((at, _, place)) = self.timetable.first() {
            if *at > now {
                break;
            }
            let place = Arc::clone(place);
            self.reschedule(&place);
        }
        while let Some(place) = self.first_admitted() {
            if let Some(parcel) = self.take(&place, now) {
                return Some(parcel);
            }
        }
        None
    }

    /// The destination whose turn it is among those for which a slot is free.
    fn first_admitted(&self) -> Option<Arc<Place>> {
        let limit = self.limits.in_flight;
        let groups = self.groups.values().filter(|group| !group.ready.is_empty());
        let admitted = groups.filter(|group| admits(limit, self.in_flight, group.in_flight, group.standing));
        let first = admitted.filter_map(|group| {
            let mut ready = group.ready.iter();
            ready.find(|(_, _, place)| self.admits_in_group(group, place))
        });
        first.min().map(|(_, _, place)| Arc::clone(place))
    }

    fn admits_in_group(&self, group: &Group, place: &Arc<Place>) -> bool {
        let Some(destination) = self.destinations.get(place) else {
            return false;
        };
        let (held, standing) = destination.holds();
        let limit = match (standing, held) {
            // It does not wait for the others of its group.
            (Standing::Trusted, _) | (Standing::New, 0) => self.limits.in_flight_per_group,
            _ => group.standing.in_group(&self.limits),
        };
        admits(limit, group.in_flight, held, standing)
    }

    fn take(&mut self, place: &Arc<Place>, now: Steady) -> Option<Parcel> {
        let limits = self.limits;
        let destination = self.destinations.get_mut(place)?;
        let (partition, group) = (destination.partition, Arc::clone(&destination.group));
        let openings = &self.openings;
        let in_digest = |waiting: &Waiting| {
            let opening = openings.get(&(Arc::clone(place), waiting.fingerprint));
            opening.is_some_and(|opening| opening.in_digest && opening.episode == waiting.episode)
        };
        let members = destination.take(now, &limits, in_digest);
        self.held -= Amount::of(&members);
        if !members.is_empty() {
            self.in_flight += 1;
            self.groups.entry(Arc::clone(&group)).or_default().in_flight += 1;
        }
        self.reschedule(place);
        (!members.is_empty()).then(|| Parcel {
            place: Arc::clone(place),
            group,
            partition,
            members,
        })
    }

    /// When [`Queue::next`] will have something for which a slot is free by now, as far as is known now. What waits for a
    /// slot goes when an attempt ends.
    pub(crate) fn next_at(&self) -> Option<Steady> {
        self.timetable.first().map(|(at, _, _)| *at)
    }

    /// An attempt was broken off without an answer.
    pub(crate) fn abandoned(&mut self, group: &str) {
        self.in_flight -= 1;
        if let Some(group) = self.groups.get_mut(group) {
            group.in_flight -= 1;
        }
    }

    /// How many destinations of which something waits are in each state.
    pub(crate) fn states(&self, now: Steady) -> BTreeMap<State, usize> {
        let mut states = BTreeMap::new();
        for destination in self.destinations.values() {
            *states.entry(destination.state(now)).or_default() += 1;
        }
        states
    }

    /// The provider has answered.
    pub(crate) fn answered(
        &mut self,
        parcel: Parcel,
        answer: &Answer,
        now: Steady,
        jitter: &mut dyn FnMut() -> f64,
    ) {
        let Parcel {
            place,
            group,
            partition,
            members,
        } = parcel;
        self.abandoned(&group);
        if let Some(group) = self.groups.get_mut(&group) {
            group.standing = Standing::after(answer);
        }
        let destination = self.destinations.get_mut(&place);
        let credentials_bad_for = destination
            .map(|destination| destination.heard(answer, now))
            .unwrap_or_default();
        let fingerprints: Vec<_> = members.iter().map(|member| member.fingerprint).collect();
        let in_digest = members.len() > 1;
        for mut waiting in members {
            waiting.attempts += 1;
            let age = now.since(waiting.decided);
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
                    waiting.next_attempt_at = now.after(wait);
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
    pub(crate) fn not_made(&mut self, parcel: Parcel, again_at: Steady) {
        self.abandoned(&parcel.group);
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
        let held = &mut self.held;
        self.destinations.retain(|_, destination| {
            let stays = destination.partition != partition;
            if !stays {
                *held -= destination.held();
            }
            stays
        });
        let destinations = &self.destinations;
        self.timetable
            .retain(|(_, _, place)| destinations.contains_key(place));
        for group in self.groups.values_mut() {
            group
                .ready
                .retain(|(_, _, place)| destinations.contains_key(place));
        }
        self.openings
            .retain(|(place, _), _| destinations.contains_key(place));
    }

    /// The site has changed: what was refused for its credentials is tried at once.
    pub(crate) fn credentials_changed(&mut self, now: Steady) {
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
            let amount = Amount::of([&waiting]);
            if destination.push(waiting, self.order) {
                self.held += amount;
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
        self.held -= Amount::of(&gone);
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

    /// Puts a destination where it belongs: among those that have something to send now, in the timetable, or nowhere.
    fn reschedule(&mut self, place: &Arc<Place>) {
        let Some(destination) = self.destinations.get_mut(place) else {
            return;
        };
        match destination.scheduled.take() {
            Some(Scheduled::Later(at, turn)) => {
                self.timetable.remove(&(at, turn, Arc::clone(place)));
            }
            Some(Scheduled::Now(urgency, turn)) => {
                if let Some(group) = self.groups.get_mut(&destination.group) {
                    group.ready.remove(&(urgency, turn, Arc::clone(place)));
                }
            }
            None => {}
        }
        let Some(at) = destination.next_at(&self.limits) else {
            return;
        };
        self.turn += 1;
        let scheduled = if at > self.now {
            self.timetable.insert((at, self.turn, Arc::clone(place)));
            Scheduled::Later(at, self.turn)
        } else {
            let urgency = destination.urgency(self.now);
            let group = self.groups.entry(Arc::clone(&destination.group)).or_default();
            group.ready.insert((urgency, self.turn, Arc::clone(place)));
            Scheduled::Now(urgency, self.turn)
        };
        destination.scheduled = Some(scheduled);
    }

    fn forget_idle(&mut self) {
        self.destinations.retain(|_, destination| !destination.idle());
        if self.groups.len() > IDLE_GROUPS {
            self.groups
                .retain(|_, group| group.in_flight > 0 || !group.ready.is_empty());
        }
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
