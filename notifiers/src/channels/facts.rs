//! The content of messages for people, which all channels share.

use jiff::Timestamp;
use schemas::{Alert, Fingerprint, Notification, NotificationKind, Severity};
use serde::Serialize;

use super::text::{cut, one_line};

/// How many alerts a digest names.
const NAMED_IN_A_DIGEST: usize = 10;
/// How long a name may be where others stand beside it.
const NAME_LENGTH: usize = 120;

/// One line of facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    pub(super) title: &'static str,
    pub(super) value: String,
}

/// Where an alert is in the console.
pub(super) fn alert_url(console_url: &str, alert: Fingerprint) -> String {
    format!("{}/#alert={alert}", console_url.trim_end_matches('/'))
}

/// Its severity or end, and its name, in one line.
pub(super) fn headline(notification: &Notification) -> String {
    let tag = match notification.kind {
        NotificationKind::Close => "closed",
        NotificationKind::Open | NotificationKind::Update => notification.alert.severity.name(),
    };
    let name = one_line(&notification.alert.name);
    if name.is_empty() {
        format!("[{tag}] (no name)")
    } else {
        format!("[{tag}] {name}")
    }
}

/// The facts of an alert, most important first. What is empty is left out.
pub(super) fn facts(notification: &Notification) -> Vec<Fact> {
    let alert = &notification.alert;
    let closed_at = alert
        .closed_at
        .filter(|_| notification.kind == NotificationKind::Close);
    let lasted = closed_at.map(|closed_at| duration(alert.opened_at, closed_at));
    let acknowledged = alert
        .acknowledgement
        .as_ref()
        .map(|a| with_comment(&a.by, a.comment.as_deref()));
    let assigned = alert
        .assignment
        .as_ref()
        .map(|a| with_comment(&a.assignee, a.comment.as_deref()));
    let handled = alert
        .handling
        .as_ref()
        .map(|h| format!("{} until {}", h.assignee, time(h.until)));
    let snoozed = alert
        .snooze
        .as_ref()
        .map(|s| format!("until {} by {}", time(s.until), s.by));
    let in_downtime = alert.downtime.as_ref().map(|d| {
        with_comment(
            &format!("until {} by {}", time(d.until), d.by),
            d.comment.as_deref(),
        )
    });
    let all = [
        ("Severity", Some(alert.severity.name().to_owned())),
        ("Environment", Some(alert.environment.clone())),
        ("Object", Some(alert.object.clone())),
        ("Service", alert.service.clone()),
        ("Source", Some(source(alert))),
        ("Since", Some(time(alert.opened_at))),
        ("Closed", closed_at.map(time)),
        ("Lasted", lasted),
        ("Acknowledged by", acknowledged),
        ("Assigned to", assigned),
        ("Handled by", handled),
        ("Snoozed", snoozed),
        ("In downtime", in_downtime),
        ("Comment", alert.comment.clone()),
        (
            "Opened",
            (alert.episode > 1).then(|| format!("{} times", alert.episode)),
        ),
    ];
    all.into_iter()
        .filter_map(|(title, value)| {
            Some(Fact {
                title,
                value: value.filter(|value| !value.trim().is_empty())?,
            })
        })
        .collect()
}

/// The texts of a message beside its facts.
#[derive(Debug, Serialize)]
pub(super) struct Texts<'a> {
    /// What happened, in a sentence.
    pub(super) reason: Option<&'a str>,
    /// The text of the problem.
    pub(super) output: Option<&'a str>,
}

/// The texts of a message beside its facts. The reason of an open is left out, since it repeats headline and output; the
/// output is left out when the reason quotes it.
pub(super) fn texts(notification: &Notification) -> Texts<'_> {
    let (reason, output) = (notification.reason.as_str(), notification.alert.output.trim_end());
    let (has_reason, has_output) = (!reason.trim().is_empty(), !output.is_empty());
    if notification.kind == NotificationKind::Open {
        return Texts {
            reason: (!has_output && has_reason).then_some(reason),
            output: has_output.then_some(output),
        };
    }
    let quoted = has_output && output.chars().count() < 500 && reason.contains(output);
    Texts {
        reason: has_reason.then_some(reason),
        output: (has_output && !quoted).then_some(output),
    }
}

