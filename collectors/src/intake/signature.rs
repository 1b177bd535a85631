//! Signatures of senders: whether a body is unchanged and comes from its sender.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chassis::secrets::SiteKey;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use schemas::rejection::HEADER_VOUCHER;
use sha2::Sha256;

/// How far the time of a signature may be from the clock here. A recorded request cannot be replayed after that.
const TOLERANCE_SECONDS: u64 = 300;

/// How a sender signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Grafana,
    PagerDuty,
    Sentry,
    Slack,
    /// <https://www.standardwebhooks.com>: the scheme of all other sources.
    StandardWebhooks,
}

/// Why a signature does not prove its body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error(
        "the signature is missing: the integration declares a signing_secret, so its sender must sign, in {header}"
    )]
    Missing { header: &'static str },
    #[error("{header} cannot be read: {wanted} is expected")]
    Unreadable {
        header: &'static str,
        wanted: &'static str,
    },
    #[error(
        "the signature is of another time: {header} is {seconds} seconds away from the clock here, and \
         {TOLERANCE_SECONDS} are allowed; set the clocks, or send it again"
    )]
    Stale { header: &'static str, seconds: u64 },
    #[error("the signature in {header} is wrong: sign this very body with the integration's signing_secret")]
    Wrong { header: &'static str },
    #[error(
        "the integration's signing_secret begins with whsec_ and is not base64 after it: declare it as its sender shows it"
    )]
    Secret,
    #[error(
        "{HEADER_VOUCHER} is not for this body of this integration: post what was kept byte for byte, with the voucher that \
         GET /api/v1/rejected/ID shows now"
    )]
    Voucher,
}

impl SignatureError {
    /// The code of the error, in answers and metrics.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            SignatureError::Missing { .. } => "signature_missing",
            SignatureError::Unreadable { .. } => "signature_unreadable",
            SignatureError::Stale { .. } => "signature_stale",
            SignatureError::Wrong { .. } | SignatureError::Secret | SignatureError::Voucher => {
                "signature_wrong"
            }
        }
    }
}

impl Scheme {
    /// The scheme of the senders of this source.
    pub(crate) fn of(source: &str) -> Self {
        match source {
            "grafana" => Scheme::Grafana,
            "pagerduty" => Scheme::PagerDuty,
            "sentry" => Scheme::Sentry,
            "slack" => Scheme::Slack,
            _ => Scheme::StandardWebhooks,
        }
    }
}

/// The signature that a body must have.
pub(crate) struct RequiredSignature {
    pub(crate) integration: String,
    /// Signs the replay tokens of bodies that were verified before.
    pub(crate) site_key: SiteKey,
    pub(crate) scheme: Scheme,
    /// The secrets that the sender may have signed with: several while one replaces another.
    pub(crate) secrets: Vec<String>,
    /// When the request was received.
    pub(crate) now: Timestamp,
}

impl RequiredSignature {
    /// Checks the signature of a body as it was received, or its replay token. Comparisons take constant time.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
        let shown = Shown {
            headers,
            now: self.now,
        };
        if headers.contains_key(HEADER_VOUCHER) {
            let vouched = self
                .site_key
                .vouches(shown.text(HEADER_VOUCHER)?, &self.integration, body);
            return if vouched {
                Ok(())
            } else {
                Err(SignatureError::Voucher)
            };
        }
        let (newest, others) = self.secrets.split_last().ok_or(SignatureError::Secret)?;
        if others
            .iter()
            .any(|secret| self.proves(&shown, body, secret).is_ok())
        {
            return Ok(());
        }
        self.proves(&shown, body, newest)
    }

    fn proves(&self, shown: &Shown<'_>, body: &[u8], secret: &str) -> Result<(), SignatureError> {
        let bytes = secret.as_bytes();
        match self.scheme {
            Scheme::Grafana => grafana(shown, body, bytes),
            Scheme::PagerDuty => pagerduty(shown, body, bytes),
            Scheme::Sentry => sentry(shown, body, bytes),
            Scheme::Slack => slack(shown, body, bytes),
            Scheme::StandardWebhooks => standard_webhooks(shown, body, secret),
        }
    }
}

fn sentry(shown: &Shown<'_>, body: &[u8], secret: &[u8]) -> Result<(), SignatureError> {
    let header = "sentry-hook-signature";
    let signature = shown.hexadecimal(header, shown.text(header)?)?;
    proven(header, secret, &[body], [signature])
}

