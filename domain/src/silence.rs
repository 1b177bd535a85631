//! Silences: for whom nobody is told anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use schemas::Alert;
use schemas::config::{MatchOperator, Silence};
use uuid::Uuid;

use crate::matcher::{self, InvalidMatcher, Matcher};

/// The most matchers of one silence.
pub const MATCHERS_MAX: usize = 64;
/// How long a silence can be looked up after its end.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(120);

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
    /// It would be over before it begins.
    #[error("end time can't be in the past")]
    Past,
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

/// What was made of a request for a silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The silence that fulfils it.
    pub silence: Silence,
    /// The one whose place it has taken, as it is now.
    pub replaced: Option<Silence>,
}

/// Makes a silence, or changes a known one. What a silence has held back so far must not look otherwise afterwards, so
/// a change of whom it concerns, or of a beginning that has passed, ends the known one, and another, with this new id,
/// takes its place. Nothing is silenced before now.
pub fn place(
    known: Option<&Silence>,
    wanted: Silence,
    new_id: Uuid,
    now: Timestamp,
) -> Result<Placed, InvalidSilence> {
    if wanted.starts_at >= wanted.ends_at {
        return Err(InvalidSilence::Backwards);
    }
    if wanted.ends_at <= now {
        return Err(InvalidSilence::Past);
    }
    let silence = match known.filter(|known| may_change(known, &wanted, now)) {
        Some(known) => Silence {
            id: known.id,
            updated_at: now,
            // Some clients give back the second only.
            starts_at: match state(known, now) {
                SilenceState::Active => known.starts_at,
                SilenceState::Pending | SilenceState::Expired => wanted.starts_at,
            },
            ..wanted
        },
        None => Silence {
            id: new_id,
            updated_at: now,
            starts_at: wanted.starts_at.max(now),
            ..wanted
        },
    };
    let replaced = known.filter(|known| known.id != silence.id);
    let replaced = replaced.and_then(|known| ended(known, now));
    let silence = CompiledSilence::compile(silence)?.silence;
    Ok(Placed { silence, replaced })
}

fn may_change(known: &Silence, wanted: &Silence, now: Timestamp) -> bool {
    known.matchers == wanted.matchers
        && match state(known, now) {
            SilenceState::Active => known.starts_at.as_second() == wanted.starts_at.as_second(),
            SilenceState::Pending => wanted.starts_at >= now,
            SilenceState::Expired => false,
        }
}

/// The silence, ended now; nothing if it is over already.
pub fn ended(silence: &Silence, now: Timestamp) -> Option<Silence> {
    (state(silence, now) != SilenceState::Expired).then(|| Silence {
        starts_at: silence.starts_at.min(now),
        ends_at: now,
        updated_at: now,
        ..silence.clone()
    })
}

