//! What the request of each action may have. All of them are read from one type, whose fields beside the common ones depend
//! on the action.

use schemars::generate::SchemaSettings;
use schemas::Action;
use serde_json::{Map, Value, json};

use crate::actions::ActionRequest;

/// Characters of one text of an action: several of them fit into one message, of any characters.
const ACTION_TEXT_MAX: usize = 2_000;

/// The schemas that requests of actions are made from.
pub(super) struct ActionSchemas {
    /// What they refer to.
    pub(super) definitions: Map<String, Value>,
    actions: Value,
    common: Value,
}

impl ActionSchemas {
    pub(super) fn new() -> Self {
        let mut generator = SchemaSettings::openapi3().into_generator();
        // Asking for a schema is what defines it.
        let _ = (
            generator.subschema_for::<Action>(),
            generator.subschema_for::<ActionRequest>(),
        );
        let mut definitions = generator.take_definitions(true);
        Self {
            actions: definitions.remove("Action").unwrap_or_default(),
            common: definitions.remove("ActionRequest").unwrap_or_default(),
            definitions,
        }
    }

    /// What a request for this action has: what all have, and its own fields, and nothing else.
    pub(super) fn request(&self, name: &str) -> Value {
        let mut variants = self.actions["oneOf"].as_array().into_iter().flatten();
        let variant = variants.find(|variant| variant["properties"]["type"]["enum"][0] == name);
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
        let mut request = self.common.clone();
        for (field, schema) in fields["properties"].as_object().into_iter().flatten() {
            request["properties"][field] = schema.clone();
        }
        if let (Some(all), Some(own)) = (request["required"].as_array_mut(), fields["required"].as_array()) {
            all.extend(own.iter().cloned());
        }
        request["additionalProperties"] = json!(false);
        for (field, schema) in request["properties"].as_object_mut().into_iter().flatten() {
            if let (Some(schema), Some(bounds)) = (schema.as_object_mut(), bounds(field).as_object()) {
                schema.extend(bounds.clone());
            }
        }
        request
    }
}

/// What a field of an action is held to. The texts of one request together have less room than each of them has where it
/// stands alone; these bounds always fit.
fn bounds(field: &str) -> Value {
    match field {
        "comment" | "assignee" | "name" | "output" | "scenario" => json!({ "maxLength": ACTION_TEXT_MAX }),
        "labels" => {
            json!({ "maxProperties": 20, "additionalProperties": { "type": "string", "nullable": true, "maxLength": 100 } })
        }
        "tags" | "responders" => {
            json!({ "maxProperties": 20, "additionalProperties": { "type": "boolean" } })
        }
        _ => Value::Null,
    }
}
