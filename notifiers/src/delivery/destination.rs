//! One destination: its lanes, its rate, and how it has answered lately.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use schemas::{Fingerprint, NotificationKind};

use super::lane::Item;
use super::limiter::{Bucket, Limits};
use super::schedule::{CREDENTIALS_BUDGET, CREDENTIALS_WAIT, LONGEST_AFTER};
use super::waiting::Waiting;
use crate::answer::Answer;

/// How many failures in a row make a destination suspect: it is then tried with one message at a time.
const SUSPECT_AFTER: u32 = 3;
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
    /// Where it stands in the timetable.
    pub(crate) scheduled: Option<(Timestamp, u64)>,
    lanes: HashMap<Fingerprint, Lane>,
    /// Lanes whose first may go, by its kind, oldest first.
    ready: [BTreeSet<(u64, Fingerprint)>; 3],
    /// Lanes whose first has to wait.
    delayed: BTreeSet<(Timestamp, Fingerprint)>,
    /// How many wait.
    waiting: usize,
    in_flight: usize,
    bucket: Bucket,
    failures: u32,
    resting_until: Timestamp,
    probe_at: Timestamp,
    /// The provider wants to be left alone.
    asked_until: Timestamp,
    credentials_bad_since: Option<Timestamp>,
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
    Ready(NotificationKind, u64),
    Delayed(Timestamp),
}

/// Opens wake people, so they go first.
const fn rank(kind: NotificationKind) -> usize {
    match kind {
        NotificationKind::Open => 0,
        NotificationKind::Update => 1,
        NotificationKind::Close => 2,
    }
}

impl Destination {
    pub(crate) fn new(partition: u32, limits: &Limits) -> Self {
        Self {
            partition,
            scheduled: None,
            lanes: HashMap::new(),
            ready: Default::default(),
            delayed: BTreeSet::new(),
            waiting: 0,
            in_flight: 0,
            bucket: Bucket::new(limits),
            failures: 0,
            resting_until: Timestamp::MIN,
            probe_at: Timestamp::MIN,
            asked_until: Timestamp::MIN,
            credentials_bad_since: None,
        }
    }

    /// How many wait.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
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
                lane.waiting.insert(place, (order, waiting));
                self.waiting += 1;
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
        self.waiting -= gone.len();
        self.place(fingerprint);
        gone
    }

    /// Puts a lane where it belongs.
    fn place(&mut self, fingerprint: Fingerprint) {
        let Some(lane) = self.lanes.get_mut(&fingerprint) else {
            return;
        };
        match lane.spot.take() {
            Some(Spot::Ready(kind, order)) => drop(self.ready[rank(kind)].remove(&(order, fingerprint))),
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
    fn wake(&mut self, now: Timestamp) {
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
            self.ready[rank(first.kind)].insert((*order, fingerprint));
            lane.spot = Some(Spot::Ready(first.kind, *order));
        }
    }

    /// When the next message can go; none while only answers can change that.
    pub(crate) fn next_at(&self, limits: &Limits) -> Option<Timestamp> {
        let at_once = if self.failures >= SUSPECT_AFTER {
            1
        } else {
            limits.in_flight_per_destination
        };
        if self.in_flight >= at_once {
            return None;
        }
        let something = if self.ready.iter().any(|ready| !ready.is_empty()) {
            Timestamp::MIN
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

    /// What goes now in one message; empty if it is not yet time for anything. `in_digest` says of what follows an open
    /// whether that was in a digest.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
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

    /// The lanes of what goes in one message: all that a digest can stand for if they are many, or else the oldest.
    fn choose(
        &self,
        kind: NotificationKind,
        limits: &Limits,
        in_digest: impl Fn(&Waiting) -> bool,
    ) -> Vec<Fingerprint> {
        let ready = self.ready[rank(kind)].iter().map(|(_, fingerprint)| *fingerprint);
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
            (None, Some(update), Some(close)) if close < update => Some(NotificationKind::Close),
            (None, Some(_), _) => Some(NotificationKind::Update),
            (None, None, Some(_)) => Some(NotificationKind::Close),
            (None, None, None) => None,
        }
    }

    fn send_off(&mut self, fingerprint: Fingerprint) -> Option<Waiting> {
        let lane = self.lanes.get_mut(&fingerprint)?;
        lane.in_flight = true;
        let (_, first) = lane.waiting.remove(0);
        self.waiting -= 1;
        self.place(fingerprint);
        Some(first)
    }

    /// Learns from an answer; says for how long the credentials have been bad.
    pub(crate) fn heard(&mut self, answer: &Answer, now: Timestamp) -> Duration {
        let after = |wait: Duration| now.checked_add(wait).unwrap_or(Timestamp::MAX);
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
                let bad_for = Duration::try_from(now.duration_since(since)).unwrap_or_default();
                if bad_for >= CREDENTIALS_BUDGET {
                    // All that wait for the same credentials have had their hour.
                    self.asked_until = Timestamp::MIN;
                }
                bad_for
            }
            Answer::Sent { .. } | Answer::BadDestination(_) | Answer::Refused(_) => {
                if self.failures > 0 {
                    self.hurry(now);
                }
                self.failures = 0;
                self.resting_until = Timestamp::MIN;
                self.credentials_bad_since = None;
                Duration::ZERO
            }
        }
    }

    /// The credentials may be right now; answers whether that matters here.
    pub(crate) fn credentials_changed(&mut self, now: Timestamp) -> bool {
        let matters = self.credentials_bad_since.take().is_some();
        if matters {
            self.asked_until = Timestamp::MIN;
            self.hurry(now);
        }
        matters
    }

    /// The destination is back: what waits for it waits no longer.
    fn hurry(&mut self, now: Timestamp) {
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

    fn hasten(&mut self, fingerprint: Fingerprint, now: Timestamp) {
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
