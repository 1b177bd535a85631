//! The words and pictures by which tools say how a problem stands.

use EventStatus::{Acknowledged, Firing, Resolved};
use schemas::EventStatus;

mod explanations;
mod interjections;
mod pictures;
mod places;

pub(super) use explanations::{ERRORS, HTTP_PHRASES, REASONS, TIMES, is_http_status};
pub(super) use interjections::INTERJECTIONS;
pub(super) use pictures::{is_picture, state_of_picture};
pub(super) use places::{BEFORE_UP, BEHIND_UP, FIRST_WORDS};

/// What a word says of a problem, and how much it counts where a line has several: `[RESOLVED] shop is down` has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) status: EventStatus,
    pub(super) rank: Rank,
    /// It is an ordinary word, too: "too many files open", "disk problem". So it says a state only where its place does.
    pub(super) is_ordinary: bool,
}

/// States that are words for a severity, too.
pub(super) const SEVERITIES: [&str; 9] = [
    "critical",
    "crit",
    "warning",
    "warn",
    "degraded",
    "down",
    "error",
    "emergency",
    "unknown",
];
/// States of several words.
pub(super) const PHRASES: [&str; 5] = [
    "degraded performance",
    "partial outage",
    "major outage",
    "minor outage",
    "no data",
];
/// How much a word counts; the last one counts most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// That there is an alert: `Alert`, `Problem`.
    Kind,
    /// What a check says: `OK`, `DOWN`.
    Check,
    /// What has happened to an alert: `Triggered`.
    Begun,
    /// That it is over.
    Over,
}

const KINDS: [&str; 14] = [
    "alert",
    "alarm",
    "incident",
    "problem",
    "error",
    "failure",
    "new",
    "emergency",
    "no-data",
    "unknown",
    "unstable",
    "störung",
    "fehler",
    "warnung",
];
const ILL: [&str; 29] = [
    "down",
    "critical",
    "crit",
    "warning",
    "warn",
    "unhealthy",
    "unreachable",
    "offline",
    "degraded",
    "unavailable",
    "failed",
    "nodata",
    "broken",
    "crashed",
    "unresponsive",
    "ausgefallen",
    "gestört",
    "kritisch",
    "outofsync",
    "red",
    "failing",
    "missed",
    "attention",
    "outage",
    "degraded performance",
    "partial outage",
    "major outage",
    "minor outage",
    "no data",
];
const WELL: [&str; 13] = [
    "up",
    "ok",
    "okay",
    "healthy",
    "online",
    "reachable",
    "operational",
    "normal",
    "erreichbar",
    "green",
    "clear",
    "responding",
    "passing",
];
const ORDINARY_WELL: [&str; 9] = [
    "success",
    "successful",
    "successfully",
    "succeeded",
    "passed",
    "completed",
    "finished",
    "available",
    "synced",
];
const BEGUN: [&str; 11] = [
    "firing",
    "alerting",
    "triggered",
    "re-triggered",
    "retriggered",
    "activated",
    "reopened",
    "opened",
    "open",
    "started",
    "raised",
];
const ORDINARY_BEGUN: [&str; 5] = ["activated", "opened", "open", "started", "raised"];
const OVER: [&str; 11] = [
    "resolved",
    "recovered",
    "recovery",
    "restored",
    "behoben",
    "closed",
    "cleared",
    "fixed",
    "ended",
    "solved",
    "recovers",
];
const ORDINARY_OVER: [&str; 6] = ["closed", "cleared", "fixed", "ended", "solved", "restored"];
const SEEN: [&str; 3] = ["acknowledged", "acknowledgement", "acked"];

/// What a word in lower case says; `None` of a word that says nothing.
pub(super) fn meaning(word: &str) -> Option<Meaning> {
    let of = |status, rank, is_ordinary| {
        Some(Meaning {
            status,
            rank,
            is_ordinary,
        })
    };
    if OVER.contains(&word) {
        of(Resolved, Rank::Over, ORDINARY_OVER.contains(&word))
    } else if BEGUN.contains(&word) {
        of(Firing, Rank::Begun, ORDINARY_BEGUN.contains(&word))
    } else if SEEN.contains(&word) {
        of(Acknowledged, Rank::Over, false)
    } else if WELL.contains(&word) {
        of(Resolved, Rank::Check, false)
    } else if ORDINARY_WELL.contains(&word) {
        of(Resolved, Rank::Check, true)
    } else if ILL.contains(&word) {
        of(Firing, Rank::Check, false)
    } else if KINDS.contains(&word) {
        of(Firing, Rank::Kind, true)
    } else {
        None
    }
}

