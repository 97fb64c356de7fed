//! What is heard in the pieces of a session, and what its listeners are told.

use serde_json::json;

use crate::world::{World, voice, wav};

#[tokio::test]
async fn turns_are_cut_at_pauses_and_told_in_the_order_in_which_they_were_said() {
    let world = World::new().await;
    world.says(&["Good morning.", "I have a question."]).await;
    world.start("s-1").await;
    let mut sound = voice(1, 2_000, 1_500);
    sound.extend(voice(2, 1_500, 1_500));
    let (first, second) = sound.split_at(sound.len() / 2);
    // The second piece comes first.
    world.piece("s-1", &wav(second), &[("sequence", "1"), ("speaker", "customer")]).await;
    world.piece("s-1", &wav(first), &[("sequence", "0"), ("speaker", "customer")]).await;
    let told = world.told("s-1", "transcript_update", 2).await;
    let said: Vec<_> = told.iter().map(|event| event["data"]["text"].as_str().unwrap()).collect();
    assert_eq!(said, ["Good morning.", "I have a question."]);
    let data = &told[1]["data"];
    assert_eq!(
        (&data["speaker"], &data["is_final"], &data["session_id"]),
        (&json!("customer"), &json!(true), &json!("s-1"))
    );
    assert_eq!(data["seq"], told[1]["seq"]);
    let start_ms = data["start_ms"].as_i64().unwrap();
    assert!((3_000..4_000).contains(&start_ms), "the times are those of the session: {start_ms}");
}

#[tokio::test]
async fn two_channels_are_two_sides_and_the_agent_is_told_by_the_metadata() {
    let world = World::new().await;
    world.says(&["Something."]).await;
    let start = json!({"session_id": "s-1", "metadata": {"agent_channel": 1}});
    world.post("/api/calls/start", start).await;
    world.piece("s-1", &wav(&voice(1, 1_500, 1_000)), &[("channel", "0")]).await;
    world.piece("s-1", &wav(&voice(2, 2_500, 1_000)), &[("channel", "1")]).await;
    let told = world.told("s-1", "transcript_update", 2).await;
    let mut speakers: Vec<_> = told.iter().map(|event| event["data"]["speaker"].as_str().unwrap()).collect();
    speakers.sort_unstable();
    assert_eq!(speakers, ["agent", "customer"]);
    let summary = world.get("/api/calls/s-1/summary").await.body;
    assert_eq!(summary["status"], "active");
    let analytics = &summary["analytics"];
    let (agent, customer) =
        (analytics["agent_talk_time"].as_f64().unwrap(), analytics["customer_talk_time"].as_f64().unwrap());
    assert!((2.0..3.0).contains(&agent) && (1.0..2.0).contains(&customer), "{analytics}");
    assert!((3.4..3.6).contains(&analytics["total_duration"].as_f64().unwrap()), "{analytics}");
    assert_eq!(analytics["interruptions_count"], 1, "both speak at once from the start");
}

#[tokio::test]
async fn a_change_of_the_speaker_is_the_end_of_a_turn() {
    let world = World::new().await;
    world.says(&["One.", "Two."]).await;
    world.start("s-1").await;
    // There is no pause between the two.
    world.piece("s-1", &wav(&voice(1, 1_500, 0)), &[("sequence", "0"), ("speaker", "agent")]).await;
    world.piece("s-1", &wav(&voice(2, 1_500, 1_000)), &[("sequence", "1"), ("speaker", "customer")]).await;
    let told = world.told("s-1", "transcript_update", 2).await;
    let said: Vec<_> =
        told.iter().map(|event| (event["data"]["speaker"].clone(), event["data"]["text"].clone())).collect();
    assert_eq!(said, [(json!("agent"), json!("One.")), (json!("customer"), json!("Two."))]);
}

#[tokio::test]
async fn an_agent_is_helped_while_the_call_goes_on() {
    let world = World::new().await;
    world.says(&["I want to cancel. How long does that take?"]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 1_500, 1_000)), &[("speaker", "customer")]).await;
    let told = world.told("s-1", "real_time_insights", 1).await;
    let data = &told[0]["data"];
    assert_eq!((&data["urgency_level"], &data["customer_mood"]), (&json!("high"), &json!("neutral")));
    assert_eq!(data["insights"].as_array().unwrap().len(), 2, "{data}");
    assert!(data["suggestions"].as_array().unwrap().contains(&json!("Answer the customer's question.")));
}

#[tokio::test]
async fn silence_costs_nothing() {
    let world = World::new().await;
    world.says(&["Nobody said this."]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 0, 3_000)), &[]).await;
    world.end("s-1").await;
    world.arrival().await;
    assert_eq!(world.paid_requests().await, 0);
    assert!(!world.events("s-1").await.iter().any(|event| event["type"] == "transcript_update"));
}
