//! The types of a model's reply, and their JSON schema. The schema keeps to the strict subset that structured outputs
//! accept: every property is required, there are no additional properties, a value that may be absent is a union with
//! null, and there are no references.
//!
//! Our own code checks the reply against the same schema, because some servers that offer this API do not make their
//! models keep to it.
//!
//! The doc comments of the types from [`Reading`] to [`FactClaim`] are the descriptions in the schema, so the model
//! reads them. Whoever changes one of them changes what the model is told.

use std::sync::LazyLock;

use domain::analysis::{Category, ContactField, Priority, Resolution, Sentiment, Tone};
use jsonschema::Validator;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The name of the schema in a request.
pub const NAME: &str = "call_analysis";

/// What a model read in a transcript, before any of it is proven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// What happened in the call, in two to five sentences.
    pub summary: String,
    /// What somebody who was not there must know, one sentence each.
    pub key_points: Vec<String>,
    /// What the call was about, a few words each.
    pub topics: Vec<String>,
    /// The mood of the call as a whole.
    #[schemars(schema_with = "sentiments")]
    pub sentiment: Sentiment,
    /// How the customer sounded.
    #[schemars(schema_with = "tones")]
    pub tone: Tone,
    /// What the customer wants, in one sentence; null where nothing was said that shows it.
    pub concern: Option<String>,
    #[schemars(schema_with = "categories")]
    pub category: Category,
    /// What somebody promised or was asked to do after the call.
    pub action_items: Vec<ActionReading>,
    /// What the customer asked for.
    pub customer_requests: Vec<String>,
    #[schemars(schema_with = "resolutions")]
    pub resolution: Resolution,
    #[schemars(schema_with = "priorities")]
    pub priority: Priority,
    /// What participants said about themselves, and nobody else.
    pub contacts: Vec<ContactClaim>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionReading {
    pub text: String,
    /// Who does it, by the name in the transcript.
    pub owner: Option<String>,
    /// When, in the words that were said.
    pub due: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactClaim {
    /// The speaker's name as the transcript writes it.
    pub name: String,
    pub facts: Vec<FactClaim>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FactClaim {
    #[schemars(schema_with = "contact_fields")]
    pub field: ContactField,
    /// As it was said; a spoken e-mail address in its written form.
    pub value: String,
    /// The speaker's exact words that say the value.
    pub quote: String,
    /// The number of the segment that holds the quote.
    pub segment: u32,
}

/// The schema of a text that is one of `all`.
fn one_of<T: Serialize>(all: &[T]) -> Schema {
    json_schema!({ "type": "string", "enum": all })
}

fn sentiments(_: &mut SchemaGenerator) -> Schema {
    one_of(&[Sentiment::Positive, Sentiment::Neutral, Sentiment::Negative])
}

fn tones(_: &mut SchemaGenerator) -> Schema {
    one_of(&[Tone::Positive, Tone::Neutral, Tone::Negative])
}

fn categories(_: &mut SchemaGenerator) -> Schema {
    one_of(&[
        Category::Sales,
        Category::Billing,
        Category::Technical,
        Category::Account,
        Category::Complaint,
        Category::GeneralInquiry,
        Category::Other,
    ])
}

fn resolutions(_: &mut SchemaGenerator) -> Schema {
    one_of(&[Resolution::Resolved, Resolution::Pending, Resolution::Escalated, Resolution::Unknown])
}

fn priorities(_: &mut SchemaGenerator) -> Schema {
    one_of(&[Priority::High, Priority::Medium, Priority::Low])
}

fn contact_fields(_: &mut SchemaGenerator) -> Schema {
    one_of(&[
        ContactField::Email,
        ContactField::Phone,
        ContactField::MobilePhone,
        ContactField::Title,
        ContactField::Company,
        ContactField::Department,
        ContactField::Street,
        ContactField::City,
        ContactField::State,
        ContactField::PostalCode,
        ContactField::Country,
    ])
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<Reading>().to_value();
    make_strict(&mut schema);
    schema
});

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&SCHEMA).expect("our own schema is a valid schema"));

/// The schema of [`Reading`] in the strict subset.
pub fn schema() -> &'static Value {
    &SCHEMA
}

/// Changes a derived schema so that it keeps to the strict subset. The subset has no `title`, and no `format` of an
/// integer.
fn make_strict(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(names) = object
                .get("properties")
                .and_then(Value::as_object)
                .map(|all| all.keys().cloned().collect::<Vec<_>>())
            {
                object.insert("required".into(), json!(names));
                object.insert("additionalProperties".into(), json!(false));
            }
            for unwanted in ["format", "minimum", "title"] {
                // A property can have the name `title`. Its value is a schema, that is an object. Only the keyword is
                // removed, whose value is no object.
                if object.get(unwanted).is_some_and(|value| !value.is_object()) {
                    object.remove(unwanted);
                }
            }
            object.values_mut().for_each(make_strict);
        }
        Value::Array(items) => items.iter_mut().for_each(make_strict),
        _ => {}
    }
}

