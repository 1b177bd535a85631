//! The subject of a message: status, severity, and what it is about.

use schemas::{EventStatus, Severity};

use crate::text::severity;
use crate::text::state_words::{self, LineState};

/// The state in a subject.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SubjectState {
    pub(crate) status: EventStatus,
    pub(crate) severity: Severity,
    /// The same at the beginning and at the end of a problem.
    pub(crate) about: String,
}

/// Why a subject has no state.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unclear {
    /// It has no word for a state, or only where one is there by chance.
    State,
    /// It begins with one state and ends with another.
    Contradiction,
    /// There is nothing but a state in it.
    Name,
}

const OPENING: [&str; 7] = [
    "problem",
    "firing",
    "alarm",
    "alert",
    "triggered",
    "failed",
    "failure",
];
const ENDING: [&str; 11] = [
    "recovery",
    "recovered",
    "resolved",
    "ok",
    "up",
    "clear",
    "cleared",
    "closed",
    "fixed",
    "normal",
    "restored",
];
const ACKNOWLEDGING: [&str; 2] = ["acknowledgement", "acknowledged"];
/// What mail programs put before the subject of what is answered or passed on.
const PASSED_ON: [&str; 5] = ["re:", "fw:", "fwd:", "aw:", "wg:"];
/// What stands around a subject for its looks.
const DECORATION: &str = "*!:|.-–—";

/// Parses a subject such as `[FIRING:1] Disk full`, `** PROBLEM Service Alert: web-1/http is CRITICAL **` or
/// `Resolved in 5m: Disk full`.
pub(crate) fn parse_subject(subject: &str) -> Result<SubjectState, Unclear> {
    let line = state_words::state_of_line(without_passing_on(subject), None);
    let first = divided(subject).and_then(|(word, rest)| Some((meaning(&word)?, word, rest)));
    let Some(((mut status, mut severity), word, rest)) = first else {
        return state_elsewhere(line);
    };
    // A word for a severity alone, such as "info" or "[P2]", says nothing of an end.
    let is_severity = begins_with(&line.about, &word);
    if let Some(by_line @ (EventStatus::Resolved | EventStatus::Acknowledged)) = line.status
        && is_severity
    {
        status = by_line;
        severity = match by_line {
            EventStatus::Resolved => Severity::Ok,
            _ => severity,
        };
    }
    let rest =
        rest.trim_matches(|character: char| character.is_whitespace() || DECORATION.contains(character));
    let (about, last_severity) = with_check_at_end(rest);
    let well = last_severity.map(|severity| severity == Severity::Ok);
    if well.is_some_and(|well| well != (status == EventStatus::Resolved)) {
        return Err(Unclear::Contradiction);
    }
    if about.is_empty() {
        return Err(Unclear::Name);
    }
    let about = match line.status {
        Some(_) if !is_severity && !line.about.is_empty() => line.about,
        _ => {
            let rest = state_words::state_of_line(rest, Some(status));
            rest.about_or(about).to_owned()
        }
    };
    Ok(SubjectState {
        status,
        severity: last_severity.unwrap_or(severity),
        about,
    })
}

/// Whether the first word of a text is this one, in lower case.
fn begins_with(text: &str, word: &str) -> bool {
    let mut words = text.split(|character: char| !character.is_alphanumeric());
    words
        .find(|found| !found.is_empty())
        .is_some_and(|first| first.to_lowercase() == word)
}

/// Parses a subject whose state is not its first word: `shop is DOWN`, `web-1/CPU load OK -> CRIT`.
fn state_elsewhere(line: LineState) -> Result<SubjectState, Unclear> {
    let status = line.status.ok_or(Unclear::State)?;
    if line.about.is_empty() {
        return Err(Unclear::Name);
    }
    let by_word = line
        .severity()
        .or(line.word.as_deref().and_then(severity::of_word));
    Ok(SubjectState {
        status,
        severity: match status {
            EventStatus::Resolved => Severity::Ok,
            _ => by_word.unwrap_or(Severity::Critical),
        },
        about: line.about,
    })
}

