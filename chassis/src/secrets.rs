//! Secrets at rest: encrypted with the site's key, and never printed.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

const NONCE_BYTES: usize = 24;
const PREFIX: &str = "sealed:v1:";

/// The key that a site's secrets are encrypted with: 32 bytes.
#[derive(Clone)]
pub struct SiteKey([u8; 32]);

/// A key or a sealed secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key's file cannot be read.
    #[error("the secret key file {path} cannot be read: {error}")]
    #[allow(missing_docs)]
    Unreadable { path: String, error: std::io::Error },
    /// The key's text is not a key.
    #[error("the secret key is not 32 bytes in base64: make one with `head -c 32 /dev/urandom | base64`")]
    NotAKey,
    /// The sealed text is not ours, was altered, or was sealed with another key.
    #[error("a secret cannot be opened: it was sealed with another key than this process has")]
    Sealed,
}

impl SiteKey {
    /// A key of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key written as base64.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| SecretError::NotAKey)?;
        Ok(Self(bytes.try_into().map_err(|_| SecretError::NotAKey)?))
    }

    /// The key in a file, written as base64.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let text = std::fs::read_to_string(path).map_err(|error| SecretError::Unreadable {
            path: path.display().to_string(),
            error,
        })?;
        Self::parse(&text)
    }

    /// The key as base64, to be kept in a file.
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Encrypts a secret. The same secret always looks the same, so that an unchanged site is seen to be unchanged;
    /// nothing but that equality can be learned from it.
    pub fn seal(&self, secret: &str) -> Result<String, SecretError> {
        let nonce = self.nonce_of(secret);
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), secret.as_bytes())
            .map_err(|_| SecretError::Sealed)?;
        Ok(format!(
            "{PREFIX}{}",
            STANDARD.encode([nonce.as_slice(), &sealed].concat())
        ))
    }

    /// Decrypts a sealed secret.
    pub fn open(&self, sealed: &str) -> Result<String, SecretError> {
        let text = sealed.strip_prefix(PREFIX).ok_or(SecretError::Sealed)?;
        let bytes = STANDARD.decode(text).map_err(|_| SecretError::Sealed)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(SecretError::Sealed)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SecretError::Sealed)?;
        let secret = self
            .cipher()
            .decrypt(&XNonce::from(nonce), sealed)
            .map_err(|_| SecretError::Sealed)?;
        String::from_utf8(secret).map_err(|_| SecretError::Sealed)
    }

    /// Vouches that a body was an integration's when it came, for whoever posts it again: signatures are good for some
    /// minutes only.
    pub fn vouch(&self, integration: &str, body: &[u8]) -> Result<String, SecretError> {
        self.seal(&vouched_for(integration, body))
    }

    /// Whether this very body of the integration was vouched for with this key.
    pub fn vouches(&self, voucher: &str, integration: &str, body: &[u8]) -> bool {
        self.open(voucher)
            .is_ok_and(|vouched| vouched == vouched_for(integration, body))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }

    /// Derived from key and secret, so that no two different secrets share a nonce.
    fn nonce_of(&self, secret: &str) -> [u8; NONCE_BYTES] {
        let digest = Sha256::new()
            .chain_update(b"reveille nonce")
            .chain_update(self.0)
            .chain_update(secret.as_bytes())
            .finalize();
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&digest[..NONCE_BYTES]);
        nonce
    }
}

impl fmt::Debug for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SiteKey(not shown)")
    }
}

/// The hash under which an integration's key is kept.
pub fn key_hash(key: &str) -> String {
    hash(key.as_bytes())
}

fn vouched_for(integration: &str, body: &[u8]) -> String {
    format!("body {} of {integration}", hash(body))
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_and_looks_the_same_each_time() {
        let key = SiteKey::from_bytes([7; 32]);
        let sealed = key.seal("xoxb-1").unwrap();
        assert_eq!(key.open(&sealed).unwrap(), "xoxb-1");
        assert_eq!(key.seal("xoxb-1").unwrap(), sealed);
        assert_ne!(key.seal("xoxb-2").unwrap(), sealed);
        assert!(!sealed.contains("xoxb"));
    }

    #[test]
    fn another_key_or_an_altered_text_opens_nothing() {
        let sealed = SiteKey::from_bytes([7; 32]).seal("xoxb-1").unwrap();
        assert!(SiteKey::from_bytes([8; 32]).open(&sealed).is_err());
        let altered = format!("{}A==", &sealed[..sealed.len() - 3]);
        assert!(SiteKey::from_bytes([7; 32]).open(&altered).is_err());
        assert!(SiteKey::from_bytes([7; 32]).open("xoxb-1").is_err());
    }

    #[test]
    fn a_voucher_is_good_for_one_body_of_one_integration() {
        let key = SiteKey::from_bytes([7; 32]);
        let voucher = key.vouch("shop", b"{}").unwrap();
        assert!(key.vouches(&voucher, "shop", b"{}"));
        assert!(!key.vouches(&voucher, "shop", b"[]"));
        assert!(!key.vouches(&voucher, "other", b"{}"));
        assert!(!SiteKey::from_bytes([8; 32]).vouches(&voucher, "shop", b"{}"));
        assert!(!key.vouches("", "shop", b"{}"));
    }

    #[test]
    fn a_key_is_read_from_its_own_text_and_never_shown() {
        let key = SiteKey::from_bytes([7; 32]);
        assert_eq!(SiteKey::parse(&key.to_text()).unwrap().0, key.0);
        assert!(matches!(SiteKey::parse("short"), Err(SecretError::NotAKey)));
        assert!(!format!("{key:?}").contains('7'));
    }
}
