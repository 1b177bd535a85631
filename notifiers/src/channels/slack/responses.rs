//! Reading Slack's responses, <https://docs.slack.dev/reference/methods/chat.postMessage#errors>.

use std::time::Duration;

use serde::Deserialize;

use crate::channels::http::Reply;
use crate::channels::text::{cut, one_line};
use crate::sender::SendResult;

/// A message on Slack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Posted {
    /// Slack's id of the channel; what was asked for may have been a name.
    pub(super) channel: String,
    pub(super) ts: String,
}

impl Posted {
    pub(super) fn reference(&self) -> String {
        format!("{}:{}", self.channel, self.ts)
    }

    pub(super) fn parse(reference: &str) -> Option<Self> {
        let (channel, ts) = reference.rsplit_once(':')?;
        Some(Self {
            channel: channel.to_owned(),
            ts: ts.to_owned(),
        })
    }
}

/// Why a call failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The message that is to be edited or replied to is gone.
    MessageGone,
    Result(SendResult),
}

#[derive(Deserialize)]
struct ReplyBody {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
}

/// Reads Slack's response.
pub(super) fn read(reply: &Reply) -> Result<Posted, Failure> {
    let transient = |error: String, maybe_delivered| {
        Failure::Result(SendResult::Transient {
            after: reply.retry_after,
            error,
            maybe_delivered,
        })
    };
    match reply.status.as_u16() {
        200..300 => {}
        429 | 503 => return Err(transient(reply.text(), false)),
        408 | 500..600 => return Err(transient(reply.text(), true)),
        401 | 403 | 404 => {
            let error = format!("{}; is api_url of the slack bot right?", reply.text());
            return Err(Failure::Result(SendResult::BadCredentials(error)));
        }
        _ => return Err(Failure::Result(SendResult::Refused(reply.text()))),
    }
    match serde_json::from_slice::<ReplyBody>(&reply.body) {
        Ok(body) if body.ok => Ok(Posted {
            channel: body.channel,
            ts: body.ts,
        }),
        Ok(body) => Err(failure(&body.error, reply.retry_after)),
        // A response that repeats a long message is cut; channel and time are at its beginning.
        Err(_) => match beginning(&reply.body) {
            Some(posted) => Ok(posted),
            None => Err(transient(
                format!("not an answer of Slack: {}", reply.text()),
                true,
            )),
        },
    }
}

/// The meaning of an error code of Slack.
fn failure(word: &str, after: Option<Duration>) -> Failure {
    let error = format!("Slack says {}", cut(&one_line(word), 100));
    let transient = |maybe_delivered| SendResult::Transient {
        after,
        error: error.clone(),
        maybe_delivered,
    };
    Failure::Result(match word {
        "message_not_found" | "cant_update_message" | "edit_window_closed" | "thread_not_found" => {
            return Failure::MessageGone;
        }
        "channel_not_found"
        | "not_in_channel"
        | "is_archived"
        | "restricted_action"
        | "restricted_action_read_only_channel"
        | "user_not_found" => SendResult::BadDestination(error),
        "invalid_auth"
        | "not_authed"
        | "token_revoked"
        | "token_expired"
        | "account_inactive"
        | "missing_scope"
        | "no_permission"
        | "org_login_required"
        | "team_access_not_granted"
        | "ekm_access_denied"
        | "access_denied" => SendResult::BadCredentials(error),
        "ratelimited"
        | "rate_limited"
        | "message_limit_exceeded"
        | "service_unavailable"
        | "team_added_to_org" => transient(false),
        "internal_error" | "fatal_error" | "request_timeout" => transient(true),
        _ => SendResult::Refused(error),
    })
}

/// Channel and time of a response of which only the beginning was read.
fn beginning(body: &[u8]) -> Option<Posted> {
    let text = String::from_utf8_lossy(body);
    let value = |name: &str| {
        let rest = text.split_once(&format!("\"{name}\":\""))?.1;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let head = text.trim_start().strip_prefix('{')?.trim_start();
    if head.starts_with("\"ok\":true") {
        Some(Posted {
            channel: value("channel")?,
            ts: value("ts")?,
        })
    } else {
        None
    }
}
