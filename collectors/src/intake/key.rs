//! The integration key, wherever a sender can put it.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use chassis::secrets::key_hash;
use chassis::session::password;
use domain::Site;
use jiff::Timestamp;
use schemas::config::Integration;

use crate::intake::error::IngestError;

/// The schemes of `Authorization` that carry the key as it is.
const SCHEMES: [&str; 4] = ["bearer", "geniekey", "token", "key"];

/// A key that the site knows, or the MQTT topic that stands for one.
pub(crate) struct ResolvedKey {
    /// The key itself; empty for a topic.
    pub(crate) text: String,
    /// SHA-256 of the key in hexadecimal digits, by which its limits and its usage are kept.
    pub(crate) hash: String,
    pub(crate) integration: Arc<Integration>,
}

/// The key among these that the site knows; one that has not expired is preferred. All are tried, as some senders also send
/// credentials that are meant for a proxy before the collector.
///
/// # Errors
///
/// [`IngestError::Key`] if the site knows none of them.
pub(crate) fn resolve(site: &Site, keys: &[String], now: Timestamp) -> Result<ResolvedKey, IngestError> {
    let mut keys = keys.iter().filter(|key| !key.is_empty()).peekable();
    if keys.peek().is_none() {
        return Err(IngestError::Key { what: "missing" });
    }
    let resolved = |key: &String| {
        let hash = key_hash(key);
        let integration = Arc::clone(site.integration_of_key(&hash)?);
        Some(ResolvedKey {
            text: key.clone(),
            hash,
            integration,
        })
    };
    keys.filter_map(resolved)
        .min_by_key(|key| key.check(now).is_err())
        .ok_or(IngestError::Key { what: "unknown" })
}

impl ResolvedKey {
    /// Stands for a key where a message belongs to an integration by its MQTT topic.
    pub(crate) fn of_topic(integration: Arc<Integration>) -> Self {
        Self {
            text: String::new(),
            hash: integration.mqtt_usage(),
            integration,
        }
    }

    /// Whether its sender gets no answer, so that it does not send again what is refused.
    pub(crate) fn has_no_answer(&self) -> bool {
        self.text.is_empty()
    }

    /// Refuses a key that has expired.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), IngestError> {
        match self.integration.expired_key(&self.hash, now) {
            Some((name, expired)) => Err(IngestError::KeyExpired {
                name: name.to_owned(),
                integration: self.integration.name.clone(),
                expired,
            }),
            None => Ok(()),
        }
    }
}

/// All keys of a request outside its body: those that its endpoint found, those in its query, and those in its headers.
pub(crate) fn credentials_in(
    of_endpoint: Vec<String>,
    in_query: Option<String>,
    headers: &HeaderMap,
) -> Vec<String> {
    let mut keys = of_endpoint;
    keys.extend(in_query);
    keys.extend(in_headers(headers));
    keys
}

/// The keys in the headers.
fn in_headers(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = text(header::AUTHORIZATION.as_str()).and_then(|value| value.trim().split_once(' '));
    let authorization = authorization.and_then(|(scheme, rest)| {
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            return password(rest);
        }
        SCHEMES
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
            .then(|| rest.to_owned())
    });
    let own = text("x-integration-key").map(|key| key.trim().to_owned());
    authorization.into_iter().chain(own)
}

/// A body with asterisks instead of the key, as no key must be stored.
pub(crate) fn redact(body: &[u8], key: &str) -> Vec<u8> {
    let mut body = body.to_vec();
    let mut at = 0;
    while !key.is_empty() && at + key.len() <= body.len() {
        if body[at..].starts_with(key.as_bytes()) {
            body[at..at + key.len()].fill(b'*');
            at += key.len();
        } else {
            at += 1;
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::config::{ConfigEntry, KeyTerms};

    fn site() -> Site {
        let terms = KeyTerms {
            name: "2026".to_owned(),
            created: None,
            expires: Some(at("2027-01-31T00:00:00Z")),
        };
        let integration = Integration {
            name: "a".to_owned(),
            source_type: "api".to_owned(),
            key_hashes: vec![key_hash("secret"), key_hash("old")],
            key_terms: [(key_hash("old"), terms)].into(),
            ..Integration::default()
        };
        let mut site = Site::default();
        site.apply("integration/a", Some(ConfigEntry::Integration(integration)));
        site
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_key_is_found_wherever_a_sender_can_put_it() {
        let site = site();
        let found = |query: Option<&str>, headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    value.parse().expect("a header"),
                )
            });
            let mut keys: Vec<_> = query.map(str::to_owned).into_iter().collect();
            keys.extend(in_headers(&headers.collect()));
            match resolve(&site, &keys, at("2027-01-01T00:00:00Z")) {
                Ok(key) => key.integration.name.clone(),
                Err(error) => error.to_string().split(';').next().unwrap_or_default().to_owned(),
            }
        };
        assert_eq!(found(Some("secret"), &[]), "a");
        assert_eq!(found(None, &[("authorization", "bearer  secret")]), "a");
        assert_eq!(found(None, &[("x-integration-key", "secret")]), "a");
        for scheme in ["GenieKey", "Token", "Key"] {
            assert_eq!(
                found(None, &[("authorization", &format!("{scheme} secret"))]),
                "a"
            );
        }
        assert_eq!(
            found(None, &[("authorization", "Digest secret")]),
            "the integration key is missing"
        );
        // user:secret
        assert_eq!(found(None, &[("authorization", "Basic dXNlcjpzZWNyZXQ=")]), "a");
        assert_eq!(
            found(
                Some(""),
                &[
                    ("authorization", "Bearer gateway"),
                    ("x-integration-key", "secret")
                ]
            ),
            "a"
        );
        assert_eq!(found(Some("Secret"), &[]), "the integration key is unknown");
        assert_eq!(
            found(None, &[("authorization", "Basic ???")]),
            "the integration key is missing"
        );
    }

    #[test]
    fn a_key_is_taken_until_it_expires_and_one_that_has_not_is_preferred() {
        let site = site();
        let both = ["old".to_owned(), "secret".to_owned()];
        for (now, expired) in [
            ("2027-01-30T23:59:59Z", None),
            (
                "2027-01-31T00:00:00Z",
                Some("the key \"2026\" of integration \"a\" has expired at 2027-01-31T00:00:00Z"),
            ),
        ] {
            let now = at(now);
            let key = resolve(&site, &both[..1], now).unwrap_or_else(|error| panic!("{error}"));
            let told = key.check(now).err().map(|error| error.to_string());
            assert_eq!(
                told.as_deref().and_then(|told| told.split(';').next()),
                expired,
                "{now}"
            );
            let preferred = resolve(&site, &both, now).unwrap_or_else(|error| panic!("{error}"));
            let is_old = preferred.hash == key_hash("old");
            assert_eq!(is_old, expired.is_none(), "{now}");
        }
    }
}
