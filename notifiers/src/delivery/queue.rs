//! The pending notifications of a channel, and which is sent next. Knows no clock, no store and no provider.
//!
//! There is one lane per destination and alert; at most one notification of a lane is in flight, and they are sent in order.
//! A destination has a rate limit ([`super::limiter`]) and a backoff ([`super::backoff`]): after failures it is tried with
//! one message at a time, so that a dead provider costs little and a recovery is noticed soon. Attempts that hang hold few
//! of the slots ([`super::slots`]), so that they do not delay others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pipeline::Steady;
use schemas::{Channel, DeliveryFailure, Fingerprint};
use uuid::Uuid;

use super::destination::{Destination, Scheduled, State, Urgency};
use super::lane;
use super::limiter::Limits;
use super::openings::Openings;
use super::pending::{Amount, Endpoint, PendingNotification};
use super::schedule::{self, Next, Past};
use super::slots::{Standing, admits};
use crate::sender::SendResult;

/// How many idle destinations are kept.
const MAX_IDLE_DESTINATIONS: usize = 10_000;
/// How many idle groups are kept.
const MAX_IDLE_GROUPS: usize = 1_000;

/// The pending notifications of a channel.
pub(crate) struct Queue {
    channel: Channel,
    limits: Limits,
    destinations: HashMap<Arc<Endpoint>, Destination>,
    groups: HashMap<Arc<str>, Group>,
    /// Attempts in flight.
    in_flight: usize,
    /// When each destination can take its next message, of those where nothing is due; the turn makes it fair.
    timetable: BTreeSet<(Steady, u64, Arc<Endpoint>)>,
    openings: Openings,
    resolved: Vec<Resolved>,
    turn: u64,
    order: u64,
    held: Amount,
    /// The latest time that [`Queue::next`] was called with.
    now: Steady,
}

/// Destinations that share slots.
#[derive(Default)]
struct Group {
    in_flight: usize,
    standing: Standing,
    /// Those where something is due, the most urgent first, then by turns.
    ready: BTreeSet<(Urgency, u64, Arc<Endpoint>)>,
}

/// The content of one message.
#[derive(Debug, Clone)]
pub(crate) struct OutgoingMessage {
    pub(crate) endpoint: Arc<Endpoint>,
    /// Whose slot it holds.
    pub(crate) group: Arc<str>,
    pub(crate) partition: u32,
    /// Of one kind; more than one is a digest.
    pub(crate) members: Vec<PendingNotification>,
}

/// A notification whose attempt has ended, or that needs none.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) partition: u32,
    pub(crate) pending: PendingNotification,
    pub(crate) disposition: Disposition,
}

