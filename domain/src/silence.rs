//! Silences: for whom nobody is told anew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemas::Alert;
use schemas::config::Silence;

use crate::matcher::{self, InvalidMatcher, Matcher};

/// The most matchers of one silence.
pub const MATCHERS_MAX: usize = 64;

/// A silence cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSilence {
    /// One of its matchers cannot be used.
    #[error(transparent)]
    Matcher(#[from] InvalidMatcher),
    /// It has no matcher, or too many.
    #[error("a silence needs 1 to {MATCHERS_MAX} matchers, not {0}")]
    Count(usize),
    /// It would hold back everything that lacks a label.
    #[error(
        "at least one matcher must not match the empty string: add one that names what is to be silenced"
    )]
    MatchesEmpty,
    /// Its end is not after its beginning.
    #[error("start time must be before end time")]
    Backwards,
}

/// How far a silence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum SilenceState {
    Active,
    Pending,
    Expired,
}

impl SilenceState {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            SilenceState::Active => "active",
            SilenceState::Pending => "pending",
            SilenceState::Expired => "expired",
        }
    }
}

/// How far the silence is at this time.
pub fn state(silence: &Silence, now: Timestamp) -> SilenceState {
    if silence.ends_at <= now {
        SilenceState::Expired
    } else if silence.starts_at > now {
        SilenceState::Pending
    } else {
        SilenceState::Active
    }
}

/// A silence whose matchers were understood.
#[derive(Debug)]
pub struct CompiledSilence {
    silence: Silence,
    matchers: Vec<Matcher>,
}

impl PartialEq for CompiledSilence {
    fn eq(&self, other: &Self) -> bool {
        self.silence == other.silence
    }
}

impl Eq for CompiledSilence {}

impl CompiledSilence {
    /// Understands a silence.
    pub fn compile(silence: Silence) -> Result<Self, InvalidSilence> {
        if !(1..=MATCHERS_MAX).contains(&silence.matchers.len()) {
            return Err(InvalidSilence::Count(silence.matchers.len()));
        }
        let matchers: Vec<_> = silence
            .matchers
            .iter()
            .map(Matcher::compile)
            .collect::<Result<_, _>>()?;
        if matchers.iter().all(|matcher| matcher.matches("")) {
            return Err(InvalidSilence::MatchesEmpty);
        }
        // Beginning and end are the same once it was ended before it had begun.
        if silence.starts_at > silence.ends_at {
            return Err(InvalidSilence::Backwards);
        }
        Ok(Self { silence, matchers })
    }

    /// What it was made of.
    pub fn silence(&self) -> &Silence {
        &self.silence
    }

    /// Whether it holds the alert back at this time.
    pub fn silences(&self, alert: &Alert, now: Timestamp) -> bool {
        state(&self.silence, now) == SilenceState::Active && self.matches(alert)
    }

    /// Whether all matchers match the alert.
    pub fn matches(&self, alert: &Alert) -> bool {
        self.matchers
            .iter()
            .all(|matcher| matcher.matches(label(alert, matcher.name())))
    }

    /// Whether there may be an alert that this one holds back from now on, and the other does not.
    fn holds_more_than(&self, other: Option<&Self>, now: Timestamp) -> bool {
        let mine = &self.silence;
        if state(mine, now) == SilenceState::Expired {
            return false;
        }
        other.is_none_or(|other| {
            let other = &other.silence;
            other.matchers != mine.matchers
                || other.ends_at < mine.ends_at
                || (other.starts_at > mine.starts_at && other.starts_at > now)
        })
    }
}

/// Whether an alert that was held back before may no longer be.
pub(crate) fn lifted<K: Ord>(
    before: &BTreeMap<K, std::sync::Arc<CompiledSilence>>,
    after: &BTreeMap<K, std::sync::Arc<CompiledSilence>>,
    now: Timestamp,
) -> bool {
    before
        .iter()
        .any(|(id, silence)| silence.holds_more_than(after.get(id).map(AsRef::as_ref), now))
}

/// What a silence sees of an alert under this name. What the sender called a label goes before the alert's own field
/// of that name, so that a silence which was written for Alertmanager means the same here.
pub fn label<'a>(alert: &'a Alert, name: &str) -> &'a str {
    match matcher::label(alert, name) {
        "" => matcher::field(alert, name).unwrap_or_default(),
        label => label,
    }
}

