//! One destination: its lanes, its rate, and how it has answered lately.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use pipeline::Steady;
use schemas::{Channel, Fingerprint, NotificationKind, Severity};

use super::lane::Item;
use super::limiter::{Bucket, Limits};
use super::schedule::{CREDENTIALS_BUDGET, CREDENTIALS_WAIT, LONGEST_AFTER};
use super::slots::{Standing, group_of};
use super::waiting::{Amount, Place, Waiting};
use crate::answer::Answer;

/// The rest after the first failure; each further one is twice as long.
const SHORTEST_REST: Duration = Duration::from_millis(250);
/// What is new is tried after this time at the latest.
const LONGEST_REST: Duration = Duration::from_secs(15);
/// So long after a failure something that waits is tried before its time, so that it is noticed when the destination is
/// back: all that waits for it goes out then.
const PROBED_AFTER: Duration = Duration::from_secs(60);

/// The lanes of one destination.
pub(crate) struct Destination {
    pub(crate) partition: u32,
    /// Whose slots it shares.
    pub(crate) group: Arc<str>,
    /// Where it stands among the others.
    pub(crate) scheduled: Option<Scheduled>,
    lanes: HashMap<Fingerprint, Lane>,
    /// Lanes whose first may go, by its kind, most urgent first.
    ready: [BTreeSet<Turn>; 3],
    /// Lanes whose first has to wait.
    delayed: BTreeSet<(Steady, Fingerprint)>,
    /// What waits.
    held: Amount,
    in_flight: usize,
    bucket: Bucket,
    standing: Standing,
    failures: u32,
    resting_until: Steady,
    probe_at: Steady,
    /// The provider wants to be left alone.
    asked_until: Steady,
    credentials_bad_since: Option<Steady>,
}

/// How urgent something is; the smallest first. Opens wake people, so they go before everything else, the worst first.
pub(crate) type Urgency = u8;

/// Nothing is less urgent: a probe, before the time of what it is made with.
const LEAST_URGENT: Urgency = Urgency::MAX;

/// The turn of a lane: by urgency, then by age.
type Turn = (Urgency, u64, Fingerprint);

/// Where a destination stands for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Nothing waits for it.
    Idle,
    /// Something waits for its turn.
    Waiting,
    /// It failed last and is tried with one message at a time, with growing rests.
    Backoff,
    /// It has asked to be left alone for a time, or its credentials are refused.
    HeldBack,
}

/// Where a destination stands among the others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scheduled {
    /// It has something to send at this time.
    Later(Steady, u64),
    /// It has something to send as soon as a slot is free.
    Now(Urgency, u64),
}

#[derive(Default)]
struct Lane {
    /// By episode and sequence, each with its place among all that were taken in.
    waiting: Vec<(u64, Waiting)>,
    in_flight: bool,
    spot: Option<Spot>,
}

/// Where a lane stands.
#[derive(Clone, Copy)]
enum Spot {
    Ready(NotificationKind, Turn),
    Delayed(Steady),
}

