//! The open alerts as the bridge knows them, and which of them changed last.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use schemas::live::Filter;
use schemas::{Alert, Fingerprint, OperatorState, Severity, Status};

/// Changes that are remembered; a client that missed more gets a snapshot.
const CHANGES_MAX: u64 = 100_000;
/// Bytes of the JSON texts of alerts that are kept.
const TEXTS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Slots that are copied together.
const CHUNK: usize = 256;

/// The open alerts and the last changes.
pub(crate) struct Replica {
    alerts: HashMap<Fingerprint, Arc<Shown>>,
    environments: HashSet<Arc<str>>,
    /// Slots that are free below `slots`.
    free: Vec<u32>,
    slots: u32,
    changes: VecDeque<Change>,
    changes_max: u64,
    /// Sequence of the last change.
    head: u64,
    list: List,
}

/// All open alerts, by slot. A copy shares with the replica what has not changed since, so it costs next to nothing.
#[derive(Default, Clone)]
pub(crate) struct List(Vec<Arc<Chunk>>);

type Chunk = Vec<Option<Arc<Shown>>>;

/// An open alert.
pub(crate) struct Shown {
    pub alert: Arc<Alert>,
    pub key: Key,
    /// A small number that no other alert in the replica has at the same time; clients keep a bit for each.
    pub slot: u32,
    text: Mutex<Option<Arc<str>>>,
}

/// The JSON texts that were made last, up to a number of bytes, so that clients with different filters share them.
pub(crate) struct Texts {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    /// With the bytes of each, the oldest first.
    texts: VecDeque<(Weak<Shown>, usize)>,
}

/// What alerts are counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub environment: Arc<str>,
    pub severity: Severity,
    pub state: OperatorState,
}

/// An alert came, changed or went.
struct Change {
    fingerprint: Fingerprint,
    /// Slot and key before it, if it was there.
    before: Option<(u32, Key)>,
    /// Key after it, if it is still there.
    after: Option<Key>,
    accepted_at: Option<Timestamp>,
}

/// All that happened to one alert since a place in the stream.
pub(crate) struct News {
    pub fingerprint: Fingerprint,
    /// Slot and key before the first of the changes, if it was there.
    pub before: Option<(u32, Key)>,
    /// As it is now, if it is there.
    pub now: Option<Arc<Shown>>,
    /// When the first of the changes was accepted.
    pub accepted_at: Option<Timestamp>,
}

impl Default for Replica {
    fn default() -> Self {
        Self::remembering(CHANGES_MAX)
    }
}

impl Replica {
    /// An empty one that remembers so many changes.
    pub fn remembering(changes_max: u64) -> Self {
        Self {
            alerts: HashMap::new(),
            environments: HashSet::new(),
            free: Vec::new(),
            slots: 0,
            changes: VecDeque::new(),
            changes_max,
            head: 0,
            list: List::default(),
        }
    }

    /// Sequence of the last change.
    pub const fn head(&self) -> u64 {
        self.head
    }

    /// The version that it has of an alert.
    pub fn version(&self, fingerprint: Fingerprint) -> Option<u64> {
        self.alerts.get(&fingerprint).map(|shown| shown.alert.version)
    }

    pub fn fingerprints(&self) -> impl Iterator<Item = Fingerprint> {
        self.alerts.keys().copied()
    }

    /// Takes in a version of an alert, if it is news; answers whether it was.
    pub fn apply(&mut self, alert: Arc<Alert>, accepted_at: Option<Timestamp>) -> bool {
        if self
            .version(alert.fingerprint)
            .is_some_and(|version| version >= alert.version)
        {
            return false;
        }
        if alert.status == Status::Closed {
            return self.close(alert.fingerprint, alert.version, accepted_at);
        }
        let fingerprint = alert.fingerprint;
        let before = self.before(fingerprint);
        let slot = before
            .as_ref()
            .map(|(slot, _)| *slot)
            .or_else(|| self.free.pop())
            .unwrap_or_else(|| {
                self.slots += 1;
                self.slots - 1
            });
        let key = self.key(&alert);
        let after = Some(key.clone());
        let shown = Shown {
            alert,
            key,
            slot,
            text: Mutex::default(),
        };
        let shown = Arc::new(shown);
        self.list.set(slot, Some(Arc::clone(&shown)));
        self.alerts.insert(fingerprint, shown);
        self.note(Change {
            fingerprint,
            before,
            after,
            accepted_at,
        });
        true
    }

    /// The alert has closed with this version; answers whether that is news.
    pub fn close(&mut self, fingerprint: Fingerprint, version: u64, accepted_at: Option<Timestamp>) -> bool {
        self.version(fingerprint) < Some(version) && self.remove(fingerprint, accepted_at)
    }

    /// The alert is no longer open; answers whether it was.
    pub fn remove(&mut self, fingerprint: Fingerprint, accepted_at: Option<Timestamp>) -> bool {
        let before = self.before(fingerprint);
        let Some(shown) = self.alerts.remove(&fingerprint) else {
            return false;
        };
        self.list.set(shown.slot, None);
        self.free.push(shown.slot);
        self.note(Change {
            fingerprint,
            before,
            after: None,
            accepted_at,
        });
        true
    }

