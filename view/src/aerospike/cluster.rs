//! What the nodes say of themselves, by the info protocol.

use std::collections::HashMap;

use ::aerospike::{AdminPolicy, Client, ClientPolicy};
use futures_util::future::join_all;

use super::{AWAY_AFTER_MS, AerospikeView};
use crate::{Cluster, ViewError};

/// Answers with the key of the cluster, or with an error while it forms or moves records.
const STABLE: &str = "cluster-stable:";

/// What one node says.
#[derive(Debug, Default, PartialEq, Eq)]
struct NodeReport {
    key: Option<String>,
    records: u64,
    copies: u32,
    full: bool,
    /// Nothing removes what has expired, and writes with an expiration are refused.
    keeps_expired: bool,
}

impl AerospikeView {
    pub(super) async fn look_at_cluster(&self) -> Result<Cluster, ViewError> {
        let policy = AdminPolicy {
            timeout: AWAY_AFTER_MS,
        };
        let question = format!("namespace/{}", self.settings.namespace);
        let reports = self.client.nodes().into_iter().map(|node| {
            let (policy, question) = (&policy, question.as_str());
            async move {
                let answers = node.info(policy, &[STABLE, question]).await;
                (node.name().to_owned(), answers)
            }
        });
        let mut reported = Vec::new();
        let mut failed = None;
        for (node, answers) in join_all(reports).await {
            match answers {
                Ok(answers) => {
                    let stable = answers.get(STABLE).map_or("", String::as_str);
                    let namespace = answers.get(&question).map_or("", String::as_str);
                    reported.push((node, NodeReport::read(stable, namespace)));
                }
                Err(error) => failed = Some(format!("asking node {node}: {error}")),
            }
        }
        if reported.is_empty() {
            let reason = match failed {
                Some(reason) => reason,
                None => self.why_no_node().await,
            };
            return Err(ViewError::Unavailable(reason));
        }
        if reported.iter().any(|(_, report)| report.keeps_expired) {
            return Err(ViewError::Misconfigured(format!(
                "namespace {} has nsup-period 0, so closed alerts can neither be written nor expire: set nsup-period 10 \
                 in its configuration (at once: asinfo -v \
                 'set-config:context=namespace;id={};nsup-period=10')",
                self.settings.namespace, self.settings.namespace
            )));
        }
        Ok(sum(reported))
    }

    /// Why the client knows no node. It goes on without saying so, and a client of its own that must connect says it: a wrong
    /// user, password, certificate or name of the cluster would look like servers that are down.
    async fn why_no_node(&self) -> String {
        let policy = ClientPolicy {
            fail_if_not_connected: true,
            ..self.settings.client_policy()
        };
        match Client::new(&policy, &self.settings.hosts).await {
            Ok(client) => {
                drop(client.close().await);
                "no node answered; one does now".to_owned()
            }
            Err(error) => error.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }
}

impl NodeReport {
    fn read(stable: &str, namespace: &str) -> Self {
        let values: HashMap<_, _> = namespace
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let number = |name: &str| values.get(name).and_then(|value| value.parse::<u64>().ok());
        let is = |name: &str| values.get(name).copied() == Some("true");
        let settled = !stable.is_empty() && stable.bytes().all(|byte| byte.is_ascii_hexdigit());
        Self {
            key: settled.then(|| stable.to_owned()),
            records: number("master_objects").unwrap_or(0),
            copies: number("effective_replication_factor")
                .and_then(|copies| u32::try_from(copies).ok())
                .unwrap_or(1),
            full: is("stop_writes") || is("clock_skew_stop_writes"),
            keeps_expired: number("nsup-period") == Some(0) && !is("allow-ttl-without-nsup"),
        }
    }
}

/// The cluster is settled when all of its nodes say the same key.
fn sum(reports: Vec<(String, NodeReport)>) -> Cluster {
    let mut cluster = Cluster {
        key: reports.first().and_then(|(_, report)| report.key.clone()),
        copies: u32::MAX,
        ..Cluster::default()
    };
    for (node, report) in reports {
        if cluster.key != report.key {
            cluster.key = None;
        }
        cluster.nodes.insert(node);
        cluster.records += report.records;
        cluster.copies = cluster.copies.min(report.copies);
        cluster.full |= report.full;
    }
    cluster
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_report_is_read_from_the_answers() {
        let namespace = "ns_cluster_size=2;effective_replication_factor=2;objects=7;master_objects=4;\
                         stop_writes=true;clock_skew_stop_writes=false;nsup-period=10;allow-ttl-without-nsup=false";
        let report = NodeReport {
            key: Some("3F1E4BAD".to_owned()),
            records: 4,
            copies: 2,
            full: true,
            keeps_expired: false,
        };
        assert_eq!(NodeReport::read("3F1E4BAD", namespace), report);
    }

    #[test]
    fn v8_a_namespace_that_nothing_expires_in_is_found() {
        let keeps = |namespace: &str| NodeReport::read("", namespace).keeps_expired;
        assert!(keeps("nsup-period=0;allow-ttl-without-nsup=false"));
        assert!(!keeps("nsup-period=0;allow-ttl-without-nsup=true"));
        assert!(!keeps("nsup-period=10;allow-ttl-without-nsup=false"));
    }

    #[test]
    fn a_cluster_is_settled_when_all_nodes_say_the_same_key() {
        let report = |key: &str, records| NodeReport {
            records,
            copies: 2,
            ..NodeReport::read(key, "")
        };
        let nodes = |second: &str| {
            sum(vec![
                ("A".to_owned(), report("AB", 3)),
                ("B".to_owned(), report(second, 4)),
            ])
        };
        let settled = nodes("AB");
        assert_eq!((settled.key.as_deref(), settled.records), (Some("AB"), 7));
        assert_eq!(settled.nodes, ["A".to_owned(), "B".to_owned()].into());
        assert_eq!(nodes("CD").key, None);
        assert_eq!(nodes("ERROR::unstable-cluster").key, None);
    }
}
