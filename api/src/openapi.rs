//! The description of the API, made from the types that it speaks.

use axum::Json;
use schemars::generate::SchemaSettings;
use schemas::{Action, Alert, LedgerEntry, OperatorState, Severity, ShownHistoryEntry, VERBS};
use serde_json::{Map, Value, json};

use crate::actions::{ALERTS_MAX, AUTHOR_MAX, ActionRequest, ActionResults, KEY_MAX};
use crate::alerts::{AlertPage, HistoryPage, LIMIT_MAX, Notifications};
use crate::channels::Channels;
use crate::integrations::Integrations;
use crate::rejected::{RejectedPage, RejectedWhole};
use crate::silences::{self, SilenceList, SilenceNow, SilenceRequest};
use crate::site::{Applied, Problem};

/// The id of an alert.
const ALERT_ID: &str = "^[0-9a-f]{32}$";
const NOT_BLANK: &str = "\\S";
/// Matchers that every reader understands; there are more.
const MATCHER: &str =
    r#"^[a-zA-Z_][a-zA-Z0-9_]{0,40}(!?="[^"\\]{0,80}"|[=!]~"([a-zA-Z0-9_|-]|\.[*+]?){0,40}")$"#;
/// Characters of one text of an action: several of them fit into one message, whatever they are.
const ACTION_TEXT_MAX: usize = 2_000;

/// `GET /api/v1/openapi.json`.
pub(crate) async fn document() -> Json<Value> {
    Json(build())
}

fn build() -> Value {
    let mut generator = SchemaSettings::openapi3().into_generator();
    for schema in [
        generator.subschema_for::<Alert>(),
        generator.subschema_for::<ShownHistoryEntry>(),
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
        generator.subschema_for::<Channels>(),
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
    // What is put into them are the fields of each action.
    let actions = definitions.remove("Action").unwrap_or_default();
    let common = definitions.remove("ActionRequest").unwrap_or_default();
    bound_silences(&mut definitions);
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Reveille",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0" },
            "description": "Alerts, their histories, operators' actions and the site's configuration.",
        },
        "paths": paths(&common, &actions),
        "components": {
            "schemas": definitions,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "token": [] }, {}],
    })
}

/// What a request for this action has: what all have, and its own fields, and nothing else.
fn action_request(common: &Value, actions: &Value, name: &str) -> Value {
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
    let mut request = common.clone();
    for (field, schema) in fields["properties"].as_object().into_iter().flatten() {
        request["properties"][field] = schema.clone();
    }
    if let (Some(all), Some(own)) = (request["required"].as_array_mut(), fields["required"].as_array()) {
        all.extend(own.iter().cloned());
    }
    request["additionalProperties"] = json!(false);
    let properties = &mut request["properties"];
    for (field, bounds) in action_bounds() {
        if let (Some(schema), Some(bounds)) = (properties[field].as_object_mut(), bounds.as_object()) {
            schema.extend(bounds.clone());
        }
    }
    // No field of another action is left behind by an index.
    if let Some(properties) = properties.as_object_mut() {
        properties.retain(|_, schema| !schema.is_null());
    }
    request
}

