//! One destination: its lanes, its rate limit and its backoff.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use pipeline::Steady;
use schemas::{Channel, Fingerprint, NotificationKind, Severity};

use super::backoff::Backoff;
use super::lane::Item;
use super::limiter::{Bucket, Limits};
use super::pending::{Amount, Endpoint, PendingNotification};
use super::slots::{Standing, group_of};
use crate::sender::SendResult;

/// The lanes of one destination.
pub(crate) struct Destination {
    pub(crate) partition: u32,
    /// Whose slots it shares.
    pub(crate) group: Arc<str>,
    /// When the queue sends to it next.
    pub(crate) scheduled: Option<Scheduled>,
    lanes: HashMap<Fingerprint, Lane>,
    /// Lanes whose first notification is due, by its kind, the most urgent first.
    ready: [BTreeSet<Turn>; 3],
    /// Lanes whose first notification is due later.
    delayed: BTreeSet<(Steady, Fingerprint)>,
    /// What is pending.
    held: Amount,
    in_flight: usize,
    bucket: Bucket,
    backoff: Backoff,
}

/// The urgency of a notification; the smallest is sent first. Opens wake people, so they go before everything else, the
/// highest severity first.
pub(crate) type Urgency = u8;

/// The urgency of a probe, which is sent before its time.
const LEAST_URGENT: Urgency = Urgency::MAX;

/// The position of a lane among those that are due: by urgency, then by age.
type Turn = (Urgency, u64, Fingerprint);

/// The state of a destination, as operators see it in the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Nothing is pending for it.
    Idle,
    /// Something is pending.
    Waiting,
    /// Its last attempt failed: it is tried with one message at a time, after growing pauses.
    Backoff,
    /// It has asked for a pause, or refuses the credentials.
    HeldBack,
}

/// When the queue sends to a destination next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scheduled {
    /// Something is due at this time.
    Later(Steady, u64),
    /// Something is due, and is sent as soon as a slot is free.
    Now(Urgency, u64),
}

#[derive(Default)]
struct Lane {
    /// By episode and sequence, each with its number in the order of arrival.
    pending: Vec<(u64, PendingNotification)>,
    in_flight: bool,
    spot: Option<Spot>,
}

/// The set that a lane is in.
#[derive(Clone, Copy)]
enum Spot {
    Ready(NotificationKind, Turn),
    Delayed(Steady),
}

fn urgency(pending: &PendingNotification) -> Urgency {
    match pending.kind {
        NotificationKind::Open => Severity::Down as Urgency - pending.severity as Urgency,
        NotificationKind::Update | NotificationKind::Close => Severity::ALL.len() as Urgency,
    }
}

const fn rank(kind: NotificationKind) -> usize {
    match kind {
        NotificationKind::Open => 0,
        NotificationKind::Update => 1,
        NotificationKind::Close => 2,
    }
}

impl Destination {
    pub(crate) fn new(partition: u32, channel: Channel, endpoint: &Endpoint, limits: &Limits) -> Self {
        Self {
            partition,
            group: group_of(channel, endpoint),
            scheduled: None,
            lanes: HashMap::new(),
            ready: Default::default(),
            delayed: BTreeSet::new(),
            held: Amount::default(),
            in_flight: 0,
            bucket: Bucket::new(limits),
            backoff: Backoff::new(),
        }
    }

    /// What is pending.
    pub(crate) const fn held(&self) -> Amount {
        self.held
    }

    /// How many of the pending notifications have failed before.
    pub(crate) fn retrying(&self) -> usize {
        // Only the first of a lane can have been tried.
        let tried = |lane: &&Lane| lane.pending.first().is_some_and(|(_, first)| first.attempts > 0);
        self.lanes.values().filter(tried).count()
    }

    /// Nothing is pending or in flight.
    pub(crate) fn idle(&self) -> bool {
        self.lanes.is_empty() && self.in_flight == 0
    }

    /// Puts a notification into its lane, unless it is there. Call [`Self::prune_superseded`] for the lane afterwards.
    pub(crate) fn push(&mut self, pending: PendingNotification, order: u64) -> bool {
        let lane = self.lanes.entry(pending.fingerprint).or_default();
        let key = (pending.episode, pending.sequence);
        match lane
            .pending
            .binary_search_by_key(&key, |(_, other)| (other.episode, other.sequence))
        {
            Ok(_) => false,
            Err(index) => {
                self.held += Amount::of([&pending]);
                lane.pending.insert(index, (order, pending));
                true
            }
        }
    }

