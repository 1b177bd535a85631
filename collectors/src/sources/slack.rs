//! What is meant for an incoming webhook of Slack: a text for people, or attachments, of which each is an alert.
//!
//! Identity: the channel and the title, without the words that say how things stand. Where the title is that of the tool and
//! not of the alert, or the text says the state, what the text is about belongs to it, too.

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use self::wording::Wording;
use super::json::{self, Node, Object, Place};
use super::{SourceError, SourceEvent, Understood, lenient, test_alerts};

mod color;
mod wording;

const TEXT: &str = "send a text, an attachment or a block with text";
const GUESSED: &str = "only a color or a picture says that the problem has ended: it ends what is open by this title, and \
                       otherwise opens an alert; say RESOLVED or FIRING in the title";

/// Reads one message: JSON, or a form whose field `payload` is that.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let mended = lenient::body(body);
    let outer = json::body(&mended.body)?.object()?;
    let understood = match outer.embedded("payload") {
        Some(payload) => {
            let inner = lenient::body(payload.as_bytes());
            let place = Place::Member(&outer.place, "payload");
            let text = String::from_utf8_lossy(&inner.body);
            let understood = message(&json::within(&text, place)?.object()?);
            understood.map(|understood| understood.with_remark(inner.remark))
        }
        None => message(&outer),
    };
    understood.map(|understood| understood.with_remark(mended.remark))
}

fn message(body: &Object<'_, '_>) -> Result<Understood, SourceError> {
    let mut events = Vec::new();
    if let Some(list) = body.get("attachments").filter(Node::is_list) {
        let place = list.place;
        for (index, raw) in list.list()?.into_iter().enumerate() {
            let attachment = Node::new(raw, Place::Item(&place, index)).object()?;
            events.extend(attached(body, &attachment)?);
        }
    }
    if events.is_empty() {
        let text = match body.text("text")?.or(blocks(body)?) {
            Some(text) => text,
            None => body.needed(&["text"], TEXT)?,
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
    let text = attachment.text("text")?.or(blocks(attachment)?);
    let above = body.text("text")?;
    let titled = attachment.first(&["title", "pretext", "fallback"])?;
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
    event.occurred_at = attachment.moment("ts", &mut event.remarks)?;
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
        event.remarks.push(GUESSED.to_owned());
    } else {
        event.remark_end(&wording.name);
    }
    event.source = body.first(&["username"])?.unwrap_or_else(|| "slack".to_owned());
    event.object.clone_from(&wording.name);
    event.name.clone_from(&wording.name);
    event.output = output.to_owned();
    event.add_label("channel", channel);
    Ok(event)
}

/// The texts of the blocks and their fields, one a line.
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
    }
    Ok(Some(lines.join("\n")).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(body: &str) -> Understood {
        read(&HeaderMap::new(), body.as_bytes()).expect("a message")
    }

    #[test]
    fn i4_a_form_is_mended_as_bare_json_is() {
        for text in [
            "{\"text\":\"Free space on C:\\Windows below 5%\"}",
            "{\"text\":\"disk\nis full\"}",
            "{\"text\":\"the \"nightly\" backup\"}",
        ] {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let (bare, form) = (understood(text), understood(&format!("payload={encoded}")));
            assert_eq!(form, bare, "{text}");
            assert_eq!(form.remarks.len(), 1, "{text}");
            let raw = understood(&format!("payload={}", text.replace('%', "%25")));
            assert_eq!(raw.events, bare.events, "{text}");
        }
    }

    #[test]
    fn i3_a_color_alone_is_a_guess_that_the_answer_tells() {
        let understood = understood(r##"{"attachments":[{"title":"nightly backup","color":"#5bffb5"}]}"##);
        let event = &understood.events[0];
        assert_eq!(
            (event.status, event.opens_as),
            (EventStatus::Resolved, Some(Severity::Unknown))
        );
        assert_eq!(event.remarks, [GUESSED]);
    }

    #[test]
    fn i2_an_end_in_words_says_what_it_ends() {
        let understood =
            understood(r#"{"attachments":[{"title":"“nightly backup” is UP.","color":"good"}]}"#);
        let event = &understood.events[0];
        assert_eq!((event.status, event.opens_as), (EventStatus::Resolved, None));
        assert!(
            event.remarks[0].contains("\"nightly backup\""),
            "{:?}",
            event.remarks
        );
    }

    #[test]
    fn i13_a_test_of_uptime_kuma_is_a_test() {
        assert!(understood(r#"{"text":"My Slack Alert (1) Testing"}"#).events[0].is_test);
        assert!(!understood(r#"{"text":"Testing\nshop is down"}"#).events[0].is_test);
    }
}
