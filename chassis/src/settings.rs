//! The settings of a process: a TOML file, and environment variables of the same names over it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::AlertBounds;
use rustls::ClientConfig;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::mqtt::{MqttBroker, MqttError};
use crate::secrets::{SecretError, SiteKey};
use crate::tls::{self, ClientCertificates, Tls, TlsError, TlsFiles};

mod token_strength;

/// What environment variables begin with: `kafka` is `REVEILLE_KAFKA`.
pub const ENVIRONMENT_PREFIX: &str = "REVEILLE_";

/// What may wait in the spool.
const SPOOL_BYTES: u64 = 256 * 1024 * 1024;

/// The memory of bodies in work. One key has half of it, which has to hold the largest body with what is unpacked of it.
const BODY_MEMORY_BYTES: usize = 4 * schemas::config::Limits::LARGEST_BODY as usize;

/// The least bound of the bytes of bodies that are kept after they were refused.
const REJECTED_BYTES_MIN: u64 = 64 << 20;
/// Shorter tokens can be guessed.
const ACCESS_TOKEN_LENGTH_MIN: usize = 16;
/// Characters of the name of a token: it stands in every line of a history that its holders make.
const ACCESS_TOKEN_NAME_CHARACTERS_MAX: usize = 100;

/// Variables with the prefix that are not settings of a process.
const NOT_SETTINGS: &[&str] = &["bin", "url", "integration_key", "curl_key", "demo", "data"];

/// Everything that can be set for a process. `docs/settings.md` tells what is for which stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Addresses of the Kafka brokers, with commas between them.
    pub kafka: Option<String>,
    /// A name of this process for Kafka that stays over a restart and that no other process has; empty for none.
    pub kafka_instance: Option<String>,
    /// More settings of librdkafka, such as `security.protocol`.
    pub kafka_properties: BTreeMap<String, String>,
    /// Address of the database: `mysql://user:password@host:3306/reveille`.
    pub database: Option<String>,
    /// Addresses of the Aerospike nodes, with commas between them.
    pub aerospike: Option<String>,
    /// Aerospike namespace; `reveille` when not set.
    pub aerospike_namespace: Option<String>,
    /// Seconds that it is kept in Aerospike that an alert has closed; 600 when not set.
    pub aerospike_closed_seconds: Option<u64>,
    /// User of Aerospike; none when not set.
    pub aerospike_user: Option<String>,
    /// Its password.
    pub aerospike_password: Option<String>,
    /// Speak TLS with Aerospike.
    pub aerospike_tls: bool,
    /// Who issues the certificates of the nodes (PEM); those whom the machine trusts when not set.
    pub aerospike_tls_ca: Option<PathBuf>,
    /// Use the nodes' alternate addresses.
    pub aerospike_alternate_addresses: bool,
    /// The name that the cluster must have; any when not set.
    pub aerospike_cluster_name: Option<String>,
    /// Clients of a bridge at once; 2,500 when not set.
    pub bridge_clients: Option<usize>,
    /// Clients that a bridge sends a snapshot at once; 50 when not set.
    pub bridge_snapshots: Option<usize>,
    /// Bytes of encoded frames that a bridge holds for its clients; 128 MiB when not set.
    pub bridge_frame_bytes: Option<usize>,
    /// Where the stage listens for its users; `127.0.0.1:8080` when not set.
    pub listen: Option<SocketAddr>,
    /// Where it tells how it is; `127.0.0.1:8081` when not set.
    pub admin_listen: Option<SocketAddr>,
    /// Where collectors listen for Riemann's clients; nowhere when not set.
    pub riemann_listen: Option<SocketAddr>,
    /// The key of the integration that all of them belong to; each message shows one when not set.
    pub riemann_integration_key: Option<String>,
    /// Where collectors listen for mail; nowhere when not set.
    pub smtp_listen: Option<SocketAddr>,
    /// The MQTT broker whose messages collectors take, such as `mqtts://user:password@host:8883`; none when not set.
    pub mqtt: Option<String>,
    /// By which name it knows this process again; `reveille` when not set.
    pub mqtt_client_id: Option<String>,
    /// Who issues the broker's certificate (PEM); those whom the machine trusts when not set.
    pub mqtt_ca: Option<PathBuf>,
    /// A folder of this process alone: what collectors accept while the log is away waits there.
    pub spool: Option<PathBuf>,
    /// How many bytes may wait there; 256 MiB when not set.
    pub spool_bytes: Option<u64>,
    /// Where people find the console; links in notifications begin with it. `http://<listen>` when not set.
    pub console_url: Option<String>,
    /// The key that secrets are encrypted with, 32 bytes in base64.
    pub secret_key: Option<String>,
    /// A file with that key.
    pub secret_key_file: Option<PathBuf>,
    /// The certificate that `listen` speaks TLS with, and those that lead from it to its root (PEM); no TLS when not set.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Who issues the certificates of clients (PEM); none is asked for when not set.
    pub tls_client_ca: Option<PathBuf>,
    /// `required` or `optional`; `required` when not set.
    pub tls_client_certificates: Option<ClientCertificates>,
    /// What operators must show to use console and API. Without it nothing listens beyond loopback.
    pub access_token: Option<String>,
    /// By which name its holders are known in histories and revisions; `shared` when not set.
    pub access_token_name: Option<String>,
    /// For how many days finished deliveries are kept; 30 when not set.
    pub deliveries_days: Option<u32>,
    /// For how many days after its end the history of an alert is kept; 400 when not set.
    pub history_days: Option<u32>,
    /// For how many days a closed alert is kept; 400 when not set.
    pub closed_alerts_days: Option<u32>,
    /// How many revisions of the site are kept; 10,000 when not set.
    pub site_revisions: Option<u32>,
    /// For how many days bodies that were refused are kept; 30 when not set.
    pub rejected_days: Option<u32>,
    /// How many bytes of them are kept at most; no bound when not set.
    pub rejected_bytes: Option<u64>,
    /// How many seconds pass between two writes of the time at which an alert was last heard of; 60 when not set.
    pub last_seen_seconds: Option<u32>,
    /// How many seconds pass between two lines of the history that say only that an alert's text has changed; 60 when not
    /// set.
    pub text_changes_seconds: Option<u32>,
    /// The version that Alertmanager's clients are given; [`ALERTMANAGER_VERSION`] when not set.
    pub alertmanager_version: Option<String>,
    /// How many connections all listeners hold together at most; 8192 when not set, and never more than descriptors allow.
    pub connections: Option<u32>,
    /// How many a listener holds from one address; half of what it holds when not set.
    pub connections_per_address: Option<u32>,
    /// The memory, in bytes, that the bodies in work of a collector take together; 32 MiB when not set.
    pub body_memory_bytes: Option<usize>,
    /// How large one alert may be.
    #[serde(flatten)]
    pub alert_bounds: AlertBounds,
    /// Let notifications go to private and loopback addresses.
    pub allow_private_destinations: bool,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter of the tracing library; `info` when not set.
    pub log_level: Option<String>,
    /// Where traces are exported to (OTLP over HTTP), such as `http://127.0.0.1:4318`.
    pub otlp_endpoint: Option<String>,
}

