//! What is meant for an incoming webhook of Slack: a text for people, or attachments, of which each is an alert.
//!
//! Identity: the channel and the title, without the word at its beginning that says how things stand.

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json::{self, Node, Object, Place};
use super::{SourceError, SourceEvent, Understood, lenient};

const TEXT: &str = "send a text, an attachment or a block with text";

/// Reads one message: JSON, or a form whose field `payload` is that.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let mended = lenient::body(body);
    let outer = json::body(&mended.body)?.object()?;
    let understood = match outer.embedded("payload") {
        Some(payload) => message(&json::within(&payload, Place::Member(&outer.place, "payload"))?.object()?),
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
        events.push(event(body, title, &text, None)?);
    }
    Ok(events.into())
}

/// The alert of an attachment, if it has any text.
fn attached(body: &Object<'_, '_>, attachment: &Object<'_, '_>) -> Result<Option<SourceEvent>, SourceError> {
    let text = attachment.text("text")?;
    let titled = attachment.first(&["title", "pretext", "fallback"])?;
    let Some(title) = titled.or(body.text("text")?).or(text.clone()) else {
        return Ok(None);
    };
    let title = title.lines().next().unwrap_or_default();
    let output = text.or(attachment.text("fallback")?).unwrap_or_default();
    let color = attachment.text("color")?;
    let mut event = event(body, title, &output, color.as_deref().and_then(state_of_color))?;
    if let Some(fields) = attachment.get("fields").filter(Node::is_list) {
        let place = fields.place;
        for (index, raw) in fields.list()?.into_iter().enumerate() {
            let field = Node::new(raw, Place::Item(&place, index)).object()?;
            if let Some(name) = field.text("title")? {
                event.add_label(&name, field.text("value")?);
            }
        }
    }
    event.occurred_at = attachment.moment("ts", &mut event.remarks)?;
    event.add_link(
        "Link",
        attachment.first(&["title_link", "from_url"])?.unwrap_or_default(),
    );
    event.ask_by_labels();
    Ok(Some(event))
}

fn event(
    body: &Object<'_, '_>,
    title: &str,
    output: &str,
    by_color: Option<State>,
) -> Result<SourceEvent, SourceError> {
    let channel = body.text("channel")?;
    let (by_title, name) = told_by_title(title);
    let firing = (
        EventStatus::Firing,
        by_color.map_or(Severity::Unknown, |(_, severity)| severity),
    );
    let (status, severity) = match by_title {
        Some(EventStatus::Resolved) => (EventStatus::Resolved, Severity::Ok),
        Some(EventStatus::Acknowledged) => (EventStatus::Acknowledged, firing.1),
        // Green, though the title says that it burns: that is only the color of the sender.
        Some(EventStatus::Firing) if firing.1 == Severity::Ok => (EventStatus::Firing, Severity::Unknown),
        Some(EventStatus::Firing) => firing,
        None => by_color.unwrap_or(firing),
    };
    let identity = [channel.as_deref().unwrap_or_default(), name];
    let mut event = SourceEvent::new(identity, status, severity);
    event.source = body.first(&["username"])?.unwrap_or_else(|| "slack".to_owned());
    event.object = name.to_owned();
    event.name = name.to_owned();
    event.output = output.to_owned();
    event.add_label("channel", channel);
    Ok(event)
}

/// The texts of the blocks, one a line.
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
    }
    Ok(Some(lines.join("\n")).filter(|text| !text.is_empty()))
}

type State = (EventStatus, Severity);

/// How things stand by the word at the beginning of a title, and the title without it: `[FIRING:2] disk`, `OK: disk`,
/// `:fire: Resolved - disk`.
fn told_by_title(title: &str) -> (Option<EventStatus>, &str) {
    let bare = without_decoration(title);
    let split = match bare.strip_prefix('[') {
        Some(tagged) => tagged.split_once(']'),
        None => [": ", " - ", " | "].iter().find_map(|mark| {
            let (word, rest) = bare.split_once(mark)?;
            (!word.contains(' ')).then_some((word, rest))
        }),
    };
    if let Some((tag, rest)) = split {
        let word = tag.split(':').next().unwrap_or_default().trim();
        let rest = without_decoration(rest);
        if let Some(status) = state_of_word(word)
            && !rest.is_empty()
        {
            return (Some(status), rest);
        }
    }
    (None, if bare.is_empty() { title } else { bare })
}

