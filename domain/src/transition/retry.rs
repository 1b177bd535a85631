//! Opens that could not be delivered for good, and when they are tried again.
//!
//! A receiver that refuses a message, or a bot whose credentials are wrong, is given up at once: more attempts of the same do not
//! help. But the problem is still there, and so is the promise to notify of it. So the open is tried again when the alert gets
//! worse, when the bot is configured otherwise, and after an hour.

use jiff::{SignedDuration, Timestamp};
use schemas::{Alert, FailedOpen, Fingerprint, LedgerEntry, LedgerState};

use crate::Site;

/// How long it takes at most until an open is tried again.
const RETRY_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What is so now that an open could not be delivered.
pub(crate) fn failed(entry: &LedgerEntry, alert: &Alert, site: &Site, at: Timestamp) -> FailedOpen {
    FailedOpen {
        at,
        severity: alert.severity,
        bot: bot(entry, site),
    }
}

/// When a row is tried again at the latest, if its open could not be delivered.
pub(crate) fn retry_at(entry: &LedgerEntry) -> Option<Timestamp> {
    let failed = entry.failed.filter(|_| entry.state == LedgerState::Failed)?;
    failed.at.checked_add(RETRY_AFTER).ok()
}

/// Whether a row is to be tried again now, since its open could not be delivered.
pub(crate) fn is_due(entry: &LedgerEntry, alert: &Alert, site: &Site, now: Timestamp) -> bool {
    let Some(failed) = entry.failed.filter(|_| entry.state == LedgerState::Failed) else {
        return false;
    };
    alert.severity > failed.severity
        || bot(entry, site) != failed.bot
        || retry_at(entry).is_some_and(|retry_at| retry_at <= now)
}

/// Hash of the bot of a row, as it is configured.
fn bot(entry: &LedgerEntry, site: &Site) -> Option<Fingerprint> {
    let bot = site.bot(entry.channel, entry.bot.as_deref())?;
    let text = serde_json::to_string(bot).ok()?;
    Some(crate::fingerprint([text.as_str()]))
}

#[cfg(test)]
mod tests {
    use schemas::config::{Bot, ConfigEntry};
    use schemas::{Channel, DeliveryFailure, HistoryKind, NotificationKind, ReceiptOutcome, Severity};

    use super::super::examples::{at, step};
    use super::super::story::{Story, kinds, sent, told};
    use super::super::{Effect, Input};
    use crate::transition::deadlines::{DeadlineKind, next_deadline};
    use crate::words;

    fn bot(token: &str) -> ConfigEntry {
        ConfigEntry::Bot(Bot {
            name: "slack".to_owned(),
            channel: Channel::Slack,
            settings: [].into(),
            sealed_secrets: [("token".to_owned(), token.to_owned())].into(),
        })
    }

    /// An alert whose open was refused at second 1.
    fn refused() -> Story {
        let mut story = Story::new(vec![step(Channel::Slack, "#ops")]);
        story.site.apply("bot/slack", Some(bot("wrong")));
        let opened = story.fires(0, Severity::Critical, "99 %");
        let failed = ReceiptOutcome::Failed {
            failure: DeliveryFailure::BadCredentials,
            error: "invalid_auth".to_owned(),
        };
        story.receipt(1, &opened.notifications[0], failed);
        story
    }

    #[test]
    fn l10_an_open_that_was_refused_is_tried_again_when_the_alert_gets_worse() {
        let mut story = refused();
        assert_eq!(told(&story.fires(10, Severity::Critical, "98 %")), []);
        let worse = story.fires(20, Severity::Down, "gone");
        assert_eq!(told(&worse), [(NotificationKind::Open, "#ops")]);
        let line = worse.history.last().unwrap();
        assert_eq!(line.kind(), HistoryKind::Notifying);
        assert_eq!(
            words::message(&line.happening),
            "slack #ops is notified again, as the opening could not be delivered: invalid_auth"
        );
    }

    #[test]
    fn l10_an_open_that_was_refused_is_tried_again_with_another_token() {
        let mut story = refused();
        assert_eq!(told(&story.take(Input::Deadline, at(10))), []);
        story.site.apply("bot/slack", Some(bot("right")));
        assert_eq!(
            told(&story.take(Input::Deadline, at(20))),
            [(NotificationKind::Open, "#ops")]
        );
    }

    #[test]
    fn l10_an_open_that_was_refused_is_tried_again_after_an_hour() {
        let mut story = refused();
        let deadline = next_deadline(story.state.as_ref().unwrap(), &story.site, at(1)).unwrap();
        assert_eq!((deadline.kind, deadline.due_at), (DeadlineKind::Step, at(3_601)));
        let again = story.take(Input::Deadline, at(3_601));
        assert_eq!(told(&again), [(NotificationKind::Open, "#ops")]);
        assert_eq!(kinds(&story.ends(3_700)), [HistoryKind::Closed]);
    }

    #[test]
    fn l10_the_time_of_the_next_try_is_written_though_another_destination_of_the_channel_was_reached() {
        let mut story = Story::new(vec![step(Channel::Slack, "#ops"), step(Channel::Slack, "#dev")]);
        let opened = story.fires(0, Severity::Critical, "99 %");
        story.receipt(1, &opened.notifications[0], sent("C1:1"));
        let failed = ReceiptOutcome::Failed {
            failure: DeliveryFailure::BadDestination,
            error: "channel_not_found".to_owned(),
        };
        let answered = story.receipt(2, &opened.notifications[1], failed);
        // A deadline is written with the alert and with nothing else.
        assert_eq!(answered.effect, Effect::Keep);
        let deadline = next_deadline(story.state.as_ref().unwrap(), &story.site, at(2)).unwrap();
        assert_eq!(deadline.due_at, at(3_602));
    }

    #[test]
    fn l10_what_is_acknowledged_is_tried_again_once_it_is_not() {
        let mut story = refused();
        story.operator(10, schemas::Action::Acknowledge { comment: None });
        assert_eq!(told(&story.take(Input::Deadline, at(3_601))), []);
        let taken_back = story.operator(4_000, schemas::Action::Unacknowledge);
        assert_eq!(told(&taken_back), [(NotificationKind::Open, "#ops")]);
    }
}
