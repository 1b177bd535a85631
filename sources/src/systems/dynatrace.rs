//! Dynatrace: the custom payload of a problem notification, which its user writes: the one of Harp, and the one that the documentation here gives.
//!
//! Identity: `PID`; without one, `ProblemID`.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::address::origin;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "dynatrace",
    title: "Dynatrace problem notification",
    documentation: "docs/sources/dynatrace.md",
    methods: POST,
    parse,
};

const STATE: &str = "State";
const STATES: &str = "put \"State\": \"{State}\" into the custom payload; it is OPEN, RESOLVED or MERGED";

/// Parses one problem.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    Ok(ParsedBody::from(event(&body)?).with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let state = body.needed(&[STATE], STATES)?.to_ascii_uppercase();
    let status = match state.as_str() {
        "OPEN" => EventStatus::Firing,
        // It lives on in another problem, which has an alert of its own.
        "RESOLVED" | "MERGED" => EventStatus::Resolved,
        _ => return Err(body.refuse(&[STATE], &state, STATES)),
    };
    let pid = body.needed(
        &["PID", "ProblemID"],
        "put \"PID\": \"{PID}\" into the custom payload",
    )?;
    let kind = body.set("ProblemSeverity")?;
    let mut event = SourceEvent::new(["problem", &pid], status, severity(kind.as_deref()));
    let id = body.set("ProblemID")?.unwrap_or_else(|| pid.clone());
    event.name = match body.set("ProblemTitle")? {
        Some(title) => format!("Problem {id}: {title}"),
        None => format!("Problem {id}"),
    };
    event.object = impacted(body).unwrap_or_else(|| "dynatrace".to_owned());
    let address = body.set("ProblemURL")?.unwrap_or_default();
    event.source = origin(&address).unwrap_or_else(|| "dynatrace".to_owned());
    event.service = body.set("ProblemImpact")?;
    let parent = parent(body).filter(|_| state == "MERGED");
    let merged = parent
        .as_ref()
        .map(|parent| format!("Merged into problem {parent}"));
    let lines = [merged, body.set("ProblemDetailsText")?];
    event.output = lines.into_iter().flatten().collect::<Vec<_>>().join("\n");
    match body.get("Tags").map(Node::is_object) {
        Some(true) => event.labels = body.texts("Tags")?,
        _ => event.add_tags_of(body, "Tags"),
    }
    event.add_label("ProblemSeverity", kind);
    event.add_label("merged", (state == "MERGED").then(|| "true".to_owned()));
    event.add_label("merged_into", parent);
    event.environment = body.first(&["studio_id", "environment_id"])?;
    event.scenario = body.first(&["procedure_id", "scenario_id"])?;
    event.ask_by_labels();
    event.add_link("Investigation URL", address);
    Ok(event)
}

/// The names of the affected entities. The placeholders of lists are filled in as JSON or as text, by how the payload is written.
fn impacted(body: &Object<'_, '_>) -> Option<String> {
    let names = ["ImpactedEntity", "ImpactedEntityNames", "NamesOfImpactedEntities"];
    names.iter().find_map(|name| {
        let text = body.embedded(name)?;
        let list = json::within(&text, Place::Member(&body.place, name)).ok();
        match list.filter(Node::is_list) {
            Some(list) => Some(list.texts().join(", ")).filter(|names| !names.is_empty()),
            None => body.flat(name),
        }
    })
}

/// The problem that this one became part of, if the payload has the details that say so.
fn parent(body: &Object<'_, '_>) -> Option<String> {
    let details = body.embedded("ProblemDetailsJSONv2")?;
    let details = json::within(&details, Place::Body).and_then(Node::object).ok()?;
    let parent = details.member("linkedProblemInfo")?;
    parent.flat("displayId").or_else(|| parent.flat("problemId"))
}

/// Problems of all kinds are critical, unless they say themselves that they are none.
fn severity(kind: Option<&str>) -> Severity {
    match kind {
        Some("MONITORING_UNAVAILABLE") => Severity::Unknown,
        Some("INFO") => Severity::Information,
        _ => Severity::Critical,
    }
}