/// Without pictures, stars and the like at both ends.
fn without_decoration(text: &str) -> &str {
    let mut text = text;
    loop {
        text = text.trim_start_matches(|first: char| {
            !first.is_alphanumeric() && !matches!(first, '[' | ':' | '<' | '/')
        });
        let emoji = text.strip_prefix(':').and_then(|rest| rest.split_once(':'));
        match emoji {
            Some((name, rest)) if !name.contains(' ') => text = rest,
            _ => {
                return text
                    .trim_start_matches(':')
                    .trim_end_matches(['*', '_', ' '])
                    .trim_start();
            }
        }
    }
}

fn state_of_word(word: &str) -> Option<EventStatus> {
    match word.to_lowercase().as_str() {
        "firing" | "alerting" | "alert" | "problem" | "triggered" | "down" | "critical" | "error"
        | "warning" | "warn" | "failed" | "failure" | "no data" | "nodata" | "open" | "opened" => {
            Some(EventStatus::Firing)
        }
        "acknowledged" | "acknowledgement" => Some(EventStatus::Acknowledged),
        "resolved" | "recovered" | "recovery" | "ok" | "up" | "closed" | "cleared" | "fixed" | "normal" => {
            Some(EventStatus::Resolved)
        }
        _ => None,
    }
}

/// Slack's own words, and what is mostly red, orange, yellow or green.
fn state_of_color(color: &str) -> Option<State> {
    match color {
        "good" => return Some((EventStatus::Resolved, Severity::Ok)),
        "warning" => return Some((EventStatus::Firing, Severity::Warning)),
        "danger" => return Some((EventStatus::Firing, Severity::Critical)),
        _ => (),
    }
    let mut rgb = [0; 3];
    hex::decode_to_slice(color.trim_start_matches('#'), &mut rgb).ok()?;
    let [red, green, blue] = rgb;
    if green > red && green > blue {
        Some((EventStatus::Resolved, Severity::Ok))
    } else if red > blue && red >= green && green > red / 2 {
        Some((EventStatus::Firing, Severity::Warning))
    } else if red > blue && red > green {
        Some((EventStatus::Firing, Severity::Critical))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_a_title_is_told_from_the_title() {
        let (firing, resolved) = (Some(EventStatus::Firing), Some(EventStatus::Resolved));
        for (title, told) in [
            (
                "[FIRING:2] HighErrorRate (pay-3)",
                (firing, "HighErrorRate (pay-3)"),
            ),
            (
                "[RESOLVED] HighErrorRate (pay-3)",
                (resolved, "HighErrorRate (pay-3)"),
            ),
            ("*OK: disk of db-1*", (resolved, "disk of db-1")),
            (":white_check_mark: Resolved - disk", (resolved, "disk")),
            ("🔥 Problem: disk", (firing, "disk")),
            ("[pay] disk", (None, "[pay] disk")),
            ("deploy: it is done", (None, "deploy: it is done")),
            ("[OK]", (None, "[OK]")),
            ("***", (None, "***")),
            ("", (None, "")),
        ] {
            assert_eq!(told_by_title(title), told, "{title}");
        }
    }

    #[test]
    fn colors_are_what_people_take_them_for() {
        for (color, severity) in [
            ("#36a64f", Some(Severity::Ok)),
            ("2eb886", Some(Severity::Ok)),
            ("#D63232", Some(Severity::Critical)),
            ("#ff9900", Some(Severity::Warning)),
            ("danger", Some(Severity::Critical)),
            ("#439FE0", None),
            ("#888888", None),
            ("mauve", None),
        ] {
            assert_eq!(
                state_of_color(color).map(|(_, severity)| severity),
                severity,
                "{color}"
            );
        }
    }
}