/// Why a reply is not a [`Reading`]. The text says where the reply is wrong, and never repeats the words that stand
/// there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    #[error("it is empty")]
    Empty,
    #[error("it is not one JSON object")]
    NotJson,
    /// The text names each place, and the rule of the schema that does not hold there.
    #[error("it breaks the schema at {0}")]
    Schema(String),
}

/// How many places an error names at most.
const MAX_PLACES: usize = 5;

/// Reads a model's reply and checks it against the schema.
pub fn read(reply: &str) -> Result<Reading, BadReply> {
    if reply.trim().is_empty() {
        return Err(BadReply::Empty);
    }
    let value: Value = serde_json::from_str(reply).map_err(|_| BadReply::NotJson)?;
    if !value.is_object() {
        return Err(BadReply::NotJson);
    }
    let errors = VALIDATOR.iter_errors(&value).take(MAX_PLACES);
    let places = errors.map(|error| format!("`{}` ({})", error.instance_path(), error.schema_path()));
    let places: Vec<String> = places.collect();
    if !places.is_empty() {
        return Err(BadReply::Schema(places.join(", ")));
    }
    serde_json::from_value(value).map_err(|_| BadReply::Schema("a number that is out of range".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Value {
        json!({
            "summary": "A refund was promised.", "key_points": [], "topics": ["refund"], "sentiment": "negative",
            "tone": "Negative", "concern": null, "category": "billing",
            "action_items": [{"text": "Send a letter", "owner": null, "due": "by Friday"}],
            "customer_requests": [], "resolution": "pending", "priority": "medium",
            "contacts": [{"name": "Ada", "facts":
                [{"field": "email", "value": "a@example.com", "quote": "a@example.com", "segment": 3}]}]
        })
    }

    fn for_each_object(schema: &Value, check: &mut impl FnMut(&serde_json::Map<String, Value>)) {
        match schema {
            Value::Object(object) => {
                check(object);
                object.values().for_each(|value| for_each_object(value, check));
            }
            Value::Array(items) => items.iter().for_each(|item| for_each_object(item, check)),
            _ => {}
        }
    }

    #[test]
    fn the_schema_keeps_to_the_strict_subset() {
        let mut objects = 0;
        for_each_object(schema(), &mut |object| {
            for banned in ["$ref", "$defs", "allOf", "not", "if", "format"] {
                assert!(!object.contains_key(banned), "{banned}");
            }
            if let Some(properties) = object.get("properties").and_then(Value::as_object) {
                objects += 1;
                assert_eq!(object["additionalProperties"], false);
                assert_eq!(object["required"].as_array().unwrap().len(), properties.len());
            }
        });
        assert_eq!(objects, 4);
        assert_eq!(schema()["type"], "object");
        assert_eq!(schema()["properties"]["concern"]["type"], json!(["string", "null"]));
    }

    #[test]
    fn a_reply_that_keeps_to_the_schema_is_read_completely() {
        let reading = read(&reply().to_string()).unwrap();
        assert_eq!(serde_json::to_value(reading).unwrap(), reply());
    }

    #[test]
    fn a_reply_that_breaks_the_schema_is_refused_and_the_error_does_not_repeat_it() {
        let mut bad = reply();
        bad["sentiment"] = json!("furious-secret");
        let error = read(&bad.to_string()).unwrap_err().to_string();
        assert!(error.contains("/sentiment") && !error.contains("secret"), "{error}");
        let mut extra = reply();
        extra["note"] = json!("more");
        assert!(matches!(read(&extra.to_string()), Err(BadReply::Schema(_))));
        let mut missing = reply();
        missing.as_object_mut().unwrap().remove("concern");
        assert!(matches!(read(&missing.to_string()), Err(BadReply::Schema(_))));
        let mut out_of_range = reply();
        out_of_range["contacts"][0]["facts"][0]["segment"] = json!(-1);
        assert!(matches!(read(&out_of_range.to_string()), Err(BadReply::Schema(_))));
        assert_eq!(read("Sorry, I can't help with that."), Err(BadReply::NotJson));
        assert_eq!(read("[1]"), Err(BadReply::NotJson));
        assert_eq!(read(" \n"), Err(BadReply::Empty));
        let mut two = reply();
        two["tone"] = json!(1);
        two["priority"] = json!("secret");
        let error = read(&two.to_string()).unwrap_err().to_string();
        assert!(error.contains("`/tone`") && error.contains("`/priority`"), "{error}");
        assert_eq!(read(&reply().to_string()[..40]), Err(BadReply::NotJson));
    }
}