/// Whether the silence ended so long ago that nobody looks it up any more.
pub fn is_forgotten(silence: &Silence, now: Timestamp) -> bool {
    now.duration_since(silence.ends_at) > KEPT_FOR
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

    /// A label, with its value, that each alert has which this one matches; none if there is no such label.
    fn required_label(&self) -> Option<(&str, &str)> {
        let matchers = self.silence.matchers.iter();
        let mut required = matchers
            .filter(|matcher| matcher.operator == MatchOperator::Equal && !matcher.value.is_empty())
            .map(|matcher| (matcher.name.as_str(), matcher.value.as_str()));
        // Of severities and environments there are few: what is named otherwise tells more alerts apart.
        let (first, common) = (required.clone().next(), ["severity", "environment"]);
        required.find(|(name, _)| !common.contains(name)).or(first)
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

/// Finds the silences that may match an alert without looking at all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SilenceIndex {
    /// Ids by the name and the value of a label that is required.
    by_label: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Ids of those that require none.
    others: BTreeSet<String>,
}

impl SilenceIndex {
    pub(crate) fn insert(&mut self, silence: &CompiledSilence) {
        let id = silence.silence.id.to_string();
        match silence.required_label() {
            Some((name, value)) => {
                let values = self.by_label.entry(name.to_owned()).or_default();
                values.entry(value.to_owned()).or_default().insert(id);
            }
            None => drop(self.others.insert(id)),
        }
    }

    pub(crate) fn remove(&mut self, silence: &CompiledSilence) {
        let id = silence.silence.id.to_string();
        let Some((name, value)) = silence.required_label() else {
            self.others.remove(&id);
            return;
        };
        if let Some(values) = self.by_label.get_mut(name) {
            if let Some(ids) = values.get_mut(value) {
                ids.remove(&id);
            }
            values.retain(|_, ids| !ids.is_empty());
        }
        self.by_label.retain(|_, values| !values.is_empty());
    }

    /// The ids of the silences that may match the alert, in order.
    pub(crate) fn candidates(&self, alert: &Alert) -> BTreeSet<&str> {
        let required = self
            .by_label
            .iter()
            .filter_map(|(name, values)| values.get(label(alert, name)))
            .flatten();
        required.chain(&self.others).map(String::as_str).collect()
    }
}

/// The silences of before that may hold back less afterwards.
pub(crate) fn lifted<K: Ord>(
    before: &BTreeMap<K, Arc<CompiledSilence>>,
    after: &BTreeMap<K, Arc<CompiledSilence>>,
    now: Timestamp,
) -> Vec<Arc<CompiledSilence>> {
    before
        .iter()
        .filter(|(id, silence)| {
            let after = after.get(id);
            // What did not change is the same value: most are not looked at.
            !after.is_some_and(|after| Arc::ptr_eq(after, silence))
                && silence.holds_more_than(after.map(AsRef::as_ref), now)
        })
        .map(|(_, silence)| Arc::clone(silence))
        .collect()
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
    use proptest::prelude::*;
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
    fn a_silence_is_changed_in_place_only_where_its_past_stays_what_it_was() {
        let known = silence(1, &["a=b"], 0, 100);
        let place =
            |wanted: Silence, now: i64| place(Some(&known), wanted, Uuid::from_u128(2), at(now)).unwrap();

        let longer = place(silence(1, &["a=b"], 0, 200), 50);
        assert_eq!((longer.silence.id, longer.replaced), (known.id, None));
        assert_eq!(longer.silence.ends_at, at(200));

        for wanted in [silence(1, &["a=c"], 0, 100), silence(1, &["a=b"], 60, 100)] {
            let other = place(wanted, 50);
            assert_eq!(other.silence.id, Uuid::from_u128(2));
            assert!(
                other.silence.starts_at >= at(50),
                "nothing is silenced before now"
            );
            assert_eq!(other.replaced.map(|replaced| replaced.ends_at), Some(at(50)));
        }

        let over = place(silence(1, &["a=b"], 0, 200), 150);
        assert_eq!((over.silence.id, over.replaced), (Uuid::from_u128(2), None));
    }

    #[test]
    fn a_silence_in_the_past_or_backwards_is_not_made() {
        let place = |from, to| place(None, silence(1, &["a=b"], from, to), Uuid::from_u128(2), at(50));
        assert_eq!(place(20, 10), Err(InvalidSilence::Backwards));
        assert_eq!(place(20, 50), Err(InvalidSilence::Past));
        let made = place(20, 60).unwrap().silence;
        assert_eq!((made.starts_at, made.ends_at), (at(50), at(60)));
    }

    #[test]
    fn what_is_ended_is_over_even_before_it_began_and_forgotten_days_later() {
        let pending = silence(1, &["a=b"], 60, 100);
        let over = ended(&pending, at(50)).unwrap();
        assert_eq!(state(&over, at(50)), SilenceState::Expired);
        assert!(
            CompiledSilence::compile(over.clone()).is_ok(),
            "it can still be read"
        );
        assert_eq!(ended(&over, at(51)), None);
        assert!(!is_forgotten(&over, at(50 + 120 * 3600)));
        assert!(is_forgotten(&over, at(51 + 120 * 3600)));
    }

    #[test]
    fn an_event_pays_only_for_the_silences_that_can_match_it() {
        let mut index = SilenceIndex::default();
        for number in 0..10_000 {
            let host = format!("object=host-{number}");
            let one = silence(number, &["severity=critical", &host], 0, 100);
            index.insert(&CompiledSilence::compile(one).unwrap());
        }
        let general = silence(10_000, &["alertname=~disk.*"], 0, 100);
        index.insert(&CompiledSilence::compile(general).unwrap());
        let found = index.candidates(&open_alert().alert);
        let ids = [1, 10_000].map(|number| Uuid::from_u128(number).to_string());
        assert_eq!(found, ids.iter().map(String::as_str).collect());
    }

    fn matchers() -> impl Strategy<Value = Vec<String>> {
        let name = prop_oneof![Just("team"), Just("host"), Just("severity"), Just("object")];
        let operator = prop_oneof![Just("="), Just("!="), Just("=~"), Just("!~")];
        let value = prop_oneof![
            Just(""),
            Just("pay"),
            Just("critical"),
            Just("host-1"),
            Just(".+")
        ];
        let matcher = (name, operator, value);
        let matcher = matcher.prop_map(|(name, operator, value)| format!("{name}{operator}{value:?}"));
        prop::collection::vec(matcher, 1..4)
    }

    proptest! {
        #[test]
        fn the_index_finds_what_looking_at_every_silence_finds(
            all in prop::collection::vec((matchers(), any::<bool>()), 0..30),
            labels in prop::collection::btree_map("team|host|severity|object", "pay|critical|host-1|", 0..4),
        ) {
            let mut alert = open_alert().alert;
            alert.labels = labels;
            let mut site = crate::Site::default();
            let mut kept = Vec::new();
            for (number, (matchers, stays)) in (1..).zip(&all) {
                let matchers: Vec<_> = matchers.iter().map(String::as_str).collect();
                let one = silence(number, &matchers, 0, 100);
                let Ok(compiled) = CompiledSilence::compile(one.clone()) else { continue };
                let key = schemas::config::ConfigEntry::Silence(one.clone()).key();
                site.apply(&key, Some(schemas::config::ConfigEntry::Silence(one)));
                if *stays {
                    kept.push(compiled);
                } else {
                    site.apply(&key, None);
                }
            }
            let naive: Vec<_> = kept.iter().filter(|one| one.silences(&alert, at(50))).collect();
            let naive: Vec<_> = naive.into_iter().map(|one| one.silence().id).collect();
            let found: Vec<_> = site.silencing(&alert, at(50)).map(|one| one.id).collect();
            prop_assert_eq!(found, naive);
        }
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
            !lifted(&of(before), &of(after), at(50)).is_empty()
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
