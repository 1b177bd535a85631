//! Connections to a server whose certificates are made here.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::server;

/// Issues certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
struct Issued {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        Issued {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A folder with the files.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(issued: &Issued) -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        files.write(issued);
        files
    }

    fn write(&self, issued: &Issued) {
        fs::write(self.path("certificate"), &issued.certificate).unwrap();
        fs::write(self.path("key"), &issued.key).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn named(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("certificate"),
            key: self.path("key"),
            clients: None,
        }
    }

    fn with_clients_of(&self, authority: &Authority, wanted: ClientCertificates) -> TlsFiles {
        fs::write(self.path("authority"), authority.0.pem()).unwrap();
        TlsFiles {
            clients: Some((self.path("authority"), wanted)),
            ..self.named()
        }
    }
}

async fn serving(files: TlsFiles) -> (SocketAddr, Tls) {
    let tls = Tls::load(files).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/", get(async || "secured"));
    tokio::spawn(server::serve_secured(
        listener,
        crate::connections::ConnectionLimits::new(
            &crate::settings::Settings::default(),
            1024,
            &pipeline::metrics::Metrics::new(),
        )
        .http(),
        Some(tls.clone()),
        routes,
        CancellationToken::new(),
    ));
    (address, tls)
}

/// What is answered to somebody who trusts this authority and shows this certificate.
async fn answer(address: SocketAddr, trusted: &Authority, shown: Option<&Issued>) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.0.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        None => builder.with_no_client_auth(),
        Some(issued) => {
            let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let talk = async {
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    talk.await.map_err(|error| error.to_string())
}

fn refused(files: TlsFiles) -> String {
    Tls::load(files).err().map(|error| error.to_string()).unwrap()
}

#[tokio::test]
async fn requests_are_answered_over_tls() {
    let authority = Authority::new();
    let (address, _) = serving(Files::new(&authority.issue()).named()).await;
    let answered = answer(address, &authority, None).await.unwrap();
    assert!(answered.ends_with("secured"), "{answered}");
    answer(address, &Authority::new(), None).await.unwrap_err();
}

#[tokio::test]
async fn somebody_who_does_not_speak_tls_holds_up_nobody() {
    let authority = Authority::new();
    let (address, _) = serving(Files::new(&authority.issue()).named()).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    answer(address, &authority, None).await.unwrap();
}

#[tokio::test]
async fn new_files_are_for_new_connections_and_bad_ones_change_nothing() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::new(&before.issue());
    let (address, tls) = serving(files.named()).await;
    assert!(!tls.look().unwrap(), "nothing has changed");

    fs::write(files.path("key"), "half of a key").unwrap();
    let error = tls.look().unwrap_err().to_string();
    assert!(error.contains("tls_key"), "{error}");
    assert!(!tls.look().unwrap(), "it is told once");
    answer(address, &before, None).await.unwrap();

    files.write(&after.issue());
    assert!(tls.look().unwrap());
    answer(address, &after, None).await.unwrap();
    answer(address, &before, None).await.unwrap_err();
}

#[tokio::test]
async fn clients_show_a_certificate_of_their_authority_or_none_where_that_is_enough() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let (known, stranger) = (clients.issue(), Authority::new().issue());
    for (wanted, without) in [
        (ClientCertificates::Required, false),
        (ClientCertificates::Optional, true),
    ] {
        let files = Files::new(&authority.issue());
        let (address, _) = serving(files.with_clients_of(&clients, wanted)).await;
        answer(address, &authority, Some(&known)).await.unwrap();
        assert_eq!(
            answer(address, &authority, None).await.is_ok(),
            without,
            "{wanted:?}"
        );
        answer(address, &authority, Some(&stranger)).await.unwrap_err();
    }
}

#[test]
fn wrong_files_are_named_with_what_to_do() {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let missing = TlsFiles {
        certificate: files.path("nowhere"),
        ..files.named()
    };
    let error = refused(missing);
    assert!(
        error.starts_with("tls_certificate /") && error.contains("nowhere cannot be used"),
        "{error}"
    );
    let no_certificate = TlsFiles {
        certificate: files.path("key"),
        ..files.named()
    };
    let error = refused(no_certificate);
    assert!(
        error.contains("there is no certificate in it; name a PEM file"),
        "{error}"
    );

    let other = Files::new(&authority.issue());
    let of_another = TlsFiles {
        key: other.path("key"),
        ..files.named()
    };
    let error = refused(of_another);
    assert!(error.contains("cannot be used together"), "{error}");

    fs::write(files.path("authority"), "").unwrap();
    let without_authority = TlsFiles {
        clients: Some((files.path("authority"), ClientCertificates::Required)),
        ..files.named()
    };
    let error = refused(without_authority);
    assert!(error.starts_with("tls_client_ca /"), "{error}");
}
