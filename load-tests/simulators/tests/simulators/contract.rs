//! The schemas that the providers publish.

use serde_json::{Value, json};

pub(crate) const OPENAI: &str = include_str!("../contracts/openai.json");
pub(crate) const DEEPGRAM: &str = include_str!("../contracts/deepgram.json");
pub(crate) const SLACK: &str = include_str!("../contracts/slack.json");

/// Fails unless `value` is what the provider's document says of `name`.
pub(crate) fn check(contract: &str, name: &str, value: &Value) {
    let mut schema: Value = serde_json::from_str(contract).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{value:#}");
}
