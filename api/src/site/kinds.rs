//! The kinds of entries that a site document declares: environments, scenarios, integrations and so on.
//!
//! A kind is one file here: how it is written, how it is checked, what it refers to and what is shown of it, put together as
//! its [`Kind`]. Everything that is done with all kinds (reading a document, comparing, showing, removing) is a loop over
//! [`KINDS`].

use std::collections::{BTreeMap, BTreeSet};

use chassis::secrets::SiteKey;
use schemas::config::ConfigEntry;
use serde_json::{Value, json};
use serde_saphyr::{Location, Spanned};

use super::document::{Document, Problem};

pub(super) mod bot;
pub(super) mod environment;
pub(super) mod heartbeat;
pub(super) mod integration;
pub(super) mod mapping;
mod retained;
pub(super) mod rules;
pub(super) mod scenario;

/// The longest delay, in seconds: 400 days.
const LONGEST_DELAY: u64 = 400 * 86_400;

/// All kinds, each after those that it refers to: in this order they are checked.
pub(super) static KINDS: [Kind; 7] = [
    environment::KIND,
    bot::KIND,
    scenario::KIND,
    mapping::KIND,
    integration::KIND,
    heartbeat::KIND,
    rules::KIND,
];

/// Kind and name of an entry.
type Reference<'e> = (&'static str, &'e str);

/// A problem of an entry that stays: the kind of what is missing, what is wrong, and the remedy.
type RetainedProblem = (&'static str, String, String);

/// What is to be known of a kind of entries.
pub(super) struct Kind {
    /// How keys of its entries begin.
    pub(super) name: &'static str,
    /// The section of a document that declares its entries.
    pub(super) section: &'static str,
    /// Where that section begins, if a document has it.
    place: fn(&Document) -> Option<Location>,
    /// Checks what the section declares, and adds the entries.
    declare: fn(&mut Check<'_>, &Document),
    /// Whether an entry stays although the section is there without it.
    is_independent: fn(&ConfigEntry) -> bool,
    /// What an entry refers to.
    references: fn(&ConfigEntry) -> Vec<Reference<'_>>,
    /// What is wrong with an entry that stays, beside references that lead nowhere.
    check_retained: fn(&Check<'_>, &ConfigEntry) -> Vec<RetainedProblem>,
    /// What an entry adds to its section where the site is shown: no key, and no secret.
    pub(super) shown: fn(&ConfigEntry) -> Vec<Value>,
    /// Whether alerts belong to its entries, so that none of which alerts are open is removed.
    pub(super) holds_alerts: bool,
}

impl Kind {
    /// A kind whose entries refer to nothing, and are shown whole.
    const fn new(name: &'static str, section: &'static str) -> Self {
        Self {
            name,
            section,
            place: |_| None,
            declare: |_, _| {},
            is_independent: |_| false,
            references: |_| Vec::new(),
            check_retained: |_, _| Vec::new(),
            shown: |entry| vec![whole(entry)],
            holds_alerts: false,
        }
    }

    /// The kind of an entry, if a document can declare it.
    fn of(entry: &ConfigEntry) -> Option<&'static Self> {
        Self::named(entry.kind())
    }

    /// The kind with this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }
}

/// All fields of an entry.
fn whole(entry: &ConfigEntry) -> Value {
    let mut shown = json!(entry);
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("kind");
    }
    shown
}

/// The whole site after the document, or everything that is wrong with it.
pub(super) fn resolve(
    document: &Document,
    before: &BTreeMap<String, ConfigEntry>,
    key: &SiteKey,
) -> Result<BTreeMap<String, ConfigEntry>, Vec<Problem>> {
    let mut check = Check {
        key,
        problems: Vec::new(),
        after: retained(document, before),
    };
    for kind in &KINDS {
        (kind.declare)(&mut check, document);
    }
    check.check_retained(document, before);
    if check.problems.is_empty() {
        Ok(check.after)
    } else {
        Err(check.problems)
    }
}

/// The entries that the document does not declare anew. Silences are among them: operators make them, and no document does.
fn retained(document: &Document, before: &BTreeMap<String, ConfigEntry>) -> BTreeMap<String, ConfigEntry> {
    let stays = |entry: &ConfigEntry| match Kind::of(entry) {
        Some(kind) => (kind.place)(document).is_none() || (kind.is_independent)(entry),
        None => !matches!(entry, ConfigEntry::Revision(_)),
    };
    before
        .iter()
        .filter(|(_, entry)| stays(entry))
        .map(|(key, entry)| (key.clone(), entry.clone()))
        .collect()
}

struct Check<'a> {
    key: &'a SiteKey,
    problems: Vec<Problem>,
    after: BTreeMap<String, ConfigEntry>,
}

