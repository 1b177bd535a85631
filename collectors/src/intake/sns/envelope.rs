//! The messages of SNS and the verification of their signatures. Values in, values out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use serde::Deserialize;
use webpki::EndEntityCert;
use webpki::ring::RSA_PKCS1_2048_8192_SHA256;

use super::SnsError;

/// ARNs of topics are shorter.
const MAX_ARN_BYTES: usize = 512;

/// A message of SNS.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope {
    #[serde(rename = "Type")]
    pub(super) kind: Kind,
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    subject: Option<String>,
    message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    token: Option<String>,
}

/// The kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Kind {
    Notification,
    SubscriptionConfirmation,
    UnsubscribeConfirmation,
}

impl Envelope {
    pub(super) fn read(body: &[u8]) -> Result<Self, SnsError> {
        serde_json::from_slice(body).map_err(|error| SnsError::NotSigned(error.to_string()))
    }

    /// The address of the certificate whose key has signed it. It must be that of a file: the answers of the API of SNS can
    /// repeat texts of the caller, and a forged certificate among them.
    pub(super) fn certificate(&self) -> Result<Url, SnsError> {
        let url = address(&self.signing_cert_url)?;
        if url.path().ends_with(".pem") && url.query().is_none() {
            Ok(url)
        } else {
            Err(SnsError::Address(shortened(&self.signing_cert_url)))
        }
    }

    /// The address that confirms the subscription.
    pub(super) fn confirmation(&self) -> Result<Url, SnsError> {
        address(self.subscribe_url.as_deref().unwrap_or_default())
    }

    /// Whether the certificate's key has signed this message.
    pub(super) fn verify(&self, certificate: &CertificateDer<'_>) -> Result<(), SnsError> {
        let algorithm: &dyn SignatureVerificationAlgorithm = match self.signature_version.as_str() {
            "1" => &RsaSha1,
            "2" => RSA_PKCS1_2048_8192_SHA256,
            version => return Err(SnsError::Version(shortened(version))),
        };
        let signature = STANDARD.decode(&self.signature).map_err(|_| SnsError::Wrong)?;
        let certificate =
            EndEntityCert::try_from(certificate).map_err(|error| SnsError::Certificate(error.to_string()))?;
        certificate
            .verify_signature(algorithm, self.signed_text().as_bytes(), &signature)
            .map_err(|_| SnsError::Wrong)
    }

    /// The fields that are signed, each with its name; absent fields are left out:
    /// <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>.
    fn signed_text(&self) -> String {
        let notification = self.kind == Kind::Notification;
        let only = |field: &Option<String>, wanted: bool| field.clone().filter(|_| wanted);
        let kind = match self.kind {
            Kind::Notification => "Notification",
            Kind::SubscriptionConfirmation => "SubscriptionConfirmation",
            Kind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        };
        let fields = [
            ("Message", Some(self.message.clone())),
            ("MessageId", Some(self.message_id.clone())),
            ("Subject", only(&self.subject, notification)),
            ("SubscribeURL", only(&self.subscribe_url, !notification)),
            ("Timestamp", Some(self.timestamp.clone())),
            ("Token", only(&self.token, !notification)),
            ("TopicArn", Some(self.topic_arn.clone())),
            ("Type", Some(kind.to_owned())),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}\n{}\n", value?)));
        fields.collect()
    }
}

/// An address that belongs to SNS, as no other may be called or sign for SNS.
fn address(text: &str) -> Result<Url, SnsError> {
    let refused = || SnsError::Address(shortened(text));
    let url = Url::parse(text).map_err(|_| refused())?;
    let host = url.host_str().unwrap_or_default();
    let region = host.strip_prefix("sns.").and_then(|rest| {
        rest.strip_suffix(".amazonaws.com")
            .or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    let plain = url.scheme() == "https" && url.port().is_none() && url.username().is_empty();
    if plain && region.is_some_and(is_region) {
        Ok(url)
    } else {
        Err(refused())
    }
}

/// `eu-west-1`, `us-gov-east-1`: two letters, words, and a number. The names of other services look otherwise, so that a
/// bucket called `sns` at `sns.s3-eu-west-1.amazonaws.com` is not SNS.
fn is_region(text: &str) -> bool {
    let are = |text: &str, good: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(good);
    let words: Vec<_> = text.split('-').collect();
    match words.as_slice() {
        [area, words @ .., number] => {
            area.len() == 2
                && are(area, u8::is_ascii_lowercase)
                && !words.is_empty()
                && words.iter().all(|word| are(word, u8::is_ascii_lowercase))
                && are(number, u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// A text of a stranger, shortened for a message.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Whether one of the patterns is of this topic: part by part between the colons, `*` for any text.
pub(super) fn allowed(patterns: &[String], topic: &str) -> bool {
    let matches = |pattern: &String| {
        pattern.split(':').count() == topic.split(':').count()
            && pattern
                .split(':')
                .zip(topic.split(':'))
                .all(|(pattern, part)| fits(pattern, part))
    };
    topic.len() <= MAX_ARN_BYTES && patterns.iter().any(matches)
}

fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (between, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text.strip_prefix(start).and_then(|text| text.strip_suffix(end));
    inner.is_some_and(|mut left| {
        between.split('*').all(|wanted| match left.split_once(wanted) {
            Some((_, after)) => {
                left = after;
                true
            }
            None => wanted.is_empty(),
        })
    })
}

/// RSA with SHA-1, as version 1 of SNS's signatures has it.
#[derive(Debug)]
struct RsaSha1;

impl SignatureVerificationAlgorithm for RsaSha1 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, public_key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    /// `sha1WithRSAEncryption`.
    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(&[
            0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00,
        ])
    }
}

#[cfg(test)]
mod tests;
