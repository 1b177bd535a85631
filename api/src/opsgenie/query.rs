//! The language in which Opsgenie's clients search alerts.
//!
//! <https://docs.opsgenie.com/v1.0/docs/alerts-search-query-help>: `field: value` with `:`, `=`, `!=`, `<`, `<=`, `>` and
//! `>=`, words without a field, `*` for any text, quotes, parentheses, `AND`, `OR`, and `NOT` or `!`; terms beside each other
//! must all hold. A backslash in front of a sign makes it a part of the text. Case makes no difference.

use schemas::Alert;
use store::StatusWanted;

use super::shown;
use super::words::{Text, Token, tokens};

mod time;

pub(super) use time::Span;

/// The most terms of one query, and how deep its parentheses may be.
const TERMS_MAX: usize = 100;
const DEPTH_MAX: usize = 20;
/// The longest query in bytes.
const BYTES_MAX: usize = 4000;

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    /// All of them must hold; every alert passes when there are none.
    All(Vec<Query>),
    /// One of them must hold.
    Any(Vec<Query>),
    Not(Box<Query>),
    /// A word anywhere in the texts of the alert.
    Word(Pattern),
    /// A field whose values are texts.
    Text(Field, Pattern),
    /// A number or a time, in milliseconds since 1970.
    Number(Number, Comparison, Span),
    /// What is so or not.
    Flag(Flag, bool),
}

/// A field that has texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    TinyId,
    Alias,
    Message,
    Description,
    Source,
    Entity,
    Status,
    Owner,
    AcknowledgedBy,
    Responder,
    Tag,
    Action,
    Priority,
    IntegrationName,
    IntegrationType,
    DetailKey,
    DetailValue,
    /// The detail with this name.
    Detail(String),
    /// What alerts do not have here.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Count,
    CreatedAt,
    UpdatedAt,
    LastOccurredAt,
    SnoozedUntil,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    Seen,
    Acknowledged,
    Snoozed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Text in lower case, with `*` for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Number(Number),
    Flag(Flag),
}

/// Reads a query.
pub(super) fn parse(text: &str) -> Result<Query, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("is longer than {BYTES_MAX} bytes; shorten it"));
    }
    let mut reader = Reader {
        tokens: tokens(text)?,
        next: 0,
        terms: 0,
    };
    let query = reader.any(None, 0)?;
    match reader.peek() {
        None => Ok(query),
        Some(_) => Err("has a ) without a (; remove it, or put the text into quotes".to_owned()),
    }
}

struct Reader {
    tokens: Vec<Token>,
    next: usize,
    terms: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn is_word(&self, word: &str) -> bool {
        let sign = match word {
            "AND" => "&&",
            "OR" => "||",
            _ => word,
        };
        matches!(self.peek(), Some(Token::Word(text)) if text.plain.eq_ignore_ascii_case(word) || text.plain == sign)
    }

    fn skip_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    /// What is separated by OR. Inside the parentheses behind a field the terms are its values.
    fn any(&mut self, field: Option<&str>, depth: usize) -> Result<Query, String> {
        if depth > DEPTH_MAX {
            return Err(format!(
                "has more than {DEPTH_MAX} parentheses in each other; simplify it"
            ));
        }
        let mut any = vec![self.all(field, depth)?];
        while self.skip_word("OR") {
            any.push(self.all(field, depth)?);
        }
        Ok(match any.len() {
            1 => any.remove(0),
            _ => Query::Any(any),
        })
    }

    fn all(&mut self, field: Option<&str>, depth: usize) -> Result<Query, String> {
        let mut all = Vec::new();
        loop {
            if self.is_word("AND") {
                if all.is_empty() {
                    return Err("has nothing before AND; write a condition on both sides".to_owned());
                }
                self.next += 1;
                if matches!(self.peek(), None | Some(Token::Close))
                    || self.is_word("OR")
                    || self.is_word("AND")
                {
                    return Err("has nothing after AND; write a condition on both sides".to_owned());
                }
            }
            match self.peek() {
                None | Some(Token::Close) => break,
                Some(_) if self.is_word("OR") => break,
                Some(_) => all.push(self.one(field, depth)?),
            }
        }
        if all.is_empty() && (self.next > 0 || self.peek().is_some()) {
            return Err("lacks a condition; write one on both sides of OR and inside parentheses".to_owned());
        }
        Ok(match all.len() {
            1 => all.remove(0),
            _ => Query::All(all),
        })
    }

