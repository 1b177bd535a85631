//! Messages for Slack's incoming webhooks, built of the members that the reader knows: texts, attachments with fields, and
//! blocks, as JSON and as a form.
//!
//! Formats: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/reference/messaging/attachments>, <https://docs.slack.dev/reference/block-kit/blocks>.

use super::*;
use crate::systems::slack;

/// Texts as monitoring systems write them, and any others.
fn text() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        ":x: Gatus",
        "An alert for *shop-A* has been triggered",
        "[FIRING:1] DiskFull",
        "shop is DOWN",
        "[shop] [✅ Up] 200 - OK",
        "“nightly backup” is UP.",
        "Resolved in 5m: Disk full",
        "<https://x.example/?a=b|*link*> <!channel> &amp;",
        "C:\\Windows below 5%",
        "two\nlines",
    ]);
    prop_oneof![
        4 => words.prop_map(str::to_owned),
        1 => mutation::sharp(),
        1 => any::<String>(),
    ]
}

/// A member that mostly is what Slack documents.
fn mostly(expected: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![12 => expected, 1 => mutation::value()]
}

fn string() -> impl Strategy<Value = Value> {
    mostly(text().prop_map(Value::from))
}

fn color() -> impl Strategy<Value = Value> {
    let colors = [
        "good", "warning", "danger", "#36A64F", "#DD0000", "#5bffb5", "#xyz", "",
    ];
    mostly(prop::sample::select(colors.to_vec()).prop_map(Value::from))
}

/// An object with some of these members.
fn object(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value)| prop::option::of(value.prop_map(move |value| (name.to_owned(), value))))
        .collect();
    members.prop_map(|members| Value::Object(members.into_iter().flatten().collect()))
}

fn list(item: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    mostly(prop::collection::vec(item, 0..4).prop_map(Value::from)).boxed()
}

fn blocks() -> BoxedStrategy<Value> {
    let kinds = ["section", "header", "context", "divider", "rich_text"];
    let kind = || prop::sample::select(kinds.to_vec()).prop_map(Value::from).boxed();
    let written = || object(vec![("type", kind()), ("text", string().boxed())]);
    list(object(vec![
        ("type", kind()),
        ("text", mostly(written()).boxed()),
        ("fields", list(written())),
        ("elements", list(written())),
    ]))
}

fn attachments() -> BoxedStrategy<Value> {
    let field = object(vec![
        ("title", string().boxed()),
        ("value", string().boxed()),
        ("short", any::<bool>().prop_map(Value::from).boxed()),
    ]);
    let moment = prop_oneof![
        any::<i64>().prop_map(Value::from),
        (0_i64..2_000_000_000).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    list(object(vec![
        ("title", string().boxed()),
        ("text", string().boxed()),
        ("pretext", string().boxed()),
        ("fallback", string().boxed()),
        ("color", color().boxed()),
        ("fields", list(field)),
        ("blocks", blocks()),
        ("title_link", string().boxed()),
        ("ts", moment.boxed()),
    ]))
}

fn message() -> impl Strategy<Value = Value> {
    object(vec![
        ("text", string().boxed()),
        ("username", string().boxed()),
        ("channel", string().boxed()),
        ("attachments", attachments()),
        ("blocks", blocks()),
    ])
}

fn as_form(payload: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", payload)
        .finish()
}

#[test]
fn slack_messages_of_any_make_end_well() {
    let damages = prop::collection::vec(mutation::Damage::any(), 0..3);
    fuzz(
        &(message(), any::<bool>(), damages),
        |(message, form, damages)| {
            let json = message.to_string();
            let body = if form { as_form(&json) } else { json };
            let body = mutation::damaged(body.into_bytes(), &damages);
            ends_well(&slack::SOURCE, &body)
        },
    );
}

#[test]
fn a_slack_message_means_the_same_as_json_and_as_a_form() {
    fuzz(&message(), |message| {
        let json = message.to_string();
        let read = |body: &str| (slack::SOURCE.parse)(&HeaderMap::new(), body.as_bytes());
        match (read(&json), read(&as_form(&json))) {
            (Ok(bare), Ok(form)) => {
                let events = |parsed| delivery(&slack::SOURCE).make_events(parsed).events;
                prop_assert_eq!(events(bare), events(form));
            }
            (Err(bare), Err(form)) => {
                names_a_remedy(&bare)?;
                names_a_remedy(&form)?;
            }
            (bare, form) => {
                let (bare, form) = (bare.err(), form.err());
                prop_assert!(false, "{json}: as JSON {bare:?}, as a form {form:?}");
            }
        }
        Ok(())
    });
}
