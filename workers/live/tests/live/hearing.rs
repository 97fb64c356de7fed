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

#[tokio::test]
async fn notes_that_fit_are_shown_once_and_say_where_they_stand() {
    let notes = tempfile::tempdir().unwrap();
    std::fs::write(notes.path().join("money.md"), "# Cancelling\n\nThe notice is thirty days.\n").unwrap();
    let world = World::with(&[("CARDS_DIR", notes.path().to_str().unwrap())]).await;
    world.says(&["I am cancelling today.", "Yes, cancelling it."]).await;
    world.start("s-1").await;
    let first = [("sequence", "0"), ("speaker", "customer")];
    world.piece("s-1", &wav(&voice(1, 1_500, 1_000)), &first).await;
    let told = world.told("s-1", "real_time_insights", 1).await;
    let card = &told[0]["data"]["cards"][0];
    assert_eq!(
        (&card["file"], &card["line"], &card["heading"]),
        (&json!("money.md"), &json!(1), &json!("Cancelling"))
    );
    assert_eq!(told[0]["data"]["source"], "rules");
    let second = [("sequence", "1"), ("speaker", "customer")];
    world.piece("s-1", &wav(&voice(2, 1_500, 1_000)), &second).await;
    world.told("s-1", "transcript_update", 2).await;
    world.end("s-1").await;
    world.arrival().await;
    let shown: usize = world
        .told("s-1", "real_time_insights", 1)
        .await
        .iter()
        .map(|event| event["data"]["cards"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(shown, 1);
}

#[tokio::test]
async fn a_model_advises_with_quotes_that_were_said_and_without_one_the_rules_do() {
    let model = wiremock::MockServer::start().await;
    let reading = json!({
        "insights": [{"text": "They compare prices.", "quote": "ten percent cheaper", "line": 1},
            {"text": "They are rich.", "quote": "money is no problem", "line": 1}],
        "suggestions": [{"text": "Ask what is included there.", "quote": "ten percent cheaper", "line": 1}],
        "urgency": "medium", "mood": {"mood": "negative", "quote": "really annoyed"}});
    let reply = json!({"choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": reading.to_string()}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}});
    wiremock::Mock::given(wiremock::matchers::path("/chat/completions"))
        .respond_with(wiremock::ResponseTemplate::new(200).set_body_json(reply))
        .mount(&model)
        .await;
    let address = model.uri();
    let settings = [("OPENAI_API_KEY", "key"), ("OPENAI_BASE_URL", address.as_str()), ("SPEECH", "local")];
    let world = World::with(&settings).await;
    world.says(&["They are ten percent cheaper, and I am really annoyed."]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 1_500, 1_000)), &[("speaker", "customer")]).await;
    let by_model = world
        .until("the advice of the model", async |world: &World| {
            let events = world.events("s-1").await;
            events.into_iter().map(|event| event["data"].clone()).find(|data| data["source"] == "model")
        })
        .await;
    assert_eq!(by_model["insights"], json!(["They compare prices."]), "{by_model}");
    assert_eq!(by_model["suggestions"], json!(["Ask what is included there."]));
    assert_eq!(
        (&by_model["urgency_level"], &by_model["customer_mood"]),
        (&json!("medium"), &json!("negative"))
    );
    assert_eq!(by_model["evidence"][0]["quote"]["text"], "ten percent cheaper");
    let asked = model.received_requests().await.unwrap();
    assert_eq!(asked.len(), 1, "one turn is asked about once");
    assert!(String::from_utf8_lossy(&asked[0].body).contains("BEGIN TURNS"));
}
