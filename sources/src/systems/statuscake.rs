//! StatusCake: the webhook of a contact group, which is a form; its JSON and the query of a GET have the same fields.
//!
//! Identity: name and address of the test.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST_AND_GET, Source};

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "statuscake",
    title: "StatusCake webhook",
    documentation: "docs/sources/statuscake.md",
    methods: POST_AND_GET,
    parse,
};

const STATES: &str = "send Down or Up, as StatusCake does";
const NAMES: &str = "send the form of StatusCake's webhook as it is";

/// Parses one change of a test.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    Ok(ParsedBody::from(event(&body)?).with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let state = body.needed(&["Status"], STATES)?;
    let status = match state.to_ascii_lowercase().as_str() {
        "down" => EventStatus::Firing,
        "up" => EventStatus::Resolved,
        _ => return Err(body.refuse(&["Status"], &state, STATES)),
    };
    let name = body.set("Name")?.unwrap_or_default();
    let address = match name.as_str() {
        "" => body.needed(&["URL"], NAMES)?,
        _ => body.set("URL")?.unwrap_or_default(),
    };
    let mut event = SourceEvent::new(["test", &name, &address], status, Severity::Critical);
    let texts = [&address, &name].map(|text| Some(text.clone()).filter(|text| !text.is_empty()));
    let [address_if_any, name_if_any] = texts;
    event.object = address_if_any.unwrap_or_else(|| name.clone());
    event.name = name_if_any.unwrap_or_else(|| address.clone());
    event.source = "statuscake".to_owned();
    let code = body.set("StatusCode")?;
    event.output = match &code {
        Some(code) => format!("{state}: status code {code}"),
        None => state,
    };
    // The token is derived from the account's key, so it must not be stored.
    event.add_label("status_code", code);
    event.add_label("ip", body.set("IP")?);
    event.add_label("method", body.set("Method")?);
    event.add_label("contact_group", body.set("ContactGroup")?);
    event.add_tags_of(body, "Tags");
    event.add_link("Monitored page", address);
    event.ask_severity_by_label();
    event.ask_by_labels();
    Ok(event)
}
