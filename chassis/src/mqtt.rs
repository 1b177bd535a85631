//! Where an MQTT broker is, and how it is spoken to.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::tls::{self, TlsError};

/// Who we are to a broker that is told nothing else.
const CLIENT_ID: &str = "reveille";

/// A broker.
#[derive(Clone)]
pub struct MqttBroker {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// By which name it knows us again; what it keeps for us goes by it.
    pub client_id: String,
    /// How the connection is secured, if it is.
    pub tls: Option<Arc<ClientConfig>>,
}

/// The broker cannot be spoken to as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// Not the address of a broker. It is not repeated, since a password may stand in it.
    #[error("mqtt {0}; write it as mqtt://user:password@host:1883, or mqtts:// for TLS")]
    Address(String),
    /// A broker that is spoken to without TLS needs none.
    #[error("mqtt_ca is set, and mqtt is not an address with mqtts://")]
    UnusedAuthority,
    /// We must have a name.
    #[error("mqtt_client_id is empty; name this process as no other client of the broker is named")]
    NoClientId,
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is nobody whom a certificate could be trusted for.
    #[error(
        "this machine has no certificates of authorities; install them (Debian: ca-certificates), or set mqtt_ca"
    )]
    NoAuthorities,
    /// TLS cannot be set up.
    #[error("TLS to the broker cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

impl MqttBroker {
    /// The broker at an address such as `mqtts://user:password@host:8883`; without an authority of its own, those of the
    /// machine are trusted.
    pub fn new(address: &str, client_id: Option<&str>, authority: Option<&Path>) -> Result<Self, MqttError> {
        let wrong = |what: &str| MqttError::Address(what.to_owned());
        let url = Url::parse(address).map_err(|error| wrong(&format!("is no address: {error}")))?;
        let (port, tls) = match url.scheme() {
            "mqtt" if authority.is_some() => return Err(MqttError::UnusedAuthority),
            "mqtt" => (1883, None),
            "mqtts" => (8883, Some(secured(authority)?)),
            other => return Err(wrong(&format!("begins with {other}://"))),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(wrong(
                "has something behind the port; topics are declared in the site document",
            ));
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("has no host"))?;
        let client_id = client_id.unwrap_or(CLIENT_ID);
        if client_id.is_empty() {
            return Err(MqttError::NoClientId);
        }
        let credentials = (!url.username().is_empty()).then(|| {
            let password = url.password().unwrap_or_default();
            (plain(url.username()), plain(password))
        });
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            credentials,
            client_id: client_id.to_owned(),
            tls,
        })
    }
}

/// A part of an address as it was meant.
fn plain(encoded: &str) -> String {
    percent_encoding::percent_decode_str(encoded)
        .decode_utf8_lossy()
        .into_owned()
}

fn secured(authority: Option<&Path>) -> Result<Arc<ClientConfig>, MqttError> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => tls::add_authorities(&mut roots, "mqtt_ca", path)?,
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if roots.is_empty() {
        return Err(MqttError::NoAuthorities);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(address: &str) -> Result<MqttBroker, String> {
        MqttBroker::new(address, None, None).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_says_where_a_broker_is_and_who_we_are() {
        let found = broker("mqtt://ops:p%40ss@broker.example.org").unwrap();
        assert_eq!((found.host.as_str(), found.port), ("broker.example.org", 1883));
        assert_eq!(found.credentials, Some(("ops".to_owned(), "p@ss".to_owned())));
        assert_eq!(found.client_id, "reveille");
        assert!(found.tls.is_none());
        let found = broker("mqtt://[::1]:1884/").unwrap();
        assert_eq!((found.host.as_str(), found.port), ("::1", 1884));
        assert_eq!(found.credentials, None);
    }

    #[test]
    fn what_is_no_address_of_a_broker_is_refused_without_telling_the_password() {
        for (address, expected) in [
            ("broker:1883", "begins with broker://"),
            ("broker", "is no address"),
            ("http://u:secret@broker", "begins with http://"),
            ("mqtt://u:secret@broker/alerts", "has something behind the port"),
            ("mqtt://", "has no host"),
        ] {
            let error = broker(address).err().unwrap();
            assert!(
                error.contains(expected) && error.contains("write it as"),
                "{error}"
            );
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn tls_trusts_the_authority_that_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let new =
            |address| MqttBroker::new(address, Some("a"), Some(&path)).map_err(|error| error.to_string());
        let missing = new("mqtts://broker").err().unwrap();
        assert!(
            missing.contains("mqtt_ca") && missing.contains("ca.pem"),
            "{missing}"
        );
        let key = rcgen::generate_simple_self_signed(vec!["broker".to_owned()]).unwrap();
        std::fs::write(&path, key.cert.pem()).unwrap();
        let found = new("mqtts://broker").unwrap();
        assert_eq!((found.port, found.tls.is_some()), (8883, true));
        assert!(new("mqtt://broker").err().unwrap().contains("mqtt_ca is set"));
    }
}
