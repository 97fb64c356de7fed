use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn every_reference_in_the_openapi_document_can_be_resolved() {
    let document = World::new().await.json("/openapi.json").await;
    let (mut references, mut ids) = (Vec::new(), Vec::new());
    visit(&document, &mut |name, value| match name {
        "$ref" => references.push(value.as_str().unwrap().to_owned()),
        "operationId" => ids.push(value.as_str().unwrap().to_owned()),
        _ => {}
    });
    assert!(references.len() > 20);
    for reference in references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "two operations share an id: {ids:?}");
    let interruptions = &document["components"]["schemas"]["Metrics"]["properties"]["interruptions"];
    assert!(interruptions["description"].as_str().unwrap().contains("has not ended when the segment starts"));
    let status = &document["components"]["schemas"]["Call"]["properties"]["status"];
    assert_eq!(status["enum"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn an_answer_has_exactly_the_fields_that_the_openapi_document_names() {
    let world = World::new().await;
    let id = world.completed("CALL-1").await;
    world.dead("dead").await;
    let document = world.json("/openapi.json").await;
    for (path, schema) in [
        ("/".to_owned(), "Home"),
        ("/health".into(), "Health"),
        (format!("/api/calls/{id}"), "Call"),
        ("/call/CALL-1".into(), "SourceCallView"),
        ("/api/calls/history".into(), "CallList"),
        (format!("/api/calls/{id}/transcript"), "Transcript"),
        (format!("/api/calls/{id}/timeline"), "Timeline"),
        ("/api/queues".into(), "Queues"),
        ("/api/dead-letters".into(), "DeadLetters"),
        (format!("/api/effects?call={id}"), "Effects"),
        ("/api/audit".into(), "Audit"),
        ("/api/calls/search?q=ortiz".into(), "FoundCalls"),
        ("/api/calls/changes".into(), "ChangedCalls"),
        ("/api/analytics/dashboard".into(), "Dashboard"),
    ] {
        let answer = world.json(&path).await;
        let described = document["components"]["schemas"][schema]["properties"].as_object();
        let described: BTreeSet<_> = described.unwrap_or_else(|| panic!("no {schema}")).keys().collect();
        let fields: BTreeSet<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(fields, described, "{path}");
    }
}

#[tokio::test]
async fn the_documentation_page_loads_nothing_from_other_hosts() {
    let world = World::new().await;
    let redirect = world.get("/docs").await;
    assert_eq!((redirect.status.as_u16(), &redirect.headers["location"]), (303, &"/docs/".parse().unwrap()));
    let page = world.get("/docs/").await;
    assert!(page.text().contains("swagger-ui"), "{page:?}");
    assert!(!page.text().contains("https://"), "{}", page.text());
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"));
    let script = world.get("/docs/swagger-initializer.js").await;
    assert!(
        script.text().contains("/openapi.json") && script.text().contains("\"validatorUrl\": \"none\""),
        "{}",
        script.text()
    );
    world.get("/docs/nothing").await.is_problem(404);
    world.get("/nothing").await.is_problem(404);
}

/// Calls `on_field` for every field of every object in `value`, at any depth.
fn visit(value: &Value, on_field: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                on_field(name, value);
                visit(value, on_field);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, on_field)),
        _ => {}
    }
}
