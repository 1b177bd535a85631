//! How clients of Opsgenie's API name an alert: by its id, by its tiny id or by its alias.
//!
//! <https://docs.opsgenie.com/docs/alert-api>. Id and tiny id hold the whole fingerprint, so that a collector, which has no
//! database, knows which alert is meant.

use jiff::Timestamp;
use schemas::Fingerprint;
use uuid::Uuid;

pub mod request;

pub use request::RequestId;

/// Which alert a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertName {
    /// The alert itself.
    Fingerprint(Fingerprint),
    /// The alert that was created with this alias by the same integration.
    Alias(String),
}

/// No alert is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAlertName {
    /// The type of the identifier is none of the three.
    #[error("identifierType is {0:?}; use id, tiny or alias")]
    Type(String),
    /// The identifier is no tiny id.
    #[error(
        "identifier is {0:?}, which is no tinyId; give the tinyId of an answer, or use identifierType=alias"
    )]
    Tiny(String),
}

impl InvalidAlertName {
    /// The parameter that is wrong.
    pub const fn field(&self) -> &'static str {
        match self {
            InvalidAlertName::Type(_) => "identifierType",
            InvalidAlertName::Tiny(_) => "identifier",
        }
    }
}

/// The longest part of a parameter that an error repeats, in characters.
const SHOWN_CHARACTERS: usize = 60;

/// The id of an alert: its fingerprint as a UUID, and when it first opened, in milliseconds since 1970.
pub fn alert_id(fingerprint: Fingerprint, first_opened_at: Timestamp) -> String {
    let uuid = Uuid::from_bytes(*fingerprint.as_bytes());
    format!("{uuid}-{}", first_opened_at.as_millisecond())
}

/// The tiny id of an alert: its fingerprint as a decimal number.
pub fn tiny_id(fingerprint: Fingerprint) -> String {
    u128::from_be_bytes(*fingerprint.as_bytes()).to_string()
}

/// Reads an identifier. The id of the request that created an alert names it too, as Apprise does it. What is meant as an id
/// and has not its form is an alias, as many senders use it so.
///
/// # Errors
///
/// When the type is unknown, or the identifier is no tiny id although that is its type.
pub fn alert_name(identifier: &str, identifier_type: Option<&str>) -> Result<AlertName, InvalidAlertName> {
    let alias = || AlertName::Alias(identifier.to_owned());
    match identifier_type {
        None | Some("" | "id") => Ok(of_id(identifier).map_or_else(alias, AlertName::Fingerprint)),
        Some("alias") => Ok(alias()),
        Some("tiny") => {
            let number: Option<u128> = identifier.parse().ok();
            let fingerprint = number.map(|number| Fingerprint::from_bytes(number.to_be_bytes()));
            let named = fingerprint.map(AlertName::Fingerprint);
            named.ok_or_else(|| InvalidAlertName::Tiny(shown(identifier)))
        }
        Some(other) => Err(InvalidAlertName::Type(shown(other))),
    }
}

fn of_id(identifier: &str) -> Option<Fingerprint> {
    if let Ok(request) = identifier.parse::<RequestId>() {
        return (request.action == request::CREATE).then_some(request.fingerprint);
    }
    let (uuid, millisecond) = identifier.rsplit_once('-')?;
    let digits = !millisecond.is_empty() && millisecond.bytes().all(|byte| byte.is_ascii_digit());
    // Of the forms of a UUID only this one has 36 characters.
    let uuid: Uuid = (digits && uuid.len() == 36).then(|| uuid.parse().ok())??;
    Some(Fingerprint::from_bytes(*uuid.as_bytes()))
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c2_id_and_tiny_id_name_the_same_alert_and_all_else_is_an_alias() {
        let fingerprint = Fingerprint::from_bytes(*b"\x00\xff23456789abcdef");
        let named = Ok(AlertName::Fingerprint(fingerprint));
        let id = alert_id(
            fingerprint,
            Timestamp::from_millisecond(1_788_000_000_123).unwrap(),
        );
        assert_eq!(id, "00ff3233-3435-3637-3839-616263646566-1788000000123");
        for identifier_type in [None, Some(""), Some("id")] {
            assert_eq!(alert_name(&id, identifier_type), named);
        }
        assert_eq!(alert_name(&tiny_id(fingerprint), Some("tiny")), named);
        let event = "019d0000-0000-7000-8000-000000000000";
        let request = |action: &str| format!("{event}.{action}.{fingerprint}");
        assert_eq!(alert_name(&request("Create"), None), named);
        for alias in [
            request("Close").as_str(),
            "00ff3233-3435-3637-3839-616263646566",
            "00ff3233343536373839616263646566",
            "00ff3233343536373839616263646566-1",
            "db-1",
            "-",
            "",
        ] {
            let expected = Ok(AlertName::Alias(alias.to_owned()));
            assert_eq!(alert_name(alias, None), expected);
            assert_eq!(alert_name(alias, Some("alias")), expected);
        }
        assert_eq!(alert_name(&id, Some("alias")), Ok(AlertName::Alias(id)));
    }

    #[test]
    fn c2_what_names_no_alert_says_which_parameter_is_wrong() {
        for (identifier, identifier_type, field) in [
            ("a", "name", "identifierType"),
            ("db-1", "tiny", "identifier"),
            ("-1", "tiny", "identifier"),
            ("", "tiny", "identifier"),
        ] {
            let error = alert_name(identifier, Some(identifier_type)).unwrap_err();
            assert_eq!(error.field(), field);
            assert!(error.to_string().starts_with(field), "{error}");
        }
    }
}
