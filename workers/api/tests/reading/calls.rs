use axum::body::Body;
use axum::http::Request;
use queue_topology::replay;
use serde_json::{Value, json};
use store::NewScore;

use crate::world::{WORKSPACE, World};

#[tokio::test]
async fn a_call_is_shown_with_its_analysis_and_its_effects() {
    let world = World::new().await;
    let id = world.completed("CALL-1").await;
    let call = world.json(&format!("/api/calls/{id}")).await;
    assert_eq!(call["id"], json!(id));
    assert_eq!(call["external_id"], "CALL-1");
    assert_eq!(
        (&call["source"], &call["kind"], &call["status"]),
        (&json!("exotel"), &json!("phone"), &json!("completed"))
    );
    assert_eq!((&call["direction"], &call["to_number"]), (&json!("incoming"), &Value::Null));
    assert_eq!((&call["started_at"], &call["duration_ms"]), (&json!("last Tuesday"), &json!(61_400)));
    assert_eq!(call["metadata"]["agent_name"], "Dana Ortiz");
    assert_eq!(call["analysis"]["tone"], "Negative");
    assert_eq!(call["analysis"]["category"], "billing");
    assert_eq!(call["analysis"]["metrics"]["interruptions"], 2);
    assert_eq!(call["analysis"]["usage"], Value::Null);
    let effect =
        json!({"target": "slack", "object": "post", "state": "confirmed", "remote_id": "1700000000.1"});
    assert_eq!(call["effects"], json!([effect]));
    assert_eq!(world.json("/api/calls/CALL-1").await["id"], json!(id), "the source's id finds the call, too");
}

#[tokio::test]
async fn a_call_that_was_judged_is_shown_with_its_scores_and_the_segments_on_which_they_rest() {
    let world = World::new().await;
    let id = world.completed("CALL-1").await;
    assert_eq!(world.json(&format!("/api/calls/{id}")).await["scores"], json!([]));
    let criterion = json!({"name": "discovery", "title": "Discovery", "score": 52, "reason": "Found: 1 × open questions.", "turns": [1]});
    let score = |name: &str, card: Value| NewScore { name: name.into(), version: 2, overall: 52, card };
    let scores = vec![
        score("spin", json!({"of": "a newer program"})),
        score("sales", json!({"criteria": [criterion]})),
    ];
    world.judge(id, scores).await;
    let call = world.json(&format!("/api/calls/{id}")).await;
    assert_eq!((&call["scores"][0]["name"], &call["scores"][1]["name"]), (&json!("sales"), &json!("spin")));
    assert_eq!((&call["scores"][0]["version"], &call["scores"][0]["overall"]), (&json!(2), &json!(52)));
    assert_eq!(call["scores"][0]["criteria"], json!([criterion]));
    assert_eq!(call["scores"][1]["criteria"], json!([]));
    let timeline = world.json(&format!("/api/calls/{id}/timeline")).await;
    let stages: Vec<&Value> =
        timeline["stages"].as_array().unwrap().iter().map(|stage| &stage["stage"]).collect();
    assert!(stages.contains(&&json!("score")), "{timeline}");
}

