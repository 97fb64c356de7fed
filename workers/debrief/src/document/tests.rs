use std::collections::BTreeSet;

use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::*;

const ROUTES: [&str; 69] = [
    "GET /",
    "POST /webhook/zapier",
    "POST /webhooks/exotel",
    "GET /webhooks/exotel",
    "POST /webhooks/twilio/recording",
    "POST /webhooks/assemblyai",
    "POST /webhooks/zoom",
    "POST /api/meetings",
    "POST /api/calls",
    "POST /api/sessions",
    "GET /health",
    "GET /ready",
    "GET /metrics",
    "GET /stats",
    "GET /call/{call_id}",
    "GET /api/calls/history",
    "GET /api/calls/{id}",
    "GET /api/calls/{id}/timeline",
    "POST /api/calls/{id}/replay",
    "GET /api/calls/{id}/transcript",
    "GET /api/calls/{id}/transcript.json",
    "GET /api/calls/{id}/transcript.vtt",
    "GET /api/calls/{id}/transcript.srt",
    "GET /api/calls/{id}/transcript.txt",
    "GET /api/calls/{id}/recording",
    "GET /api/calls/{id}/waveform",
    "GET /api/queues",
    "GET /api/dead-letters",
    "GET /api/dead-letters/{id}",
    "POST /api/dead-letters/replay",
    "GET /api/effects",
    "GET /api/audit",
    "GET /api/usage",
    "PATCH /api/calls/{id}/speakers",
    "GET /api/calls/search",
    "GET /api/calls/changes",
    "GET /api/analytics/dashboard",
    "POST /api/calls/start",
    "POST /api/calls/{session_id}/audio",
    "POST /api/calls/{session_id}/end",
    "GET /api/calls/{session_id}/summary",
    "GET /api/calls/{session_id}/events",
    "GET /api/calls/{session_id}/stream",
    "POST /api/salesperson/create",
    "GET /api/salesperson/",
    "GET /api/salesperson/{id}",
    "PUT /api/salesperson/{id}",
    "DELETE /api/salesperson/{id}",
    "DELETE /api/salesperson/{id}/material/{index}",
    "POST /api/company/create",
    "GET /api/company/{id}",
    "DELETE /api/company/{id}",
    "POST /api/company/{id}/refresh-data",
    "POST /api/company/{id}/representatives",
    "GET /api/company/{id}/representatives",
    "PUT /api/company/representatives/{id}",
    "DELETE /api/company/representatives/{id}",
    "POST /api/meeting/create",
    "GET /api/meeting/{id}",
    "DELETE /api/meeting/{id}",
    "GET /api/meeting/salesperson/{id}/meetings",
    "POST /api/meeting/{id}/start",
    "POST /api/meeting/{id}/end",
    "POST /api/conversation/send-message",
    "GET /api/conversation/{meeting_id}/history",
    "GET /api/conversation/{meeting_id}/analytics",
    "GET /api/conversation/{meeting_id}/audio/{turn}",
    "GET /api/conversation/ws/{meeting_id}",
    "GET /api/meeting/salesperson/{id}/progress",
];

#[test]
fn the_document_describes_every_route_of_every_role() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let route = format!("{} {path}", method.to_uppercase());
            assert!(operation["summary"].is_string(), "{route} has no summary");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(response["description"].is_string(), "{route}: {status} has no description");
            }
            for name in path.split(['{', '}']).skip(1).step_by(2) {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(
                    parameters.iter().any(|p| p["name"] == name && p["required"] == true),
                    "{route}: {name}"
                );
            }
            described.insert(route);
        }
    }
    assert_eq!(described, ROUTES.iter().map(|route| (*route).to_owned()).collect());
}

#[test]
fn what_two_crates_call_by_one_name_is_one_thing() {
    let schemas = |part: OpenApi| match serde_json::to_value(part).unwrap()["components"]["schemas"].take() {
        Value::Object(schemas) => schemas,
        other => panic!("no schemas: {other}"),
    };
    let (ingest, api) = (schemas(ingest::document()), schemas(api::document([])));
    let shared: Vec<_> = ingest.keys().filter(|name| api.contains_key(*name)).collect();
    assert!(shared.contains(&&"Problem".to_owned()), "{shared:?}");
    for name in shared {
        assert_eq!(ingest[name], api[name], "{name}");
    }
}

/// Calls `look` for every operation, with its method and path as a text.
fn operations(document: &Value, mut look: impl FnMut(&str, &Value)) {
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            look(&format!("{} {path}", method.to_uppercase()), operation);
        }
    }
}

fn each<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value[name].as_object().into_iter().flatten()
}

/// Whether the schema of a body is bytes and no text that somebody could show.
fn is_bytes(schema: &Value) -> bool {
    schema["type"] == "string" && schema["format"] == "binary"
}

