//! Messages for an incoming webhook of Slack: a text, or attachments, each of which is an alert.
//!
//! Identity: the channel and the title, without the words of a state. Where the title names the tool and
//! not the alert, or the state is in the text, the subject of the text belongs to it, too.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use self::wording::Wording;
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::{state_words, test_alerts};

mod color;
mod wording;

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "slack",
    title: "Slack-compatible incoming webhook",
    documentation: "docs/sources/slack.md",
    methods: POST,
    parse,
};

/// How deep elements of blocks are read; a list has sections, and these have texts.
const ELEMENTS_DEEP: usize = 4;
const TEXT: &str = "send a text, an attachment or a block with text";
const GUESSED: &str = "only a color or a picture says that the problem has ended: it ends what is open by this title, and \
                       otherwise opens an alert; say RESOLVED or FIRING in the title";

/// Parses one message: JSON, or a form whose field `payload` is that.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let outer = json::body(&repaired.body)?.object()?;
    let parsed = match outer.embedded("payload") {
        Some(payload) => {
            let inner = lenient::body(payload.trim_start_matches('\u{feff}').as_bytes());
            let place = Place::Member(&outer.place, "payload");
            let text = String::from_utf8_lossy(&inner.body);
            let parsed = message(&json::within(&text, place)?.object()?);
            parsed.map(|parsed| parsed.with_warning(inner.warning))
        }
        None => message(&outer),
    };
    parsed.map(|parsed| parsed.with_warning(repaired.warning))
}

fn message(body: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let mut events = Vec::new();
    if let Some(list) = body.get("attachments").filter(Node::is_list) {
        let place = list.place;
        for (index, raw) in list.list()?.into_iter().enumerate() {
            let attachment = Node::new(raw, Place::Item(&place, index)).object()?;
            events.extend(attached(body, &attachment)?);
        }
    }
    if events.is_empty() {
        let text = match (body.text("text")?, blocks(body)?) {
            (Some(text), Some(shown)) if !says_state(&text) && says_state(&shown) => shown,
            (Some(text), _) | (None, Some(text)) => text,
            (None, None) => body.needed(&["text"], TEXT)?,
        };
        let title = text.lines().next().unwrap_or_default();
        let wording = Wording::of(title, &text, "", &[], None);
        let mut event = event(body, &wording, &text)?;
        event.is_test = test_alerts::is_of_kuma(&text);
        events.push(event);
    }
    Ok(events.into())
}

/// The alert of an attachment, if it has any text.
fn attached(body: &Object<'_, '_>, attachment: &Object<'_, '_>) -> Result<Option<SourceEvent>, SourceError> {
    let shown = blocks(attachment)?;
    // The fields besides blocks are for clients that cannot show blocks.
    let titles: &[&str] = match shown {
        Some(_) => &["title", "pretext"],
        None => &["title", "pretext", "fallback"],
    };
    let titled = attachment.first(titles)?;
    let text = attachment.text("text")?.or(shown);
    let above = body.text("text")?;
    let Some(title) = titled.or(above.clone()).or(text.clone()) else {
        return Ok(None);
    };
    let title = title.lines().next().unwrap_or_default();
    let output = text.or(attachment.text("fallback")?).unwrap_or_default();
    let color = attachment.text("color")?;
    let fields = fields(attachment)?;
    let by_color = color.as_deref().and_then(color::state);
    let above = above.unwrap_or_default();
    let mut event = event(
        body,
        &Wording::of(title, &output, &above, &fields, by_color),
        &output,
    )?;
    for (name, value) in fields {
        event.add_label(&name, Some(value));
    }
    event.occurred_at = attachment.moment("ts", &mut event.warnings)?;
    event.add_link(
        "Link",
        attachment.first(&["title_link", "from_url"])?.unwrap_or_default(),
    );
    event.ask_by_labels();
    Ok(Some(event))
}