#[tokio::test]
async fn a_call_can_be_read_by_its_sources_id_in_the_older_shape() {
    let world = World::new().await;
    let id = world.completed("CALL/1 ü").await;
    let call = world.json("/call/CALL%2F1%20%C3%BC").await;
    assert_eq!((&call["call_id"], &call["id"]), (&json!("CALL/1 ü"), &json!(id)));
    assert_eq!((&call["duration"], &call["slack_posted"]), (&json!(61), &json!(true)));
    assert_eq!(call["transcription_text"], "Dana Ortiz: Good morning.\ncustomer: My invoice is wrong.\n");
    assert_eq!((&call["summary"], &call["tone"]), (&json!("An invoice is wrong."), &json!("Negative")));
    assert!(call["processed_at"].is_string());
    world.arrived("announced", Vec::new()).await;
    let announced = world.json("/call/announced").await;
    assert_eq!((&announced["status"], &announced["slack_posted"]), (&json!("no_recording"), &json!(false)));
    assert_eq!((&announced["processed_at"], &announced["transcription_text"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn an_unknown_id_is_not_found_whatever_characters_it_has() {
    let world = World::new().await;
    for id in ["CALL-1", "00000000-0000-0000-0000-000000000000", "%00", "%FF", "%27%20OR%201%3D1--"] {
        world.get(&format!("/call/{id}")).await.is_problem(404);
        for part in ["", "/transcript", "/transcript.vtt", "/recording", "/timeline"] {
            world.get(&format!("/api/calls/{id}{part}")).await.is_problem(404);
        }
        world.post(&format!("/api/calls/{id}/replay"), json!({})).await.is_problem(404);
    }
}

#[tokio::test]
async fn the_history_lists_calls_in_pages_newest_first_with_their_total_number() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.arrived(name, Vec::new()).await;
    }
    let names = |list: &Value| -> Vec<String> {
        let calls = list["calls"].as_array().unwrap();
        calls.iter().map(|call| call["external_id"].as_str().unwrap().to_owned()).collect()
    };
    let first = world.json("/api/calls/history?page=1&limit=2").await;
    assert_eq!((names(&first), &first["total"]), (vec!["c".into(), "b".into()], &json!(3)));
    let second = world.json("/api/calls/history?page=2&limit=2").await;
    assert_eq!((names(&second), &second["page"], &second["total"]), (vec!["a".into()], &json!(2), &json!(3)));
    assert_eq!(names(&world.json("/api/calls/history?limit=2&skip=2").await), ["a"]);
    assert_eq!(world.json("/api/calls/history?page=9").await["calls"], json!([]));
}

#[tokio::test]
async fn the_history_can_be_filtered_by_status_source_agent_and_time() {
    let world = World::new().await;
    world.completed("done").await;
    world.arrived("announced", Vec::new()).await;
    for (query, total) in [
        ("status=completed", 1),
        ("status=failed", 0),
        ("source=exotel", 2),
        ("source=twilio", 0),
        ("agent=Dana+Ortiz", 2),
        ("from=2999-01-01", 0),
        ("to=2999-01-01&from=2000-01-01T00:00:00%2B02:00", 2),
    ] {
        assert_eq!(world.json(&format!("/api/calls/history?{query}")).await["total"], total, "{query}");
    }
    let wrong = world.get("/api/calls/history?status=gone&from=soon&limit=0&source=%00").await;
    wrong.names(&["/limit", "/status", "/source", "/from"]);
}

#[tokio::test]
async fn a_timeline_lists_what_arrived_which_stages_worked_and_what_they_changed() {
    let world = World::new().await;
    world.arrived("CALL-1", Vec::new()).await;
    let id = world.completed("CALL-1").await;
    replay::call(&world.store, (WORKSPACE, "test"), id, replay::Start::named("slack").unwrap())
        .await
        .unwrap();
    let timeline = world.json(&format!("/api/calls/{id}/timeline")).await;
    let column = |list: &str, name: &str| -> Vec<Value> {
        timeline[list].as_array().unwrap().iter().map(|row| row[name].clone()).collect()
    };
    assert_eq!(column("materials", "kind"), ["announcement", "recording"]);
    assert_eq!(column("stages", "stage"), ["transcription", "analysis", "slack"]);
    assert_eq!(column("stages", "state"), ["done", "done", "waiting"]);
    assert_eq!(column("stages", "attempts"), [1, 1, 0]);
    assert!(timeline["stages"][0]["duration_ms"].is_i64());
    assert!(timeline["stages"][2]["next_try_at"].is_string());
    assert_eq!(
        timeline["stages"][2]["started_at"],
        Value::Null,
        "the run that waits has not begun; only the run before it had"
    );
    assert_eq!(column("earlier", "stage"), ["slack"], "a present run is not an earlier one");
    assert_eq!(column("effects", "state"), ["confirmed"]);
}

#[tokio::test]
async fn a_call_is_done_again_from_the_named_stage() {
    let world = World::new().await;
    let id = world.completed("CALL-1").await;
    let path = format!("/api/calls/{id}/replay");
    let answer = world.post(&path, json!({"from": "analysis"})).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let status_url = format!("/api/calls/{id}/timeline");
    assert_eq!(
        answer.json(),
        json!({"call_id": id, "from": "analysis", "generation": 2, "status_url": status_url})
    );
    let runs = world.store.runs(WORKSPACE, id).await.unwrap();
    let analysis = runs.iter().find(|run| run.stage == "analysis").unwrap();
    assert_eq!((analysis.state.as_str(), analysis.generation), ("waiting", 2));
    let empty = world.send(Request::post(&path).body(Body::empty()).unwrap()).await;
    assert_eq!(
        empty.json()["from"],
        "transcription",
        "without a body the call is done again from the first stage"
    );
    world.post(&path, json!({"from": "crm"})).await.is_problem(409);
    world.post(&path, json!({"from": "dedup"})).await.names(&["/from"]);
    world.post(&path, json!({"form": "crm"})).await.names(&["/form"]);
    world.send(Request::post(&path).body("from=crm".into()).unwrap()).await.is_problem(415);
    world.post(&path, json!({"from": "x".repeat(5000)})).await.is_problem(413);
}

#[tokio::test]
async fn stats_count_all_calls_the_posted_ones_and_the_failed_ones() {
    let world = World::new().await;
    world.completed("a").await;
    world.dead("b").await;
    world.arrived("c", Vec::new()).await;
    let stats = world.json("/stats").await;
    assert_eq!(stats["stats"], json!({"total_processed": 3, "successfully_posted": 1, "failed": 1}));
    assert!(stats["timestamp"].is_string());
}

#[tokio::test]
async fn when_a_key_is_set_nobody_can_read_without_it() {
    let keys = [("DEBRIEF_API_KEY", "api"), ("DEBRIEF_WEBHOOK_KEY", "hook")];
    let world = World::with(&keys, |broker| broker).await;
    let id = world.completed("CALL-1").await;
    for path in [
        "/stats".to_owned(),
        "/metrics".into(),
        "/call/CALL-1".into(),
        "/api/calls/history".into(),
        format!("/api/calls/{id}"),
        format!("/api/calls/{id}/transcript"),
        format!("/api/calls/{id}/transcript.txt"),
        format!("/api/calls/{id}/timeline"),
        "/api/queues".into(),
        "/api/dead-letters".into(),
        "/api/effects".into(),
    ] {
        world.get(&path).await.is_problem(401);
        world.get_with_key(&path, "wrong").await.is_problem(401);
        world.get_with_key(&path, "hook").await.is_problem(403);
        assert_eq!(world.get_with_key(&path, "api").await.status, 200, "{path}");
    }
    for path in [format!("/api/calls/{id}/recording"), "/api/calls/unknown".into()] {
        world.get(&path).await.is_problem(401);
    }
    for path in [format!("/api/calls/{id}/replay"), "/api/dead-letters/replay".into()] {
        world.post(&path, json!({})).await.is_problem(401);
    }
    for path in ["/health", "/ready", "/openapi.json", "/docs/"] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
}
