//! How many attempts may be in flight, and for which destination a slot is free. Knows no clock and no destination.
//!
//! An attempt that hangs holds its slot until its time limit, and which attempts hang is known only afterwards. So slots are
//! shared twice by one rule: those of the channel among its groups (the host of a webhook, the account of a bot), and those
//! of a group among its destinations. The rule leaves slots free for holders of none: a new holder gets few; one that failed
//! last gets one, and never of the last quarter; one that already holds many leaves half.

use std::sync::Arc;

use schemas::Channel;
use schemas::channels::SlotGroup;

use super::limiter::Limits;
use super::pending::Endpoint;
use crate::sender::SendResult;

/// Slots of a destination that has not answered yet.
const DESTINATION_NEW: usize = 4;
/// Slots of a destination that failed last.
const DESTINATION_SUSPECT: usize = 1;
/// Slots of a group that has not answered yet, beside the first one of each destination.
const GROUP_NEW: usize = 8;
/// Slots of a group that failed last, beside those of destinations that did not.
const GROUP_SUSPECT: usize = 4;
/// A holder of so many gets more only while half of all are free.
const MANY: usize = 4;

/// The result of the last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Standing {
    /// No attempt has ended yet.
    #[default]
    New,
    /// It was answered.
    Trusted,
    /// It failed, or was not answered in time.
    Suspect,
}

impl Standing {
    pub(crate) const fn after(result: &SendResult) -> Self {
        match result {
            SendResult::Transient { .. } => Self::Suspect,
            SendResult::Sent { .. }
            | SendResult::BadDestination(_)
            | SendResult::BadCredentials(_)
            | SendResult::Refused(_) => Self::Trusted,
        }
    }

    /// How many attempts may be in flight to a destination.
    pub(crate) fn at_destination(self, limits: &Limits) -> usize {
        let most = limits.in_flight_per_destination;
        match self {
            Self::New => most.min(DESTINATION_NEW),
            Self::Trusted => most,
            Self::Suspect => DESTINATION_SUSPECT,
        }
    }

    /// How many attempts may be in flight to a group, counting those of destinations that are not bound by it.
    pub(crate) fn in_group(self, limits: &Limits) -> usize {
        let most = limits.in_flight_per_group;
        match self {
            Self::New => most.min(GROUP_NEW),
            Self::Trusted => most,
            Self::Suspect => most.min(GROUP_SUSPECT),
        }
    }
}

/// Whether a holder of `held` slots gets another where `taken` of `limit` are taken. The holder's own bound is not checked
/// here.
pub(crate) fn admits(limit: usize, taken: usize, held: usize, standing: Standing) -> bool {
    let quarter = (limit / 4).max(2);
    let left_free = match (standing, held) {
        (Standing::Suspect, _) => quarter,
        (Standing::New, 0) => (limit / 8).max(1),
        (Standing::Trusted, 0) => 0,
        (_, 1..MANY) => quarter,
        (_, MANY..) => limit / 2,
    };
    taken + left_free < limit
}

/// The group whose slots a destination shares. A bot that one step names and another leaves out, since it is the only one,
/// counts as two.
pub(crate) fn group_of(channel: Channel, endpoint: &Endpoint) -> Arc<str> {
    match channel.spec().limits.group {
        SlotGroup::Host => match reqwest::Url::parse(&endpoint.destination) {
            Ok(url) if url.has_host() => url.origin().ascii_serialization().into(),
            // It is refused without a connection.
            _ => "".into(),
        },
        SlotGroup::Bot => endpoint.bot.as_deref().unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn endpoint(destination: &str, bot: Option<&str>) -> Endpoint {
        Endpoint {
            destination: destination.to_owned(),
            bot: bot.map(str::to_owned),
        }
    }

    #[test]
    fn webhooks_share_by_host_and_port_and_the_others_by_account() {
        let of = |destination, bot| group_of(Channel::Webhook, &endpoint(destination, bot)).to_string();
        assert_eq!(of("https://Hooks.Example/a?b=c", None), "https://hooks.example");
        assert_eq!(
            of("https://hooks.example:443/d", Some("x")),
            "https://hooks.example"
        );
        assert_ne!(of("http://127.0.0.1:1/", None), of("http://127.0.0.1:2/", None));
        assert_eq!(of("no url", None), "");
        let of = |bot| group_of(Channel::Email, &endpoint("ann@example.com", bot)).to_string();
        assert_ne!(of(Some("a")), of(Some("b")));
    }

    /// As many slots as those of one standing get who come one after the other and hold `most` at most each.
    fn filled_by(limit: usize, standing: Standing, most: usize, holders: usize) -> usize {
        let mut taken = 0;
        for _ in 0..holders {
            let mut held = 0;
            while held < most && admits(limit, taken, held, standing) {
                held += 1;
                taken += 1;
            }
        }
        taken
    }

    #[test]
    fn l9_the_last_quarter_is_never_held_by_those_who_failed() {
        for channel in Channel::ALL {
            let limits = Limits::of(channel);
            let limit = limits.in_flight;
            assert!(filled_by(limit, Standing::Suspect, limit, 1_000) <= limit - limit / 4);
            assert!(filled_by(limit, Standing::New, limit, 1_000) < limit);
            assert_eq!(filled_by(limit, Standing::Trusted, limit, 1_000), limit);
            // Eight that answered until now hang, each with as much as it gets.
            let most = Standing::Trusted.in_group(&limits);
            assert!(filled_by(limit, Standing::Trusted, most, 8) < limit, "{channel}");
        }
    }

    fn standing() -> impl Strategy<Value = Standing> {
        prop_oneof![
            Just(Standing::New),
            Just(Standing::Trusted),
            Just(Standing::Suspect)
        ]
    }

    proptest! {
        /// For all distributions of slots: a holder of none that answered last gets a slot while
        /// any is free, and one who never answered does unless those who did hold what is left for them.
        #[test]
        fn l9_who_holds_nothing_gets_a_slot(
            limit in 8_usize..300,
            asks in prop::collection::vec((0_u8..40, standing(), 1_usize..64), 0..600),
        ) {
            let mut held: BTreeMap<u8, usize> = BTreeMap::new();
            let mut taken = 0;
            for (who, standing, most) in asks {
                let holds = held.entry(who).or_default();
                if *holds < most && admits(limit, taken, *holds, standing) {
                    *holds += 1;
                    taken += 1;
                }
                prop_assert!(taken <= limit);
                prop_assert_eq!(admits(limit, taken, 0, Standing::Trusted), taken < limit);
                // More than three quarters are taken only by first slots of those who did not fail.
                let first = held.values().filter(|held| **held > 0).count();
                prop_assert!(taken <= limit - (limit / 4).max(2) + first);
                if first == 0 {
                    prop_assert!(admits(limit, taken, 0, Standing::New));
                }
            }
        }
    }
}