    /// Skips `NOT` or `!` as often as it is there: whether what follows is negated.
    fn skip_negations(&mut self) -> Result<bool, String> {
        let mut is_negated = false;
        while self.peek() == Some(&Token::Not) || self.is_word("NOT") {
            self.next += 1;
            is_negated = !is_negated;
            if self.peek().is_none() {
                return Err("has nothing after NOT; write a condition there".to_owned());
            }
        }
        Ok(is_negated)
    }

    fn one(&mut self, field: Option<&str>, depth: usize) -> Result<Query, String> {
        let is_negated = self.skip_negations()?;
        let query = self.condition(field, depth)?;
        Ok(negated(query, is_negated))
    }

    /// A condition that is not negated.
    fn condition(&mut self, field: Option<&str>, depth: usize) -> Result<Query, String> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(format!("has more than {TERMS_MAX} conditions; shorten it"));
        }
        match self.tokens.get(self.next).cloned() {
            Some(Token::Open) => self.in_parentheses(field, depth),
            Some(Token::Word(word)) => {
                self.next += 1;
                match (field, self.peek().cloned()) {
                    (None, Some(Token::Operator(comparison))) => {
                        self.next += 1;
                        self.values(&word.plain, comparison, depth)
                    }
                    (None, _) => Ok(Query::Word(Pattern::of(&word))),
                    (Some(field), _) => term(field, Comparison::Equal, &word),
                }
            }
            Some(Token::Quoted(text)) => {
                self.next += 1;
                match field {
                    None => Ok(Query::Word(Pattern::literal(&text.plain))),
                    Some(field) => term(field, Comparison::Equal, &text),
                }
            }
            _ => Err("has an operator without a field; write field: value".to_owned()),
        }
    }

    fn in_parentheses(&mut self, field: Option<&str>, depth: usize) -> Result<Query, String> {
        self.next += 1;
        let query = self.any(field, depth + 1)?;
        match self.peek() {
            Some(Token::Close) => {
                self.next += 1;
                Ok(query)
            }
            _ => Err("has a ( without a ); close it".to_owned()),
        }
    }

    fn values(&mut self, field: &str, comparison: Comparison, depth: usize) -> Result<Query, String> {
        // `tag: !x`, and `tag: NOT x`, but not `tag: not`.
        let is_negated = match self.tokens.get(self.next + 1) {
            Some(Token::Word(_) | Token::Quoted(_) | Token::Open) if self.peek() == Some(&Token::Not) => true,
            Some(Token::Word(next)) if self.is_word("NOT") => !is_connective(&next.plain),
            Some(Token::Quoted(_) | Token::Open) => self.is_word("NOT"),
            _ => false,
        };
        self.next += usize::from(is_negated);
        let query = self.value(field, comparison, depth)?;
        Ok(negated(query, is_negated))
    }

    fn value(&mut self, field: &str, comparison: Comparison, depth: usize) -> Result<Query, String> {
        match self.tokens.get(self.next).cloned() {
            Some(Token::Open) if comparison == Comparison::Equal => self.in_parentheses(Some(field), depth),
            Some(Token::Word(value) | Token::Quoted(value)) => {
                self.next += 1;
                term(field, comparison, &value)
            }
            _ => Err(format!("has no value for {field}; write {field}: value")),
        }
    }
}

fn negated(query: Query, is_negated: bool) -> Query {
    match is_negated {
        true => Query::Not(Box::new(query)),
        false => query,
    }
}

fn is_connective(word: &str) -> bool {
    ["AND", "OR", "&&", "||"]
        .iter()
        .any(|connective| word.eq_ignore_ascii_case(connective))
}

/// A condition on a field.
fn term(name: &str, comparison: Comparison, text: &Text) -> Result<Query, String> {
    let lower = name.to_ascii_lowercase();
    let value = text.plain.as_str();
    if let Some(kind) = kind(&lower) {
        return match kind {
            Kind::Number(Number::Count) => Ok(Query::Number(Number::Count, comparison, number(name, value)?)),
            Kind::Number(field) => Ok(Query::Number(field, comparison, Span::read(name, value)?)),
            Kind::Flag(flag) => {
                let wanted = truth(name, value)?;
                let wanted = match comparison {
                    Comparison::Equal => wanted,
                    Comparison::NotEqual => !wanted,
                    _ => {
                        return Err(format!(
                            "compares {name}, which is true or false; write {name}: true"
                        ));
                    }
                };
                Ok(Query::Flag(flag, wanted))
            }
        };
    }
    let field = text_field(&lower).ok_or_else(|| {
        format!(
            "has the field {name:?}, which there is not; use one of {FIELDS}, or put the text into quotes"
        )
    })?;
    let pattern = match field {
        Field::Tag => Pattern::of_tag(text),
        _ => Pattern::of(text),
    };
    let text = Query::Text(field, pattern);
    match comparison {
        Comparison::Equal => Ok(text),
        Comparison::NotEqual => Ok(Query::Not(Box::new(text))),
        _ => Err(format!("compares {name}, which is a text; write {name}: value")),
    }
}