/// The end of a notification, or of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disposition {
    Sent {
        reference: Option<String>,
    },
    /// It is pending again, until its `next_attempt_at`.
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
            openings: Openings::default(),
            resolved: Vec::new(),
            turn: 0,
            order: 0,
            held: Amount::default(),
            now: Steady::MIN,
        }
    }

    /// What is pending, without what is in flight.
    pub(crate) const fn held(&self) -> Amount {
        self.held
    }

    /// What of that is pending for this endpoint.
    pub(crate) fn held_at(&self, endpoint: &Arc<Endpoint>) -> Amount {
        self.destinations
            .get(endpoint)
            .map(Destination::held)
            .unwrap_or_default()
    }

    /// Nothing is pending for this endpoint or in flight to it.
    pub(crate) fn idle_at(&self, endpoint: &Arc<Endpoint>) -> bool {
        self.destinations.get(endpoint).is_none_or(Destination::idle)
    }

    /// How many of the pending notifications have failed before.
    pub(crate) fn retrying(&self) -> usize {
        self.destinations.values().map(Destination::retrying).sum()
    }

    /// Adds a notification, unless it is pending already.
    pub(crate) fn push(&mut self, partition: u32, endpoint: Arc<Endpoint>, pending: PendingNotification) {
        if self.destinations.len() > MAX_IDLE_DESTINATIONS {
            self.forget_idle();
        }
        let fingerprint = pending.fingerprint;
        let (channel, limits) = (self.channel, &self.limits);
        let destination = self
            .destinations
            .entry(Arc::clone(&endpoint))
            .or_insert_with(|| Destination::new(partition, channel, &endpoint, limits));
        self.order += 1;
        let amount = Amount::of([&pending]);
        if destination.push(pending, self.order) {
            self.held += amount;
            self.prune_superseded(&endpoint, fingerprint);
            self.reschedule(&endpoint);
        }
    }

    /// What is to be sent now, if anything: the most urgent of those for which a slot is free.
    pub(crate) fn next(&mut self, now: Steady) -> Option<OutgoingMessage> {
        self.now = now;
        while let Some((at, _, endpoint)) = self.timetable.first() {
            if *at > now {
                break;
            }
            let endpoint = Arc::clone(endpoint);
            self.reschedule(&endpoint);
        }
        while let Some(endpoint) = self.first_admitted() {
            if let Some(message) = self.take(&endpoint, now) {
                return Some(message);
            }
        }
        None
    }

    /// The endpoint whose turn it is among those for which a slot is free.
    fn first_admitted(&self) -> Option<Arc<Endpoint>> {
        let limit = self.limits.in_flight;
        let groups = self.groups.values().filter(|group| !group.ready.is_empty());
        let admitted = groups.filter(|group| admits(limit, self.in_flight, group.in_flight, group.standing));
        let first = admitted.filter_map(|group| {
            let mut ready = group.ready.iter();
            ready.find(|(_, _, endpoint)| self.admits_in_group(group, endpoint))
        });
        first.min().map(|(_, _, endpoint)| Arc::clone(endpoint))
    }

    fn admits_in_group(&self, group: &Group, endpoint: &Arc<Endpoint>) -> bool {
        let Some(destination) = self.destinations.get(endpoint) else {
            return false;
        };
        let (held, standing) = destination.holds();
        let limit = match (standing, held) {
            // A failing group does not bound those that work or are new.
            (Standing::Trusted, _) | (Standing::New, 0) => self.limits.in_flight_per_group,
            _ => group.standing.in_group(&self.limits),
        };
        admits(limit, group.in_flight, held, standing)
    }

    fn take(&mut self, endpoint: &Arc<Endpoint>, now: Steady) -> Option<OutgoingMessage> {
        let limits = self.limits;
        let destination = self.destinations.get_mut(endpoint)?;
        let (partition, group) = (destination.partition, Arc::clone(&destination.group));
        let openings = &self.openings;
        let members = destination.take(now, &limits, |pending| openings.in_digest(endpoint, pending));
        self.held -= Amount::of(&members);
        if !members.is_empty() {
            self.in_flight += 1;
            self.groups.entry(Arc::clone(&group)).or_default().in_flight += 1;
        }
        self.reschedule(endpoint);
        (!members.is_empty()).then(|| OutgoingMessage {
            endpoint: Arc::clone(endpoint),
            group,
            partition,
            members,
        })
    }

    /// When the next notification becomes due. What is due and has no slot is sent when an attempt ends.
    pub(crate) fn next_at(&self) -> Option<Steady> {
        self.timetable.first().map(|(at, _, _)| *at)
    }

    /// An attempt ended without a result.
    pub(crate) fn abandoned(&mut self, group: &str) {
        self.in_flight -= 1;
        if let Some(group) = self.groups.get_mut(group) {
            group.in_flight -= 1;
        }
    }

    /// How many destinations are in each state.
    pub(crate) fn states(&self, now: Steady) -> BTreeMap<State, usize> {
        let mut states = BTreeMap::new();
        for destination in self.destinations.values() {
            *states.entry(destination.state(now)).or_default() += 1;
        }
        states
    }

    /// An attempt has a result.
    pub(crate) fn on_result(
        &mut self,
        message: OutgoingMessage,
        result: &SendResult,
        now: Steady,
        jitter: &mut dyn FnMut() -> f64,
    ) {
        let OutgoingMessage {
            endpoint,
            group,
            partition,
            members,
        } = message;
        self.abandoned(&group);
        if let Some(group) = self.groups.get_mut(&group) {
            group.standing = Standing::after(result);
        }
        let destination = self.destinations.get_mut(&endpoint);
        let credentials_bad_for = destination
            .map(|destination| destination.on_result(result, now))
            .unwrap_or_default();
        let fingerprints: Vec<_> = members.iter().map(|member| member.fingerprint).collect();
        let in_digest = members.len() > 1;
        for mut pending in members {
            pending.attempts += 1;
            let age = now.since(pending.decided);
            let past = Past {
                attempts: pending.attempts,
                age,
                // Each notification has the whole budget, also one that is decided after the first refusal.
                credentials_bad_for: credentials_bad_for.min(age),
                jitter: jitter(),
            };
            let disposition = match schedule::next(result, past) {
                Next::Sent { reference } => Disposition::Sent { reference },
                Next::Never { failure, error } => Disposition::Failed { failure, error },
                Next::Again {
                    wait,
                    error,
                    maybe_delivered,
                } => {
                    pending.next_attempt_at = now.after(wait);
                    pending.maybe_delivered |= maybe_delivered;
                    self.put_back(&endpoint, pending.clone());
                    Disposition::Again { error }
                }
            };
            self.remember(&endpoint, &pending, &disposition, in_digest);
            self.resolved.push(Resolved {
                endpoint: Arc::clone(&endpoint),
                partition,
                pending,
                disposition,
            });
        }
        self.completed(&endpoint, fingerprints);
    }

    /// The attempt was not made; its notifications are due again at this time.
    pub(crate) fn not_made(&mut self, message: OutgoingMessage, again_at: Steady) {
        self.abandoned(&message.group);
        let fingerprints: Vec<_> = message.members.iter().map(|member| member.fingerprint).collect();
        for mut pending in message.members {
            pending.next_attempt_at = again_at;
            self.put_back(&message.endpoint, pending);
        }
        self.completed(&message.endpoint, fingerprints);
    }

    /// The notifications resolved since the last call, those of each alert in order.
    pub(crate) fn take_resolved(&mut self) -> Vec<Resolved> {
        std::mem::take(&mut self.resolved)
    }

    /// Forgets everything of a partition. What is in flight stays in flight.
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
            .retain(|(_, _, endpoint)| destinations.contains_key(endpoint));
        for group in self.groups.values_mut() {
            group
                .ready
                .retain(|(_, _, endpoint)| destinations.contains_key(endpoint));
        }
        self.openings
            .retain(|endpoint| destinations.contains_key(endpoint));
    }

    /// The site has changed: what was refused for its credentials is due now.
    pub(crate) fn credentials_changed(&mut self, now: Steady) {
        let mut changed = Vec::new();
        for (endpoint, destination) in &mut self.destinations {
            if destination.credentials_changed(now) {
                changed.push(Arc::clone(endpoint));
            }
        }
        for endpoint in changed {
            self.reschedule(&endpoint);
        }
    }

    /// The provider's id of the message that opened this episode there, if it is remembered.
    pub(crate) fn thread_ref(
        &self,
        endpoint: &Arc<Endpoint>,
        pending: &PendingNotification,
    ) -> Option<Arc<str>> {
        self.openings.thread_ref(endpoint, pending)
    }

    /// Remembers the result of an open, unless its partition was released.
    fn remember(
        &mut self,
        endpoint: &Arc<Endpoint>,
        pending: &PendingNotification,
        disposition: &Disposition,
        in_digest: bool,
    ) {
        if self.destinations.contains_key(endpoint) {
            self.openings.remember(endpoint, pending, disposition, in_digest);
        }
    }

    fn put_back(&mut self, endpoint: &Arc<Endpoint>, pending: PendingNotification) {
        // The destinations of a released partition are gone.
        if let Some(destination) = self.destinations.get_mut(endpoint) {
            self.order += 1;
            let amount = Amount::of([&pending]);
            if destination.push(pending, self.order) {
                self.held += amount;
            }
        }
    }

    fn completed(&mut self, endpoint: &Arc<Endpoint>, fingerprints: Vec<Fingerprint>) {
        let Some(destination) = self.destinations.get_mut(endpoint) else {
            return;
        };
        destination.completed(&fingerprints);
        for fingerprint in fingerprints {
            self.prune_superseded(endpoint, fingerprint);
        }
        self.reschedule(endpoint);
    }

    /// Removes what is superseded from a lane, and puts the lane into the right set.
    fn prune_superseded(&mut self, endpoint: &Arc<Endpoint>, fingerprint: Fingerprint) {
        let Some(destination) = self.destinations.get_mut(endpoint) else {
            return;
        };
        let failed = self.openings.failed_episode(endpoint, fingerprint);
        let gone = destination.prune_superseded(fingerprint, |items| lane::superseded(items, failed));
        self.held -= Amount::of(&gone);
        let partition = destination.partition;
        for pending in gone {
            self.remember(endpoint, &pending, &Disposition::Superseded, false);
            self.resolved.push(Resolved {
                endpoint: Arc::clone(endpoint),
                partition,
                pending,
                disposition: Disposition::Superseded,
            });
        }
    }

    /// Puts a destination among those where something is due, into the timetable, or nowhere.
    fn reschedule(&mut self, endpoint: &Arc<Endpoint>) {
        let Some(destination) = self.destinations.get_mut(endpoint) else {
            return;
        };
        match destination.scheduled.take() {
            Some(Scheduled::Later(at, turn)) => {
                self.timetable.remove(&(at, turn, Arc::clone(endpoint)));
            }
            Some(Scheduled::Now(urgency, turn)) => {
                if let Some(group) = self.groups.get_mut(&destination.group) {
                    group.ready.remove(&(urgency, turn, Arc::clone(endpoint)));
                }
            }
            None => {}
        }
        let Some(at) = destination.next_at(&self.limits) else {
            return;
        };
        self.turn += 1;
        let scheduled = if at > self.now {
            self.timetable.insert((at, self.turn, Arc::clone(endpoint)));
            Scheduled::Later(at, self.turn)
        } else {
            let urgency = destination.urgency(self.now);
            let group = self.groups.entry(Arc::clone(&destination.group)).or_default();
            group.ready.insert((urgency, self.turn, Arc::clone(endpoint)));
            Scheduled::Now(urgency, self.turn)
        };
        destination.scheduled = Some(scheduled);
    }

    fn forget_idle(&mut self) {
        self.destinations.retain(|_, destination| !destination.idle());
        if self.groups.len() > MAX_IDLE_GROUPS {
            self.groups
                .retain(|_, group| group.in_flight > 0 || !group.ready.is_empty());
        }
    }
}

/// The id of a digest, made from the ids of its notifications: an attempt that is repeated has the same id.
pub(crate) fn digest_id(members: &[PendingNotification]) -> Uuid {
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
