//! Says in the document what a generated client and a tester need and what no Rust type holds: the servers, the limits of
//! parameters, the errors of every route, and an example of every body.

use std::sync::LazyLock;

use queue_topology::replay::Start;
use serde_json::{Map, Value, json};

use super::parameters;

const PROBLEM: &str = "application/problem+json";
/// An example of every type that is a body, by the name of its schema, and of every text, by its media type.
static EXAMPLES: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).unwrap_or_default());

pub(super) fn complete(mut document: Value) -> Value {
    document["servers"] = json!([
        {"url": "/", "description": "The process that serves this document"},
        {"url": "http://127.0.0.1:8000", "description": "A process on this machine with the default settings"},
    ]);
    document["info"]["license"] =
        json!({"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")});
    let everywhere = document["security"].clone();
    for item in objects(&mut document["paths"]) {
        for (method, operation) in item.iter_mut() {
            let Some(operation) = operation.as_object_mut() else { continue };
            complete_operation(method, operation, &everywhere);
        }
    }
    for (body, field) in [
        ("CallAnnounced", "call_id"),
        ("SessionBody", "call_id"),
        ("ExotelCall", "CallSid"),
        ("TwilioRecording", "CallSid"),
        ("TwilioRecording", "RecordingSid"),
    ] {
        let id = &mut document["components"]["schemas"][body]["properties"][field];
        // A field that may be null keeps its two types.
        let limits = parameters::external_id();
        for (name, value) in limits.as_object().into_iter().flatten().filter(|(name, _)| *name != "type") {
            id[name] = value.clone();
        }
    }
    complete_replays(&mut document["components"]["schemas"]);
    remove_unused(&mut document);
    document
}

/// Removes the schemas that nothing refers to. The answers of practice hold their data in themselves, and its type stands
/// beside them once more.
fn remove_unused(document: &mut Value) {
    loop {
        let text = document.to_string();
        let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
        let before = schemas.len();
        schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if schemas.len() == before {
            return;
        }
    }
}

/// What the bodies of replays may hold. A name that is not known is refused there, because a misspelt filter would select
/// everything.
fn complete_replays(schemas: &mut Value) {
    for body in ["ReplayBody", "DeadLettersReplay"] {
        schemas[body]["additionalProperties"] = false.into();
    }
    let stages = Start::names().into_iter().map(Value::from).chain([Value::Null]);
    schemas["ReplayBody"]["properties"]["from"]["enum"] = stages.collect();
    let filter = &mut schemas["DeadLettersReplay"]["properties"];
    for name in ["stage", "group", "why"] {
        filter[name]["pattern"] = parameters::NOT_BLANK.into();
    }
    for name in ["since", "until"] {
        let mut schema = parameters::moment();
        if let Some(ways) = schema["anyOf"].as_array_mut() {
            ways.push(json!({"type": "null"}));
        }
        schema["description"] = filter[name]["description"].clone();
        filter[name] = schema;
    }
}

fn objects(value: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    value.as_object_mut().into_iter().flat_map(|object| object.values_mut().filter_map(Value::as_object_mut))
}

fn complete_operation(method: &str, operation: &mut Map<String, Value>, everywhere: &Value) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        complete_parameter(parameter);
    }
    let security = operation.get("security").unwrap_or(everywhere);
    let open = security.as_array().is_none_or(|ways| ways.iter().any(|way| way == &json!({})));
    let has_body = operation.contains_key("requestBody");
    if let Some(contents) = operation.get_mut("requestBody").map(|body| &mut body["content"]) {
        give_examples(contents);
    }
    let mut errors: Vec<(&str, &str)> = Vec::new();
    if !open {
        errors.push(("401", "The key is missing or wrong"));
        errors.push(("403", "The key may not do this"));
        errors.push(("429", "There were too many requests with this key"));
    }
    if has_body {
        errors.push(("400", "The body broke off before its end"));
        errors.push(("413", "The body is too long"));
        errors.push(("415", "The body has another media type"));
    }
    if method == "post" || !open {
        errors.push(("503", "It cannot be done at the moment; send it again"));
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, description) in errors {
        let content = json!({PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}});
        let problem = json!({"description": description, "content": content});
        responses.entry(status).or_insert(problem);
    }
    for (status, response) in responses {
        let description = response["description"].as_str().unwrap_or_default().to_owned();
        if let Some(problem) = response.get_mut("content").and_then(|content| content.get_mut(PROBLEM)) {
            problem["example"] = problem_example(status, &description);
        } else if let Some(contents) = response.get_mut("content") {
            give_examples(contents);
        }
    }
}

/// A route that says more about a parameter than its name does brings its own example.
fn complete_parameter(parameter: &mut Value) {
    let (place, name) = (parameter["in"].as_str(), parameter["name"].as_str());
    let known = place.zip(name).and_then(|(place, name)| parameters::of(place, name));
    if let Some((schema, example)) = known.filter(|_| parameter.get("example").is_none()) {
        parameter["schema"] = schema;
        parameter["example"] = example;
    }
}

fn give_examples(contents: &mut Value) {
    for (media_type, content) in contents.as_object_mut().into_iter().flatten() {
        let reference = content["schema"]["$ref"].as_str().or_else(|| {
            // A body that may be absent is one of two: null, or the type.
            content["schema"]["oneOf"].as_array()?.iter().find_map(|one| one["$ref"].as_str())
        });
        let name = reference.and_then(|reference| reference.rsplit('/').next()).unwrap_or(media_type);
        if let Some(example) = EXAMPLES.get(name) {
            content["example"] = example.clone();
        }
    }
}

fn problem_example(status: &str, description: &str) -> Value {
    let status: u16 = status.parse().unwrap_or(500);
    let title = axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    json!({"type": "about:blank", "title": title.unwrap_or("Error"), "status": status, "detail": description})
}
