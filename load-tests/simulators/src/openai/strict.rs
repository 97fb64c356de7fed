//! The subset of JSON Schema that structured outputs accept with `strict: true`.

use serde_json::Value;

use super::refusal::{WrongRequest, wrong};

const MAX_DEPTH: usize = 10;
const MAX_PROPERTIES: usize = 5000;
const MAX_ENUM_VALUES: usize = 1000;
const NOT_PERMITTED: [&str; 11] = [
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "unevaluatedProperties",
    "propertyNames",
];
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// Returns the schema within `response_format.json_schema` if OpenAI would accept it.
pub(super) fn schema_of(format: &Value) -> Result<&Value, WrongRequest> {
    let name = format["name"].as_str().unwrap_or_default();
    let is_named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_named) {
        return wrong("response_format", "Invalid 'response_format.json_schema.name'");
    }
    let schema = &format["schema"];
    if !schema.is_object() {
        return wrong("response_format", "Missing required parameter: 'response_format.json_schema.schema'");
    }
    if format["strict"] == true {
        let mut rules = Rules { properties: 0, enum_values: 0 };
        let checked = match &schema["type"] {
            Value::String(kind) if kind == "object" => rules.check(schema, "()", 1),
            other => Err(format!("schema must be a JSON Schema of 'type: \"object\"', got 'type: {other}'")),
        };
        if let Err(reason) = checked {
            let message = format!("Invalid schema for response_format '{name}': {reason}");
            return wrong("response_format", message);
        }
    }
    Ok(schema)
}

/// What has been counted so far.
struct Rules {
    properties: usize,
    enum_values: usize,
}

impl Rules {
    /// Checks a schema and everything within it. `at` names its place in the way of the provider's error texts.
    fn check(&mut self, schema: &Value, at: &str, depth: usize) -> Result<(), String> {
        let Some(object) = schema.as_object() else {
            return Err(format!("In context={at}, {schema} is not of type 'object'."));
        };
        if depth > MAX_DEPTH {
            return Err(format!("In context={at}, the schema is nested deeper than {MAX_DEPTH} levels."));
        }
        if let Some(keyword) = NOT_PERMITTED.iter().find(|keyword| object.contains_key(**keyword)) {
            return Err(format!("In context={at}, '{keyword}' is not permitted."));
        }
        if object.contains_key("$ref") && object.len() > 1 {
            return Err(format!("In context={at}, $ref cannot have other keywords beside it."));
        }
        if let Some(format) = object.get("format").and_then(Value::as_str)
            && !FORMATS.contains(&format)
        {
            return Err(format!("In context={at}, '{format}' is not a valid format."));
        }
        self.enum_values += object.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
        if self.enum_values > MAX_ENUM_VALUES {
            return Err(format!("the schema has more than {MAX_ENUM_VALUES} enum values"));
        }
        if is_object(&schema["type"]) {
            self.check_object(schema, at, depth)?;
        }
        for definition in ["$defs", "definitions"] {
            for (name, inner) in object.get(definition).and_then(Value::as_object).into_iter().flatten() {
                self.check(inner, &format!("('{definition}', '{name}')"), 1)?;
            }
        }
        if let Some(items) = object.get("items") {
            self.check(items, &format!("{at}.items"), depth + 1)?;
        }
        for (nth, inner) in object.get("anyOf").and_then(Value::as_array).into_iter().flatten().enumerate() {
            self.check(inner, &format!("{at}.anyOf[{nth}]"), depth)?;
        }
        Ok(())
    }

    fn check_object(&mut self, schema: &Value, at: &str, depth: usize) -> Result<(), String> {
        if schema["additionalProperties"] != false {
            return Err(format!(
                "In context={at}, 'additionalProperties' is required to be supplied and to be false."
            ));
        }
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            if !required.contains(&name.as_str()) {
                return Err(format!(
                    "In context={at}, 'required' is required to be supplied and to be an array including \
                     every key in properties. Missing '{name}'."
                ));
            }
            self.properties += 1;
            if self.properties > MAX_PROPERTIES {
                return Err(format!("the schema has more than {MAX_PROPERTIES} properties"));
            }
            self.check(inner, &format!("{at}.{name}"), depth + 1)?;
        }
        Ok(())
    }
}

/// Whether the `type` of a schema allows an object.
fn is_object(kind: &Value) -> bool {
    kind == "object" || kind.as_array().is_some_and(|kinds| kinds.contains(&"object".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(schema: &Value) -> Option<String> {
        let format = json!({ "name": "x", "strict": true, "schema": schema });
        schema_of(&format).err().map(|wrong| wrong.message)
    }

    fn object(properties: &Value) -> Value {
        let names: Vec<_> = properties.as_object().unwrap().keys().collect();
        json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false })
    }

    #[test]
    fn a_schema_within_the_subset_is_accepted() {
        let inner = object(&json!({ "quote": { "type": "string" } }));
        let schema = object(&json!({
            "due": { "type": ["string", "null"] },
            "facts": { "type": "array", "items": { "anyOf": [inner, { "type": "null" }] } },
        }));
        assert_eq!(refused(&schema), None);
    }

    #[test]
    fn a_schema_beyond_the_subset_is_refused_with_the_provider_s_reason() {
        let mut open = object(&json!({ "a": { "type": "string" } }));
        open["additionalProperties"] = json!(true);
        assert!(refused(&open).unwrap().contains("additionalProperties"));
        let mut optional = object(&json!({ "a": { "type": "string" } }));
        optional["required"] = json!([]);
        assert!(refused(&optional).unwrap().contains("Missing 'a'"));
        let one_of = object(&json!({ "a": { "oneOf": [] } }));
        assert!(refused(&one_of).unwrap().contains("'oneOf' is not permitted"));
        let format = object(&json!({ "a": { "type": "integer", "format": "uint32" } }));
        assert!(refused(&format).unwrap().contains("'uint32'"));
        assert!(refused(&json!({ "type": "array" })).unwrap().contains("'type: \"object\"'"));
    }
}
