//! All clients with the same filter follow one feed, so that what they are sent is worked out and encoded once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use domain::CompiledFilter;
use schemas::live::Filter;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::Shared;
use crate::frames::Frames;
use crate::stream::{Next, Stream};
use crate::subscription::Subscription;

/// Deltas of a feed are at least so far apart …
const FLUSH_EVERY: Duration = Duration::from_millis(20);
/// … and this much more for each client, so that very many of them leave room for everything else.
const FLUSH_EVERY_PER_CLIENT: Duration = Duration::from_micros(50);

/// The feeds that have clients, by filter.
#[derive(Default)]
pub(crate) struct Feeds(Mutex<HashMap<String, Weak<Feed>>>);

/// The stream of one filter, followed by a task as long as it has clients.
pub(crate) struct Feed {
    shared: Arc<Shared>,
    key: String,
    filter: Filter,
    state: Mutex<State>,
    /// The position of the stream, once it is there.
    tip: watch::Sender<Option<u64>>,
    following: OnceLock<AbortHandle>,
}

#[derive(Default)]
struct State {
    stream: Option<Stream>,
    /// Clients that do not have their snapshot yet.
    wanted_by: usize,
}

/// A client that does not have its snapshot yet: as long as there is one, the snapshot is kept.
pub(crate) struct Wanting(Arc<Feed>);

impl Feeds {
    fn feeds(&self) -> MutexGuard<'_, HashMap<String, Weak<Feed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    /// The feed of a filter.
    pub fn of(shared: &Arc<Shared>, filter: CompiledFilter) -> Arc<Self> {
        let key = key(filter.filter());
        let mut feeds = shared.feeds.feeds();
        if let Some(feed) = feeds.get(&key).and_then(Weak::upgrade) {
            return feed;
        }
        let feed = Arc::new(Self {
            shared: Arc::clone(shared),
            key: key.clone(),
            filter: filter.filter().clone(),
            state: Mutex::default(),
            tip: watch::Sender::new(None),
            following: OnceLock::new(),
        });
        feeds.insert(key, Arc::downgrade(&feed));
        drop(feeds);
        let following = follow(Arc::downgrade(&feed), Arc::clone(shared), filter);
        // It is set here alone.
        let _ = feed.following.set(tokio::spawn(following).abort_handle());
        feed
    }

    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Waits until there is a stream.
    pub async fn ready(&self) {
        // The sender lives as long as the feed.
        let _ = self.tip.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until the stream has come further than `position`, or has begun anew.
    pub async fn moved_from(&self, position: u64) {
        let _ = self
            .tip
            .subscribe()
            .wait_for(|tip| tip.is_none_or(|tip| tip > position))
            .await;
    }

    /// What comes next for a client that has seen everything up to `since`.
    pub fn after(&self, since: u64) -> Next {
        let next = self.ask(|stream| Some(stream.after(&self.shared.read(), since)));
        next.unwrap_or(Next::Lost)
    }

    /// What a client with this cursor has missed, as far as that is known.
    pub fn resume(&self, since: u64) -> Option<Arc<Frames>> {
        self.ask(|stream| stream.resume(&self.shared.read(), since))
    }

    /// A snapshot; `None` when the stream begins anew, and is to be waited for.
    pub fn snapshot(&self) -> Option<Arc<Frames>> {
        self.ask(|stream| stream.snapshot(&self.shared.read()))
    }

    /// Asks the stream, which may go on to the present for the answer.
    fn ask<T>(&self, question: impl FnOnce(&mut Stream) -> Option<T>) -> Option<T> {
        let mut state = self.state();
        let stream = state.stream.as_mut()?;
        let answer = question(stream);
        let position = stream.position();
        drop(state);
        self.tip.send_if_modified(|tip| {
            let is_news = tip.is_some_and(|tip| tip < position);
            if is_news {
                *tip = Some(position);
            }
            is_news
        });
        answer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, stream: Stream) {
        let position = stream.position();
        self.state().stream = Some(stream);
        self.tip.send_replace(Some(position));
    }

    /// Goes on to the present; `None` when the stream was lost.
    fn advance(&self) -> Option<u64> {
        let mut state = self.state();
        let stream = state.stream.as_mut()?;
        let is_there = stream.advance(&self.shared.read());
        let position = is_there.then(|| stream.position());
        if position.is_none() {
            state.stream = None;
        }
        drop(state);
        self.tip.send_replace(position);
        position
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(following) = self.following.get() {
            following.abort();
        }
        let mut feeds = self.shared.feeds.feeds();
        // Another one may have taken its place already.
        if feeds.get(&self.key).is_some_and(|feed| feed.strong_count() == 0) {
            feeds.remove(&self.key);
        }
    }
}

impl Wanting {
    pub fn new(feed: Arc<Feed>) -> Self {
        feed.state().wanted_by += 1;
        Self(feed)
    }

    pub const fn feed(&self) -> &Arc<Feed> {
        &self.0
    }
}

impl Drop for Wanting {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.wanted_by -= 1;
        if state.wanted_by == 0
            && let Some(stream) = &mut state.stream
        {
            stream.forget_beginnings();
        }
    }
}

/// The same for all filters that ask the same, in whatever order.
fn key(filter: &Filter) -> String {
    let mut filter = filter.clone();
    filter.environments.sort_unstable();
    filter.states.sort_unstable_by_key(|state| state.name());
    filter.severities.sort_unstable();
    filter.matchers.sort_unstable();
    format!("{filter:?}")
}

async fn follow(feed: Weak<Feed>, shared: Arc<Shared>, filter: CompiledFilter) {
    let mut head = shared.head.subscribe();
    // The sender lives as long as the bridge.
    let _ = head.wait_for(Option::is_some).await;
    loop {
        let (list, mut position) = {
            let replica = shared.read();
            (replica.list(), replica.head())
        };
        let screen = Subscription::begin(filter.clone(), &list, position).await;
        drop(list);
        let stream = Stream::new(Arc::clone(&shared.encoder), screen);
        let Some(following) = feed.upgrade() else {
            return;
        };
        following.begin(stream);
        drop(following);
        loop {
            let _ = head.wait_for(|head| *head > Some(position)).await;
            let Some(following) = feed.upgrade() else {
                return;
            };
            let Some(advanced) = following.advance() else {
                break;
            };
            drop(following);
            position = advanced;
            let clients = u32::try_from(shared.clients()).unwrap_or(u32::MAX);
            let pause = FLUSH_EVERY.max(FLUSH_EVERY_PER_CLIENT.saturating_mul(clients));
            tokio::time::sleep_until(Instant::now() + pause).await;
        }
    }
}