    /// An attempt with notifications of these alerts has ended. Call [`Self::prune_superseded`] for each afterwards.
    pub(crate) fn completed(&mut self, fingerprints: &[Fingerprint]) {
        self.in_flight -= 1;
        for fingerprint in fingerprints {
            if let Some(lane) = self.lanes.get_mut(fingerprint) {
                lane.in_flight = false;
            }
        }
    }

    /// Removes from a lane what `superseded` marks, and puts the lane into the right set; answers what was removed.
    pub(crate) fn prune_superseded(
        &mut self,
        fingerprint: Fingerprint,
        superseded: impl FnOnce(&[Item]) -> Vec<bool>,
    ) -> Vec<PendingNotification> {
        let Some(lane) = self.lanes.get_mut(&fingerprint) else {
            return Vec::new();
        };
        let mut gone = Vec::new();
        if !lane.pending.is_empty() {
            let items: Vec<_> = lane.pending.iter().map(|(_, pending)| item(pending)).collect();
            let verdicts = superseded(&items);
            if verdicts.contains(&true) {
                let mut stays = Vec::new();
                for ((order, pending), superseded) in lane.pending.drain(..).zip(verdicts) {
                    if superseded {
                        gone.push(pending)
                    } else {
                        stays.push((order, pending))
                    }
                }
                lane.pending = stays;
            }
        }
        self.held -= Amount::of(&gone);
        self.reposition(fingerprint);
        gone
    }

    /// Puts a lane into the set that its first notification belongs to.
    fn reposition(&mut self, fingerprint: Fingerprint) {
        let Some(lane) = self.lanes.get_mut(&fingerprint) else {
            return;
        };
        match lane.spot.take() {
            Some(Spot::Ready(kind, turn)) => drop(self.ready[rank(kind)].remove(&turn)),
            Some(Spot::Delayed(at)) => drop(self.delayed.remove(&(at, fingerprint))),
            None => {}
        }
        match lane.pending.first() {
            _ if lane.in_flight => {}
            None => drop(self.lanes.remove(&fingerprint)),
            Some((_, first)) => {
                self.delayed.insert((first.next_attempt_at, fingerprint));
                lane.spot = Some(Spot::Delayed(first.next_attempt_at));
            }
        }
    }

    /// Moves the lanes that are due by now to those that are ready.
    fn wake(&mut self, now: Steady) {
        while let Some((at, fingerprint)) = self.delayed.first().copied() {
            if at > now {
                return;
            }
            self.delayed.remove(&(at, fingerprint));
            let Some(lane) = self.lanes.get_mut(&fingerprint) else {
                continue;
            };
            let Some((order, first)) = lane.pending.first() else {
                continue;
            };
            let turn = (urgency(first), *order, fingerprint);
            self.ready[rank(first.kind)].insert(turn);
            lane.spot = Some(Spot::Ready(first.kind, turn));
        }
    }

    /// When the next message can be sent; `None` when that depends on the end of an attempt.
    pub(crate) fn next_at(&self, limits: &Limits) -> Option<Steady> {
        if self.in_flight >= self.backoff.standing().at_destination(limits) {
            return None;
        }
        let due = if self.ready.iter().any(|ready| !ready.is_empty()) {
            Steady::MIN
        } else {
            self.delayed.first()?.0
        };
        Some(self.backoff.earliest(due).max(self.bucket.ready_at()))
    }

    /// The urgency of the message that is sent next.
    pub(crate) fn urgency(&mut self, now: Steady) -> Urgency {
        self.wake(now);
        let first = self.ready.iter().filter_map(BTreeSet::first).min();
        first.map_or(LEAST_URGENT, |(urgency, ..)| *urgency)
    }

    /// How many slots it holds, and how its last attempt went.
    pub(crate) const fn holds(&self) -> (usize, Standing) {
        (self.in_flight, self.backoff.standing())
    }

    /// Its state, as operators see it.
    pub(crate) fn state(&self, now: Steady) -> State {
        if self.held.count == 0 {
            State::Idle
        } else if self.backoff.is_paused(now) {
            State::HeldBack
        } else if self.backoff.is_failing() {
            State::Backoff
        } else {
            State::Waiting
        }
    }

