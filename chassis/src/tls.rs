//! TLS of the public listener: certificate and key from files, which are read again when they have changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::Deserialize;

/// What a file of authorities must be.
const OF_AUTHORITIES: &str = "name a PEM file with the certificates of those who issue the others'";
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The files, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that lead from it to its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who issues the certificates of clients, and whether they must show one.
    pub clients: Option<(PathBuf, ClientCertificates)>,
}

/// Whether clients must show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// Without one nobody gets a connection.
    #[default]
    Required,
    /// One that is shown must be good.
    Optional,
}

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or is not what it should be.
    #[error("{setting} {path} cannot be used: {error}; {remedy}")]
    #[allow(missing_docs)]
    File {
        setting: &'static str,
        path: PathBuf,
        error: String,
        remedy: &'static str,
    },
    /// There is no authority that a server's certificate could be trusted for.
    #[error(
        "this machine has no certificates of authorities; install them (Debian: ca-certificates), or set {setting}"
    )]
    #[allow(missing_docs)]
    NoAuthorities { setting: &'static str },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Rustls(rustls::Error),
    /// Certificate and key are not of one another.
    #[error(
        "tls_certificate {certificate} and tls_key {key} cannot be used together: {error}; name the key that the \
         certificate was issued for, and the certificate itself first in its file"
    )]
    #[allow(missing_docs)]
    Pair {
        certificate: PathBuf,
        key: PathBuf,
        error: rustls::Error,
    },
}

/// How connections are secured at the moment; cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    /// Of the files, when they were last looked at.
    stamps: Vec<Option<Stamp>>,
}

/// What differs when a file has changed.
type Stamp = (SystemTime, u64);

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        // Before the files are read: what changes meanwhile is seen at the next look.
        let stamps = stamps(&files);
        let loaded = Loaded {
            config: Arc::new(config(&files)?),
            stamps,
        };
        Ok(Self(Arc::new(Inner {
            files,
            loaded: Mutex::new(loaded),
        })))
    }

    /// How the next connection is secured.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.loaded().config)
    }

    /// Looks at the files for ever, and reads them when they have changed.
    pub(crate) async fn watch(&self) {
        let mut interval = tokio::time::interval(LOOK_EVERY);
        loop {
            interval.tick().await;
            match self.look() {
                Ok(true) => tracing::info!("the TLS certificate was read again"),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "the TLS files have changed, and those before them stay in use");
                }
            }
        }
    }

    /// Reads the files if they have changed since the last look; what cannot be used changes nothing.
    fn look(&self) -> Result<bool, TlsError> {
        let stamps = stamps(&self.0.files);
        let mut loaded = self.loaded();
        if loaded.stamps == stamps {
            return Ok(false);
        }
        loaded.stamps = stamps;
        loaded.config = Arc::new(config(&self.0.files)?);
        Ok(true)
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamps(files: &TlsFiles) -> Vec<Option<Stamp>> {
    let clients = files.clients.as_ref().map(|(authority, _)| authority);
    let paths = [Some(&files.certificate), Some(&files.key), clients];
    let stamp = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.into_iter().flatten().map(stamp).collect()
}

fn config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let certificates = certificates(
        "tls_certificate",
        &files.certificate,
        "name a PEM file with the certificate and those that lead from it to its root",
    )?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| TlsError::File {
        setting: "tls_key",
        path: files.key.clone(),
        error: error.to_string(),
        remedy: "name a PEM file with the private key, not encrypted, that this process may read",
    })?;
    let pair = |error| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        error,
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?;
    let builder = match &files.clients {
        None => builder.with_no_client_auth(),
        Some((authority, wanted)) => builder.with_client_cert_verifier(verifier(authority, *wanted)?),
    };
    let mut config = builder.with_single_cert(certificates, key).map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn verifier(
    authority: &Path,
    wanted: ClientCertificates,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let setting = "tls_client_ca";
    let mut roots = RootCertStore::empty();
    add_authorities(&mut roots, setting, authority)?;
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match wanted {
        ClientCertificates::Required => builder,
        ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    builder
        .build()
        .map_err(|error: VerifierBuilderError| unusable_authority(setting, authority, error.to_string()))
}

/// How connections to a server are secured whose certificate one of these authorities has issued; those whom the machine
/// trusts when none is named.
pub(crate) fn client_config(
    setting: &'static str,
    authority: Option<&Path>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => add_authorities(&mut roots, setting, path)?,
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if roots.is_empty() {
        return Err(TlsError::NoAuthorities { setting });
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Rustls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Trusts those whose certificates are in a file.
pub(crate) fn add_authorities(
    roots: &mut RootCertStore,
    setting: &'static str,
    path: &Path,
) -> Result<(), TlsError> {
    for certificate in certificates(setting, path, OF_AUTHORITIES)? {
        let added = roots.add(certificate);
        added.map_err(|error| unusable_authority(setting, path, error.to_string()))?;
    }
    Ok(())
}

fn unusable_authority(setting: &'static str, path: &Path, error: String) -> TlsError {
    TlsError::File {
        setting,
        path: path.to_owned(),
        error,
        remedy: OF_AUTHORITIES,
    }
}

fn certificates(
    setting: &'static str,
    path: &Path,
    remedy: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |error: String| TlsError::File {
        setting,
        path: path.to_owned(),
        error,
        remedy,
    };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests;
