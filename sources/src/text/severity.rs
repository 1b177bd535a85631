//! The words that senders have for a severity.

use schemas::Severity;

/// The severity that a word of any common tool stands for; `None` for other words. `ok` is not among the
/// words: what it means differs between the sources.
pub(crate) fn of_word(word: &str) -> Option<Severity> {
    let severity = match word.trim().to_ascii_lowercase().as_str() {
        "information" | "info" | "informational" | "notice" | "debug" | "low" | "p4" | "p5" | "sev4"
        | "sev5" => Severity::Information,
        "warning" | "warn" | "minor" | "average" | "medium" | "moderate" | "degraded" | "p3" | "sev3" => {
            Severity::Warning
        }
        "critical" | "crit" | "error" | "err" | "major" | "high" | "severe" | "page" | "p2" | "sev2" => {
            Severity::Critical
        }
        "urgent" | "emergency" | "alert" | "fatal" | "disaster" | "blocker" | "p1" | "sev1" | "p0"
        | "sev0" => Severity::Urgent,
        "down" => Severity::Down,
        "unknown" => Severity::Unknown,
        _ => return None,
    };
    Some(severity)
}