    /// Takes what is sent now in one message; empty if nothing is due. `in_digest` says of an update or a close whether a
    /// digest opened its episode.
    pub(crate) fn take(
        &mut self,
        now: Steady,
        limits: &Limits,
        in_digest: impl Fn(&PendingNotification) -> bool,
    ) -> Vec<PendingNotification> {
        if self.next_at(limits).is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.wake(now);
        let kind = self.first_kind().or_else(|| {
            let (_, fingerprint) = *self.delayed.first()?;
            self.retry_now(fingerprint, now);
            self.wake(now);
            self.first_kind()
        });
        let Some(kind) = kind else {
            return Vec::new();
        };
        let chosen = self.choose(kind, limits, in_digest);
        self.bucket.take(now);
        self.in_flight += 1;
        chosen
            .into_iter()
            .filter_map(|fingerprint| self.send_off(fingerprint))
            .collect()
    }

    /// The lanes of the next message: all that a digest can stand for if they are many, else the first.
    fn choose(
        &self,
        kind: NotificationKind,
        limits: &Limits,
        in_digest: impl Fn(&PendingNotification) -> bool,
    ) -> Vec<Fingerprint> {
        let ready = self.ready[rank(kind)]
            .iter()
            .map(|(.., fingerprint)| *fingerprint);
        if let Some(above) = limits.digest_above.filter(|above| ready.len() > *above) {
            let fits = |fingerprint: &Fingerprint| {
                let first = self.lanes.get(fingerprint).and_then(|lane| lane.pending.first());
                !limits.edits
                    || kind == NotificationKind::Open
                    || first.is_some_and(|(_, first)| in_digest(first))
            };
            let digest: Vec<_> = ready.clone().filter(fits).collect();
            if digest.len() > above {
                return digest;
            }
        }
        ready.take(1).collect()
    }

    /// Opens first; updates and closes by age.
    fn first_kind(&self) -> Option<NotificationKind> {
        let [opens, updates, closes] = &self.ready;
        match (opens.first(), updates.first(), closes.first()) {
            (Some(_), _, _) => Some(NotificationKind::Open),
            (None, Some((_, update, _)), Some((_, close, _))) if close < update => {
                Some(NotificationKind::Close)
            }
            (None, Some(_), _) => Some(NotificationKind::Update),
            (None, None, Some(_)) => Some(NotificationKind::Close),
            (None, None, None) => None,
        }
    }

    fn send_off(&mut self, fingerprint: Fingerprint) -> Option<PendingNotification> {
        let lane = self.lanes.get_mut(&fingerprint)?;
        lane.in_flight = true;
        let (_, first) = lane.pending.remove(0);
        self.held -= Amount::of([&first]);
        self.reposition(fingerprint);
        Some(first)
    }

    /// Learns from the result of an attempt; answers for how long the credentials have been refused.
    pub(crate) fn on_result(&mut self, result: &SendResult, now: Steady) -> Duration {
        let learned = self.backoff.on_result(result, now);
        if learned.works_again {
            self.retry_all_now(now);
        }
        learned.credentials_bad_for
    }

    /// The credentials may have been corrected; answers whether they were refused here.
    pub(crate) fn credentials_changed(&mut self, now: Steady) -> bool {
        let were_refused = self.backoff.credentials_changed();
        if were_refused {
            self.retry_all_now(now);
        }
        were_refused
    }

    /// Makes everything that is pending due now.
    fn retry_all_now(&mut self, now: Steady) {
        let later: Vec<_> = self
            .delayed
            .iter()
            .filter(|(at, _)| *at > now)
            .map(|(_, lane)| *lane)
            .collect();
        for fingerprint in later {
            self.retry_now(fingerprint, now);
        }
    }

    fn retry_now(&mut self, fingerprint: Fingerprint, now: Steady) {
        let lane = self.lanes.get_mut(&fingerprint);
        if let Some((_, first)) = lane.and_then(|lane| lane.pending.first_mut()) {
            first.next_attempt_at = now;
        }
        self.reposition(fingerprint);
    }
}

fn item(pending: &PendingNotification) -> Item {
    Item {
        episode: pending.episode,
        kind: pending.kind,
        maybe_delivered: pending.maybe_delivered,
    }
}
