//! What goes into the store and comes out of it.

use std::collections::{BTreeMap, HashMap};

use domain::deadlines::Deadline;
use domain::{AlertState, LastSeen};
use jiff::Timestamp;
use schemas::live::Filter;
use schemas::{Fingerprint, HistoryEntry, LedgerEntry, Notification, Principal, Receipt, Topic};
use uuid::Uuid;

/// The right to write the rows of a partition, until somebody else claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who the rows belong to: `daemon`, `notifiers.slack` …
    pub scope: String,
    /// Which partition.
    pub partition: u32,
    /// Grows with each claim.
    pub epoch: i64,
    /// Where to go on reading, by topic.
    pub positions: BTreeMap<Topic, u64>,
    /// By what the reader knows that the log is still the one that these positions belong to, by topic. It is stored
    /// beside each position that is committed under the claim; the store does not look into it.
    pub trails: BTreeMap<Topic, String>,
}

/// Everything a daemon has decided from a batch.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// States that are new or have changed, each with the next thing that will happen to it by itself.
    pub states: Vec<(AlertState, Option<Deadline>)>,
    /// When sources were last heard of, of alerts whose states stay as they are stored.
    pub seen: Vec<(Fingerprint, LastSeen)>,
    /// New lines of the history, of alerts that are among the states or were stored before.
    pub history: Vec<HistoryEntry>,
    /// Ledger rows that are new or have changed, of such alerts too.
    pub ledger: Vec<(Fingerprint, LedgerEntry)>,
    /// Messages to publish after the commit; one row for all.
    pub outbox: Vec<OutboxMessage>,
    /// Rows of the outbox that were published since the last commit.
    pub published: Vec<i64>,
    /// The positions after all that was read since the last commit.
    pub positions: BTreeMap<Topic, u64>,
    /// What came of requests whose senders may ask, as far as the history does not tell it.
    pub outcomes: Vec<RequestOutcome>,
}

/// What came of a request that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOutcome {
    /// The event that the request became.
    pub event_id: Uuid,
    /// When it was decided.
    pub at: Timestamp,
    /// Why it changed nothing: the name of a [`domain::transition::Ignored`].
    pub outcome: String,
}

/// A file that was attached to an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its number among those of the alert.
    pub id: i64,
    /// Its size, in bytes.
    pub bytes: u64,
    /// The name of the file.
    pub name: String,
}

/// The states of alerts.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// As far as there are any.
    pub states: HashMap<Fingerprint, AlertState>,
    /// Alerts that are stored and cannot be read by this version, each with the error. Their rows must not be written.
    pub unreadable: BTreeMap<Fingerprint, String>,
}

/// A message that is published after its commit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OutboxMessage {
    /// Name of the topic.
    pub topic: String,
    /// Its key.
    pub key: String,
    /// The message, JSON text.
    pub value: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

/// A row of the outbox that was not published yet, as far as the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OutboxRow {
    pub id: i64,
    pub messages: Vec<OutboxMessage>,
}

/// Which alerts to list, newest opening first.
#[derive(Debug, Clone, Default)]
pub struct AlertQuery {
    /// Closed ones instead of open ones, or both.
    pub status: StatusWanted,
    /// Which of them.
    pub filter: Filter,
    /// At most this many.
    pub limit: usize,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Open alerts, closed ones or both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum StatusWanted {
    #[default]
    Open,
    Closed,
    Any,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<String>,
}

/// A notification in a channel's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What to tell.
    pub notification: Notification,
    /// How far it is.
    pub state: DeliveryState,
    /// Attempts that were made.
    pub attempts: u32,
    /// Not to be tried before.
    pub next_attempt_at: Timestamp,
    /// The provider's id of the message, once it was sent.
    pub reference: Option<String>,
    /// A receipt that was not published yet, as far as the store knows; of a version before, which did not put it into the
    /// outbox.
    pub receipt: Option<Receipt>,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// To be sent.
    Pending,
    /// The provider has taken it.
    Sent,
    /// It never will be.
    Failed,
    /// A later one says it all.
    Superseded,
}

/// A new state of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DeliveryUpdate {
    pub notification_id: Uuid,
    pub state: DeliveryState,
    pub attempts: u32,
    pub next_attempt_at: Timestamp,
    pub reference: Option<String>,
}

/// The configuration as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredSite {
    /// Grows with each change, from 0.
    pub revision: u64,
    /// The entries (JSON of [`schemas::config::ConfigEntry`]) by their key.
    pub entries: BTreeMap<String, String>,
    /// Whether this revision is known to be on the `config` topic.
    pub published: bool,
}

/// A change of the configuration, which makes a new revision of it.
#[derive(Debug, Clone, Copy)]
pub struct NewRevision<'a> {
    /// The revision that is changed; if another one has been made meanwhile, nothing is.
    pub expected: u64,
    /// The entries that are new or change (JSON of [`schemas::config::ConfigEntry`]), by their key.
    pub set: &'a BTreeMap<String, String>,
    /// The keys of the entries that go.
    pub remove: &'a [String],
    /// Who changes it.
    pub by: &'a Principal,
    /// When.
    pub at: Timestamp,
    /// How many revisions are kept, this one among them; one at least.
    pub keep: u32,
}

/// A revision of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRevision {
    /// Its number, from 1.
    pub revision: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub by: Principal,
}