/// The first word, if its form marks it as a state: in capitals, or before a colon, a bar or a bracket. And
/// what comes behind it.
fn divided(subject: &str) -> Option<(String, &str)> {
    let subject = without_passing_on(subject);
    let start = subject.find(char::is_alphanumeric)?;
    let (before, text) = subject.split_at(start);
    let end = text
        .find(|character: char| !character.is_alphanumeric())
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let (next, bracketed) = (rest.trim_start(), before.ends_with(['[', '(']));
    let behind = |mark| next.split_once(mark).map(|(_, behind)| behind);
    // How many there are, or how long it took, stands between the word and the mark.
    let divided = match next.chars().next() {
        Some(_) if bracketed => behind([']', ')']),
        Some(':' | '|') => behind([':', '|']),
        Some('i') if next.starts_with("in ") => behind([':', ':']),
        _ => None,
    };
    let loud = word.chars().all(|character| !character.is_lowercase());
    let behind = divided.or(loud.then_some(rest))?;
    Some((word.to_lowercase(), behind))
}

fn without_passing_on(subject: &str) -> &str {
    let subject = subject.trim_start();
    let passed_on = PASSED_ON.iter().find_map(|prefix| {
        let (start, rest) = subject.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    });
    passed_on.map_or(subject, without_passing_on)
}

fn meaning(word: &str) -> Option<(EventStatus, Severity)> {
    if ENDING.contains(&word) {
        Some((EventStatus::Resolved, Severity::Ok))
    } else if ACKNOWLEDGING.contains(&word) {
        Some((EventStatus::Acknowledged, Severity::Critical))
    } else if OPENING.contains(&word) {
        Some((EventStatus::Firing, Severity::Critical))
    } else {
        severity::of_word(word).map(|severity| (EventStatus::Firing, severity))
    }
}

