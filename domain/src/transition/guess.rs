//! Ends that are guessed: a message says by its color alone that a problem has ended.
//!
//! The color may be that of the sender rather than that of the problem, so it must not make an alert vanish: it ends what
//! is open, and what is not open begins. It ends neither what began with such a color nor what different texts have
//! opened, as it does not say which of them has ended.

use schemas::{AlertEvent, DecoratedEvent, EndEvidence, EventKind, Happening, Reason, What};

use super::change::Change;
use super::lifecycle;
use crate::state::Accepted;

/// The event as the beginning of a problem, if its end is a guess.
pub(super) fn as_beginning(decorated: &DecoratedEvent) -> Option<DecoratedEvent> {
    let EventKind::Resolved {
        evidence: EndEvidence::Guess { opens_as },
    } = decorated.event.kind
    else {
        return None;
    };
    let mut beginning = decorated.clone();
    beginning.event.kind = EventKind::Firing { acknowledged: false };
    beginning.event.severity = opens_as;
    Some(beginning)
}

/// The source says for certain that the problem is there.
pub(super) fn burns(change: &mut Change<'_>, event: &AlertEvent) {
    if change.state.is_guessed {
        change.state.is_guessed = false;
        change.keep();
    }
    let state = &mut change.state;
    let known = state
        .said
        .as_ref()
        .map_or(&state.alert.output, |said| &said.output);
    state.has_several_texts |= *known != event.output && words(known) != words(&event.output);
}

/// An event whose end is a guess, about an alert that is known.
pub(super) fn ends_or_begins(
    change: &mut Change<'_>,
    decorated: &DecoratedEvent,
    beginning: &DecoratedEvent,
    newest_before: Option<Accepted>,
) {
    let (is_open, is_guessed) = (change.state.is_open(), change.state.is_guessed);
    match (is_open, is_guessed) {
        // It began with such a color, so this is the color of its messages.
        (true, true) => lifecycle::update(change, beginning),
        (true, false) if change.state.has_several_texts => stays_open(change, &decorated.event),
        (true, false) => lifecycle::close_by_event(change, &decorated.event),
        // The same end again. What began in another color has ended before in this one.
        (false, false) => lifecycle::nothing_open(change, newest_before),
        (false, true) => {
            lifecycle::reopen_by_event(change, beginning);
            change.state.is_guessed = true;
        }
    }
}

fn stays_open(change: &mut Change<'_>, event: &AlertEvent) {
    let happening = Happening {
        actor: lifecycle::source_actor(event),
        what: What::EndNotApplied {
            output: event.output.clone(),
        },
        reasons: vec![Reason::SeveralTexts],
    };
    change.record(happening, Some(event));
}

/// The words of a text without its numbers, which change while a problem lasts.
fn words(text: &str) -> Vec<&str> {
    let words = text.split(|character: char| !character.is_alphanumeric());
    let is_word = |word: &&str| !word.is_empty() && !word.starts_with(|first: char| first.is_ascii_digit());
    words.filter(is_word).collect()
}

#[cfg(test)]
mod tests {
    use schemas::{EndEvidence, EventKind, EventStatus, HistoryKind, Severity, Status};

    use super::super::examples::{at, event};
    use super::super::story::{Story, kinds};
    use super::super::{Effect, Ignored, Input, Outcome};

    /// A message says by its color that all is well.
    fn is_green(story: &mut Story, second: i64, text: &str) -> Outcome {
        story.offset += 1;
        let mut event = event(story.offset, EventStatus::Resolved, Severity::Ok, text);
        event.event.kind = EventKind::Resolved {
            evidence: EndEvidence::Guess {
                opens_as: Severity::Unknown,
            },
        };
        story.take(Input::Event(&event), at(second))
    }

    #[test]
    fn i3_a_color_ends_what_is_open() {
        let (mut story, _) = Story::open(vec![]);
        let outcome = is_green(&mut story, 10, "fine");
        assert_eq!(kinds(&outcome), [HistoryKind::Closed]);
        assert_eq!(story.alert().status, Status::Closed);
    }

    #[test]
    fn i3_a_color_opens_what_is_not_known_and_does_not_end_it_again() {
        let mut story = Story::new(vec![]);
        let outcome = is_green(&mut story, 0, "the disk is full");
        assert_eq!(kinds(&outcome), [HistoryKind::Opened]);
        let outcome = is_green(&mut story, 10, "the disk is full");
        assert_eq!(
            (outcome.effect, outcome.ignored),
            (Effect::Nothing, Some(Ignored::Refresh))
        );
        assert_eq!(story.alert().severity, Severity::Unknown);
        assert_eq!(story.alert().status, Status::Open);
        story.ends(20);
        assert_eq!(story.alert().status, Status::Closed);
        is_green(&mut story, 30, "the disk is full again");
        assert_eq!(story.alert().status, Status::Open);
    }

    #[test]
    fn i3_after_a_red_message_a_green_one_is_an_end() {
        let mut story = Story::new(vec![]);
        is_green(&mut story, 0, "the disk is full");
        story.fires(10, Severity::Critical, "the disk is full");
        is_green(&mut story, 20, "fine");
        assert_eq!(story.alert().status, Status::Closed);
        let outcome = is_green(&mut story, 30, "fine");
        assert_eq!(outcome.ignored, Some(Ignored::NothingOpen));
        assert_eq!(story.alert().status, Status::Closed);
    }

    #[test]
    fn i1_a_color_does_not_end_what_different_texts_have_opened() {
        let mut story = Story::new(vec![]);
        story.fires(0, Severity::Critical, "shop-A does not answer");
        story.fires(10, Severity::Critical, "shop-B does not answer");
        let outcome = is_green(&mut story, 20, "shop-A answers");
        assert_eq!(kinds(&outcome), [HistoryKind::Updated]);
        assert_eq!(story.alert().status, Status::Open);
        story.ends(30);
        assert_eq!(story.alert().status, Status::Closed);
        story.fires(40, Severity::Critical, "97 % used");
        story.fires(50, Severity::Critical, "98 % used");
        is_green(&mut story, 60, "12 % used");
        assert_eq!(story.alert().status, Status::Closed);
    }
}
