//! The pending notifications of one alert at one destination, in order, and which of them are superseded.

use schemas::NotificationKind;

/// A pending notification, as far as its neighbours matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) episode: u32,
    pub(crate) kind: NotificationKind,
    /// An attempt may have reached the destination.
    pub(crate) maybe_delivered: bool,
}

/// Which of the pending notifications of a lane, in their order, are superseded.
///
/// An update is superseded by a later update or by the close of the same episode. An open is superseded together with its
/// close and all between, as long as it cannot have been delivered. Updates and closes of an open that failed permanently
/// (that of `failed_episode`) are superseded too: the receiver does not know the alert.
pub(crate) fn superseded(items: &[Item], failed_episode: Option<u32>) -> Vec<bool> {
    let mut superseded = Vec::with_capacity(items.len());
    for episode in items.chunk_by(|a, b| a.episode == b.episode) {
        let failed = failed_episode == episode.first().map(|item| item.episode);
        superseded.extend(superseded_in_episode(episode, failed));
    }
    superseded
}

fn superseded_in_episode(items: &[Item], open_failed: bool) -> Vec<bool> {
    let closes = |from: usize| {
        items[from..]
            .iter()
            .any(|item| item.kind == NotificationKind::Close)
    };
    let mut superseded = Vec::with_capacity(items.len());
    // Whether the open before was not delivered, and will not be.
    let mut undelivered = open_failed;
    for (index, item) in items.iter().enumerate() {
        superseded.push(match item.kind {
            NotificationKind::Open => {
                undelivered = !item.maybe_delivered && closes(index);
                undelivered
            }
            NotificationKind::Update => {
                let later = &items[index + 1..];
                undelivered || later.iter().any(|later| later.kind != NotificationKind::Open)
            }
            NotificationKind::Close => undelivered,
        });
    }
    superseded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::NotificationKind::{Close, Open, Update};

    use super::*;

    fn item(episode: u32, kind: NotificationKind) -> Item {
        Item {
            episode,
            kind,
            maybe_delivered: false,
        }
    }

    fn perhaps(item: Item) -> Item {
        Item {
            maybe_delivered: true,
            ..item
        }
    }

    #[test]
    fn an_update_gives_way_to_what_is_later() {
        let items = [item(1, Update), item(1, Update), item(1, Update)];
        assert_eq!(superseded(&items, None), [true, true, false]);
        let items = [item(1, Update), item(1, Close), item(2, Open), item(2, Update)];
        assert_eq!(superseded(&items, None), [true, false, false, false]);
    }

    #[test]
    fn an_undelivered_open_goes_with_its_close() {
        let items = [
            item(1, Close),
            item(2, Open),
            item(2, Update),
            item(2, Close),
            item(3, Open),
        ];
        assert_eq!(superseded(&items, None), [false, true, true, true, false]);
        let items = [perhaps(item(2, Open)), item(2, Update), item(2, Close)];
        assert_eq!(
            superseded(&items, None),
            [false, true, false],
            "it may have been delivered, so it is closed"
        );
        assert_eq!(
            superseded(&[item(2, Open), item(2, Update)], None),
            [false, false]
        );
    }

    #[test]
    fn nothing_refers_to_an_open_that_failed_unless_it_is_tried_again() {
        let items = [item(1, Update), item(1, Close), item(2, Open)];
        assert_eq!(superseded(&items, Some(1)), [true, true, false]);
        let items = [item(1, Update), item(1, Open), item(1, Update)];
        assert_eq!(superseded(&items, Some(1)), [true, false, false]);
        assert_eq!(superseded(&[item(2, Close)], Some(1)), [false]);
    }

    /// Lives of an alert at a destination: what was sent before is cut off at any place.
    fn pending() -> impl Strategy<Value = (Vec<Item>, Option<u32>)> {
        let episode = (0_usize..4, any::<bool>(), any::<bool>());
        (prop::collection::vec(episode, 1..5), 0_usize..8, any::<bool>()).prop_map(
            |(episodes, sent, failed)| {
                let last = episodes.len() - 1;
                let mut items = Vec::new();
                for (index, (updates, delivered, ends)) in episodes.into_iter().enumerate() {
                    let number = u32::try_from(index).unwrap() + 1;
                    items.push(Item {
                        episode: number,
                        kind: Open,
                        maybe_delivered: delivered,
                    });
                    items.extend(std::iter::repeat_n(item(number, Update), updates));
                    if ends || index < last {
                        items.push(item(number, Close));
                    }
                }
                let rest = items.split_off(sent.min(items.len()));
                let cut = items.last().map(|item| item.episode).filter(|_| failed);
                (rest, cut)
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_sent_makes_sense_to_its_receiver((items, failed) in pending()) {
            let gone = superseded(&items, failed);
            let sent: Vec<_> = items.iter().zip(&gone).filter(|(_, gone)| !**gone).map(|(item, _)| *item).collect();
            for episode in items.chunk_by(|a, b| a.episode == b.episode) {
                let number = episode[0].episode;
                let of = |items: &[Item], kind| items.iter().filter(|i| i.episode == number && i.kind == kind).count();
                let begins_here = episode[0].kind == Open;
                let delivered_before = !begins_here && failed != Some(number);
                // Every delivered open has a close, and no close is sent without an open.
                prop_assert!(of(&sent, Open) + usize::from(delivered_before) >= of(&sent, Close));
                if of(&sent, Open) > 0 || delivered_before {
                    prop_assert_eq!(of(&sent, Close), of(episode, Close));
                }
                // What may have been delivered is never superseded.
                if episode[0].kind == Open && episode[0].maybe_delivered {
                    prop_assert_eq!(of(&sent, Open), 1);
                }
                // One update at most, and only if no close follows.
                prop_assert!(of(&sent, Update) <= usize::from(of(episode, Close) == 0));
                // An open without a close is sent.
                if begins_here && of(episode, Close) == 0 {
                    prop_assert_eq!(of(&sent, Open), 1);
                }
            }
            // Doing it twice changes nothing.
            prop_assert!(superseded(&sent, failed).iter().all(|gone| !gone));
        }
    }
}
