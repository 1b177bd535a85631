//! One attempt, from the pending notifications to the provider's answer.

use std::sync::Arc;
use std::time::Duration;

use schemas::{Notification, NotificationKind};

use super::ChannelRuntime;
use super::queue::{OutgoingMessage, digest_id};
use crate::credentials::Credentials;
use crate::sender::{Payload, SendRequest, SendResult};

/// The time limit of an attempt; the channels have shorter ones of their own.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The end of an attempt.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The channel has a result, after this time.
    Made { result: SendResult, took: Duration },
    /// The store was unavailable, so the provider was not called.
    NotMade { error: String },
}

/// Makes an attempt. `thread_ref` is the provider's id of the message that opened the alert here, if it is remembered.
pub(super) async fn make(
    runtime: Arc<ChannelRuntime>,
    message: Arc<OutgoingMessage>,
    thread_ref: Option<Arc<str>>,
) -> Attempt {
    let start = runtime.context.clock.steady();
    let made = |result| {
        let took = runtime.context.clock.steady().since(start);
        Attempt::Made { result, took }
    };
    let notifications: Result<Vec<Notification>, _> = message
        .members
        .iter()
        .map(|member| serde_json::from_slice(&member.json))
        .collect();
    let notifications = match notifications {
        Ok(notifications) => notifications,
        Err(error) => {
            return made(SendResult::Refused(format!(
                "the notification cannot be read: {error}"
            )));
        }
    };
    let credentials = {
        let site = runtime.site.borrow();
        Credentials::find(
            &site,
            runtime.channel(),
            message.endpoint.bot.as_deref(),
            &runtime.key,
        )
    };
    let credentials = match credentials {
        Ok(credentials) => credentials,
        Err(error) => return made(SendResult::BadCredentials(error)),
    };
    let thread_ref = match (notifications.as_slice(), thread_ref) {
        ([_], Some(known)) => Some(known.as_ref().to_owned()),
        ([one], None) if one.kind != NotificationKind::Open && runtime.channel().spec().abilities.thread => {
            let endpoint = &message.endpoint;
            let endpoint = (endpoint.destination.as_str(), endpoint.bot.as_deref());
            let found = runtime
                .store
                .thread_ref(one.fingerprint, one.episode, runtime.channel(), endpoint)
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
    let request = SendRequest {
        payload: match notifications.as_slice() {
            [one] => Payload::One(one),
            of => Payload::Digest {
                id: digest_id(&message.members),
                of,
            },
        },
        destination: &message.endpoint.destination,
        credentials: &credentials,
        thread_ref: thread_ref.as_deref(),
    };
    made(
        match tokio::time::timeout(TIMEOUT, runtime.sender.send(&request)).await {
            Ok(result) => result,
            Err(_) => no_end(format!("no end within {} s", TIMEOUT.as_secs())),
        },
    )
}

/// The result of an attempt that may have been delivered.
pub(super) fn no_end(error: String) -> SendResult {
    SendResult::Transient {
        after: None,
        error,
        maybe_delivered: true,
    }
}
