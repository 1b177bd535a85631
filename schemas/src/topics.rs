//! The topics between the stages.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::Channel;

/// A topic of `schemas/topics.toml`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(&'static str);

macro_rules! topics {
    ($($constant:ident = $name:literal),+ $(,)?) => {
        #[allow(missing_docs)]
        impl Topic {
            $(pub const $constant: Topic = Topic($name);)+
        }

        /// The topics that do not belong to a channel.
        const FIXED: &[Topic] = &[$(Topic::$constant),+];
    };
}

topics! {
    ALERTS_COLLECTED = "alerts.collected",
    ALERTS_DECORATED = "alerts.decorated",
    ALERTS_COMMANDS = "alerts.commands",
    ALERTS_CHANGED = "alerts.changed",
    NOTIFICATIONS_RECEIPTS = "notifications.receipts",
    VIEW_CHANGED = "view.changed",
    CONFIG = "config",
    INTEGRATIONS_USAGE = "integrations.usage",
    INGEST_REJECTED = "ingest.rejected",
    ALERTS_COLLECTED_DLQ = "alerts.collected.dlq",
    ALERTS_DECORATED_DLQ = "alerts.decorated.dlq",
    ALERTS_COMMANDS_DLQ = "alerts.commands.dlq",
    ALERTS_CHANGED_DLQ = "alerts.changed.dlq",
    NOTIFICATIONS_RECEIPTS_DLQ = "notifications.receipts.dlq",
}

/// The topics of the channels too: of each, the notifications and their dead letters.
const ALL: [Topic; FIXED.len() + 2 * Channel::COUNT] = {
    let mut all = [FIXED[0]; FIXED.len() + 2 * Channel::COUNT];
    let mut index = 0;
    while index < FIXED.len() {
        all[index] = FIXED[index];
        index += 1;
    }
    let mut channel = 0;
    while channel < Channel::COUNT {
        all[index] = Channel::ALL[channel].topic();
        all[index + 1] = Channel::ALL[channel].dead_letter_topic();
        index += 2;
        channel += 1;
    }
    all
};

impl Topic {
    /// All of them.
    pub const ALL: &'static [Topic] = &ALL;

    /// A topic that the macros of the topics and of the channels declare.
    pub(crate) const fn named(name: &'static str) -> Topic {
        Topic(name)
    }

    /// Its name on the bus.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The topic with this name.
    pub fn from_name(name: &str) -> Option<Topic> {
        Self::ALL.iter().copied().find(|topic| topic.0 == name)
    }

    /// Its dead-letter topic, for messages that a stage could not use; none for topics whose unusable messages are skipped.
    pub fn dead_letters(self) -> Option<Topic> {
        Self::from_name(&format!("{}.dlq", self.0))
    }

    /// Its settings in `schemas/topics.toml`.
    pub fn settings(self) -> &'static TopicSettings {
        static DEFAULT: LazyLock<TopicSettings> = LazyLock::new(TopicSettings::default);
        FILE.topics.get(self.file_key()).unwrap_or(&DEFAULT)
    }

    /// Its key in `schemas/topics.toml`, where the topics of all channels share one entry.
    fn file_key(self) -> &'static str {
        let mut channels = Channel::ALL.into_iter();
        match channels.find(|channel| channel.topic() == self || channel.dead_letter_topic() == self) {
            Some(channel) if channel.topic() == self => "notifications.<channel>",
            Some(_) => "notifications.<channel>.dlq",
            None => self.0,
        }
    }

    /// How many partitions it has on Kafka.
    pub fn kafka_partitions(self) -> u32 {
        if self.settings().single_partition {
            1
        } else {
            FILE.partitions.kafka
        }
    }

    /// How many partitions it has on the embedded log.
    pub fn embedded_partitions(self) -> u32 {
        if self.settings().single_partition {
            1
        } else {
            FILE.partitions.embedded
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({})", self.0)
    }
}

/// What `schemas/topics.toml` says of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSettings {
    /// What its records are keyed by.
    pub key: String,
    /// Hours that records are kept; 0 = for ever.
    pub retention: u64,
    /// Only the newest record of each key is kept, and that no longer than the retention.
    #[serde(default)]
    pub compacted: bool,
    /// It has one partition wherever it is.
    #[serde(default)]
    pub single_partition: bool,
    /// The stages that write it.
    pub written_by: Vec<String>,
    /// The stages that read it.
    pub read_by: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Partitions {
    kafka: u32,
    embedded: u32,
}

#[derive(Debug, Deserialize)]
struct TopicsFile {
    partitions: Partitions,
    #[serde(flatten)]
    topics: BTreeMap<String, TopicSettings>,
}

#[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
static FILE: LazyLock<TopicsFile> = LazyLock::new(|| {
    toml::from_str(include_str!("../topics.toml")).expect("schemas/topics.toml is well-formed")
});

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_file_and_the_constants_name_the_same_topics() {
        let constants: BTreeSet<_> = Topic::ALL.iter().map(|topic| topic.file_key()).collect();
        let file: BTreeSet<_> = FILE.topics.keys().map(String::as_str).collect();
        assert_eq!(constants, file);
        let names: BTreeSet<_> = Topic::ALL.iter().map(|topic| topic.name()).collect();
        assert_eq!(names.len(), Topic::ALL.len());
    }

    #[test]
    fn what_a_stage_reads_has_a_dead_letter_topic() {
        let without: Vec<_> = Topic::ALL
            .iter()
            .filter(|topic| !topic.settings().read_by.is_empty() && topic.dead_letters().is_none())
            .map(|topic| topic.name())
            .collect();
        assert_eq!(without, ["view.changed", "config", "integrations.usage"]);
    }
}
