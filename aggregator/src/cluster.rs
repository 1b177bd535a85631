//! Whether the servers of the view may have lost records between two looks.

use view::Cluster;

/// Records may become fewer by this part of them without a reason: closed alerts expire.
const EXPIRING_PART: u64 = 10;

/// Why records may be gone, if they may.
pub(crate) fn lost_records(before: &Cluster, now: &Cluster) -> Option<&'static str> {
    if before.nodes != now.nodes {
        return Some("other nodes answer than before");
    }
    match (&before.key, &now.key) {
        (Some(before), Some(now)) if before != now => return Some("the cluster has formed anew"),
        (None, Some(_)) => return Some("the cluster has settled"),
        _ => {}
    }
    if before.full && !now.full {
        return Some("there was no room, and there is some again");
    }
    if now.records < before.records - before.records / EXPIRING_PART {
        return Some("there are far fewer records than before");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(nodes: &[&str], key: &str, records: u64) -> Cluster {
        Cluster {
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            key: Some(key.to_owned()),
            records,
            copies: 2,
            full: false,
        }
    }

    #[test]
    fn v3_what_may_have_lost_records_is_seen() {
        let before = cluster(&["A", "B"], "1", 1_000);
        let unsettled = Cluster {
            key: None,
            ..before.clone()
        };
        let full = Cluster {
            full: true,
            ..before.clone()
        };
        for (before, now, lost) in [
            (&before, before.clone(), false),
            (&before, cluster(&["A"], "1", 1_000), true),
            (&before, cluster(&["A", "B", "C"], "1", 1_000), true),
            (&before, cluster(&["A", "B"], "2", 1_000), true),
            (&before, cluster(&["A", "B"], "1", 5_000), false),
            (&before, cluster(&["A", "B"], "1", 900), false),
            (&before, cluster(&["A", "B"], "1", 899), true),
            (&before, unsettled.clone(), false),
            (&unsettled, before.clone(), true),
            (&before, full.clone(), false),
            (&full, before.clone(), true),
        ] {
            let found = lost_records(before, &now);
            assert_eq!(found.is_some(), lost, "{before:?} → {now:?}: {found:?}");
        }
    }
}