    fn before(&self, fingerprint: Fingerprint) -> Option<(u32, Key)> {
        self.alerts
            .get(&fingerprint)
            .map(|shown| (shown.slot, shown.key.clone()))
    }

    fn key(&mut self, alert: &Alert) -> Key {
        let environment = self
            .environments
            .get(alert.environment.as_str())
            .cloned()
            .unwrap_or_else(|| {
                let environment: Arc<str> = alert.environment.as_str().into();
                self.environments.insert(Arc::clone(&environment));
                environment
            });
        Key {
            environment,
            severity: alert.severity,
            state: alert.operator_state,
        }
    }

    fn note(&mut self, change: Change) {
        self.head += 1;
        self.changes.push_back(change);
        if self.changes.len() as u64 > self.changes_max {
            self.changes.pop_front();
        }
    }

    /// What happened after this place, alert by alert, as far as it may concern this filter; `None` when that is no
    /// longer known.
    pub fn news(&self, since: u64, filter: &Filter) -> Option<Vec<News>> {
        let missed = usize::try_from(self.head.checked_sub(since)?).ok()?;
        let first = self.changes.len().checked_sub(missed)?;
        let mut places: HashMap<Fingerprint, usize> = HashMap::new();
        let mut news: Vec<News> = Vec::new();
        // Very many clients go through the same changes, and most changes concern few of them.
        for change in self
            .changes
            .range(first..)
            .filter(|change| change.may_concern(filter))
        {
            match places.entry(change.fingerprint) {
                MapEntry::Occupied(place) => {
                    let known = &mut news[*place.get()];
                    known.accepted_at = known.accepted_at.or(change.accepted_at);
                }
                MapEntry::Vacant(place) => {
                    place.insert(news.len());
                    news.push(News {
                        fingerprint: change.fingerprint,
                        before: change.before.clone(),
                        now: self.alerts.get(&change.fingerprint).cloned(),
                        accepted_at: change.accepted_at,
                    });
                }
            }
        }
        Some(news)
    }

    /// All alerts as they are now.
    pub fn list(&self) -> List {
        self.list.clone()
    }
}

impl Key {
    /// Whether an alert with this key can pass the filter.
    pub fn may_pass(&self, filter: &Filter) -> bool {
        let environments = &filter.environments;
        (environments.is_empty()
            || environments
                .iter()
                .any(|environment| **environment == *self.environment))
            && (filter.severities.is_empty() || filter.severities.contains(&self.severity))
            && (filter.states.is_empty() || filter.states.contains(&self.state))
    }
}

impl Change {
    fn may_concern(&self, filter: &Filter) -> bool {
        self.after.as_ref().is_some_and(|key| key.may_pass(filter))
            || self.before.as_ref().is_some_and(|(_, key)| key.may_pass(filter))
    }
}

impl List {
    /// The alerts, in parts.
    pub fn parts(&self) -> impl Iterator<Item = impl Iterator<Item = &Arc<Shown>>> {
        self.0.iter().map(|chunk| chunk.iter().flatten())
    }

    fn set(&mut self, slot: u32, shown: Option<Arc<Shown>>) {
        let (number, place) = (slot as usize / CHUNK, slot as usize % CHUNK);
        while self.0.len() <= number {
            self.0.push(Arc::new(vec![None; CHUNK]));
        }
        if let Some(chunk) = self.0.get_mut(number)
            && let Some(owner) = Arc::make_mut(chunk).get_mut(place)
        {
            *owner = shown;
        }
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::of(TEXTS_BYTES_MAX)
    }
}

impl Texts {
    /// So many bytes at most.
    pub fn of(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            kept: Mutex::default(),
        }
    }

    /// The text of this alert is kept from now on, in place of those that were made first.
    fn keep(&self, shown: &Arc<Shown>, bytes: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += bytes;
        kept.texts.push_back((Arc::downgrade(shown), bytes));
        while kept.bytes > self.bytes_max
            && let Some((oldest, bytes)) = kept.texts.pop_front()
        {
            kept.bytes -= bytes;
            if let Some(oldest) = oldest.upgrade() {
                *oldest.lock_text() = None;
            }
        }
    }
}

impl Shown {
    /// Its JSON; made once and shared as long as it is among the last that were made.
    pub fn text(self: &Arc<Self>, texts: &Texts) -> Arc<str> {
        let mut kept = self.lock_text();
        if let Some(text) = kept.as_ref() {
            return Arc::clone(text);
        }
        let text: Arc<str> = self.write().into();
        *kept = Some(Arc::clone(&text));
        drop(kept);
        texts.keep(self, text.len());
        text
    }

    /// Its JSON, for a snapshot: not kept, as a snapshot is large.
    pub fn text_once(&self) -> Arc<str> {
        let text = self.lock_text().clone();
        text.unwrap_or_else(|| self.write().into())
    }

    fn write(&self) -> String {
        #[expect(
            clippy::expect_used,
            reason = "text, numbers and times always have a JSON form"
        )]
        let text = serde_json::to_string(self.alert.as_ref()).expect("an alert has a JSON form");
        text
    }

    fn lock_text(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