/// All that a silence can see of an alert.
pub fn labels(alert: &Alert) -> BTreeMap<&str, &str> {
    let names = alert.labels.keys().map(String::as_str).chain(matcher::FIELDS);
    names
        .map(|name| (name, label(alert, name)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use schemas::config::LabelMatcher;
    use uuid::Uuid;

    use super::*;
    use crate::transition::examples::{at, open_alert, silence};

    fn compiled(matchers: &[&str]) -> Result<CompiledSilence, InvalidSilence> {
        CompiledSilence::compile(silence(1, matchers, 0, 100))
    }

    fn matches(matchers: &[&str]) -> bool {
        compiled(matchers).unwrap().matches(&open_alert().alert)
    }

    #[test]
    fn a_silence_sees_labels_and_fields_of_alerts_of_every_source() {
        assert!(matches(&["team=pay"]));
        assert!(matches(&[
            "alertname=~disk.*",
            "object=host-1",
            "severity=critical"
        ]));
        assert!(matches(&["environment=default", "source=~nagios.+", "service="]));
        assert!(!matches(&["team=pay", "object=host-2"]), "all must match");
    }

    #[test]
    fn expressions_are_anchored_and_a_label_that_is_not_there_is_empty() {
        assert!(!matches(&["alertname=~disk"]));
        assert!(matches(&["alertname=disk full", "host="]));
        assert!(matches(&["alertname=disk full", "host!=web-1"]));
        assert!(matches(&["alertname=disk full", "host!~web-.+"]));
        assert!(!matches(&["host=~.+"]));
    }

    #[test]
    fn what_the_sender_called_a_label_goes_before_the_field() {
        let mut alert = open_alert().alert;
        alert.labels.insert("severity".to_owned(), "page".to_owned());
        assert!(compiled(&["severity=page"]).unwrap().matches(&alert));
        assert!(!compiled(&["severity=critical"]).unwrap().matches(&alert));
        assert_eq!(labels(&alert)["severity"], "page");
        alert.labels.insert("severity".to_owned(), String::new());
        assert!(compiled(&["severity=critical"]).unwrap().matches(&alert));
    }

    #[test]
    fn what_is_shown_of_an_alert_is_what_can_be_matched() {
        let alert = open_alert().alert;
        let shown = labels(&alert);
        assert_eq!(shown["alertname"], "disk full");
        assert!(!shown.contains_key("service"), "it has none: {shown:?}");
        for (name, value) in shown {
            assert_eq!(label(&alert, name), value);
        }
    }

    #[test]
    fn a_silence_that_would_hold_back_everything_is_refused() {
        assert_eq!(compiled(&[]).unwrap_err(), InvalidSilence::Count(0));
        for matchers in [["team="], ["team=~.*"], ["team!=pay"]] {
            assert_eq!(compiled(&matchers).unwrap_err(), InvalidSilence::MatchesEmpty);
        }
        assert!(matches!(
            compiled(&["team=~("]).unwrap_err(),
            InvalidSilence::Matcher(_)
        ));
        let nameless = LabelMatcher {
            name: String::new(),
            ..silence(1, &["a=b"], 0, 1).matchers.remove(0)
        };
        let nameless = Silence {
            matchers: vec![nameless],
            ..silence(1, &[], 0, 1)
        };
        assert!(CompiledSilence::compile(nameless).is_err());
        assert_eq!(
            CompiledSilence::compile(silence(1, &["a=b"], 2, 1)).unwrap_err(),
            InvalidSilence::Backwards
        );
    }

    #[test]
    fn only_what_holds_back_less_lifts_a_silence() {
        let lifted = |before: Option<Silence>, after: Option<Silence>| {
            let of = |silence: Option<Silence>| -> BTreeMap<Uuid, Arc<CompiledSilence>> {
                silence
                    .into_iter()
                    .map(|silence| (silence.id, Arc::new(CompiledSilence::compile(silence).unwrap())))
                    .collect()
            };
            lifted(&of(before), &of(after), at(50))
        };
        let of = |matcher: &str, from: i64, to: i64| Some(silence(1, &[matcher], from, to));
        assert!(!lifted(None, of("a=b", 0, 100)), "a new one");
        assert!(lifted(of("a=b", 0, 100), None), "removed");
        assert!(!lifted(of("a=b", 0, 40), None), "removed after its end");
        assert!(!lifted(of("a=b", 0, 100), of("a=b", 0, 200)), "longer");
        assert!(lifted(of("a=b", 0, 100), of("a=b", 0, 60)), "shorter");
        assert!(lifted(of("a=b", 0, 100), of("a=c", 0, 100)), "another matcher");
        assert!(lifted(of("a=b", 0, 100), of("a=b", 60, 100)), "begins later");
        assert!(
            !lifted(of("a=b", 0, 100), of("a=b", 20, 100)),
            "began at another time"
        );
    }
}