fn source(alert: &Alert) -> String {
    match alert.source.trim() {
        "" => alert.monitoring_system.clone(),
        source => format!("{} ({source})", alert.monitoring_system),
    }
}

fn with_comment(who: &str, comment: Option<&str>) -> String {
    match comment {
        Some(comment) => format!("{who}: {comment}"),
        None => who.to_owned(),
    }
}

/// The annotations of an alert without those that the message shows anyway: the output, and the URLs among the links.
pub(super) fn annotations(alert: &Alert) -> Vec<(&str, &str)> {
    let is_shown = |text: &str| text == alert.output.trim() || alert.links.values().any(|url| url == text);
    alert
        .annotations
        .iter()
        .map(|(name, text)| (name.as_str(), text.trim()))
        .filter(|(_, text)| !text.is_empty() && !is_shown(text))
        .collect()
}

/// The links of an alert that a browser can follow.
pub(super) fn links(alert: &Alert) -> Vec<(&str, &str)> {
    let followed = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    alert
        .links
        .iter()
        .filter(|(_, url)| followed(url))
        .map(|(title, url)| (title.as_str(), url.as_str()))
        .collect()
}

/// A time for people.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How long it was, in its two largest units.
fn duration(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let first = units
        .iter()
        .position(|(_, length)| seconds >= *length)
        .unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (name, length) in units.iter().skip(first).take(2) {
        if rest / length > 0 || parts.is_empty() {
            parts.push(format!("{} {name}", rest / length));
        }
        rest %= length;
    }
    parts.join(" ")
}

/// The summary of many notifications.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Count and what happened.
    pub(super) headline: String,
    /// The worst of their severities.
    #[serde(skip)]
    pub(super) worst: Severity,
    /// The first of them, a line each.
    pub(super) named: Vec<String>,
    /// How many are not named.
    pub(super) more: usize,
}

/// Sums up notifications of one kind.
pub(super) fn summary(of: &[Notification]) -> Summary {
    let worst = of
        .iter()
        .map(|one| one.alert.severity)
        .max()
        .unwrap_or(Severity::Ok);
    let count = of.len();
    let headline = match of.first().map(|one| one.kind) {
        Some(NotificationKind::Close) => format!("[closed] {count} alerts have closed"),
        Some(NotificationKind::Update) => format!("[{worst}] {count} alerts have changed"),
        Some(NotificationKind::Open) | None => format!("[{worst}] {count} alerts have opened"),
    };
    let line = |one: &Notification| {
        let object = one_line(&one.alert.object);
        let name = cut(&headline_of(one), NAME_LENGTH);
        if object.is_empty() {
            name
        } else {
            format!("{name} on {}", cut(&object, NAME_LENGTH))
        }
    };
    let named: Vec<_> = of.iter().take(NAMED_IN_A_DIGEST).map(line).collect();
    Summary {
        headline,
        worst,
        more: count - named.len(),
        named,
    }
}

/// The headline of one alert in a digest: always with the severity, since the digest says what has happened.
fn headline_of(one: &Notification) -> String {
    format!("[{}] {}", one.alert.severity, one_line(&one.alert.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_two_largest_units() {
        let from = Timestamp::UNIX_EPOCH;
        let lasting = |seconds| duration(from, Timestamp::from_second(seconds).unwrap());
        assert_eq!(
            [0, 59, 60, 3_725, 86_400, 90_061].map(lasting),
            ["0 s", "59 s", "1 min", "1 h 2 min", "1 d", "1 d 1 h"]
        );
    }
}
