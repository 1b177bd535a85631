//! Where in a body a value stands.

use std::fmt;

use crate::error::SourceError;
use crate::formats::lenient;

/// Where in a body a value stands.
#[derive(Clone, Copy)]
pub(crate) enum Place<'p> {
    /// A body that the user of a sender writes as a template: a placeholder that was not filled in counts as absent.
    Body,
    /// A body that a program writes: every text in it counts, `{disk}` and `null` too.
    Made,
    Member(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Body | Place::Made => f.write_str("body"),
            Place::Member(Place::Body | Place::Made, name) => f.write_str(name),
            Place::Member(parent, name) => write!(f, "{parent}.{name}"),
            Place::Item(Place::Body | Place::Made, index) => write!(f, "[{index}]"),
            Place::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Place<'_> {
    /// Whether a text that stands here was filled in.
    pub(super) fn is_filled_in(&self, text: &str) -> bool {
        match self {
            Place::Body => !lenient::is_placeholder(text),
            Place::Made => true,
            Place::Member(parent, _) | Place::Item(parent, _) => parent.is_filled_in(text),
        }
    }

    pub(crate) fn missing(&self, remedy: &str) -> SourceError {
        SourceError::Missing {
            field: self.to_string(),
            remedy: remedy.to_owned(),
        }
    }

    pub(crate) fn invalid(&self, reason: impl Into<String>, remedy: impl Into<String>) -> SourceError {
        SourceError::Invalid {
            field: self.to_string(),
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }
}