impl Check<'_> {
    fn problem<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem::at(at.referenced, message, remedy));
    }

    /// Adds an entry under its name, which must be a good one and not be taken.
    fn add(&mut self, name: &Spanned<String>, entry: ConfigEntry) {
        let good = |character: char| character.is_alphanumeric() || "-_. ".contains(character);
        if name.value.trim().is_empty() || !name.value.chars().all(good) {
            self.problem(
                name,
                format!("{:?} is not a name", name.value),
                "use letters, digits, spaces and - _ .",
            );
        }
        let key = entry.key();
        if self.after.contains_key(&key) {
            self.problem(
                name,
                format!("there are two of {key}"),
                "give each a name of its own",
            );
        }
        self.after.insert(key, entry);
    }

    /// The reference must name something that will be there.
    fn reference(&mut self, kind: &str, name: &Spanned<String>) {
        let prefix = format!("{kind}/");
        if self.after.contains_key(&format!("{prefix}{}", name.value)) {
            return;
        }
        let known: Vec<_> = self
            .after
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix))
            .collect();
        let remedy = match nearest(&name.value, &known) {
            Some(nearest) => format!("did you mean {nearest:?}?"),
            None => format!("declare it under `{kind}s`"),
        };
        let message = format!("there is no {kind} {:?}", name.value);
        self.problem(name, message, remedy);
    }

    fn parse_enum<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        text: &Spanned<String>,
    ) -> Option<T> {
        match text.value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let error: T::Err = error;
                let error = error.to_string();
                let (message, remedy) = error
                    .split_once(": ")
                    .unwrap_or((&error, "docs/site.md shows every value"));
                self.problem(text, message, remedy);
                None
            }
        }
    }

    /// Harp's senders name environments and scenarios by number.
    fn number_of_its_own(&mut self, number: Option<&Spanned<i64>>, taken: &mut BTreeSet<i64>) -> Option<i64> {
        let number = number?;
        if !taken.insert(number.value) {
            self.problem(
                number,
                format!("the number {} stands twice", number.value),
                "give each a number of its own",
            );
        }
        Some(number.value)
    }

    fn delay(&mut self, text: &Spanned<String>) -> Option<u64> {
        let value = text.value.trim();
        let delay = seconds(value).filter(|delay| *delay <= LONGEST_DELAY);
        if delay.is_none() {
            self.problem(
                text,
                format!("{value:?} is not a delay"),
                "write numbers and s, m, h or d, such as 5m or 1h30m, and at most 400d",
            );
        }
        delay
    }
}

/// The seconds of a text such as `90`, `5m` or `1h30m`.
fn seconds(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let mut rest = text;
    let mut whole: u64 = 0;
    while !rest.is_empty() {
        let (number, more) = rest.split_at(rest.find(|character: char| !character.is_ascii_digit())?);
        let unit = match more.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        whole = whole.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = &more[1..];
    }
    (!text.is_empty()).then_some(whole)
}

/// The known word that is nearest, if one is near at all.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), *known))
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .min()
        .map(|(_, known)| known)
}
