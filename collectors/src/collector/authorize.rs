//! Which keys may post to which source, and how their bodies must be signed.

use std::sync::Arc;

use schemas::config::Integration;

use super::Collector;
use crate::intake::body::BufferedBody;
use crate::intake::error::IngestError;
use crate::intake::key::{self, ResolvedKey};
use crate::intake::signature::{RequiredSignature, Scheme};
use crate::intake::sns::Proven;
use crate::metrics::RequestMetrics;

/// The sources whose bodies come by SNS, besides mappings.
const SOURCES_OF_SNS: [&str; 2] = ["cloudwatch", "eventbridge"];

impl Collector {
    /// The one of these keys that the site knows, if it may post to this source now.
    pub(super) fn authorize_key(
        &self,
        source: &str,
        owner: Option<&str>,
        keys: &[String],
        metrics: &mut RequestMetrics,
    ) -> Result<Arc<ResolvedKey>, IngestError> {
        let site = self.site()?;
        let key = key::resolve(&site, keys, self.now())?;
        self.check_key(key, source, owner, metrics)
    }

    /// The same key, if it may post to this source now.
    pub(super) fn check_key(
        &self,
        key: ResolvedKey,
        source: &str,
        owner: Option<&str>,
        metrics: &mut RequestMetrics,
    ) -> Result<Arc<ResolvedKey>, IngestError> {
        let key = Arc::new(key);
        metrics.key(Arc::clone(&key));
        key.check(self.now())?;
        check_source(&key.integration, source, owner)?;
        self.rate_limiter.check(&key)?;
        Ok(key)
    }

    /// The message that SNS has signed, if the body must be one.
    pub(super) async fn sns_message(
        &self,
        source: &str,
        key: &ResolvedKey,
        body: &BufferedBody,
    ) -> Result<Option<Proven>, IngestError> {
        if !comes_by_sns(source, key) {
            return Ok(None);
        }
        let integration = &key.integration;
        let proving = self
            .sns
            .prove(&integration.name, &integration.sns_topics, &body.bytes);
        Ok(Some(proving.await?))
    }

    /// The signature that a body for this source must have with this key, if any. SNS signs in its own way.
    pub(super) fn required_signature(
        &self,
        source: &str,
        key: &ResolvedKey,
    ) -> Result<Option<RequiredSignature>, IngestError> {
        let integration = &key.integration;
        let sealed = &integration.sealed_signing_secrets;
        if sealed.is_empty() || comes_by_sns(source, key) {
            return Ok(None);
        }
        let unusable = |error: String| IngestError::SigningSecret {
            integration: integration.name.clone(),
            error,
        };
        let site_key = self.site_key.as_ref();
        let site_key = site_key.ok_or_else(|| unusable("secret_key is not set".to_owned()))?;
        let secrets = sealed.iter().map(|sealed| site_key.open(sealed));
        let secrets = secrets
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Some(RequiredSignature {
            integration: integration.name.clone(),
            site_key: site_key.clone(),
            scheme: Scheme::of(source),
            secrets,
            now: self.now(),
        }))
    }
}

/// Whether an integration may post to a source. What another integration owns is closed to it.
fn check_source(integration: &Integration, source: &str, owner: Option<&str>) -> Result<(), IngestError> {
    let name = &integration.name;
    match owner {
        Some(owner) if owner != name => Err(IngestError::OtherOwner {
            integration: name.clone(),
        }),
        None if !integration.takes(source) => Err(IngestError::OtherSource {
            integration: name.clone(),
            of_type: integration.source_type.clone(),
            requested: source.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Whether only SNS may post to this source with this key.
pub(super) fn comes_by_sns(source: &str, key: &ResolvedKey) -> bool {
    let can = SOURCES_OF_SNS.contains(&source) || sources::find(source).is_none();
    can && !key.integration.sns_topics.is_empty()
}