/// What the fields of actions are held to. The texts of one request together have less room than each of them has where
/// it stands alone; what is said here fits always.
fn action_bounds() -> [(&'static str, Value); 11] {
    let text = json!({ "maxLength": ACTION_TEXT_MAX });
    [
        (
            "alerts",
            json!({ "minItems": 1, "maxItems": ALERTS_MAX, "items": { "type": "string", "pattern": ALERT_ID } }),
        ),
        ("author", json!({ "maxLength": AUTHOR_MAX })),
        ("idempotency_key", json!({ "minLength": 1, "maxLength": KEY_MAX })),
        ("comment", text.clone()),
        ("assignee", text.clone()),
        ("name", text.clone()),
        ("output", text.clone()),
        ("scenario", text),
        (
            "labels",
            json!({ "maxProperties": 20, "additionalProperties": { "type": "string", "nullable": true, "maxLength": 100 } }),
        ),
        (
            "tags",
            json!({ "maxProperties": 20, "additionalProperties": { "type": "boolean" } }),
        ),
        (
            "responders",
            json!({ "maxProperties": 20, "additionalProperties": { "type": "boolean" } }),
        ),
    ]
}

/// What a silence is held to. That its matchers are regular expressions where they are to be, that one of them does not
/// match the empty text, and that its end lies ahead no schema can say.
fn bound_silences(definitions: &mut Map<String, Value>) {
    let bounds = [
        (
            "matchers",
            json!({ "minItems": 1, "maxItems": domain::silence::MATCHERS_MAX }),
        ),
        (
            "created_by",
            json!({ "minLength": 1, "maxLength": silences::AUTHOR_MAX, "pattern": NOT_BLANK }),
        ),
        (
            "comment",
            json!({ "minLength": 1, "maxLength": silences::TEXT_MAX, "pattern": NOT_BLANK }),
        ),
    ];
    for (field, bounds) in bounds {
        let schema = definitions
            .get_mut("SilenceRequest")
            .and_then(|request| request["properties"][field].as_object_mut());
        if let (Some(schema), Some(bounds)) = (schema, bounds.as_object()) {
            schema.extend(bounds.clone());
        }
    }
}

/// What a parameter of a query may be.
fn parameter_schema(path: &str, name: &str) -> Value {
    let words = |words: &[&str]| {
        let one = words.join("|");
        json!({ "type": "string", "pattern": format!("^({one})(,({one}))*$") })
    };
    match (path, name) {
        (_, "limit") => json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX }),
        ("/api/v1/silences", "state") => words(&["active", "pending", "expired"]),
        (_, "state") => {
            let states = OperatorState::ALL.map(OperatorState::name);
            words(&[&["open", "closed", "any"], &states[..]].concat())
        }
        (_, "severity") => words(&Severity::ALL.map(Severity::name)),
        (_, "matcher") => {
            json!({ "type": "array", "items": { "type": "string", "pattern": MATCHER } })
        }
        ("/api/v1/alerts", "cursor") => {
            json!({ "type": "string", "pattern": "^[0-9]{1,16}\\.[0-9a-f]{32}$" })
        }
        (_, "cursor") => json!({ "type": "string", "pattern": "^[0-9]{1,18}$" }),
        _ => json!({ "type": "string" }),
    }
}

