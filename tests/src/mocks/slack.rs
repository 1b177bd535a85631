//! Slack, as far as `chat.postMessage` and `chat.update` go.

use std::time::Duration;

use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::listener::Listener;
use crate::recorded::Recorded;

/// The token of the bot; any other is refused.
pub const TOKEN: &str = "xoxb-for-the-tests";

/// Slack's end.
#[derive(Debug)]
pub struct MockSlack {
    /// To let it misbehave.
    pub listener: Listener,
    seen: Recorded<Seen>,
}

/// What was posted.
#[derive(Debug, Default)]
pub struct Seen {
    /// Messages in the order of their posting, with everything that became of them.
    pub messages: Vec<Message>,
    /// Calls with a wrong token, or about a message that does not exist.
    pub refused: Vec<String>,
    calls: u64,
}

/// One message of a channel.
#[derive(Debug, Clone)]
pub struct Message {
    /// The channel's id, as Slack answers it: not the name that was asked for.
    pub channel: String,
    /// Its id in the channel.
    pub ts: String,
    /// What it was when it was posted.
    pub posted: Value,
    /// What it is now.
    pub body: Value,
    /// How often it was edited.
    pub edits: u32,
    /// What was posted in its thread.
    pub replies: Vec<Value>,
}

impl Message {
    /// Everything that can be read of the message as it is now.
    pub fn text(&self) -> String {
        self.body.to_string()
    }
}

impl MockSlack {
    /// Opens its door.
    pub async fn start() -> Result<Self> {
        let seen = Recorded::<Seen>::default();
        let routes = Router::new()
            .route("/api/{method}", post(call))
            .route("/{method}", post(call))
            .with_state(seen.clone());
        Ok(Self {
            listener: Listener::start(routes).await?,
            seen,
        })
    }

    /// The address that a bot's `api_url` is set to.
    pub fn url(&self) -> String {
        format!("http://{}/api", self.listener.address())
    }

    /// Looks at what was posted.
    pub fn read<R>(&self, look: impl FnOnce(&Seen) -> R) -> R {
        self.seen.read(look)
    }

    /// Waits for a message that is like this, now.
    pub async fn message(
        &self,
        what: &str,
        within: Duration,
        like: impl Fn(&Message) -> bool,
    ) -> Result<Message> {
        let look = |seen: &Seen| seen.messages.iter().find(|message| like(message)).cloned();
        self.seen
            .wait_for(what, within, look, |seen| format!("{seen:#?}"))
            .await
    }
}

/// Slack names channels by ids of its own.
fn channel_id(name: &str) -> String {
    match name.strip_prefix('#') {
        Some(name) => format!("C{}", name.to_uppercase()),
        None => name.to_owned(),
    }
}

async fn call(
    State(seen): State<Recorded<Seen>>,
    Path(method): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Json<Value> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let known = bearer == format!("Bearer {TOKEN}");
    Json(seen.change(|seen| {
        let answer = if known {
            answer(seen, &method, body)
        } else {
            Err("invalid_auth")
        };
        answer.unwrap_or_else(|error| {
            seen.refused.push(format!("{method}: {error}"));
            json!({ "ok": false, "error": error })
        })
    }))
}

fn answer(seen: &mut Seen, method: &str, body: Value) -> Result<Value, &'static str> {
    let channel = channel_id(body["channel"].as_str().ok_or("channel_not_found")?);
    if body["text"].as_str().is_none_or(str::is_empty) {
        return Err("no_text");
    }
    seen.calls += 1;
    match method {
        "chat.postMessage" => Ok(posted(seen, channel, body)),
        "chat.update" => {
            let ts = body["ts"].as_str().ok_or("message_not_found")?.to_owned();
            let message = find(seen, &channel, &ts).ok_or("message_not_found")?;
            message.edits += 1;
            message.body = body;
            Ok(json!({ "ok": true, "channel": channel, "ts": ts }))
        }
        _ => Err("unknown_method"),
    }
}

fn posted(seen: &mut Seen, channel: String, body: Value) -> Value {
    let ts = format!("1788256800.{:06}", seen.calls);
    let thread = body["thread_ts"].as_str().map(str::to_owned);
    match thread.and_then(|thread| find(seen, &channel, &thread)) {
        Some(message) => message.replies.push(body),
        None => seen.messages.push(Message {
            channel: channel.clone(),
            ts: ts.clone(),
            posted: body.clone(),
            body,
            edits: 0,
            replies: Vec::new(),
        }),
    }
    json!({ "ok": true, "channel": channel, "ts": ts })
}

fn find<'a>(seen: &'a mut Seen, channel: &str, ts: &str) -> Option<&'a mut Message> {
    // `chat.update` wants the id of the channel; a name is not found, as with Slack.
    seen.messages
        .iter_mut()
        .rfind(|message| message.channel == channel && message.ts == ts)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::super::Behaviour;
    use super::*;

    async fn say(slack: &MockSlack, method: &str, token: &str, body: Value) -> (StatusCode, Value) {
        crate::install_cryptography();
        let request = reqwest::Client::new()
            .post(format!("{}/{method}", slack.url()))
            .bearer_auth(token)
            .json(&body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    #[tokio::test]
    async fn a_message_is_edited_and_answered_in_its_thread() {
        let slack = MockSlack::start().await.unwrap();
        let post = json!({ "channel": "#ops", "text": "it burns" });
        let (_, answer) = say(&slack, "chat.postMessage", TOKEN, post).await;
        assert_eq!(
            (answer["ok"].as_bool(), answer["channel"].as_str()),
            (Some(true), Some("COPS"))
        );
        let edit = json!({ "channel": "COPS", "ts": answer["ts"], "text": "it burned" });
        say(&slack, "chat.update", TOKEN, edit).await;
        let reply = json!({ "channel": "COPS", "thread_ts": answer["ts"], "text": "why?" });
        say(&slack, "chat.postMessage", TOKEN, reply).await;
        let message = slack
            .message("it", Duration::from_secs(5), |message| message.edits == 1)
            .await
            .unwrap();
        assert_eq!(
            (message.body["text"].as_str(), message.replies.len()),
            (Some("it burned"), 1)
        );
    }

    #[tokio::test]
    async fn it_refuses_strangers_and_has_bad_days() {
        let mut slack = MockSlack::start().await.unwrap();
        let post = json!({ "channel": "#ops", "text": "it burns" });
        let (_, answer) = say(&slack, "chat.postMessage", "stolen", post.clone()).await;
        assert_eq!(answer, json!({ "ok": false, "error": "invalid_auth" }));
        slack.listener.behave(Behaviour::TooMany(3));
        let (status, _) = say(&slack, "chat.postMessage", TOKEN, post).await;
        assert_eq!(
            (status, slack.listener.refused()),
            (StatusCode::TOO_MANY_REQUESTS, 1)
        );
        slack.listener.go_away().await;
        assert!(
            reqwest::Client::new()
                .post(slack.url())
                .send()
                .await
                .unwrap_err()
                .is_connect()
        );
        slack.listener.behave(Behaviour::Well);
        slack.listener.come_back().await.unwrap();
        assert_eq!(slack.read(|seen| seen.messages.len()), 0);
    }
}
