//! Connections to mail servers, kept while they are used.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials as Login;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, Tokio1Executor};

use schemas::Channel;

use crate::credentials::Credentials;

pub(super) type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// How many bots may have connections; the one that was made first gives way.
const BOTS: usize = 16;
/// How long a server may take for one step.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: u32 = 8;

/// A pool of connections for each bot.
#[derive(Default)]
pub(super) struct Transports {
    known: Mutex<Vec<(Credentials, Transport)>>,
}

impl Transports {
    /// The transport of these credentials. A bot that was changed is another bot.
    pub(super) fn of(&self, credentials: &Credentials) -> Result<Transport, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, transport)) = known.iter().find(|(of, _)| of == credentials) {
            return Ok(transport.clone());
        }
        let transport = make(credentials)?;
        if known.len() == BOTS {
            known.remove(0);
        }
        known.push((credentials.clone(), transport.clone()));
        Ok(transport)
    }
}

fn make(credentials: &Credentials) -> Result<Transport, String> {
    let host = credentials
        .setting("host")
        .ok_or("the email bot has no mail server: add `host` to its settings")?;
    let encryption = credentials.setting_or_default(Channel::Email, "tls");
    let tls = match encryption {
        "none" => Tls::None,
        "starttls" => Tls::Required(parameters(host, credentials)?),
        "implicit" => Tls::Wrapper(parameters(host, credentials)?),
        other => {
            return Err(format!(
                "`tls` of the email bot is {other}: use none, starttls or implicit"
            ));
        }
    };
    let usual = match encryption {
        "none" => 25,
        "starttls" => 587,
        _ => 465,
    };
    let port = match credentials.setting("port") {
        Some(text) => text
            .parse()
            .map_err(|_| format!("`port` of the email bot is {text}: use a number below 65536"))?,
        None => usual,
    };
    let pool = PoolConfig::new()
        .max_size(IDLE_CONNECTIONS)
        .idle_timeout(IDLE_TIMEOUT);
    let mut builder = Transport::builder_dangerous(host)
        .port(port)
        .tls(tls)
        .timeout(Some(STEP_TIMEOUT))
        .pool_config(pool);
    match (credentials.setting("username"), credentials.secret("password")) {
        (Some(username), Some(password)) => {
            builder = builder.credentials(Login::new(username.to_owned(), password.to_owned()));
        }
        (None, None) => {}
        (Some(_), None) => {
            return Err("the email bot has a username but no password under `secrets`".to_owned());
        }
        (None, Some(_)) => {
            return Err("the email bot has a password but no `username` in its settings".to_owned());
        }
    }
    Ok(builder.build())
}

fn parameters(host: &str, credentials: &Credentials) -> Result<TlsParameters, String> {
    let mut builder =
        TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    if let Some(pem) = credentials.setting("ca_certificate") {
        let wrong = || "`ca_certificate` of the email bot is not a certificate in PEM".to_owned();
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(wrong());
        }
        builder = builder.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(|_| wrong())?);
    }
    builder
        .build_rustls()
        .map_err(|error| format!("no TLS for the email bot: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn credentials(settings: &[(&str, &str)], secrets: &[(&str, &str)]) -> Credentials {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        Credentials::new(map(settings), map(secrets))
    }

    #[tokio::test]
    async fn settings_that_cannot_work_are_named() {
        chassis::install_cryptography();
        let error = |settings: &[(&str, &str)], secrets: &[(&str, &str)]| {
            make(&credentials(settings, secrets)).err().unwrap_or_default()
        };
        assert!(error(&[], &[]).contains("add `host`"));
        assert!(error(&[("host", "a"), ("tls", "ssl")], &[]).contains("use none, starttls or implicit"));
        assert!(error(&[("host", "a"), ("port", "smtp")], &[]).contains("`port`"));
        assert!(error(&[("host", "a"), ("username", "u")], &[]).contains("no password"));
        assert!(error(&[("host", "a")], &[("password", "p")]).contains("no `username`"));
        assert!(error(&[("host", "a"), ("ca_certificate", "x")], &[]).contains("`ca_certificate`"));
        for tls in ["none", "starttls", "implicit"] {
            assert_eq!(
                error(
                    &[("host", "a"), ("tls", tls), ("username", "u")],
                    &[("password", "p")]
                ),
                ""
            );
        }
    }

    #[tokio::test]
    async fn only_so_many_bots_keep_connections() {
        let transports = Transports::default();
        for bot in 0..BOTS + 5 {
            transports
                .of(&credentials(
                    &[("host", &format!("host-{bot}")), ("tls", "none")],
                    &[],
                ))
                .unwrap();
        }
        let known = transports.known.lock().unwrap();
        assert_eq!((known.len(), known[0].0.setting("host")), (BOTS, Some("host-5")));
    }
}