/// The fields of an attachment: title and value.
fn fields(attachment: &Object<'_, '_>) -> Result<Vec<(String, String)>, SourceError> {
    let mut fields = Vec::new();
    if let Some(list) = attachment.get("fields").filter(Node::is_list) {
        let place = list.place;
        for (index, raw) in list.list()?.into_iter().enumerate() {
            let field = Node::new(raw, Place::Item(&place, index)).object()?;
            if let (Some(name), Some(value)) = (field.text("title")?, field.text("value")?) {
                fields.push((name, value));
            }
        }
    }
    Ok(fields)
}

fn event(body: &Object<'_, '_>, wording: &Wording, output: &str) -> Result<SourceEvent, SourceError> {
    let channel = body.text("channel")?;
    let identity = std::iter::once(channel.as_deref().unwrap_or_default());
    let identity = identity.chain(wording.identity.iter().map(String::as_str));
    let mut event = SourceEvent::new(identity, wording.status, wording.severity);
    if wording.is_guessed && wording.status == EventStatus::Resolved {
        event.opens_as = Some(Severity::Unknown);
        event.warnings.push(GUESSED.to_owned());
    } else {
        event.warn_of_end(&wording.name);
    }
    event.source = body.first(&["username"])?.unwrap_or_else(|| "slack".to_owned());
    event.object.clone_from(&wording.name);
    event.name.clone_from(&wording.name);
    event.output = output.to_owned();
    event.add_label("channel", channel);
    Ok(event)
}

/// Whether the first line of a text has a state. Where a message has blocks, its text is only shown in notifications.
fn says_state(text: &str) -> bool {
    let found = state_words::state_of_line(text.lines().next().unwrap_or_default(), None);
    found.status.or(found.pictured).is_some()
}

/// The texts of the blocks, and of their fields and elements, one a line.
fn blocks(body: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
    let Some(list) = body.get("blocks").filter(Node::is_list) else {
        return Ok(None);
    };
    let place = list.place;
    let mut lines = Vec::new();
    for (index, raw) in list.list()?.into_iter().enumerate() {
        let block = Node::new(raw, Place::Item(&place, index)).object()?;
        if let Some(text) = block.member("text") {
            lines.extend(text.text("text")?);
        }
        if let Some(fields) = block.get("fields").filter(Node::is_list) {
            let place = fields.place;
            for (index, raw) in fields.list()?.into_iter().enumerate() {
                let field = Node::new(raw, Place::Item(&place, index)).object()?;
                lines.extend(field.text("text")?);
            }
        }
        let mut line = String::new();
        rich_text(&block, ELEMENTS_DEEP, &mut line)?;
        lines.extend(
            line.lines()
                .filter(|line| !line.trim().is_empty())
                .map(str::to_owned),
        );
    }
    Ok(Some(lines.join("\n")).filter(|text| !text.is_empty()))
}

