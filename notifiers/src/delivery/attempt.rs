//! One attempt, from the waiting notifications to the provider's answer.

use std::sync::Arc;
use std::time::Duration;

use schemas::{Notification, NotificationKind};

use super::Desk;
use super::queue::{Parcel, digest_id};
use crate::answer::{Answer, Errand, Told};
use crate::credentials::Credentials;

/// The longest that an attempt takes, whatever a channel's own limits are.
const LIMIT: Duration = Duration::from_secs(60);

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The channel has answered, after this time.
    Made { answer: Answer, took: Duration },
    /// Something of ours was away, so the provider was not asked.
    NotMade { error: String },
}

/// Makes an attempt. `opened_as` is what is remembered of the message that opened the alert here.
pub(super) async fn make(desk: Arc<Desk>, parcel: Arc<Parcel>, opened_as: Option<Arc<str>>) -> Attempt {
    let start = desk.context.clock.steady();
    let made = |answer| {
        let took = desk.context.clock.steady().since(start);
        Attempt::Made { answer, took }
    };
    let told: Result<Vec<Notification>, _> = parcel
        .members
        .iter()
        .map(|member| serde_json::from_slice(&member.json))
        .collect();
    let told = match told {
        Ok(told) => told,
        Err(error) => {
            return made(Answer::Refused(format!(
                "the notification cannot be read: {error}"
            )));
        }
    };
    let credentials = {
        let site = desk.site.borrow();
        Credentials::find(&site, desk.channel(), parcel.place.bot.as_deref(), &desk.key)
    };
    let credentials = match credentials {
        Ok(credentials) => credentials,
        Err(error) => return made(Answer::BadCredentials(error)),
    };
    let opened_as = match (told.as_slice(), opened_as) {
        ([_], Some(known)) => Some(known.as_ref().to_owned()),
        ([one], None) if one.kind != NotificationKind::Open && desk.sender.gives_references() => {
            let destination = &parcel.place.destination;
            let found = desk
                .store
                .opened_as(one.fingerprint, one.episode, desk.channel(), destination)
                .await;
            match found {
                Ok(found) => found,
                Err(error) => {
                    return Attempt::NotMade {
                        error: error.to_string(),
                    };
                }
            }
        }
        _ => None,
    };
    let errand = Errand {
        told: match told.as_slice() {
            [one] => Told::One(one),
            of => Told::Digest {
                id: digest_id(&parcel.members),
                of,
            },
        },
        destination: &parcel.place.destination,
        credentials: &credentials,
        opened_as: opened_as.as_deref(),
    };
    made(
        match tokio::time::timeout(LIMIT, desk.sender.send(&errand)).await {
            Ok(answer) => answer,
            Err(_) => no_end(format!("no end within {} s", LIMIT.as_secs())),
        },
    )
}

/// An attempt of which nobody knows whether it arrived.
pub(super) fn no_end(error: String) -> Answer {
    Answer::Transient {
        after: None,
        error,
        perhaps_delivered: true,
    }
}
