use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use domain::event::MaterialAt;
use queue_topology::broker::{Broker as _, Embedded, Lane, Message, Route};
use queue_topology::table::ALL;
use serde_json::{Value, json};
use store::{DeadFilter, Page};
use uuid::Uuid;

use crate::health::BlockedBroker;
use crate::world::{WORKSPACE, World, recording};

#[tokio::test]
async fn queues_show_what_the_broker_and_the_store_hold_for_each_stage() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Arc::new(Embedded::open(&dir.path().join("queue.db")).await.unwrap());
    broker.declare().await.unwrap();
    let body = Bytes::from_static(b"{}");
    let route = Route::Stage { stage: "crm" };
    broker.publish(Message { route, lane: Lane::Bulk, id: Uuid::new_v4(), body }).await.unwrap();
    let world = World::with(&[], |_| broker).await;
    world.dead("dead").await;
    let running = world.arrived("running", vec![recording(MaterialAt::Blob("b".into()))]).await;
    world.begin(running, "transcription", 1).await;
    world.arrived("due", vec![recording(MaterialAt::Blob("b".into()))]).await;
    let queues = world.json("/api/queues").await;
    assert_eq!((&queues["broker"], &queues["rejected"]), (&json!("connected"), &json!(0)));
    let items = queues["items"].as_array().unwrap();
    let stages: Vec<_> = items.iter().map(|item| item["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ALL.map(|queue| queue.stage));
    assert_eq!(items[3]["lanes"]["bulk"], json!({"ready": 1, "consumers": 0}));
    assert_eq!(items[3]["lanes"]["live"], json!({"ready": 0, "consumers": 0}));
    let transcription = &items[1];
    for (name, count) in
        [("running", 1), ("waiting_due", 1), ("waiting_later", 0), ("parked", 0), ("dead", 1)]
    {
        assert_eq!(transcription[name], count, "{name}");
    }
    let [held] = transcription["held"].as_array().unwrap().as_slice() else { panic!("{transcription}") };
    assert_eq!((&held["call_id"], &held["waits_for"]), (&json!(running), &Value::Null));
    assert!(held["since"].is_string() && held["for_ms"].is_i64(), "{held}");
    assert!(transcription["oldest_due_ms"].is_i64());
    assert_eq!(items[2]["oldest_due_ms"], Value::Null);
}

#[tokio::test]
async fn when_the_broker_does_not_answer_its_numbers_are_null_and_the_others_are_shown() {
    let world = World::with(&[], |broker| Arc::new(BlockedBroker::hanging(broker))).await;
    world.dead("dead").await;
    let queues = world.json("/api/queues").await;
    assert_eq!(queues["broker"], "blocked");
    assert_eq!(queues["items"][1]["lanes"], json!({"live": null, "bulk": null}));
    assert_eq!(queues["items"][1]["dead"], 1);
}

#[tokio::test]
async fn dead_letters_are_listed_with_their_cause_and_counted_by_it() {
    let world = World::new().await;
    let first = world.dead("a").await;
    world.dead("b").await;
    let all = world.json("/api/dead-letters").await;
    assert_eq!((&all["total"], all["items"].as_array().unwrap().len()), (&json!(2), 2));
    let oldest = &all["items"][1];
    assert_eq!(oldest["call_id"], json!(first));
    assert_eq!((&oldest["stage"], &oldest["code"]), (&json!("transcription"), &json!("recording_not_found")));
    assert_eq!(oldest["error"], "the answer was 404");
    assert_eq!(
        (&all["groups"][0]["group"], &all["groups"][0]["letters"]),
        (&json!("recording_not_found"), &json!(2))
    );
    assert_eq!(world.json("/api/dead-letters?stage=crm").await["total"], 0);
    assert_eq!(world.json("/api/dead-letters?group=recording_not_found&until=2000-01-01").await["total"], 0);
    let paged = world.json("/api/dead-letters?limit=1&page=2").await;
    assert_eq!((&paged["items"][0]["id"], &paged["page"]), (&oldest["id"], &json!(2)));
    world.get("/api/dead-letters?since=never&limit=x").await.names(&["/since", "/limit"]);

    let one = world.json(&format!("/api/dead-letters/{}", oldest["id"].as_str().unwrap())).await;
    assert_eq!((&one["id"], &one["body"]), (&oldest["id"], &json!({})));
    world.get(&format!("/api/dead-letters/{}", Uuid::nil())).await.is_problem(404);
    world.get("/api/dead-letters/nonsense").await.is_problem(404);
}

#[tokio::test]
async fn dead_letters_that_match_the_filter_are_replayed_once() {
    let world = World::new().await;
    let call = world.dead("a").await;
    world.dead("b").await;
    let replay = async |body: Value| {
        let batch = world.post("/api/dead-letters/replay", body).await.json();
        assert_eq!(batch["resumed"], false);
        (batch["matched"].as_i64().unwrap(), batch["replayed"].as_i64().unwrap())
    };
    assert_eq!(replay(json!({"dry_run": true})).await, (2, 0));
    assert_eq!(replay(json!({"stage": "crm"})).await, (0, 0));
    assert_eq!(replay(json!({"group": "recording_not_found"})).await, (2, 2));
    assert_eq!(replay(json!({})).await, (0, 0));
    assert_eq!(replay(Value::Null).await, (0, 0), "a null body is a filter without fields");
    assert_eq!(world.store.runs(WORKSPACE, call).await.unwrap()[0].state, "waiting");
    let page = Page { offset: 0, limit: 1 };
    assert_eq!(world.store.dead_letters(WORKSPACE, &DeadFilter::default(), page).await.unwrap().1, 0);
    world.die(call, 2).await;
    let wrong = json!({"grup": "x", "since": "never", "dry_run": "maybe"});
    world.post("/api/dead-letters/replay", wrong).await.names(&["/grup", "/since", "/dry_run"]);
    assert_eq!(world.json("/api/dead-letters").await["total"], 1, "a misspelt filter replays nothing");
}

#[tokio::test]
async fn a_second_replay_with_the_same_key_does_nothing_and_gets_the_first_answer() {
    let world = World::new().await;
    let call = world.dead("a").await;
    let all = "/api/dead-letters/replay";
    let first = world.post_with_key(all, json!({}), "k").await.json();
    assert_eq!((&first["matched"], &first["replayed"]), (&json!(1), &json!(1)));
    world.die(call, 2).await;
    assert_eq!(world.post_with_key(all, json!({}), "k").await.json(), first);
    assert_eq!(
        world.json("/api/dead-letters").await["total"],
        1,
        "the letter that died later is still there"
    );
    let one = format!("/api/calls/{call}/replay");
    world.post_with_key(&one, json!({}), "k").await.names(&["/Idempotency-Key"]);
    world.post_with_key(&one, json!({"from": "slack"}), "refused").await.is_problem(409);
    let again = [
        world.post_with_key(&one, json!({}), "refused").await,
        world.post_with_key(&one, json!({}), "refused").await,
    ];
    for answer in again {
        assert_eq!((answer.status.as_u16(), &answer.json()["generation"]), (202, &json!(3)));
    }
    assert_eq!(world.post_with_key(&one, json!({}), "other").await.json()["generation"], 4);
    world.post_with_key(&one, json!({}), &"x".repeat(256)).await.names(&["/Idempotency-Key"]);
}

#[tokio::test]
async fn the_effects_of_a_call_are_listed_or_all_effects_that_are_not_confirmed() {
    let world = World::new().await;
    let done = world.completed("done").await;
    let open = world.arrived("open", vec![recording(MaterialAt::Blob("b".into()))]).await;
    let claim = world.begin(open, "transcription", 1).await;
    let (key, asked_at) = world.intend(&claim, "post").await;
    world.store.fail_effect(key.id, asked_at, true, "timed_out").await.unwrap();
    let of_call = world.json(&format!("/api/effects?call={done}")).await;
    assert_eq!((&of_call["items"][0]["state"], &of_call["total"]), (&json!("confirmed"), &json!(1)));
    assert_eq!(world.json("/api/effects?call=done").await, of_call);
    let unconfirmed = world.json("/api/effects").await;
    assert_eq!(unconfirmed["total"], 1);
    assert_eq!(
        (&unconfirmed["items"][0]["id"], &unconfirmed["items"][0]["state"]),
        (&json!(key.id), &json!("unknown"))
    );
    assert_eq!(unconfirmed["items"][0]["code"], "timed_out");
    assert_eq!(world.json("/api/effects?page=2").await["items"], json!([]));
    world.get("/api/effects?call=nobody").await.is_problem(404);
}

#[tokio::test]
async fn the_audit_lists_who_asked_for_which_replay_and_no_dry_runs() {
    let world = World::with(&[("DEBRIEF_API_KEY", "k")], |broker| broker).await;
    let call = world.dead("a").await;
    let post = async |path: &str, body: Value| {
        let request = Request::post(path).header("authorization", "Bearer k");
        let request = request.header("content-type", "application/json");
        world.send(request.body(Body::from(body.to_string())).unwrap()).await.json()
    };
    let audit = async |query: &str| world.get_with_key(&format!("/api/audit{query}"), "k").await.json();
    post("/api/dead-letters/replay", json!({"dry_run": true})).await;
    assert_eq!(audit("").await["total"], 0);
    let batch = post("/api/dead-letters/replay", json!({"stage": "transcription"})).await;
    post(&format!("/api/calls/{call}/replay"), json!({})).await;
    let all = audit("").await;
    assert_eq!(all["total"], 2);
    let [one, letters] = [&all["items"][0], &all["items"][1]];
    assert_eq!((&one["action"], &one["actor"]), (&json!("call_replay"), &json!("api key")));
    assert_eq!((&one["asked"], &one["done"]), (&json!({"call": call, "from": "transcription"}), &json!(1)));
    assert_eq!((&letters["action"], &letters["actor"]), (&json!("dead_letters_replay"), &json!("api key")));
    assert_eq!((&letters["batch"], &letters["done"]), (&batch["id"], &json!(1)));
    assert_eq!((&letters["asked"], &letters["resumed"]), (&json!({"stage": "transcription"}), &json!(false)));
    assert!(letters["ended_at"].is_string(), "{letters}");
    let second = audit("?page=2&limit=1").await;
    assert_eq!((&second["items"][0], &second["page"]), (letters, &json!(2)));
    world.get("/api/audit").await.is_problem(401);
}
