//! What tells one alert, and one step of a scenario, from every other.

use schemas::config::Step;
use schemas::{Endpoint, Fingerprint};
use sha2::{Digest, Sha256};

/// The fingerprint of an identity: the parts that, together, tell one alert from every other.
///
/// The parts are hashed in full, each with its length before it, so that no two different identities look the same
/// however the text is spread over the parts. Severity, output and environment are not parts of an identity: an
/// alert stays the same when they change.
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> Fingerprint {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Fingerprint::from_bytes(bytes)
}

/// Hexadecimal digits of the id of a step: enough for the few steps of one scenario.
const STEP_ID_LENGTH: usize = 8;

/// The monitoring system of every heartbeat's alert.
pub const HEARTBEAT: &str = "heartbeat";

/// The fingerprint of a heartbeat's alert, however it is called.
pub fn of_heartbeat(integration: &str, name: &str) -> Fingerprint {
    fingerprint([integration, HEARTBEAT, name])
}

/// The id of a step that is given none: by what it notifies and when, and by how many of those before it are alike in that. So it
/// stays the same when its severity or its time window changes, and when steps are added beside it.
pub fn of_step(targets: &[Endpoint], delay_seconds: u64, before: &[Step]) -> String {
    let is_alike = |step: &&Step| step.targets == targets && step.delay_seconds == delay_seconds;
    let occurrence = before.iter().filter(is_alike).count().to_string();
    let delay = delay_seconds.to_string();
    let mut parts = vec![delay.as_str(), &occurrence];
    for target in targets {
        parts.extend([
            target.channel.name(),
            &target.destination,
            target.bot.as_deref().unwrap_or_default(),
        ]);
    }
    let mut id = fingerprint(parts).to_string();
    id.truncate(STEP_ID_LENGTH);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_move_between_parts_unnoticed() {
        assert_ne!(fingerprint(["ab", "c"]), fingerprint(["a", "bc"]));
        assert_ne!(fingerprint(["ab"]), fingerprint(["ab", ""]));
    }

    #[test]
    fn fingerprints_never_change_between_versions() {
        assert_eq!(
            fingerprint(["default", "api", "disk full"]).to_string(),
            "4aa4466e9f14a70ebf10e12ebb21a15c"
        );
    }

    #[test]
    fn names_that_differ_only_at_their_end_are_different_alerts() {
        let long = "x".repeat(300);
        assert_ne!(
            fingerprint([format!("{long}1").as_str()]),
            fingerprint([format!("{long}2").as_str()])
        );
    }
}