#[test]
fn every_body_has_an_example_that_its_schema_allows() {
    let document = document();
    let checked = |what: &str, content: &Value| {
        let mut schema = content["schema"].clone();
        if is_bytes(&schema) {
            return;
        }
        let example = content.get("example").unwrap_or_else(|| panic!("{what} has no example"));
        schema["components"] = document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let problems: Vec<_> = validator.iter_errors(example).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{what}: {problems:?}");
    };
    operations(&document, |route, operation| {
        for (media_type, content) in each(&operation["requestBody"], "content") {
            checked(&format!("the body of {route}, {media_type}"), content);
        }
        for (status, response) in each(operation, "responses") {
            for (media_type, content) in each(response, "content") {
                checked(&format!("{status} of {route}, {media_type}"), content);
            }
        }
    });
}

#[test]
fn every_parameter_has_limits_and_an_example_that_keeps_them() {
    operations(&document(), |route, operation| {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let what = format!("{} of {route}", parameter["name"]);
            let example = parameter.get("example").unwrap_or_else(|| panic!("{what} has no example"));
            let schema = &parameter["schema"];
            let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
            assert!(validator.is_valid(example), "{what}");
            assert!(!validator.is_valid(&"a\0b".into()), "{what}: a NUL");
            assert!(parameter["description"].is_string(), "{what} has no description");
        }
        let has = |name: &str| {
            operation["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == name)
        };
        assert!(
            !has("skip") || has("page") && operation["description"].as_str().unwrap().contains("`skip`"),
            "{route}"
        );
    });
}

#[test]
fn every_error_is_a_problem_and_a_route_with_a_key_says_what_a_wrong_key_is_answered() {
    let document = document();
    operations(&document, |route, operation| {
        let security = operation.get("security").unwrap_or(&document["security"]).as_array().unwrap();
        let open = security.iter().any(|way| way.as_object().unwrap().is_empty());
        for status in ["401", "403", "429", "503"] {
            assert!(open || operation["responses"][status].is_object(), "{route}: {status}");
        }
        for status in ["400", "413", "415"] {
            let has_body = operation["requestBody"].is_object();
            assert!(!has_body || operation["responses"][status].is_object(), "{route}: {status}");
        }
        for (status, response) in
            each(operation, "responses").filter(|(status, _)| status.starts_with(['4', '5']))
        {
            let schema = &response["content"]["application/problem+json"]["schema"];
            assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{route}: {status}");
        }
    });
}

#[test]
fn bytes_are_described_as_bytes_and_not_as_a_list_of_numbers() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (form, part) in [("CallForm", "audio"), ("MeetingForm", "audio"), ("MeetingForm", "transcript")] {
        let part = &schemas[form]["properties"][part];
        assert!(is_bytes(part) && part["contentMediaType"].is_string(), "{form}: {part}");
    }
    let recording = &document["paths"]["/api/calls/{id}/recording"]["get"]["responses"];
    for status in ["200", "206"] {
        for (media_type, content) in each(&recording[status], "content") {
            assert!(is_bytes(&content["schema"]), "{status} {media_type}: {content}");
        }
        assert!(recording[status]["content"]["application/octet-stream"].is_object());
    }
    let text = document.to_string();
    assert!(
        !text.contains("\"int32\",\"minimum\":0,\"type\":\"integer\"},\"type\":\"array\""),
        "a list of bytes"
    );
}

#[test]
fn no_field_has_a_default_because_some_generators_then_call_it_mandatory() {
    fn look(value: &Value, at: &str) {
        match value {
            Value::Object(fields) => {
                // The answer to whatever has no status of its own is called `default`, too.
                let is_schema = fields.contains_key("type") || fields.contains_key("oneOf");
                assert!(!(is_schema && fields.contains_key("default")), "{at}");
                fields.iter().for_each(|(name, value)| look(value, &format!("{at}/{name}")));
            }
            Value::Array(values) => values.iter().for_each(|value| look(value, at)),
            _ => {}
        }
    }
    look(&document(), "");
}

#[test]
fn a_body_in_which_an_unknown_name_is_refused_says_so() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for body in ["ReplayBody", "DeadLettersReplay"] {
        assert_eq!(schemas[body]["additionalProperties"], false, "{body}");
    }
    let stages = schemas["ReplayBody"]["properties"]["from"]["enum"].as_array().unwrap();
    assert!(stages.contains(&"analysis".into()) && stages.contains(&Value::Null), "{stages:?}");
}

#[test]
fn there_is_a_server_and_a_licence() {
    let document = document();
    assert_eq!(document["servers"][0]["url"], "/");
    assert!(document["info"]["license"]["identifier"].is_string());
}