const FIELDS: &str = "createdAt, updatedAt, lastOccurredAt, snoozedUntil, alertId, tinyId, alias, count, message, description, \
                      source, entity, status, owner, acknowledgedBy, closedBy, isSeen, acknowledged, snoozed, teams, responders, \
                      recipients, integration.name, integration.type, tag, actions, details.key, details.value, details.NAME, \
                      priority";

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "count" => Kind::Number(Number::Count),
        "createdat" => Kind::Number(Number::CreatedAt),
        "updatedat" => Kind::Number(Number::UpdatedAt),
        "lastoccurredat" | "lastoccuredat" => Kind::Number(Number::LastOccurredAt),
        "snoozeduntil" => Kind::Number(Number::SnoozedUntil),
        "isseen" | "seen" => Kind::Flag(Flag::Seen),
        "acknowledged" => Kind::Flag(Flag::Acknowledged),
        "snoozed" => Kind::Flag(Flag::Snoozed),
        _ => return None,
    })
}

fn text_field(name: &str) -> Option<Field> {
    Some(match name {
        "alertid" | "id" => Field::Id,
        "tinyid" => Field::TinyId,
        "alias" => Field::Alias,
        "message" => Field::Message,
        "description" => Field::Description,
        "source" => Field::Source,
        "entity" => Field::Entity,
        "status" => Field::Status,
        "owner" => Field::Owner,
        "acknowledgedby" => Field::AcknowledgedBy,
        "teams" | "team" | "responders" | "responder" | "recipients" => Field::Responder,
        "tag" | "tags" => Field::Tag,
        "actions" | "action" => Field::Action,
        "priority" => Field::Priority,
        "integration.name" => Field::IntegrationName,
        "integration.type" => Field::IntegrationType,
        "details.key" => Field::DetailKey,
        "details.value" => Field::DetailValue,
        "closedby" | "ownerteam" | "ownerteamid" => Field::None,
        _ => Field::Detail(
            name.strip_prefix("details.")
                .filter(|name| !name.is_empty())?
                .to_owned(),
        ),
    })
}

fn number(name: &str, value: &str) -> Result<Span, String> {
    let number = value.parse().map(Span::of_one);
    number.map_err(|_| format!("compares {name} with {value:?}, which is no number; write {name} > 1"))
}

fn truth(name: &str, value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("has {value:?} for {name}; write true or false")),
    }
}

impl Query {
    /// Whether the alert is searched for.
    pub(super) fn matches(&self, alert: &Alert) -> bool {
        match self {
            Query::All(all) => all.iter().all(|query| query.matches(alert)),
            Query::Any(any) => any.iter().any(|query| query.matches(alert)),
            Query::Not(query) => !query.matches(alert),
            Query::Word(pattern) => words_of(alert).iter().any(|text| pattern.is_in(text)),
            Query::Text(field, pattern) => {
                let whole = !matches!(
                    field,
                    Field::Message | Field::Description | Field::Source | Field::Entity
                );
                let values = values(field, alert);
                values
                    .iter()
                    .any(|value| pattern.is_whole(value) || (!whole && pattern.is_in(value)))
            }
            Query::Number(number, comparison, span) => {
                let value = number.of(alert);
                value.is_some_and(|value| span.compare(value, *comparison))
            }
            Query::Flag(flag, wanted) => flag.of(alert) == *wanted,
        }
    }

    /// The status that every alert has which is searched for.
    pub(super) fn status(&self) -> StatusWanted {
        match self {
            Query::Text(Field::Status, pattern) if pattern.is_whole("open") => {
                match pattern.is_whole("closed") {
                    true => StatusWanted::Any,
                    false => StatusWanted::Open,
                }
            }
            Query::Text(Field::Status, pattern) if pattern.is_whole("closed") => StatusWanted::Closed,
            Query::All(all) => {
                let mut statuses = all.iter().map(Query::status);
                let found = statuses.find(|status| *status != StatusWanted::Any);
                found.unwrap_or(StatusWanted::Any)
            }
            _ => StatusWanted::Any,
        }
    }
}

/// What is searched by a word without a field.
fn words_of(alert: &Alert) -> Vec<String> {
    let mut texts = vec![
        alert.name.clone(),
        alert.output.clone(),
        alert.object.clone(),
        alert.source.clone(),
    ];
    texts.extend(alert.labels.values().cloned());
    texts
}

