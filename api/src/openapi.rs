//! The description of the API, made from the types that it speaks.

use axum::Json;
use schemars::generate::SchemaSettings;
use schemas::{Action, Alert, HistoryEntry, LedgerEntry};
use serde_json::{Map, Value, json};

use crate::actions::{ActionRequest, ActionResults, NAMES};
use crate::alerts::{AlertPage, HistoryPage, Notifications};
use crate::integrations::Integrations;
use crate::rejected::{RejectedPage, RejectedWhole};
use crate::silences::{SilenceList, SilenceNow, SilenceRequest};
use crate::site::{Applied, Problem};

/// `GET /api/v1/openapi.json`.
pub(crate) async fn document() -> Json<Value> {
    Json(build())
}

fn build() -> Value {
    let mut generator = SchemaSettings::openapi3().into_generator();
    for schema in [
        generator.subschema_for::<Alert>(),
        generator.subschema_for::<HistoryEntry>(),
        generator.subschema_for::<LedgerEntry>(),
        generator.subschema_for::<AlertPage>(),
        generator.subschema_for::<HistoryPage>(),
        generator.subschema_for::<Notifications>(),
        generator.subschema_for::<Action>(),
        generator.subschema_for::<ActionRequest>(),
        generator.subschema_for::<ActionResults>(),
        generator.subschema_for::<SilenceRequest>(),
        generator.subschema_for::<SilenceNow>(),
        generator.subschema_for::<SilenceList>(),
        generator.subschema_for::<Integrations>(),
        generator.subschema_for::<Applied>(),
        generator.subschema_for::<Problem>(),
        generator.subschema_for::<RejectedPage>(),
        generator.subschema_for::<RejectedWhole>(),
    ] {
        // Asking for a schema is what defines it.
        drop(schema);
    }
    let mut definitions = Map::new();
    definitions.extend(generator.take_definitions(true));
    definitions.insert("Error".to_owned(), error_schema());
    // What is put into it are the fields of each action.
    let actions = definitions.remove("Action").unwrap_or_default();
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Reveille",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0" },
            "description": "Alerts, their histories, operators' actions and the site's configuration.",
        },
        "paths": paths(&actions),
        "components": {
            "schemas": definitions,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "token": [] }, {}],
    })
}

/// What a request for this action has: what all have, and its own fields.
fn action_request(actions: &Value, name: &str) -> Value {
    let variants = actions["oneOf"].as_array().into_iter().flatten();
    let is_of = |variant: &&Value| variant["properties"]["type"]["enum"][0] == name;
    let variant = variants.clone().find(is_of);
    let mut fields = variant.cloned().unwrap_or_default();
    if let Some(properties) = fields["properties"].as_object_mut() {
        properties.remove("type");
    }
    if let Some(required) = fields["required"].as_array_mut() {
        required.retain(|field| field != "type");
        if required.is_empty() {
            fields.as_object_mut().map(|fields| fields.remove("required"));
        }
    }
    json!({ "allOf": [{ "$ref": "#/components/schemas/ActionRequest" }, fields] })
}

fn paths(actions: &Value) -> Value {
    let mut paths = Map::new();
    let list = [
        ("environment", "Names of environments, with commas between them."),
        (
            "state",
            "`open` (when absent), `closed` or `any`, and operator states: active, acknowledged, snoozed …",
        ),
        ("severity", "Severities, with commas between them."),
        (
            "matcher",
            "A label matcher such as `team=\"pay\"`; may be repeated.",
        ),
        (
            "text",
            "Text that stands in the name, object, output, source or a label.",
        ),
        ("limit", "At most so many, up to 1000."),
        ("cursor", "`next_cursor` of the page before."),
    ];
    let page = &list[5..];
    paths.insert(
        "/api/v1/alerts".to_owned(),
        read(
            "List alerts, newest opening first; closed ones newest closing first",
            &list,
            "AlertPage",
        ),
    );
    paths.insert("/api/v1/alerts/{id}".to_owned(), read("One alert", &[], "Alert"));
    paths.insert(
        "/api/v1/alerts/{id}/history".to_owned(),
        read("What happened to an alert", page, "HistoryPage"),
    );
    paths.insert(
        "/api/v1/alerts/{id}/notifications".to_owned(),
        read("Who was told of an alert", &[], "Notifications"),
    );
    for name in NAMES {
        let operation = json!({ "post": {
            "summary": format!("{name} alerts"),
            "operationId": name,
            "requestBody": { "required": true, "content": { "application/json": { "schema": action_request(actions, name) } } },
            "responses": responses("ActionResults"),
        } });
        paths.insert(format!("/api/v1/actions/{name}"), operation);
    }
    let of_rejected = [
        ("monitoring_system", "Only of this monitoring system."),
        ("integration", "Only of this integration."),
        ("limit", "At most so many, up to 1000."),
    ];
    paths.insert(
        "/api/v1/rejected".to_owned(),
        read(
            "List what was refused and kept, newest first",
            &of_rejected,
            "RejectedPage",
        ),
    );
    paths.insert(
        "/api/v1/rejected/{id}".to_owned(),
        read("One refused body, whole", &[], "RejectedWhole"),
    );
    paths.insert("/api/v1/silences".to_owned(), silences());
    let mut silence = read("One silence", &[], "SilenceNow");
    silence["delete"] = json!({ "summary": "End a silence now", "responses": responses("SilenceNow") });
    paths.insert("/api/v1/silences/{id}".to_owned(), silence);
    paths.insert(
        "/api/v1/integrations".to_owned(),
        read(
            "List integrations, and how their keys are used",
            &[],
            "Integrations",
        ),
    );
    paths.insert("/api/v1/site".to_owned(), site());
    for (path, operations) in &mut paths {
        if path.contains("{id}") {
            operations["parameters"] =
                json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }]);
        }
    }
    Value::Object(paths)
}