fn paths(common: &Value, actions: &Value) -> Value {
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
    for name in VERBS.iter().map(|verb| verb.name) {
        let operation = json!({ "post": {
            "summary": format!("{name} alerts"),
            "operationId": name,
            "requestBody": { "required": true, "content": { "application/json": { "schema": action_request(common, actions, name) } } },
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
    paths.insert(
        "/api/v1/channels".to_owned(),
        read(
            "List channels, with the fields of their bots, their limits and abilities",
            &[],
            "Channels",
        ),
    );
    paths.insert("/api/v1/site".to_owned(), site());
    for (path, operations) in &mut paths {
        if path.contains("{id}") {
            let schema = match path.as_str() {
                "/api/v1/silences/{id}" => json!({ "type": "string", "format": "uuid" }),
                "/api/v1/rejected/{id}" => json!({ "type": "string" }),
                _ => json!({ "type": "string", "pattern": ALERT_ID }),
            };
            operations["parameters"] =
                json!([{ "name": "id", "in": "path", "required": true, "schema": schema }]);
        }
        let get = operations
            .get_mut("get")
            .and_then(|get| get.get_mut("parameters"));
        let parameters = get.and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            parameter["schema"] = parameter_schema(path, parameter["name"].as_str().unwrap_or_default());
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
    use schemas::Verb;

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
        for &Verb { name, fields: known } in VERBS {
            let path = format!("/api/v1/actions/{name}");
            let body = &document["paths"][path]["post"]["requestBody"];
            let fields = &body["content"]["application/json"]["schema"];
            let properties = fields["properties"].as_object().into_iter().flatten();
            let mut found: Vec<_> = properties.map(|(name, _)| name.as_str()).collect();
            found.retain(|name| !["alerts", "author", "idempotency_key"].contains(name));
            let mut known = known.to_vec();
            found.sort_unstable();
            known.sort_unstable();
            assert_eq!(found, known, "{name}: {fields}");
            let until = fields["required"]
                .as_array()
                .is_some_and(|all| all.contains(&json!("until")));
            assert_eq!(
                until,
                ["snooze", "downtime", "handle"].contains(&name),
                "{name}: {fields}"
            );
        }
    }

    /// A value that this schema allows: the least, or the most.
    fn example(document: &Value, schema: &Value, most: bool) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let schema = &document["components"]["schemas"][name.rsplit('/').next().unwrap()];
            return example(document, schema, most);
        }
        if let Some(one) = ["allOf", "anyOf", "oneOf"]
            .iter()
            .find_map(|of| schema[of].get(0))
        {
            return example(document, one, most);
        }
        let number = |name: &str| usize::try_from(schema[name].as_u64().unwrap_or(0)).unwrap();
        if schema["nullable"] == true && !most {
            return Value::Null;
        }
        if let Some(words) = schema["enum"].as_array() {
            return if most { words.last() } else { words.first() }.unwrap().clone();
        }
        let kind = schema["type"].as_str();
        let kind = kind.unwrap_or_else(|| panic!("it has no type: {schema}"));
        match (kind, schema["pattern"].as_str()) {
            ("string", Some(ALERT_ID)) => json!(if most { "f" } else { "0" }.repeat(32)),
            ("string", _) if schema["format"] == "date-time" => json!("2026-09-01T10:00:00.5+02:00"),
            // Four bytes a character.
            ("string", _) if most => json!("\u{1f525}".repeat(number("maxLength"))),
            ("string", _) => json!("x".repeat(number("minLength"))),
            ("boolean", _) => json!(most),
            ("array", _) => {
                let count = if most {
                    number("maxItems")
                } else {
                    number("minItems")
                };
                json!(vec![example(document, &schema["items"], most); count])
            }
            ("object", _) if schema["additionalProperties"].is_object() => {
                let count = if most { number("maxProperties") } else { 0 };
                let value = example(document, &schema["additionalProperties"], most);
                let named = (0..count).map(|n| (format!("name-{n}"), value.clone()));
                Value::Object(named.collect())
            }
            (other, _) => panic!("there is no example of {other}: {schema}"),
        }
    }

    #[test]
    fn c4_what_the_schema_of_an_action_allows_is_understood() {
        let document = build();
        for name in VERBS.iter().map(|verb| verb.name) {
            let path = format!("/api/v1/actions/{name}");
            let body = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
            let schema = &body["schema"];
            assert_eq!(schema["additionalProperties"], false);
            let required = schema["required"].as_array().unwrap();
            for most in [false, true] {
                let mut whole = Map::new();
                for (field, schema) in schema["properties"].as_object().unwrap() {
                    whole.insert(field.clone(), example(&document, schema, most));
                }
                let mut least = whole.clone();
                least.retain(|field, _| required.contains(&json!(field)));
                // Amending nothing is a refusal of its own, by the daemon.
                for request in [least, whole] {
                    let understood = crate::actions::understood(name, Value::Object(request));
                    assert!(
                        understood.is_ok(),
                        "{name}, most {most}: {}",
                        understood.unwrap_err()
                    );
                }
            }
        }
    }

    #[test]
    fn c4_parameters_say_what_they_may_be() {
        let document = build();
        let of = |path: &str, name: &str| {
            let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
            let found = parameters.iter().find(|one| one["name"] == name);
            found.unwrap()["schema"].clone()
        };
        for path in [
            "/api/v1/alerts",
            "/api/v1/alerts/{id}/history",
            "/api/v1/rejected",
        ] {
            let limit = json!({ "type": "integer", "minimum": 1, "maximum": 1000 });
            assert_eq!(of(path, "limit"), limit, "{path}");
        }
        let states = of("/api/v1/silences", "state")["pattern"].clone();
        assert_eq!(states, "^(active|pending|expired)(,(active|pending|expired))*$");
        let states = of("/api/v1/alerts", "state")["pattern"].clone();
        assert!(states.as_str().unwrap().contains("|acknowledged|"), "{states}");
        for operations in document["paths"].as_object().unwrap().values() {
            let mut operations = operations.as_object().unwrap().values();
            assert!(operations.all(|operation| !operation.is_null()));
        }
    }
}