fn values(field: &Field, alert: &Alert) -> Vec<String> {
    let texts = |texts: Vec<&str>| -> Vec<String> { texts.into_iter().map(str::to_owned).collect() };
    match field {
        Field::Id => vec![shown::id(alert), alert.fingerprint.to_string()],
        Field::TinyId => vec![domain::opsgenie::tiny_id(alert.fingerprint)],
        Field::Alias => vec![shown::alias(alert)],
        Field::Message => vec![alert.name.clone()],
        Field::Description => vec![alert.output.clone()],
        Field::Source => vec![alert.source.clone()],
        Field::Entity => vec![alert.object.clone()],
        Field::Status => vec![shown::status(alert).to_owned()],
        Field::Owner => vec![shown::owner(alert).to_owned()],
        Field::AcknowledgedBy => alert.acknowledgement.iter().map(|by| by.by.clone()).collect(),
        Field::Responder => texts(shown::listed(alert, "responders")),
        Field::Tag => texts(shown::listed(alert, "tags"))
            .into_iter()
            .chain(shown::details(alert).map(|(name, value)| format!("{name}:{value}")))
            .collect::<Vec<String>>(),
        Field::Action => texts(shown::listed(alert, "actions")),
        Field::Priority => vec![shown::priority(alert).to_owned()],
        Field::IntegrationName => vec![alert.integration.clone()],
        Field::IntegrationType => vec!["API".to_owned()],
        Field::DetailKey => shown::details(alert).map(|(name, _)| name.to_owned()).collect(),
        Field::DetailValue => shown::details(alert).map(|(_, value)| value.to_owned()).collect(),
        Field::Detail(wanted) => {
            let details = shown::details(alert);
            let found = details.filter(|(name, _)| name.to_lowercase() == *wanted);
            found.map(|(_, value)| value.to_owned()).collect()
        }
        Field::None => Vec::new(),
    }
}

impl Number {
    fn of(self, alert: &Alert) -> Option<i64> {
        let at = match self {
            Number::Count => return i64::try_from(shown::count(alert)).ok(),
            Number::CreatedAt => alert.opened_at,
            Number::UpdatedAt => alert.changed_at,
            Number::LastOccurredAt => alert.last_event_at,
            Number::SnoozedUntil => alert.snooze.as_ref()?.until,
        };
        Some(at.as_millisecond())
    }
}

impl Flag {
    fn of(self, alert: &Alert) -> bool {
        match self {
            Flag::Seen => shown::is_seen(alert),
            Flag::Acknowledged => alert.acknowledgement.is_some(),
            Flag::Snoozed => alert.snooze.is_some(),
        }
    }
}

impl Pattern {
    fn of(text: &Text) -> Self {
        let mut parts = Vec::new();
        let mut from = 0;
        for wildcard in &text.wildcards {
            parts.push(text.plain[from..*wildcard].to_lowercase());
            from = wildcard + 1;
        }
        parts.push(text.plain[from..].to_lowercase());
        Self { parts }
    }

    /// A tag is kept as a name and a value, without the blanks around the colon.
    fn of_tag(text: &Text) -> Self {
        let mut pattern = Self::of(text);
        let with_colon = pattern.parts.iter_mut().find(|part| part.contains(':'));
        if let Some(part) = with_colon
            && let Some((name, value)) = part.split_once(':')
        {
            *part = match (name.trim_end(), value.trim_start()) {
                (name, "") if text.wildcards.is_empty() => name.to_owned(),
                (name, value) => format!("{name}:{value}"),
            };
        }
        pattern
    }

    fn literal(text: &str) -> Self {
        Self {
            parts: vec![text.to_lowercase()],
        }
    }

    /// Whether it is this text.
    fn is_whole(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let Some((first, rest)) = self.parts.split_first() else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return *first == text;
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in middle {
            match rest.split_once(part.as_str()) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }

    /// Whether it is one of the words of this text, or some that follow each other.
    fn is_in(&self, text: &str) -> bool {
        let [words] = self.parts.as_slice() else {
            let is_part = |character: char| character.is_alphanumeric() || "-_.".contains(character);
            let mut words = text.split(|character| !is_part(character));
            return self.is_whole(text) || words.any(|word| self.is_whole(word));
        };
        let text = text.to_lowercase();
        let mut places = text.match_indices(words.as_str());
        places.any(|(place, found)| {
            let before = text[..place].chars().next_back();
            let after = text[place + found.len()..].chars().next();
            let ends = |beside: Option<char>| !beside.is_some_and(char::is_alphanumeric);
            ends(before) && ends(after) && !words.is_empty()
        })
    }
}

#[cfg(test)]
mod tests;