/// The timestamp is signed too when the contact point is set up to send one, under this name.
fn grafana(shown: &Shown<'_>, body: &[u8], secret: &[u8]) -> Result<(), SignatureError> {
    let header = "x-grafana-alerting-signature";
    let time_header = "x-grafana-alerting-signature-timestamp";
    let signature = shown.hexadecimal(header, shown.text(header)?)?;
    if !shown.headers.contains_key(time_header) {
        return proven(header, secret, &[body], [signature]);
    }
    let time = shown.recent(time_header)?;
    proven(header, secret, &[time.as_bytes(), b":", body], [signature])
}

/// One signature for each secret that is valid at the moment.
fn pagerduty(shown: &Shown<'_>, body: &[u8], secret: &[u8]) -> Result<(), SignatureError> {
    let header = "x-pagerduty-signature";
    let signatures = shown
        .text(header)?
        .split(',')
        .filter_map(|one| one.trim().strip_prefix("v1="))
        .map(|one| shown.hexadecimal(header, one));
    proven(
        header,
        secret,
        &[body],
        signatures.collect::<Result<Vec<_>, _>>()?,
    )
}

fn slack(shown: &Shown<'_>, body: &[u8], secret: &[u8]) -> Result<(), SignatureError> {
    let header = "x-slack-signature";
    let signature = shown.text(header)?;
    let wanted = "v0= and hexadecimal digits";
    let signature = signature
        .strip_prefix("v0=")
        .ok_or(SignatureError::Unreadable { header, wanted })?;
    let signature = shown.hexadecimal(header, signature)?;
    let time = shown.recent("x-slack-request-timestamp")?;
    proven(
        header,
        secret,
        &[b"v0:", time.as_bytes(), b":", body],
        [signature],
    )
}

/// Several signatures, with spaces between them, while one secret replaces another. A secret without `whsec_` is used as
/// it stands, for senders that only resemble the standard.
fn standard_webhooks(shown: &Shown<'_>, body: &[u8], secret: &str) -> Result<(), SignatureError> {
    let header = "webhook-signature";
    let signatures = shown.text(header)?;
    let id = shown.text("webhook-id")?;
    let time = shown.recent("webhook-timestamp")?;
    let secret = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| SignatureError::Secret)?,
        None => secret.as_bytes().to_vec(),
    };
    let signatures = signatures
        .split_ascii_whitespace()
        .filter_map(|one| one.strip_prefix("v1,"))
        .filter_map(|one| STANDARD.decode(one).ok());
    proven(
        header,
        &secret,
        &[id.as_bytes(), b".", time.as_bytes(), b".", body],
        signatures,
    )
}

/// The headers of a request.
struct Shown<'a> {
    headers: &'a HeaderMap,
    now: Timestamp,
}

impl Shown<'_> {
    fn text(&self, header: &'static str) -> Result<&str, SignatureError> {
        let value = self
            .headers
            .get(header)
            .ok_or(SignatureError::Missing { header })?;
        let wanted = "text";
        let text = value.to_str().map(str::trim);
        text.map_err(|_| SignatureError::Unreadable { header, wanted })
    }

    fn hexadecimal(&self, header: &'static str, text: &str) -> Result<Vec<u8>, SignatureError> {
        let wanted = "a HMAC-SHA256 in hexadecimal digits";
        hex::decode(text).map_err(|_| SignatureError::Unreadable { header, wanted })
    }

    /// The text of a time in seconds since 1970, which must be about now.
    fn recent(&self, header: &'static str) -> Result<&str, SignatureError> {
        let text = self.text(header)?;
        let wanted = "seconds since 1970";
        let time: i64 = text
            .parse()
            .map_err(|_| SignatureError::Unreadable { header, wanted })?;
        let seconds = time.abs_diff(self.now.as_second());
        if seconds > TOLERANCE_SECONDS {
            return Err(SignatureError::Stale { header, seconds });
        }
        Ok(text)
    }
}

/// One of the signatures must be the HMAC-SHA256 of the parts.
fn proven(
    header: &'static str,
    secret: &[u8],
    parts: &[&[u8]],
    signatures: impl IntoIterator<Item = Vec<u8>>,
) -> Result<(), SignatureError> {
    let wrong = SignatureError::Wrong { header };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| wrong.clone())?;
    for part in parts {
        mac.update(part);
    }
    let mut signatures = signatures.into_iter();
    if signatures.any(|signature| mac.clone().verify_slice(&signature).is_ok()) {
        Ok(())
    } else {
        Err(wrong)
    }
}

#[cfg(test)]
mod tests;
