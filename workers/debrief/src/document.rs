//! Joins the OpenAPI document from the parts of all crates that have routes. Every process serves the whole document,
//! also the routes of roles that it does not run itself.

use utoipa::openapi::OpenApi;

pub(crate) fn document() -> OpenApi {
    api::document([ingest::document()])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const ROUTES: [&str; 27] = [
        "GET /",
        "POST /webhook/zapier",
        "POST /webhooks/assemblyai",
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
        "GET /api/queues",
        "GET /api/dead-letters",
        "GET /api/dead-letters/{id}",
        "POST /api/dead-letters/replay",
        "GET /api/effects",
        "GET /api/audit",
    ];

    #[test]
    fn the_document_describes_every_route_of_every_role() {
        let document = serde_json::to_value(document()).unwrap();
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
        let schemas =
            |part: OpenApi| match serde_json::to_value(part).unwrap()["components"]["schemas"].take() {
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
}