/// The version of Alertmanager whose API is spoken. Its tools warn when theirs differs in the first two numbers.
pub const ALERTMANAGER_VERSION: &str = "0.34.0";

/// All the names, but for those of [`AlertBounds`].
const NAMES: &[&str] = &[
    "kafka",
    "kafka_instance",
    "kafka_properties",
    "database",
    "aerospike",
    "aerospike_namespace",
    "aerospike_closed_seconds",
    "aerospike_user",
    "aerospike_password",
    "aerospike_tls",
    "aerospike_tls_ca",
    "aerospike_alternate_addresses",
    "aerospike_cluster_name",
    "bridge_clients",
    "bridge_snapshots",
    "bridge_frame_bytes",
    "listen",
    "admin_listen",
    "riemann_listen",
    "riemann_integration_key",
    "smtp_listen",
    "mqtt",
    "mqtt_client_id",
    "mqtt_ca",
    "spool",
    "spool_bytes",
    "console_url",
    "secret_key",
    "secret_key_file",
    "tls_certificate",
    "tls_key",
    "tls_client_ca",
    "tls_client_certificates",
    "access_token",
    "access_token_name",
    "deliveries_days",
    "history_days",
    "closed_alerts_days",
    "site_revisions",
    "rejected_days",
    "rejected_bytes",
    "last_seen_seconds",
    "text_changes_seconds",
    "alertmanager_version",
    "connections",
    "connections_per_address",
    "body_memory_bytes",
    "allow_private_destinations",
    "log_level",
    "otlp_endpoint",
];

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("the settings file {path} cannot be read: {error}")]
    #[allow(missing_docs)]
    Unreadable { path: PathBuf, error: std::io::Error },
    /// The file is not TOML, or a value is of the wrong type.
    #[error("{place}: {error}")]
    #[allow(missing_docs)]
    Wrong { place: String, error: String },
    /// There is no such setting.
    #[error("{place}: there is no setting {name:?}; {remedy}")]
    #[allow(missing_docs)]
    Unknown {
        place: String,
        name: String,
        remedy: String,
    },
    /// A setting that the stage needs is not there.
    #[error("the setting {name} is missing: set it in the file given by --config, or as {ENVIRONMENT_PREFIX}{upper}; {meaning}", upper = name.to_uppercase())]
    #[allow(missing_docs)]
    Missing {
        name: &'static str,
        meaning: &'static str,
    },
    /// Listening for everybody without authentication.
    #[error(
        "{name} {address} is beyond loopback, and no access_token is set: set one, or listen on 127.0.0.1"
    )]
    #[allow(missing_docs)]
    Exposed { name: &'static str, address: SocketAddr },
    /// The secret key cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The MQTT broker cannot be spoken to.
    #[error(transparent)]
    Mqtt(#[from] MqttError),
}

/// More clients of one bridge than a machine has room for.
const BRIDGE_CLIENTS_MAX: usize = 1_000_000;

impl Settings {
    /// Reads the file, if one is given, and lays the environment over it.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut table = match file {
            None => toml::Table::new(),
            Some(path) => read(path)?,
        };
        let place = file.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
        let mut places = BTreeMap::new();
        for name in table.keys() {
            known(name, &place)?;
            places.insert(name.clone(), place.clone());
        }
        for (variable, value) in environment {
            let Some(name) = variable.strip_prefix(ENVIRONMENT_PREFIX).map(str::to_lowercase) else {
                continue;
            };
            if NOT_SETTINGS.contains(&name.as_str()) || name.starts_with("test_") {
                continue;
            }
            let place = format!("environment variable {variable}");
            known(&name, &place)?;
            table.insert(name.clone(), typed(&name, value));
            places.insert(name, place);
        }
        let wrong = |name: &str, error: &str| SettingsError::Wrong {
            place: places.get(name).unwrap_or(&place).clone(),
            error: format!("{name}: {error}"),
        };
        // One by one, as the library does not say which of several is wrong.
        for (name, value) in &table {
            let alone = toml::Table::from_iter([(name.clone(), value.clone())]);
            let settings: Settings = alone
                .try_into()
                .map_err(|error: toml::de::Error| wrong(name, error.message()))?;
            settings.check(name).map_err(|error| wrong(name, error))?;
        }
        let settings: Settings = table
            .try_into()
            .map_err(|error: toml::de::Error| wrong("settings", error.message()))?;
        match settings.alert_bounds.problem() {
            Some((name, remedy)) => Err(wrong(name, &remedy)),
            None => Ok(settings),
        }
    }

    /// What is of the right type and yet of no use.
    fn check(&self, name: &str) -> Result<(), &'static str> {
        let short = |token: &String| token.trim().len() < ACCESS_TOKEN_LENGTH_MIN;
        if name == "access_token" && self.access_token.as_ref().is_some_and(short) {
            return Err(
                "an access token has at least 16 characters: make one, for example with `head -c 24 /dev/urandom | base64`, or leave it out",
            );
        }
        let kept = [self.deliveries_days, self.history_days, self.closed_alerts_days];
        if kept.contains(&Some(0)) {
            return Err("at least 1: what ended less than a day ago is still in use");
        }
        if self.rejected_days == Some(0) {
            return Err("at least 1: refused bodies are kept for whole days");
        }
        if name == "rejected_bytes"
            && self
                .rejected_bytes
                .is_some_and(|bytes| bytes < REJECTED_BYTES_MIN)
        {
            return Err(
                "at least 67108864 (64 MiB): each partition of the topic has an equal part, and holds whole bodies",
            );
        }
        if name == "aerospike_closed_seconds"
            && self.aerospike_closed_seconds.is_some_and(|seconds| seconds < 60)
        {
            return Err(
                "an older version of an alert may come a minute after the alert has closed: use 60 or more",
            );
        }
        if name == "bridge_clients" && self.bridge_clients == Some(0) {
            return Err("a bridge without clients is of no use: use 1 or more");
        }
        if name == "access_token"
            && self
                .access_token
                .as_deref()
                .is_some_and(token_strength::is_guessable)
        {
            return Err(
                "this access token can be guessed (repeated characters, characters in a row, or common words): make one, for example with `head -c 24 /dev/urandom | base64`",
            );
        }
        let is_name = |name: &String| {
            let length = name.trim().chars().count();
            (1..=ACCESS_TOKEN_NAME_CHARACTERS_MAX).contains(&length) && !name.contains(char::is_control)
        };
        if name == "access_token_name" && !self.access_token_name.as_ref().is_none_or(is_name) {
            return Err("give 1 to 100 characters in one line, or leave it out");
        }
        if name == "site_revisions" && self.site_revisions == Some(0) {
            return Err("at least 1: the revision in use is one of those that are kept");
        }
        for (bound, value) in [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
        ] {
            if name == bound && value == Some(0) {
                return Err("at least one connection is needed: use 1 or more, or leave it out");
            }
        }
        let clients = [self.bridge_clients, self.bridge_snapshots];
        if clients
            .into_iter()
            .flatten()
            .any(|clients| clients > BRIDGE_CLIENTS_MAX)
        {
            return Err("no machine has room for so many clients: use 1000000 or less");
        }
        if name == "bridge_snapshots" && self.bridge_snapshots == Some(0) {
            return Err("no client would ever be sent a snapshot: use 1 or more");
        }
        if name == "body_memory_bytes"
            && self
                .body_memory_bytes
                .is_some_and(|bytes| bytes < BODY_MEMORY_BYTES)
        {
            return Err(
                "one key has half of it, which must hold the largest body twice: use 33554432 (32 MiB) or more",
            );
        }
        let level = self.log_level.as_deref();
        if name == "log_level" && level.is_some_and(|level| EnvFilter::try_new(level).is_err()) {
            return Err("use error, warn, info, debug, trace or a filter of the tracing library");
        }
        Ok(())
    }

    /// The memory, in bytes, that the bodies in work of a collector take together.
    pub fn body_memory_bytes(&self) -> usize {
        self.body_memory_bytes.unwrap_or(BODY_MEMORY_BYTES)
    }

    /// Where the stage listens for its users.
    pub fn listen(&self) -> Result<SocketAddr, SettingsError> {
        self.guarded("listen", self.listen.unwrap_or(loopback(8080)))
    }

    /// Where it tells how it is.
    pub fn admin_listen(&self) -> Result<SocketAddr, SettingsError> {
        self.guarded("admin_listen", self.admin_listen.unwrap_or(loopback(8081)))
    }

    /// The name that this process has for Kafka; when none is set, made of the machine's name and the address of
    /// `admin_listen`, which two processes of one machine cannot share.
    pub fn kafka_instance(&self) -> Result<Option<String>, SettingsError> {
        if let Some(given) = &self.kafka_instance {
            return Ok(Some(given.trim().to_owned()).filter(|given| !given.is_empty()));
        }
        let admin = self.admin_listen()?;
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let machine = machine.trim();
        // Port 0 is another one with each start.
        let stays = !machine.is_empty() && admin.port() != 0;
        Ok(stays.then(|| format!("{machine}-{admin}")))
    }

    /// Where collectors listen for Riemann's clients, if they are to.
    pub fn riemann_listen(&self) -> Result<Option<SocketAddr>, SettingsError> {
        self.riemann_listen
            .map(|address| self.guarded("riemann_listen", address))
            .transpose()
    }

    /// Where collectors listen for mail, if they are to.
    pub fn smtp_listen(&self) -> Result<Option<SocketAddr>, SettingsError> {
        self.smtp_listen
            .map(|address| self.guarded("smtp_listen", address))
            .transpose()
    }

    /// The MQTT broker whose messages collectors take, if there is one.
    pub fn mqtt(&self) -> Result<Option<MqttBroker>, SettingsError> {
        let Some(address) = &self.mqtt else {
            return Ok(None);
        };
        let client_id = self.mqtt_client_id.as_deref();
        Ok(Some(MqttBroker::new(
            address,
            client_id,
            self.mqtt_ca.as_deref(),
        )?))
    }

    /// The folder of the spool, if there is to be one, and how many bytes may wait in it.
    pub fn spool(&self) -> Option<(&Path, u64)> {
        let bytes = self.spool_bytes.unwrap_or(SPOOL_BYTES);
        self.spool.as_deref().map(|folder| (folder, bytes))
    }

    /// User and password for Aerospike, if it wants them.
    pub fn aerospike_credentials(&self) -> Result<Option<(String, String)>, SettingsError> {
        let missing = |name, meaning| SettingsError::Missing { name, meaning };
        match (&self.aerospike_user, &self.aerospike_password) {
            (Some(user), Some(password)) => Ok(Some((user.clone(), password.clone()))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(missing("aerospike_password", "the password of aerospike_user")),
            (None, Some(_)) => Err(missing(
                "aerospike_user",
                "the user whose password aerospike_password is",
            )),
        }
    }

    /// How connections to Aerospike are secured, if they are.
    pub fn aerospike_tls(&self) -> Result<Option<Arc<ClientConfig>>, SettingsError> {
        if !self.aerospike_tls {
            if self.aerospike_tls_ca.is_some() {
                return Err(SettingsError::Missing {
                    name: "aerospike_tls",
                    meaning: "aerospike_tls_ca is set, and no TLS is spoken without it",
                });
            }
            return Ok(None);
        }
        let authority = self.aerospike_tls_ca.as_deref();
        Ok(Some(tls::client_config("aerospike_tls_ca", authority)?))
    }

    /// Where people find the console.
    pub fn console_url(&self) -> String {
        let listen = self.listen.unwrap_or(loopback(8080));
        self.console_url
            .clone()
            .unwrap_or_else(|| format!("{}://{listen}", self.scheme()))
    }

    /// What addresses of `listen` begin with.
    pub fn scheme(&self) -> &'static str {
        if self.tls_certificate.is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// The key that secrets are encrypted with.
    pub fn site_key(&self) -> Result<SiteKey, SettingsError> {
        match (&self.secret_key, &self.secret_key_file) {
            (Some(text), _) => Ok(SiteKey::parse(text)?),
            (None, Some(path)) => Ok(SiteKey::read(path)?),
            (None, None) => Err(SettingsError::Missing {
                name: "secret_key",
                meaning: "32 bytes in base64 that the bots' credentials are encrypted with (or name a file with secret_key_file)",
            }),
        }
    }

    /// The key, for a stage that can do without.
    pub fn site_key_if_set(&self) -> Result<Option<SiteKey>, SettingsError> {
        if self.secret_key.is_none() && self.secret_key_file.is_none() {
            return Ok(None);
        }
        self.site_key().map(Some)
    }

    /// TLS of the public listener, if it is to speak it.
    pub fn tls(&self) -> Result<Option<Tls>, SettingsError> {
        let missing = |name, meaning| SettingsError::Missing { name, meaning };
        if self.tls_client_certificates.is_some() && self.tls_client_ca.is_none() {
            return Err(missing(
                "tls_client_ca",
                "tls_client_certificates is set, and nobody issues them",
            ));
        }
        let (certificate, key) = match (&self.tls_certificate, &self.tls_key) {
            (None, None) if self.tls_client_ca.is_none() => return Ok(None),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (None, _) => {
                return Err(missing(
                    "tls_certificate",
                    "the certificate that goes with tls_key or tls_client_ca",
                ));
            }
            (Some(_), None) => return Err(missing("tls_key", "the private key of tls_certificate")),
        };
        let wanted = self.tls_client_certificates.unwrap_or_default();
        let clients = self.tls_client_ca.clone().map(|authority| (authority, wanted));
        Ok(Some(Tls::load(TlsFiles {
            certificate,
            key,
            clients,
        })?))
    }

    /// A setting that this stage cannot do without.
    pub fn required<'a>(
        name: &'static str,
        value: Option<&'a String>,
        meaning: &'static str,
    ) -> Result<&'a str, SettingsError> {
        value
            .map(String::as_str)
            .ok_or(SettingsError::Missing { name, meaning })
    }

    fn guarded(&self, name: &'static str, address: SocketAddr) -> Result<SocketAddr, SettingsError> {
        if !address.ip().is_loopback() && self.access_token.is_none() {
            return Err(SettingsError::Exposed { name, address });
        }
        Ok(address)
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn read(path: &Path) -> Result<toml::Table, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|error| SettingsError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].lines().count().max(1)
        });
        SettingsError::Wrong {
            place: format!("{}:{line}", path.display()),
            error: error.message().to_owned(),
        }
    })
}