/// Nagios and its kin end a subject with the state of the check: `… is CRITICAL`.
fn with_check_at_end(text: &str) -> (&str, Option<Severity>) {
    let check = text.rsplit_once(" is ").and_then(|(about, state)| {
        let severity = match state.to_ascii_lowercase().as_str() {
            "ok" | "up" => Severity::Ok,
            "warning" => Severity::Warning,
            "critical" => Severity::Critical,
            "down" => Severity::Down,
            "unknown" | "unreachable" => Severity::Unknown,
            _ => return None,
        };
        Some((about, severity))
    });
    check.map_or((text, None), |(about, severity)| (about, Some(severity)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_of_a_problem_are_about_the_same() {
        use EventStatus::{Acknowledged, Firing, Resolved};
        for (about, subjects) in [
            (
                "Service web-1/http",
                &[
                    (
                        "** PROBLEM Service Alert: web-1/http is CRITICAL **",
                        Firing,
                        Severity::Critical,
                    ),
                    (
                        "** PROBLEM Service Alert: web-1/http is WARNING **",
                        Firing,
                        Severity::Warning,
                    ),
                    (
                        "** ACKNOWLEDGEMENT Service Alert: web-1/http is WARNING **",
                        Acknowledged,
                        Severity::Warning,
                    ),
                    (
                        "** RECOVERY Service Alert: web-1/http is OK **",
                        Resolved,
                        Severity::Ok,
                    ),
                ][..],
            ),
            (
                "http on web-1",
                &[
                    ("[PROBLEM] http on web-1 is CRITICAL!", Firing, Severity::Critical),
                    ("[RECOVERY] http on web-1 is OK!", Resolved, Severity::Ok),
                ],
            ),
            (
                "Disk full",
                &[
                    ("Problem: Disk full", Firing, Severity::Critical),
                    ("[FIRING:2] Disk full", Firing, Severity::Critical),
                    ("Fwd: Re: WARNING: Disk full", Firing, Severity::Warning),
                    ("DOWN | Disk full", Firing, Severity::Down),
                    ("INFO Disk full", Firing, Severity::Information),
                    ("[RESOLVED] Disk full", Resolved, Severity::Ok),
                    ("Resolved in 5m 3s: Disk full", Resolved, Severity::Ok),
                    ("UP | Disk full", Resolved, Severity::Ok),
                ],
            ),
            (
                "shop",
                &[
                    ("shop is DOWN", Firing, Severity::Down),
                    ("Fwd: shop is back up", Resolved, Severity::Ok),
                    ("shop has recovered", Resolved, Severity::Ok),
                    ("DOWN | shop | 500", Firing, Severity::Down),
                    ("Fwd: UP | shop | 200", Resolved, Severity::Ok),
                    ("DOWN shop", Firing, Severity::Down),
                    ("UP shop", Resolved, Severity::Ok),
                    ("[DEGRADED] shop", Firing, Severity::Warning),
                    ("[OPERATIONAL] shop", Resolved, Severity::Ok),
                    ("Degraded: shop", Firing, Severity::Warning),
                    ("Degraded performance: shop", Firing, Severity::Warning),
                    ("Operational: shop", Resolved, Severity::Ok),
                    ("shop is degraded", Firing, Severity::Warning),
                    ("shop is operational", Resolved, Severity::Ok),
                    ("Oh no! shop is down", Firing, Severity::Down),
                    ("Yay! shop is up again", Resolved, Severity::Ok),
                    ("ALERT: shop is down", Firing, Severity::Down),
                    ("INFO: shop is down", Firing, Severity::Down),
                    ("RESOLVED: shop is up", Resolved, Severity::Ok),
                ],
            ),
            (
                "downloads",
                &[
                    ("DOWN | downloads | 500", Firing, Severity::Down),
                    ("UP | downloads | 200", Resolved, Severity::Ok),
                ],
            ),
            (
                "Check_MK: web-1/CPU load",
                &[
                    ("Check_MK: web-1/CPU load OK -> CRIT", Firing, Severity::Critical),
                    ("Check_MK: web-1/CPU load CRIT -> OK", Resolved, Severity::Ok),
                ],
            ),
            (
                "cpu-high in EU (Frankfurt)",
                &[
                    (
                        "ALARM: \"cpu-high\" in EU (Frankfurt)",
                        Firing,
                        Severity::Critical,
                    ),
                    ("OK: \"cpu-high\" in EU (Frankfurt)", Resolved, Severity::Ok),
                ],
            ),
        ] {
            for (subject, status, severity) in subjects {
                let expected = SubjectState {
                    status: *status,
                    severity: *severity,
                    about: about.to_owned(),
                };
                assert_eq!(parse_subject(subject), Ok(expected), "{subject}");
            }
        }
    }

    #[test]
    fn subjects_of_common_tools_open_and_end_one_alert() {
        for (opening, end) in [
            (
                "Checkmk: web-1/CPU load OK -> CRIT",
                "Checkmk: web-1/CPU load CRIT -> OK",
            ),
            ("Checkmk: web-1 UP -> DOWN", "Checkmk: web-1 DOWN -> UP"),
            ("Monitor is DOWN: shop", "Monitor is UP: shop"),
            (
                "[PRTG Network Monitor (PRTG)] core-sw-1 Ping (Ping) Down (Request timed out (ICMP error # 11010))",
                "[PRTG Network Monitor (PRTG)] core-sw-1 Ping (Ping) Up (2 msec)",
            ),
            (
                "vzdump backup status (pve1.example): backup failed",
                "vzdump backup status (pve1.example): backup successful",
            ),
            ("Site24x7: shop is Down", "Site24x7: shop is Up"),
            ("DOWN: shop", "UP: shop"),
            (
                "[Monitor Alert] Triggered: High load on db-1",
                "[Monitor Alert] Recovered: High load on db-1",
            ),
            ("[P2] [Triggered] High load", "[P2] [Recovered] High load"),
            ("INFO: shop is down", "INFO: shop is up"),
            ("HIGH: disk is failing", "HIGH: disk is passing"),
            (
                "[P2] [Triggered on {host:db-1}] High load",
                "[P2] [Recovered on {host:db-1}] High load",
            ),
            ("Node web-1 is Down.", "Node web-1 is Up."),
            (
                "Problem: Disk full on db-1",
                "Resolved in 5m 3s: Disk full on db-1",
            ),
            ("[FIRING:1] HighCPU (web-1)", "[RESOLVED] HighCPU (web-1)"),
        ] {
            let (opened, ended) = (parse_subject(opening), parse_subject(end));
            let (opened, ended) = (opened.expect("a state"), ended.expect("a state"));
            assert_eq!(
                (opened.status, ended.status),
                (EventStatus::Firing, EventStatus::Resolved),
                "{opening} / {end}"
            );
            assert_eq!(opened.about, ended.about, "{opening} / {end}");
        }
    }

    #[test]
    fn what_does_not_say_its_state_is_not_guessed() {
        for (subject, unclear) in [
            ("Backup of db-1", Unclear::State),
            ("Problem with my invoice", Unclear::State),
            ("Ok, see you then", Unclear::State),
            ("FLAPPING: web-1", Unclear::State),
            ("", Unclear::State),
            ("***", Unclear::State),
            ("** PROBLEM: web-1 is UP **", Unclear::Contradiction),
            ("RECOVERY: web-1 is DOWN", Unclear::Contradiction),
            ("[FIRING:1]", Unclear::Name),
            ("OK", Unclear::Name),
        ] {
            assert_eq!(parse_subject(subject), Err(unclear), "{subject}");
        }
    }
}
