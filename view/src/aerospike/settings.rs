//! Where the cluster is, and how it is spoken to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::aerospike::{AuthMode, ClientPolicy, TlsPolicy};
use rustls::ClientConfig;

use super::AWAY_AFTER_MS;

/// How often the client looks for changes of the cluster.
const TEND_EVERY_MS: u32 = 500;

/// Where the cluster is, and how it is spoken to.
#[derive(Clone)]
pub struct AerospikeSettings {
    /// Some of its nodes, with commas between them: `host:port`, or `host:tls-name:port` where the certificate of a node is
    /// for another name than its host.
    pub hosts: String,
    /// The namespace.
    pub namespace: String,
    /// How long it is kept that an alert has closed, so that an older version cannot bring it back.
    pub closed_for: Duration,
    /// User and password (internal authentication).
    pub credentials: Option<(String, String)>,
    /// How connections are secured, if they are.
    pub tls: Option<Arc<ClientConfig>>,
    /// Speak to the nodes at their alternate addresses (`alternate-access-address`), as from outside of their network.
    pub alternate_addresses: bool,
    /// The name that the cluster must have, if one is expected.
    pub cluster_name: Option<String>,
}

impl AerospikeSettings {
    /// A cluster without users and TLS, of whatever name.
    pub fn new(hosts: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            hosts: hosts.into(),
            namespace: namespace.into(),
            closed_for: Self::CLOSED_FOR,
            credentials: None,
            tls: None,
            alternate_addresses: false,
            cluster_name: None,
        }
    }

    /// How long it is kept that an alert has closed when nothing else is set.
    pub const CLOSED_FOR: Duration = Duration::from_mins(10);

    pub(super) fn client_policy(&self) -> ClientPolicy {
        let auth_mode = match &self.credentials {
            Some((user, password)) => AuthMode::Internal(user.clone(), password.clone()),
            None => AuthMode::None,
        };
        ClientPolicy {
            auth_mode,
            tls_policy: self.tls.clone().map(TlsPolicy::new),
            use_services_alternate: self.alternate_addresses,
            cluster_name: self.cluster_name.clone(),
            timeout: AWAY_AFTER_MS,
            fail_if_not_connected: false,
            tend_interval: TEND_EVERY_MS,
            ..ClientPolicy::default()
        }
    }
}

/// Without the password.
impl fmt::Debug for AerospikeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AerospikeSettings")
            .field("hosts", &self.hosts)
            .field("namespace", &self.namespace)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .field("tls", &self.tls.is_some())
            .field("alternate_addresses", &self.alternate_addresses)
            .field("cluster_name", &self.cluster_name)
            .finish_non_exhaustive()
    }
}