fn read(summary: &str, parameters: &[(&str, &str)], answer: &str) -> Value {
    let parameters: Vec<_> = parameters
        .iter()
        .map(|(name, description)| {
            json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } })
        })
        .collect();
    json!({ "get": { "summary": summary, "parameters": parameters, "responses": responses(answer) } })
}

fn silences() -> Value {
    let state = (
        "state",
        "`active`, `pending`, `expired`, with commas between them; all when absent.",
    );
    let mut silences = read("List silences", &[state], "SilenceList");
    let mut made = responses("SilenceNow");
    made["201"] = json!({ "description": "A new one was made", "content": content("SilenceNow") });
    silences["post"] = json!({
        "summary": "Silence alerts, or change a silence",
        "requestBody": { "required": true, "content": content("SilenceRequest") },
        "responses": made,
    });
    silences
}

fn site() -> Value {
    json!({
        "get": {
            "summary": "The configuration, without keys and secrets",
            "responses": { "200": { "description": "The site", "content": { "application/json": { "schema": { "type": "object" } } } } },
        },
        "put": {
            "summary": "Apply a site document (YAML)",
            "parameters": [{ "name": "dry_run", "in": "query", "description": "Only show what would differ.", "schema": { "type": "boolean" } }],
            "requestBody": { "required": true, "content": { "application/yaml": { "schema": { "type": "string" } } } },
            "responses": responses("Applied"),
        },
    })
}

fn responses(answer: &str) -> Value {
    let error = json!({ "description": "Why it was not done", "content": content("Error") });
    json!({ "200": { "description": "Done", "content": content(answer) }, "4XX": error, "5XX": error })
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

fn error_schema() -> Value {
    json!({ "type": "object", "required": ["error"], "properties": { "error": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": { "type": "string" },
            "message": { "type": "string" },
            "field": { "type": "string", "description": "The field that is wrong." },
            "problems": { "type": "array", "items": { "$ref": "#/components/schemas/Problem" } },
        },
    } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_document_is_defined() {
        let document = build();
        let text = document.to_string();
        let mut references = 0;
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(
                document["components"]["schemas"].get(name).is_some(),
                "{name} is not defined"
            );
            references += 1;
        }
        assert!(references > 20);
    }

    #[test]
    fn every_action_has_its_own_fields() {
        let document = build();
        for name in NAMES {
            let path = format!("/api/v1/actions/{name}");
            let body = &document["paths"][path]["post"]["requestBody"];
            let fields = &body["content"]["application/json"]["schema"]["allOf"][1];
            let properties = fields["properties"].as_object().into_iter().flatten();
            let mut found: Vec<_> = properties.map(|(name, _)| name.as_str()).collect();
            let mut known = crate::actions::known_fields(name).unwrap().to_vec();
            found.sort_unstable();
            known.sort_unstable();
            assert_eq!(found, known, "{name}: {fields}");
            let until = fields["required"]
                .as_array()
                .is_some_and(|all| all.contains(&json!("until")));
            assert_eq!(until, ["snooze", "handle"].contains(&name), "{name}: {fields}");
        }
    }
}
