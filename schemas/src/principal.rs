//! On whose behalf something is requested, by what means, and what they may do.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who requests something. Every command and every change of the site carries one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Principal {
    /// For lists and logs: `token NAME`, `integration NAME`, `anonymous` or `reveille`.
    pub who: String,
    /// What gives them their permissions.
    pub roles: BTreeSet<Role>,
    /// How it is known who they are.
    pub via: Via,
}

/// How it is known on whose behalf a request is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Via {
    /// It is not: no access token is configured, so the listener is reached from this machine alone.
    Anonymous,
    /// By an access token, sent with the request.
    Token {
        /// The name of the token.
        name: String,
    },
    /// By a session of the console that was opened with an access token.
    Session {
        /// The name of the token.
        token: String,
    },
    /// By a key of an integration.
    IntegrationKey {
        /// The name of the integration.
        integration: String,
    },
    /// A process of Reveille requests it by itself.
    System,
}

/// What a principal is allowed, as a set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything that people do.
    Administrator,
    /// What a sender does with what belongs to its integration.
    Sender,
}

/// What a route of the API asks for. Each route names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Read alerts, their histories and who was notified.
    AlertsRead,
    /// Act on alerts.
    AlertsAct,
    /// Read what was refused at ingestion.
    RejectedRead,
    /// Read silences.
    SilencesRead,
    /// Make, change and end silences.
    SilencesWrite,
    /// Read the configuration and its revisions.
    SiteRead,
    /// Change the configuration.
    SiteWrite,
    /// Read how the keys of integrations are used.
    IntegrationsRead,
    /// Read which channels there are and what each can do.
    ChannelsRead,
    /// Read that and how the API works: its description, probes and metrics.
    StatusRead,
    /// Read what belongs to the integration whose key is shown.
    OwnRead,
    /// Change what belongs to the integration whose key is shown.
    OwnWrite,
}

impl Permission {
    /// All of them.
    pub const ALL: [Permission; 12] = [
        Permission::AlertsRead,
        Permission::AlertsAct,
        Permission::RejectedRead,
        Permission::SilencesRead,
        Permission::SilencesWrite,
        Permission::SiteRead,
        Permission::SiteWrite,
        Permission::IntegrationsRead,
        Permission::ChannelsRead,
        Permission::StatusRead,
        Permission::OwnRead,
        Permission::OwnWrite,
    ];

    /// How it is written: what it concerns, and what may be done to it.
    pub const fn name(self) -> &'static str {
        match self {
            Permission::AlertsRead => "alerts.read",
            Permission::AlertsAct => "alerts.act",
            Permission::RejectedRead => "rejected.read",
            Permission::SilencesRead => "silences.read",
            Permission::SilencesWrite => "silences.write",
            Permission::SiteRead => "site.read",
            Permission::SiteWrite => "site.write",
            Permission::IntegrationsRead => "integrations.read",
            Permission::ChannelsRead => "channels.read",
            Permission::StatusRead => "status.read",
            Permission::OwnRead => "own.read",
            Permission::OwnWrite => "own.write",
        }
    }

    /// Whether it concerns the integration whose key is shown, and nothing else.
    const fn is_own(self) -> bool {
        matches!(self, Permission::OwnRead | Permission::OwnWrite)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Role {
    /// Whether the role gives this permission.
    pub const fn grants(self, permission: Permission) -> bool {
        match self {
            Role::Administrator => !permission.is_own(),
            Role::Sender => permission.is_own(),
        }
    }
}

impl Principal {
    /// The caller of a process without an access token.
    pub fn anonymous() -> Self {
        Self::of("anonymous".to_owned(), Role::Administrator, Via::Anonymous)
    }

    /// Who shows the access token with this name.
    pub fn token(name: &str) -> Self {
        let via = Via::Token {
            name: name.to_owned(),
        };
        Self::of(format!("token {name}"), Role::Administrator, via)
    }

    /// Who has opened a session with the access token with this name.
    pub fn session(token: &str) -> Self {
        let via = Via::Session {
            token: token.to_owned(),
        };
        Self::of(format!("token {token}"), Role::Administrator, via)
    }

    /// Who shows a key of this integration.
    pub fn integration(name: &str) -> Self {
        let via = Via::IntegrationKey {
            integration: name.to_owned(),
        };
        Self::of(format!("integration {name}"), Role::Sender, via)
    }

    /// A process of Reveille.
    pub fn system() -> Self {
        Self::of("reveille".to_owned(), Role::Administrator, Via::System)
    }

    fn of(who: String, role: Role, via: Via) -> Self {
        Self {
            who,
            roles: [role].into(),
            via,
        }
    }

    /// Whether one of the roles gives this permission.
    pub fn may(&self, permission: Permission) -> bool {
        self.roles.iter().any(|role| role.grants(permission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_may_do_all_but_what_a_sender_does_with_its_own() {
        let (people, sender) = (Principal::token("shared"), Principal::integration("main"));
        for permission in Permission::ALL {
            assert_ne!(people.may(permission), sender.may(permission), "{permission}");
        }
        assert!(people.may(Permission::SiteWrite));
        assert!(!sender.may(Permission::AlertsRead));
        let nothing = Principal {
            roles: BTreeSet::new(),
            ..people
        };
        assert!(!Permission::ALL.iter().any(|permission| nothing.may(*permission)));
    }
}
