//! The routes that find, count and follow calls.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_search_tells_the_call_a_snippet_and_the_moments() {
    let world = World::new().await;
    let id = world.completed("CALL-1").await;
    let found = world.json("/api/calls/search?q=%22dana+ortiz%22+CALL-1&limit=5").await;
    assert_eq!((&found["query"], &found["count"]), (&json!("\"dana ortiz\" CALL-1"), &json!(1)));
    let result = &found["results"][0];
    assert_eq!((&result["id"], &result["external_id"]), (&json!(id.to_string()), &json!("CALL-1")));
    assert!(result["snippet"].is_string() && result["matches"].is_array(), "{result}");
    assert_eq!(world.json("/api/calls/search?q=nothingofthekind").await["count"], 0);
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_named() {
    let world = World::new().await;
    for wrong in ["", "?q=", "?q=...", "?q=a*", "?q=x&limit=0", "?q=x&from=yesterday"] {
        world.get(&format!("/api/calls/search{wrong}")).await.is_problem(422);
    }
    for wrong in ["after=x", "after=-1", "limit=1001"] {
        world.get(&format!("/api/calls/changes?{wrong}")).await.is_problem(422);
    }
    for wrong in ["tz=Nowhere", "from=2026-02-01&to=2026-01-01", "from=1900-01-01", "direction=up"] {
        world.get(&format!("/api/analytics/dashboard?{wrong}")).await.is_problem(422);
    }
}

#[tokio::test]
async fn the_changes_are_read_page_by_page() {
    let world = World::new().await;
    world.completed("CALL-1").await;
    world.completed("CALL-2").await;
    let first = world.json("/api/calls/changes?limit=1").await;
    let cursor = first["cursor"].as_str().unwrap();
    let second = world.json(&format!("/api/calls/changes?limit=1&after={cursor}")).await;
    let ids = [&first, &second].map(|page| page["calls"][0]["external_id"].as_str().unwrap().to_owned());
    assert_eq!(ids, ["CALL-1", "CALL-2"]);
    let cursor = second["cursor"].as_str().unwrap();
    let none = world.json(&format!("/api/calls/changes?after={cursor}")).await;
    assert_eq!((&none["calls"], &none["cursor"]), (&json!([]), &json!(cursor)));
}

#[tokio::test]
async fn the_dashboard_counts_the_calls_of_the_period_and_compares_it() {
    let world = World::new().await;
    world.completed("CALL-1").await;
    let found = world.json("/api/analytics/dashboard").await;
    assert_eq!(found["metrics"]["total_calls"], 1, "{found}");
    assert_eq!(found["metrics"]["avg_duration"], 61.4);
    assert_eq!(
        (&found["agents"][0]["name"], &found["before"]["metrics"]["total_calls"]),
        (&json!("Dana Ortiz"), &json!(0))
    );
    assert_eq!(found["trend"].as_array().unwrap().len(), 30);
    let none = world
        .json("/api/analytics/dashboard?agent=Nobody&tz=Asia/Kolkata&from=2026-01-01&to=2026-01-07")
        .await;
    assert_eq!(
        (&none["metrics"]["total_calls"], &none["period"]["start"]),
        (&json!(0), &json!("2025-12-31T18:30:00Z"))
    );
}
