use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn everything_the_document_refers_to_is_in_it() {
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
    assert!(
        interruptions["description"]
            .as_str()
            .unwrap()
            .contains("before the latest-ending earlier segment ends")
    );
    let status = &document["components"]["schemas"]["Call"]["properties"]["status"];
    assert_eq!(status["enum"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn what_an_answer_holds_is_what_the_document_says() {
    let world = World::new().await;
    let id = world.completed("CALL-1").await;
    world.dead("dead").await;
    let document = world.json("/openapi.json").await;
    for (path, schema) in [
        ("/health".to_owned(), "Health"),
        (format!("/api/calls/{id}"), "Call"),
        ("/call/CALL-1".into(), "SourceCallView"),
        ("/api/calls/history".into(), "CallList"),
        (format!("/api/calls/{id}/transcript"), "Transcript"),
        (format!("/api/calls/{id}/timeline"), "Timeline"),
        ("/api/queues".into(), "Queues"),
        ("/api/dead-letters".into(), "DeadLetters"),
        (format!("/api/effects?call={id}"), "Effects"),
        ("/api/audit".into(), "Audit"),
    ] {
        let answer = world.json(&path).await;
        let described = document["components"]["schemas"][schema]["properties"].as_object();
        let described: BTreeSet<_> = described.unwrap_or_else(|| panic!("no {schema}")).keys().collect();
        let held: BTreeSet<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(held, described, "{path}");
    }
}

#[tokio::test]
async fn the_page_is_served_from_here_and_may_ask_nobody_else() {
    let world = World::new().await;
    let moved = world.get("/docs").await;
    assert_eq!((moved.status.as_u16(), &moved.headers["location"]), (303, &"/docs/".parse().unwrap()));
    let page = world.get("/docs/").await;
    assert!(page.text().contains("swagger-ui"), "{page:?}");
    assert!(!page.text().contains("https://"), "{}", page.text());
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"));
    let start = world.get("/docs/swagger-initializer.js").await;
    assert!(
        start.text().contains("/openapi.json") && start.text().contains("\"validatorUrl\": \"none\""),
        "{}",
        start.text()
    );
    world.get("/docs/nothing").await.is_problem(404);
    world.get("/nothing").await.is_problem(404);
}

fn visit(value: &Value, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                see(name, value);
                visit(value, see);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
        _ => {}
    }
}