fn known(name: &str, place: &str) -> Result<(), SettingsError> {
    let names: Vec<_> = NAMES.iter().chain(&AlertBounds::NAMES).copied().collect();
    if names.contains(&name) {
        return Ok(());
    }
    let nearest = names
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .min();
    let remedy = match nearest {
        Some((_, nearest)) => format!("did you mean {nearest:?}?"),
        None => format!("there are {}", names.join(", ")),
    };
    Err(SettingsError::Unknown {
        place: place.to_owned(),
        name: name.to_owned(),
        remedy,
    })
}

/// Environment variables are text; a switch and a number are not.
fn typed(name: &str, value: String) -> toml::Value {
    match (name, value.as_str()) {
        (name, text) if AlertBounds::NAMES.contains(&name) => text
            .parse()
            .map_or(toml::Value::String(value), toml::Value::Integer),
        (
            "spool_bytes"
            | "deliveries_days"
            | "history_days"
            | "closed_alerts_days"
            | "site_revisions"
            | "rejected_days"
            | "rejected_bytes"
            | "aerospike_closed_seconds"
            | "bridge_clients"
            | "connections"
            | "connections_per_address"
            | "body_memory_bytes"
            | "last_seen_seconds"
            | "text_changes_seconds"
            | "bridge_snapshots"
            | "bridge_frame_bytes",
            text,
        ) => text
            .parse()
            .map_or(toml::Value::String(value), toml::Value::Integer),
        ("allow_private_destinations" | "aerospike_tls" | "aerospike_alternate_addresses", "true" | "1") => {
            toml::Value::Boolean(true)
        }
        (
            "allow_private_destinations" | "aerospike_tls" | "aerospike_alternate_addresses",
            "false" | "0" | "",
        ) => toml::Value::Boolean(false),
        _ => toml::Value::String(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reveille.toml");
        std::fs::write(&path, "kafka = \"a:9092\"\ndatabase = \"mysql://x\"\n").unwrap();
        let settings = Settings::load(
            Some(&path),
            environment(&[
                ("REVEILLE_KAFKA", "b:9092"),
                ("REVEILLE_ALLOW_PRIVATE_DESTINATIONS", "true"),
                ("REVEILLE_LISTEN", "127.0.0.1:9000"),
                ("REVEILLE_SPOOL", "/spool"),
                ("REVEILLE_SPOOL_BYTES", "5000"),
                ("HOME", "/root"),
            ]),
        )
        .unwrap();
        assert_eq!(settings.kafka.as_deref(), Some("b:9092"));
        assert_eq!(settings.database.as_deref(), Some("mysql://x"));
        assert!(settings.allow_private_destinations);
        assert_eq!(settings.listen().unwrap().port(), 9000);
        assert_eq!(settings.spool(), Some((Path::new("/spool"), 5000)));
    }

    #[test]
    fn a_wrong_name_is_refused_with_the_nearest_right_one() {
        let error = Settings::load(None, environment(&[("REVEILLE_DATABSE", "x")]))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "environment variable REVEILLE_DATABSE: there is no setting \"databse\"; did you mean \"database\"?"
        );
    }

    #[test]
    fn a_wrong_value_is_refused() {
        let error = Settings::load(None, environment(&[("REVEILLE_LISTEN", "everywhere")])).unwrap_err();
        let words = "environment variable REVEILLE_LISTEN: listen: invalid socket address";
        assert!(error.to_string().starts_with(words), "{error}");
        for (variable, value, words) in [
            (
                "REVEILLE_ACCESS_TOKEN",
                "",
                "REVEILLE_ACCESS_TOKEN: access_token: an access token has at least 16",
            ),
            ("REVEILLE_ACCESS_TOKEN", "fifteen letters", "has at least 16"),
            (
                "REVEILLE_ACCESS_TOKEN_NAME",
                " ",
                "access_token_name: give 1 to 100 characters",
            ),
            ("REVEILLE_SITE_REVISIONS", "0", "site_revisions: at least 1"),
            (
                "REVEILLE_LOG_LEVEL",
                "=loud",
                "REVEILLE_LOG_LEVEL: log_level: use error, warn",
            ),
            (
                "REVEILLE_ALERT_LABELS",
                "many",
                "REVEILLE_ALERT_LABELS: alert_labels: invalid type",
            ),
            (
                "REVEILLE_ALERT_TEXT_BYTES",
                "5",
                "REVEILLE_ALERT_TEXT_BYTES: alert_text_bytes: what says that a text was cut",
            ),
            (
                "REVEILLE_ALERT_TEXT_BYTES",
                "200000",
                "REVEILLE_ALERT_TEXT_BYTES: alert_text_bytes: one alert could have",
            ),
            (
                "REVEILLE_SPOOL_BYTES",
                "many",
                "REVEILLE_SPOOL_BYTES: spool_bytes: invalid type",
            ),
        ] {
            let error = Settings::load(None, environment(&[(variable, value)])).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn nothing_listens_beyond_loopback_without_authentication() {
        let everywhere = [("REVEILLE_LISTEN", "0.0.0.0:8080")];
        let error = Settings::load(None, environment(&everywhere))
            .unwrap()
            .listen()
            .unwrap_err();
        assert!(error.to_string().contains("no access_token is set"), "{error}");
        let guarded = [everywhere[0], ("REVEILLE_ACCESS_TOKEN", "sixteen letters!")];
        assert!(
            Settings::load(None, environment(&guarded))
                .unwrap()
                .listen()
                .is_ok()
        );
    }

    #[test]
    fn tls_needs_both_a_certificate_and_a_key() {
        for (name, value, missing) in [
            ("REVEILLE_TLS_CERTIFICATE", "/a", "setting tls_key is missing"),
            ("REVEILLE_TLS_KEY", "/a", "setting tls_certificate is missing"),
            (
                "REVEILLE_TLS_CLIENT_CA",
                "/a",
                "setting tls_certificate is missing",
            ),
            (
                "REVEILLE_TLS_CLIENT_CERTIFICATES",
                "optional",
                "setting tls_client_ca is missing",
            ),
        ] {
            let settings = Settings::load(None, environment(&[(name, value)])).unwrap();
            let error = settings.tls().err().map(|error| error.to_string());
            assert!(
                error.as_ref().is_some_and(|error| error.contains(missing)),
                "{error:?}"
            );
        }
        assert!(Settings::default().tls().unwrap().is_none());
    }

    #[test]
    fn v9_what_aerospike_needs_is_read_and_halves_are_refused() {
        let settings = Settings::load(
            None,
            environment(&[
                ("REVEILLE_AEROSPIKE_USER", "ops"),
                ("REVEILLE_AEROSPIKE_PASSWORD", "secret"),
                ("REVEILLE_AEROSPIKE_ALTERNATE_ADDRESSES", "true"),
                ("REVEILLE_AEROSPIKE_CLUSTER_NAME", "alerts"),
                ("REVEILLE_AEROSPIKE_CLOSED_SECONDS", "120"),
            ]),
        )
        .unwrap();
        let credentials = Some(("ops".to_owned(), "secret".to_owned()));
        assert_eq!(settings.aerospike_credentials().unwrap(), credentials);
        assert!(settings.aerospike_alternate_addresses);
        assert_eq!(settings.aerospike_cluster_name.as_deref(), Some("alerts"));
        assert_eq!(settings.aerospike_closed_seconds, Some(120));
        assert!(settings.aerospike_tls().unwrap().is_none());
        for (name, value, words) in [
            ("USER", "ops", "setting aerospike_password is missing"),
            ("PASSWORD", "secret", "setting aerospike_user is missing"),
            ("TLS_CA", "/nowhere", "setting aerospike_tls is missing"),
            ("CLOSED_SECONDS", "5", "use 60 or more"),
        ] {
            let variable = format!("REVEILLE_AEROSPIKE_{name}");
            let error = Settings::load(None, environment(&[(variable.as_str(), value)]))
                .and_then(|settings| {
                    settings.aerospike_credentials()?;
                    settings.aerospike_tls().map(drop)
                })
                .unwrap_err()
                .to_string();
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let tls = environment(&[
            ("REVEILLE_AEROSPIKE_TLS", "true"),
            ("REVEILLE_AEROSPIKE_TLS_CA", "/nowhere"),
        ]);
        let error = Settings::load(None, tls).unwrap().aerospike_tls().unwrap_err();
        assert!(
            error.to_string().starts_with("aerospike_tls_ca /nowhere"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_setting_is_named_with_its_meaning() {
        let error = Settings::required("kafka", None, "the brokers")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("REVEILLE_KAFKA") && error.contains("the brokers"),
            "{error}"
        );
    }
}
