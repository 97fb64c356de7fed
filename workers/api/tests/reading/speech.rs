//! Which provider made a transcript, what the others said, and what it cost.

use domain::call::CallId;
use domain::event::MaterialAt;
use serde_json::{Value, json};
use store::{PaidSpeech, Settlement, SpeechAttempt, SpeechOutcome, Write};

use crate::world::{World, recording};

/// A call whose first provider is away and whose second makes the transcript.
async fn transcribed(world: &World) -> CallId {
    let id = world.arrived("CALL-1", vec![recording(MaterialAt::SealedUrl("s".into()))]).await;
    let claim = world.begin(id, "transcription", 1).await;
    let attempt = |provider: &str, outcome, error_code: Option<&str>| SpeechAttempt {
        provider: provider.into(),
        outcome,
        error_code: error_code.map(str::to_owned),
        duration_ms: 7,
        paid: None,
        model: None,
    };
    let away = attempt("assemblyai", SpeechOutcome::Unavailable, Some("speech_to_text_unreachable"));
    world.store.record_speech_attempt(&claim.run, &away).await.unwrap();
    let paid = PaidSpeech { audio_ms: Some(61_000), cost_usd: Some(0.25), ..PaidSpeech::default() };
    let made = SpeechAttempt {
        paid: Some(paid),
        model: Some("nova-3".into()),
        ..attempt("deepgram", SpeechOutcome::Transcribed, None)
    };
    let done = Settlement::Done { writes: &[Write::Transcribed(made)], children: &[] };
    world.store.settle_run(&claim, &done).await.unwrap();
    id
}

#[tokio::test]
async fn the_call_names_the_provider_and_the_timeline_every_attempt() {
    let world = World::new().await;
    let id = transcribed(&world).await;
    let made = world.json(&format!("/api/calls/{id}")).await["transcription"].clone();
    assert_eq!((&made["provider"], &made["model"]), (&json!("deepgram"), &json!("nova-3")));
    assert_eq!((&made["audio_ms"], &made["cost_usd"]), (&json!(61_000), &json!(0.25)));
    let timeline = world.json(&format!("/api/calls/{id}/timeline")).await;
    let attempts = timeline["transcription"].as_array().unwrap();
    let told: Vec<_> =
        attempts.iter().map(|one| (&one["provider"], &one["outcome"], &one["error_code"])).collect();
    assert_eq!(
        told,
        [
            (&json!("assemblyai"), &json!("unavailable"), &json!("speech_to_text_unreachable")),
            (&json!("deepgram"), &json!("transcribed"), &Value::Null)
        ]
    );
    let other = world.completed("CALL-2").await;
    assert_eq!(world.json(&format!("/api/calls/{other}")).await["transcription"], Value::Null);
}

#[tokio::test]
async fn usage_is_summed_by_day_model_or_call() {
    let world = World::new().await;
    let id = transcribed(&world).await;
    for (by, name) in [("model", json!("deepgram/nova-3")), ("call", json!(id))] {
        let usage = world.json(&format!("/api/usage?by={by}")).await;
        assert_eq!((&usage["by"], &usage["total"]), (&json!(by), &json!(1)));
        assert_eq!(usage["items"][0]["name"], name);
    }
    let usage = world.json("/api/usage").await;
    assert_eq!(usage["by"], "day");
    assert_eq!((&usage["sum"]["uses"], &usage["sum"]["audio_ms"]), (&json!(1), &json!(61_000)));
    assert_eq!((&usage["sum"]["cost_usd"], &usage["sum"]["unpriced"]), (&json!(0.25), &json!(0)));
    let none = world.json("/api/usage?to=2020-01-01").await;
    assert_eq!((&none["items"], &none["sum"]["cost_usd"]), (&json!([]), &Value::Null));
    world.get("/api/usage?by=week").await.names(&["/by"]);
}
