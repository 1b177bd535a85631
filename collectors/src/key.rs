//! The integration key, wherever a sender can put it.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Site;
use schemas::config::Integration;
use sha2::{Digest, Sha256};

use crate::refusal::Refusal;

/// The integration whose key the request shows. Some senders cannot leave out credentials that are meant for somebody
/// before us, so every place is looked at.
pub(crate) fn integration<'s>(
    site: &'s Site,
    in_query: Option<&str>,
    headers: &HeaderMap,
) -> Result<&'s Integration, Refusal> {
    let keys: Vec<String> = shown(in_query, headers)
        .into_iter()
        .flatten()
        .filter(|key| !key.is_empty())
        .collect();
    if keys.is_empty() {
        return Err(Refusal::Key { what: "missing" });
    }
    keys.iter()
        .find_map(|key| site.integration_of_key(&hex::encode(Sha256::digest(key))))
        .ok_or(Refusal::Key { what: "unknown" })
}

fn shown(in_query: Option<&str>, headers: &HeaderMap) -> [Option<String>; 4] {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = text(header::AUTHORIZATION.as_str()).and_then(|value| value.trim().split_once(' '));
    let with_scheme = |wanted: &str| {
        let (scheme, rest) = authorization?;
        scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim())
    };
    [
        in_query.map(str::to_owned),
        with_scheme("bearer").map(str::to_owned),
        text("x-integration-key").map(|key| key.trim().to_owned()),
        with_scheme("basic").and_then(password),
    ]
}

fn password(credentials: &str) -> Option<String> {
    let bytes = STANDARD.decode(credentials).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::config::ConfigEntry;

    #[test]
    fn the_key_is_found_wherever_a_sender_can_put_it() {
        let mut site = Site::default();
        let integration_a = Integration {
            name: "a".to_owned(),
            source_type: "api".to_owned(),
            environment: "default".to_owned(),
            scenario: "default".to_owned(),
            key_hashes: vec![hex::encode(Sha256::digest("secret"))],
        };
        site.apply("integration/a", Some(ConfigEntry::Integration(integration_a)));
        let found = |query: Option<&str>, headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    value.parse().expect("a header"),
                )
            });
            match integration(&site, query, &headers.collect()) {
                Ok(integration) => integration.name.clone(),
                Err(refusal) => refusal
                    .to_string()
                    .split(';')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            }
        };
        assert_eq!(found(Some("secret"), &[]), "a");
        assert_eq!(found(None, &[("authorization", "bearer  secret")]), "a");
        assert_eq!(found(None, &[("x-integration-key", "secret")]), "a");
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
}