/// Verbs between a subject and its state.
pub(super) const VERBS: [&str; 27] = [
    "is", "are", "was", "were", "needs", "went", "goes", "has", "have", "had", "got", "came", "comes",
    "became", "becomes", "remains", "returned", "returns", "gone", "turned", "ist", "sind", "war", "wurde",
    "it's", "entered", "enters",
];
/// What may stand between such a verb and the state.
pub(super) const ADVERBS: [&str; 20] = [
    "now",
    "back",
    "been",
    "to",
    "again",
    "still",
    "currently",
    "gone",
    "wieder",
    "fully",
    "automatically",
    "already",
    "just",
    "returned",
    "manually",
    "entered",
    "experiencing",
    "completely",
    "come",
    "from",
];
/// Words that, behind a state, still say what it is about: `disk is critical on db-1`.
pub(super) const PLACES: [&str; 8] = ["on", "in", "at", "for", "of", "auf", "von", "from"];

/// Words of titles that tools give to all their messages, and names of such tools. A title that has no others does not tell
/// one alert from another.
const GENERIC: [&str; 68] = [
    "alert",
    "alerts",
    "alerting",
    "alarm",
    "alarms",
    "notification",
    "notifications",
    "notice",
    "message",
    "monitor",
    "monitors",
    "monitoring",
    "service",
    "host",
    "check",
    "checks",
    "incident",
    "incidents",
    "status",
    "state",
    "event",
    "events",
    "update",
    "updated",
    "issue",
    "problem",
    "health",
    "healthcheck",
    "uptime",
    "kuma",
    "gatus",
    "statping",
    "healthchecks",
    "healthchecks.io",
    "grafana",
    "oncall",
    "alertmanager",
    "prometheus",
    "netdata",
    "checkmk",
    "check_mk",
    "better",
    "stack",
    "betterstack",
    "uptimerobot",
    "robot",
    "nagios",
    "icinga",
    "icinga2",
    "zabbix",
    "prtg",
    "datadog",
    "pingdom",
    "statuscake",
    "sentry",
    "cachet",
    "beszel",
    "dozzle",
    "bot",
    "webhook",
    "test",
    "report",
    "info",
    "general",
    "violation",
    "additional",
    "details",
    "performance",
];

/// Words beside them that tell nothing either. Alone they are names: `A is down`.
pub(super) const ARTICLES: [&str; 6] = ["a", "an", "the", "your", "my", "our"];
/// Words in front of a kind of problem that say how bad it is: `Major outage: shop`.
pub(super) const DEGREES: [&str; 4] = ["major", "minor", "partial", "full"];

/// Whether a word is one that titles of all messages have.
pub(super) fn is_generic(word: &str) -> bool {
    GENERIC.contains(&word)
}

/// Words that say of how many something holds, or that it is a condition: "only 1 of 3 is up", "until it is up".
pub(super) const RESTRICTIONS: [&str; 26] = [
    "no",
    "not",
    "none",
    "only",
    "never",
    "without",
    "cannot",
    "can't",
    "isn't",
    "aren't",
    "few",
    "fewer",
    "less",
    "nothing",
    "hardly",
    "if",
    "until",
    "unless",
    "when",
    "whether",
    "while",
    "before",
    "partially",
    "partly",
    "should",
    "kein",
];

/// Words that mean success in lower case only where the line is about a job: "pipeline of shop passed".
pub(super) const JOB_ENDS: [&str; 5] = ["successful", "succeeded", "passed", "passing", "fixed"];
/// Things that succeed rather than being well: "backup successful".
pub(super) const JOBS: [&str; 14] = [
    "backup",
    "job",
    "build",
    "pipeline",
    "deployment",
    "deploy",
    "sync",
    "run",
    "task",
    "test",
    "tests",
    "replication",
    "check",
    "probe",
];
/// Things whose runs are numbered: `Build #42 of shop`.
pub(super) const NUMBERED: [&str; 5] = ["build", "pipeline", "run", "deployment", "deploy"];
/// Things that are opened and closed only as alerts are.
pub(super) const INCIDENTS: [&str; 9] = [
    "incident",
    "alert",
    "alarm",
    "issue",
    "problem",
    "event",
    "ticket",
    "violation",
    "outage",
];
