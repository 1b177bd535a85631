//! Values on their way into statements and out of rows.

use jiff::Timestamp;
use schemas::{Fingerprint, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::StoreError;

/// A parameter of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Integer(i64),
    Text(String),
    Null,
}

impl Value {
    /// About how many bytes it takes on the wire.
    pub(crate) fn size(&self) -> usize {
        match self {
            Value::Text(text) => text.len() + 8,
            Value::Integer(_) | Value::Null => 8,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Integer(number.into())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Integer(truth.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

/// The greatest number that is a time.
const LAST_MICROSECOND: i64 = 253_402_207_200_000_000;

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        // The last microsecond begins before the last time, and could not be read back.
        Value::Integer(at.as_microsecond().min(LAST_MICROSECOND))
    }
}

impl From<Fingerprint> for Value {
    fn from(fingerprint: Fingerprint) -> Self {
        Value::Text(fingerprint.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A count or limit as the databases know it.
pub(crate) fn count(number: impl TryInto<i64>) -> Value {
    Value::Integer(number.try_into().unwrap_or(i64::MAX))
}

/// Text of a document.
pub(crate) fn document(what: &str, document: &impl Serialize) -> Result<Value, StoreError> {
    serde_json::to_string(document)
        .map(Value::Text)
        .map_err(|error| StoreError::corrupt(what, error))
}

/// The word for a status, as in the database.
pub(crate) const fn status(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Closed => "closed",
    }
}

/// What stands for a text of any length in a key.
pub(crate) fn hash(text: &str) -> Value {
    Value::Text(digest(text))
}

/// A destination and the bot by which it is notified, of one channel.
pub(crate) fn endpoint(destination: &str, bot: Option<&str>) -> Value {
    Value::Text(digest(&serde_json::json!([destination, bot]).to_string()))
}

/// A name that may be long, in a column of limited width: itself when it fits, else its beginning and its hash.
pub(crate) fn name(text: &str) -> Value {
    const WIDTH: usize = 191;
    const BEGINNING: usize = 150;
    if text.chars().count() <= WIDTH {
        return Value::Text(text.to_owned());
    }
    let beginning: String = text.chars().take(BEGINNING).collect();
    Value::Text(format!("{beginning}…{}", digest(text)))
}

fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

/// Reads the columns of a row, and says whose they are when they cannot be read.
pub(crate) struct Reader<'a> {
    pub(crate) row: &'a AnyRow,
    pub(crate) what: &'a str,
}

impl<'a> Reader<'a> {
    pub(crate) fn integer(&self, column: usize) -> Result<i64, StoreError> {
        self.row
            .try_get(column)
            .map_err(|error| StoreError::corrupt(self.what, error))
    }

    pub(crate) fn optional_integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        self.row
            .try_get(column)
            .map_err(|error| StoreError::corrupt(self.what, error))
    }

    /// A number that is never negative and not too large.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: usize) -> Result<T, StoreError> {
        let number = self.integer(column)?;
        T::try_from(number).map_err(|_| self.unexpected(column, number))
    }

    pub(crate) fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        let number = self.integer(column)?;
        Timestamp::from_microsecond(number).map_err(|error| StoreError::corrupt(self.what, error))
    }

    pub(crate) fn text(&self, column: usize) -> Result<&'a str, StoreError> {
        self.row
            .try_get(column)
            .map_err(|error| StoreError::corrupt(self.what, error))
    }

    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<&'a str>, StoreError> {
        self.row
            .try_get(column)
            .map_err(|error| StoreError::corrupt(self.what, error))
    }

    pub(crate) fn fingerprint(&self, column: usize) -> Result<Fingerprint, StoreError> {
        self.text(column)?
            .parse()
            .map_err(|error| StoreError::corrupt(self.what, error))
    }

    pub(crate) fn document<T: DeserializeOwned>(&self, column: usize) -> Result<T, StoreError> {
        serde_json::from_str(self.text(column)?).map_err(|error| StoreError::corrupt(self.what, error))
    }

    pub(crate) fn unexpected(&self, column: usize, value: impl std::fmt::Debug) -> StoreError {
        StoreError::corrupt(self.what, format!("column {column} holds {value:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_that_begin_alike_stay_different() {
        let text = |value: Value| match value {
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        };
        let long = "é".repeat(500);
        let (one, other) = (text(name(&format!("{long}1"))), text(name(&format!("{long}2"))));
        assert_ne!(one, other);
        assert!(one.chars().count() <= 191);
        assert_eq!(text(name("pay")), "pay");
    }
}
