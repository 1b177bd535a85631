//! A load with a memory: many alerts at once, each with a story of events of its own, in order.
//!
//! Every event carries a text that no other has. What was answered with 2xx must be in the alert's history once; an
//! event whose answer was lost, or was an error, may be there, but not twice.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use schemas::Severity;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::client::Client;
use crate::site::{SLACK_CHANNELS, keys};

/// What an alert's story may open with.
const SEVERITIES: [Severity; 4] = [
    Severity::Information,
    Severity::Warning,
    Severity::Critical,
    Severity::Down,
];
/// How often in a hundred an open alert is closed by its next event.
const CLOSES_PERCENT: u32 = 20;
/// How often it is tried to open or to close an alert when nobody disturbs any more.
const ATTEMPTS: u32 = 20;

/// How much load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// So many alerts, of which one for each Slack channel tells Slack too.
    pub alerts: usize,
    /// So many events of all alerts together.
    pub events_per_second: u64,
    /// The stories are a function of it, apart from what the answers change.
    pub seed: u64,
}

/// One alert's story.
#[derive(Debug)]
pub struct Story {
    /// The alert's name.
    pub name: String,
    /// What was sent, in order.
    pub sent: Vec<Sent>,
    key: String,
    tells_slack: bool,
    random: SmallRng,
}

/// One event as it was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its output, which no other event has.
    pub output: String,
    /// Its severity; none for the end of the problem.
    pub severity: Option<Severity>,
    /// What became of it.
    pub answer: Verdict,
}

/// What the sender knows of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was accepted under this id.
    Accepted(Uuid),
    /// The answer was lost or an error.
    Maybe(String),
}

impl Story {
    pub(crate) fn of(number: usize, seed: u64) -> Self {
        let tells_slack = number < SLACK_CHANNELS;
        let key = if tells_slack {
            keys::slack(number)
        } else {
            keys::MACHINES.to_owned()
        };
        let random = SmallRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        Self {
            name: format!("load-{number:05}"),
            sent: Vec::new(),
            key,
            tells_slack,
            random,
        }
    }

    /// Whether the alert is open beyond doubt. Only then may it be closed: the end of something that is not open
    /// leaves no trace, and it could not be told whether it was lost.
    fn certainly_open(&self) -> bool {
        self.sent
            .last()
            .is_some_and(|last| last.severity.is_some() && matches!(last.answer, Verdict::Accepted(_)))
    }

    fn is_over(&self) -> bool {
        self.sent
            .last()
            .is_some_and(|last| last.severity.is_none() && matches!(last.answer, Verdict::Accepted(_)))
    }

    /// Sends the next event and waits for its answer.
    async fn go_on(&mut self, client: &Client) {
        let closes = self.certainly_open() && self.random.random_ratio(CLOSES_PERCENT, 100);
        self.tell(client, closes).await;
    }

    async fn tell(&mut self, client: &Client, closes: bool) {
        let severity = (!closes).then(|| SEVERITIES[self.random.random_range(0..SEVERITIES.len())]);
        let output = format!("{} event {:06};", self.name, self.sent.len());
        let body = json!({
            "alert_name": self.name,
            "alert_severity": severity.map_or("ok", Severity::name),
            "source": "load",
            "object": format!("host-{}", self.name),
            "notification_output": output,
        });
        let answer = match accepted(client, &self.key, &body).await {
            Ok(id) => Verdict::Accepted(id),
            Err(error) => Verdict::Maybe(format!("{error:#}")),
        };
        self.sent.push(Sent {
            output,
            severity,
            answer,
        });
    }

    /// Opens the alert, whatever it takes.
    async fn open(&mut self, client: &Client) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if self.certainly_open() {
                return Ok(());
            }
            self.tell(client, false).await;
        }
        bail!("{} cannot be opened: {:?}", self.name, self.sent.last())
    }

    /// Closes the alert, whatever it takes.
    async fn end(&mut self, client: &Client) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if self.is_over() {
                return Ok(());
            }
            self.tell(client, self.certainly_open()).await;
        }
        bail!("{} cannot be closed: {:?}", self.name, self.sent.last())
    }
}

async fn accepted(client: &Client, key: &str, body: &serde_json::Value) -> Result<Uuid> {
    let answer = client.ingest("api", key, body).await?;
    let events = answer.events()?;
    let [event] = events[..] else {
        bail!("one event was sent, not {}", events.len())
    };
    Ok(event)
}

impl Load {
    /// Sends events until it is told to stop; answers what was sent.
    pub async fn run(self, client: &Client, stop: CancellationToken) -> Result<Vec<Story>> {
        let pause = Duration::from_secs(1).mul_f64(self.alerts as f64 / self.events_per_second as f64);
        let mut running = JoinSet::new();
        for number in 0..self.alerts {
            let (client, stop) = (client.clone(), stop.clone());
            let first = pause.mul_f64(number as f64 / self.alerts as f64);
            running.spawn(async move {
                let mut story = Story::of(number, self.seed);
                let mut pace = tokio::time::interval_at(tokio::time::Instant::now() + first, pause);
                pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
                while stop.run_until_cancelled(pace.tick()).await.is_some() {
                    story.go_on(&client).await;
                }
                story
            });
        }
        collect(running).await
    }
}

/// Opens the alerts that tell Slack, where they are not open.
pub async fn open_for_slack(mut stories: Vec<Story>, client: &Client) -> Result<Vec<Story>> {
    for story in stories.iter_mut().filter(|story| story.tells_slack) {
        story.open(client).await?;
    }
    Ok(stories)
}

/// Closes every alert.
pub async fn end(stories: Vec<Story>, client: &Client) -> Result<Vec<Story>> {
    let mut running = JoinSet::new();
    for mut story in stories {
        let client = client.clone();
        running.spawn(async move {
            let ended = story.end(&client).await;
            ended.map(|()| story)
        });
    }
    collect(running).await?.into_iter().collect()
}

/// How many events were sent, and of how many it is not known whether they came through.
pub fn count(stories: &[Story]) -> (usize, usize) {
    let sent = stories.iter().flat_map(|story| &story.sent);
    sent.fold((0, 0), |(all, maybe), sent| {
        (
            all + 1,
            maybe + usize::from(matches!(sent.answer, Verdict::Maybe(_))),
        )
    })
}

async fn collect<T: 'static>(mut running: JoinSet<T>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while let Some(done) = running.join_next().await {
        all.push(done.context("a story broke off")?);
    }
    Ok(all)
}