/// The texts of the elements of a block: a `rich_text` has sections with pieces of text, links and pictures
/// (<https://docs.slack.dev/reference/block-kit/blocks/rich-text-block>), a `context` has texts.
fn rich_text(of: &Object<'_, '_>, deep: usize, line: &mut String) -> Result<(), SourceError> {
    let Some(list) = of.get("elements").filter(|list| deep > 0 && list.is_list()) else {
        return Ok(());
    };
    let place = list.place;
    for (index, raw) in list.list()?.into_iter().enumerate() {
        let element = Node::new(raw, Place::Item(&place, index)).object()?;
        match element.text("type")?.unwrap_or_default().as_str() {
            "emoji" => line.extend(element.text("name")?.map(|name| format!(":{name}:"))),
            "link" => line.extend(element.first(&["text", "url"])?),
            "text" => line.extend(element.text("text")?),
            "mrkdwn" | "plain_text" => line.extend(element.text("text")?.map(|text| format!("{text}\n"))),
            "rich_text_section" | "rich_text_list" | "rich_text_quote" | "rich_text_preformatted" => {
                rich_text(&element, deep - 1, line)?;
                line.push('\n');
            }
            _ => (),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(body: &str) -> ParsedBody {
        parse(&HeaderMap::new(), body.as_bytes()).expect("a message")
    }

    #[test]
    fn i4_a_form_is_repaired_as_bare_json_is() {
        for text in [
            "{\"text\":\"Free space on C:\\Windows below 5%\"}",
            "{\"text\":\"disk\nis full\"}",
            "{\"text\":\"the \"nightly\" backup\"}",
        ] {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let (bare, form) = (parse_text(text), parse_text(&format!("payload={encoded}")));
            assert_eq!(form, bare, "{text}");
            assert_eq!(form.warnings.len(), 1, "{text}");
            let raw = parse_text(&format!("payload={}", text.replace('%', "%25")));
            assert_eq!(raw.events, bare.events, "{text}");
        }
    }

    #[test]
    fn i4_a_byte_order_mark_in_a_form_is_left_out() {
        let form = "payload=%EF%BB%BF%7B%22text%22%3A%22shop+is+down%22%7D";
        assert_eq!(parse_text(form).events[0].object, "shop");
    }

    #[test]
    fn i2_blocks_say_what_a_message_is_about() {
        let rich = |words: &str| {
            format!(
                r#"{{"blocks": [{{"type": "rich_text", "elements": [{{"type": "rich_text_section", "elements": [
                    {{"type": "emoji", "name": "bell"}}, {{"type": "text", "text": " shop "}},
                    {{"type": "text", "text": "{words}"}}]}}]}}]}}"#
            )
        };
        let header = |words: &str| {
            format!(
                r#"{{"text": "New message", "blocks": [
                    {{"type": "header", "text": {{"type": "plain_text", "text": "shop {words}"}}}},
                    {{"type": "context", "elements": [{{"type": "mrkdwn", "text": "by a probe"}}]}}]}}"#
            )
        };
        let attached = |words: &str| {
            format!(
                r##"{{"attachments": [{{"color": "#123456", "fallback": "[no preview available]", "blocks": [
                    {{"type": "section", "text": {{"type": "mrkdwn", "text": "*shop* {words}"}}}}]}}]}}"##
            )
        };
        let shapes: [&dyn Fn(&str) -> String; 3] = [&rich, &header, &attached];
        for shape in shapes {
            let (begun, ended) = (parse_text(&shape("is down")), parse_text(&shape("is up")));
            let (begun, ended) = (&begun.events[0], &ended.events[0]);
            assert_eq!(begun.status, EventStatus::Firing, "{begun:?}");
            assert_eq!(ended.status, EventStatus::Resolved, "{ended:?}");
            assert_eq!(begun.identity, ended.identity);
            assert_eq!(begun.object, "shop");
        }
    }

    #[test]
    fn i3_a_color_alone_is_a_guess_that_the_answer_tells() {
        let parsed = parse_text(r##"{"attachments":[{"title":"nightly backup","color":"#5bffb5"}]}"##);
        let event = &parsed.events[0];
        assert_eq!(
            (event.status, event.opens_as),
            (EventStatus::Resolved, Some(Severity::Unknown))
        );
        assert_eq!(event.warnings, [GUESSED]);
    }

    #[test]
    fn i2_an_end_in_words_says_what_it_ends() {
        let parsed = parse_text(r#"{"attachments":[{"title":"“nightly backup” is UP.","color":"good"}]}"#);
        let event = &parsed.events[0];
        assert_eq!((event.status, event.opens_as), (EventStatus::Resolved, None));
        assert!(
            event.warnings[0].contains("\"nightly backup\""),
            "{:?}",
            event.warnings
        );
    }

    #[test]
    fn i13_a_test_of_uptime_kuma_is_a_test() {
        assert!(parse_text(r#"{"text":"My Slack Alert (1) Testing"}"#).events[0].is_test);
        assert!(!parse_text(r#"{"text":"Testing\nshop is down"}"#).events[0].is_test);
    }
}
