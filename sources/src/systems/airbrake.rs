//! Airbrake: its webhook, which says that an error occurred and never that it is over.
//!
//! Identity: project and error, by their ids.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "airbrake",
    title: "Airbrake webhook",
    documentation: "docs/sources/airbrake.md",
    methods: POST,
    parse,
};

/// Parses one error.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    let error = body
        .required("error", "send the body of Airbrake's webhook as it is")?
        .object()?;
    let mut event = event(&error)?;
    event.add_link("Airbrake", body.text("airbrake_error_url")?.unwrap_or_default());
    Ok(event.into())
}

fn event(error: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let id = error.needed(&["id"], "send the error with its id")?;
    let project = error.member("project");
    let (project_id, project_name) = match project {
        Some(project) => (project.text("id")?, project.text("name")?),
        None => (None, None),
    };
    let identity = ["error", project_id.as_deref().unwrap_or_default(), &id];
    let mut event = SourceEvent::new(identity, EventStatus::Firing, Severity::Critical);
    event.source = "airbrake".to_owned();
    event.object = project_name.unwrap_or_else(|| format!("AlertID:{id}"));
    event.name = error
        .first(&["error_class", "error_message"])?
        .unwrap_or_else(|| format!("error {id}"));
    event.service = error.text("environment")?;
    let mut lines: Vec<_> = error.text("error_message")?.into_iter().collect();
    if let Some(file) = error.text("file")? {
        let line = error.text("line_number")?.unwrap_or_default();
        lines.push(format!("in {file}:{line}"));
    }
    let count = error.text("times_occurred")?;
    lines.extend(count.map(|count| format!("Occurrences: {count}")));
    event.output = lines.join("\n");
    event.add_label("environment", event.service.clone());
    if let Some(notice) = error.member("last_notice") {
        event.add_link("Request", notice.text("request_url")?.unwrap_or_default());
    }
    event.occurred_at = error.moment("last_occurred_at", &mut event.warnings)?;
    Ok(event)
}