fn urgency(waiting: &Waiting) -> Urgency {
    match waiting.kind {
        NotificationKind::Open => Severity::Down as Urgency - waiting.severity as Urgency,
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
    pub(crate) fn new(partition: u32, channel: Channel, place: &Place, limits: &Limits) -> Self {
        Self {
            partition,
            group: group_of(channel, place),
            scheduled: None,
            lanes: HashMap::new(),
            ready: Default::default(),
            delayed: BTreeSet::new(),
            held: Amount::default(),
            in_flight: 0,
            bucket: Bucket::new(limits),
            standing: Standing::New,
            failures: 0,
            resting_until: Steady::MIN,
            probe_at: Steady::MIN,
            asked_until: Steady::MIN,
            credentials_bad_since: None,
        }
    }

    /// What waits.
    pub(crate) const fn held(&self) -> Amount {
        self.held
    }

    /// How many of those have failed before.
    pub(crate) fn retrying(&self) -> usize {
        // Only the first of a lane can have been tried, and then it is not before its time.
        let tried = |lane: &&Lane| lane.waiting.first().is_some_and(|(_, first)| first.attempts > 0);
        self.lanes.values().filter(tried).count()
    }

    /// Nothing waits or is under way.
    pub(crate) fn idle(&self) -> bool {
        self.lanes.is_empty() && self.in_flight == 0
    }

    /// Puts a notification into its lane, unless it is there; the lane must be tidied afterwards.
    pub(crate) fn push(&mut self, waiting: Waiting, order: u64) -> bool {
        let lane = self.lanes.entry(waiting.fingerprint).or_default();
        let key = (waiting.episode, waiting.sequence);
        match lane
            .waiting
            .binary_search_by_key(&key, |(_, other)| (other.episode, other.sequence))
        {
            Ok(_) => false,
            Err(place) => {
                self.held += Amount::of([&waiting]);
                lane.waiting.insert(place, (order, waiting));
                true
            }
        }
    }

    /// These are no longer under way; their lanes must be tidied afterwards.
    pub(crate) fn landed(&mut self, fingerprints: &[Fingerprint]) {
        self.in_flight -= 1;
        for fingerprint in fingerprints {
            if let Some(lane) = self.lanes.get_mut(fingerprint) {
                lane.in_flight = false;
            }
        }
    }

    /// Takes out of a lane what `superseded` says, and puts the lane where it belongs; answers what was taken out.
    pub(crate) fn tidy(
        &mut self,
        fingerprint: Fingerprint,
        superseded: impl FnOnce(&[Item]) -> Vec<bool>,
    ) -> Vec<Waiting> {
        let Some(lane) = self.lanes.get_mut(&fingerprint) else {
            return Vec::new();
        };
        let mut gone = Vec::new();
        if !lane.waiting.is_empty() {
            let items: Vec<_> = lane.waiting.iter().map(|(_, waiting)| item(waiting)).collect();
            let verdicts = superseded(&items);
            if verdicts.contains(&true) {
                let mut stays = Vec::new();
                for ((order, waiting), superseded) in lane.waiting.drain(..).zip(verdicts) {
                    if superseded {
                        gone.push(waiting)
                    } else {
                        stays.push((order, waiting))
                    }
                }
                lane.waiting = stays;
            }
        }
        self.held -= Amount::of(&gone);
        self.place(fingerprint);
        gone
    }

    /// Puts a lane where it belongs.
    fn place(&mut self, fingerprint: Fingerprint) {
        let Some(lane) = self.lanes.get_mut(&fingerprint) else {
            return;
        };
        match lane.spot.take() {
            Some(Spot::Ready(kind, turn)) => drop(self.ready[rank(kind)].remove(&turn)),
            Some(Spot::Delayed(at)) => drop(self.delayed.remove(&(at, fingerprint))),
            None => {}
        }
        match lane.waiting.first() {
            _ if lane.in_flight => {}
            None => drop(self.lanes.remove(&fingerprint)),
            Some((_, first)) => {
                self.delayed.insert((first.next_attempt_at, fingerprint));
                lane.spot = Some(Spot::Delayed(first.next_attempt_at));
            }
        }
    }

    /// Moves what has waited long enough to what may go.
    fn wake(&mut self, now: Steady) {
        while let Some((at, fingerprint)) = self.delayed.first().copied() {
            if at > now {
                return;
            }
            self.delayed.remove(&(at, fingerprint));
            let Some(lane) = self.lanes.get_mut(&fingerprint) else {
                continue;
            };
            let Some((order, first)) = lane.waiting.first() else {
                continue;
            };
            let turn = (urgency(first), *order, fingerprint);
            self.ready[rank(first.kind)].insert(turn);
            lane.spot = Some(Spot::Ready(first.kind, turn));
        }
    }

    /// When the next message can go; none while only answers can change that.
    pub(crate) fn next_at(&self, limits: &Limits) -> Option<Steady> {
        if self.in_flight >= self.standing.at_destination(limits) {
            return None;
        }
        let something = if self.ready.iter().any(|ready| !ready.is_empty()) {
            Steady::MIN
        } else {
            let first = self.delayed.first()?.0;
            match self.failures {
                0 => first,
                _ => first.min(self.probe_at),
            }
        };
        Some(
            something
                .max(self.resting_until)
                .max(self.asked_until)
                .max(self.bucket.ready_at()),
        )
    }

    /// How urgent that is which goes next.
    pub(crate) fn urgency(&mut self, now: Steady) -> Urgency {
        self.wake(now);
        let first = self.ready.iter().filter_map(BTreeSet::first).min();
        first.map_or(LEAST_URGENT, |(urgency, ..)| *urgency)
    }

    /// How many slots it holds, and how it has answered.
    pub(crate) const fn holds(&self) -> (usize, Standing) {
        (self.in_flight, self.standing)
    }

    /// Where it stands for an operator.
    pub(crate) fn state(&self, now: Steady) -> State {
        if self.held.count == 0 {
            State::Idle
        } else if self.asked_until > now {
            State::HeldBack
        } else if self.failures > 0 {
            State::Backoff
        } else {
            State::Waiting
        }
    }

    /// What goes now in one message; empty if it is not yet time for anything. `in_digest` says of what follows an open
    /// whether that was in a digest.
    pub(crate) fn take(
        &mut self,
        now: Steady,
        limits: &Limits,
        in_digest: impl Fn(&Waiting) -> bool,
    ) -> Vec<Waiting> {
        if self.next_at(limits).is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.wake(now);
        let kind = self.first_kind().or_else(|| {
            let (_, fingerprint) = *self.delayed.first()?;
            self.hasten(fingerprint, now);
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

    /// The lanes of what goes in one message: all that a digest can stand for if they are many, or else the first.
    fn choose(
        &self,
        kind: NotificationKind,
        limits: &Limits,
        in_digest: impl Fn(&Waiting) -> bool,
    ) -> Vec<Fingerprint> {
        let ready = self.ready[rank(kind)]
            .iter()
            .map(|(.., fingerprint)| *fingerprint);
        if let Some(above) = limits.digest_above.filter(|above| ready.len() > *above) {
            let fits = |fingerprint: &Fingerprint| {
                let first = self.lanes.get(fingerprint).and_then(|lane| lane.waiting.first());
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

    fn send_off(&mut self, fingerprint: Fingerprint) -> Option<Waiting> {
        let lane = self.lanes.get_mut(&fingerprint)?;
        lane.in_flight = true;
        let (_, first) = lane.waiting.remove(0);
        self.held -= Amount::of([&first]);
        self.place(fingerprint);
        Some(first)
    }

    /// Learns from an answer; says for how long the credentials have been bad.
    pub(crate) fn heard(&mut self, answer: &Answer, now: Steady) -> Duration {
        let after = |wait: Duration| now.after(wait);
        self.standing = Standing::after(answer);
        match answer {
            Answer::Transient { after: asked, .. } => {
                // What was under way together fails together; that counts once.
                if now >= self.resting_until {
                    let rest = SHORTEST_REST
                        .saturating_mul(1 << self.failures.min(16))
                        .min(LONGEST_REST);
                    self.resting_until = after(rest);
                    self.failures = self.failures.saturating_add(1);
                }
                self.probe_at = after(PROBED_AFTER);
                if let Some(asked) = asked {
                    self.asked_until = self.asked_until.max(after((*asked).min(LONGEST_AFTER)));
                }
                Duration::ZERO
            }
            Answer::BadCredentials(_) => {
                let since = *self.credentials_bad_since.get_or_insert(now);
                self.asked_until = self.asked_until.max(after(CREDENTIALS_WAIT));
                let bad_for = now.since(since);
                if bad_for >= CREDENTIALS_BUDGET {
                    // All that wait for the same credentials have had their hour.
                    self.asked_until = Steady::MIN;
                }
                bad_for
            }
            Answer::Sent { .. } | Answer::BadDestination(_) | Answer::Refused(_) => {
                if self.failures > 0 {
                    self.hurry(now);
                }
                self.failures = 0;
                self.resting_until = Steady::MIN;
                self.credentials_bad_since = None;
                Duration::ZERO
            }
        }
    }

    /// The credentials may be right now; answers whether that matters here.
    pub(crate) fn credentials_changed(&mut self, now: Steady) -> bool {
        let matters = self.credentials_bad_since.take().is_some();
        if matters {
            self.asked_until = Steady::MIN;
            self.hurry(now);
        }
        matters
    }

    /// The destination is back: what waits for it waits no longer.
    fn hurry(&mut self, now: Steady) {
        let later: Vec<_> = self
            .delayed
            .iter()
            .filter(|(at, _)| *at > now)
            .map(|(_, lane)| *lane)
            .collect();
        for fingerprint in later {
            self.hasten(fingerprint, now);
        }
    }

    fn hasten(&mut self, fingerprint: Fingerprint, now: Steady) {
        let lane = self.lanes.get_mut(&fingerprint);
        if let Some((_, first)) = lane.and_then(|lane| lane.waiting.first_mut()) {
            first.next_attempt_at = now;
        }
        self.place(fingerprint);
    }
}

fn item(waiting: &Waiting) -> Item {
    Item {
        episode: waiting.episode,
        kind: waiting.kind,
        perhaps_delivered: waiting.perhaps_delivered,
    }
}
