//! Calls of Exotel and Twilio, from the callback to the transcript, with recordings that are late.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use simulators::twilio;

use crate::inputs::PhoneCall;
use crate::world::{Kind, World};

async fn shown(world: &World, id: &str) -> Value {
    let call = world.get(&format!("/call/{id}")).await.unwrap();
    world.get(&format!("/api/calls/{}", call["id"].as_str().unwrap())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn exotel_is_asked_for_a_recording_that_is_late_and_for_the_length_that_settles_later_embedded() {
    exotel(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exotel_is_asked_for_a_recording_that_is_late_and_for_the_length_that_settles_later_on_servers() {
    exotel(Kind::Servers).await;
}

async fn exotel(kind: Kind) {
    let world = World::start(kind).await;
    let call = PhoneCall::new();
    world.serve(&call.id, "whole", World::spoken(&call)).await;
    // The same callback as a form and as JSON is one call. Neither names a recording.
    let fields = [("CallSid", call.id.as_str()), ("From", call.customer.as_str()), ("Status", "completed")];
    for way in 0..2 {
        let request = world.keyed("ingest", "POST", "/webhooks/exotel");
        let request = match way {
            0 => request.form(&fields),
            _ => request.json(&fields.iter().copied().collect::<std::collections::BTreeMap<_, _>>()),
        };
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let seen = world.completed(&call.id).await;
    assert!(seen["transcription_text"].as_str().unwrap().contains(&call.request), "{seen}");
    let shown = shown(&world, &call.id).await;
    assert_eq!(shown["duration_ms"], 48_000, "{shown}");
    assert_eq!(shown["metadata"]["ended_at"], "2026-01-18T05:18:09Z", "{shown}");
    assert_eq!(shown["metadata"]["Price"], "0.800", "{shown}");
    assert_eq!(world.slack_posts(&call.id).await.len(), 1);
    assert_eq!(world.received("assemblyai", "/v2/upload").await.len(), 1, "it is paid once");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_settles_after_the_transcript_was_made_comes_onto_the_call() {
    let world = World::start_with(Kind::Embedded, &[("EXOTEL_SETTLED_AFTER", "1s")]).await;
    let call = PhoneCall::new();
    // The recording is here at once, so the details are read before Exotel knows the length.
    let url = world.record(&call).await;
    let fields =
        json!({ "CallSid": call.id, "From": call.customer, "Status": "completed", "RecordingUrl": url });
    let told = world.keyed("ingest", "POST", "/webhooks/exotel").json(&fields).send().await.unwrap();
    assert_eq!(told.status(), 200);
    world.completed(&call.id).await;
    let settled = async |world: &World| {
        let call = shown(world, &call.id).await;
        (call["duration_ms"] == 48_000 && call["metadata"]["Price"] == "0.800").then_some(call)
    };
    let settled = world.wait("the final length of the call", settled).await;
    assert_eq!(settled["status"], "completed", "{settled}");
    assert_eq!(world.received("assemblyai", "/v2/upload").await.len(), 1, "nothing is transcribed again");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_not_recorded_ends_without_a_recording_and_goes_on_when_one_comes() {
    let world = World::start(Kind::Embedded).await;
    let call = PhoneCall::new();
    let tell = async |url: Option<&str>| {
        let mut fields = json!({ "CallSid": call.id, "From": call.customer, "Status": "completed" });
        if let Some(url) = url {
            fields["RecordingUrl"] = url.into();
            fields["DateUpdated"] = "2026-01-18 12:00:00".into();
        }
        assert_eq!(
            world.keyed("ingest", "POST", "/webhooks/exotel").json(&fields).send().await.unwrap().status(),
            200
        );
    };
    tell(None).await;
    world.status(&call.id, "no_recording").await;
    let ended = async |world: &World| {
        let notes = shown(world, &call.id).await["notes"].clone();
        notes.to_string().contains("recording_not_kept").then_some(())
    };
    world.wait("the call to say that it was not recorded", ended).await;
    assert!(world.slack_posts(&call.id).await.is_empty());
    let url = world.record(&call).await;
    tell(Some(&url)).await;
    let seen = world.completed(&call.id).await;
    assert!(seen["transcription_text"].as_str().unwrap().contains(&call.request), "{seen}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_recording_that_is_too_long_for_the_model_is_transcribed_in_pieces() {
    let settings = [("SPEECH", "openai"), ("OPENAI_TRANSCRIBE_MODEL", "gpt-4o-transcribe")];
    let world = World::start_with(Kind::Embedded, &settings).await;
    let call = PhoneCall::new();
    // 24 minutes with 8 kHz and 8 bits are 12 MB, which the provider would take.
    let last = simulators::Utterance {
        speaker: "A".into(),
        start: 1_438_000,
        end: 1_440_000,
        text: "Good bye.".into(),
    };
    let url = world.serve(&format!("{}.wav", call.id), "whole", simulators::recording_with(&[last])).await;
    let answer = world.post("/webhook/zapier", &call.webhook(Some(&url))).await.unwrap();
    assert_eq!(answer.status(), 200);
    world.completed(&call.id).await;
    let shown = shown(&world, &call.id).await;
    let notes = shown["notes"].as_array().unwrap();
    let note = notes.iter().find(|note| note["code"] == "transcribed_in_pieces").expect("the note");
    let text = note["text"].as_str().unwrap();
    assert!(text.contains("in 3 pieces; in them what lies below 80 Hz was filtered out"), "{text}");
    assert_eq!(world.received("openai", "/v1/audio/transcriptions").await.len(), 3, "no request is refused");
    world.finish().await;
}

/// The signature that Twilio makes.
fn signature(url: &str, fields: &[(&str, &str)]) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let form: String = sorted.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, twilio::TOKEN.as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{url}{form}").as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_twilio_is_fetched_with_both_channels_when_it_is_there() {
    let world = World::start(Kind::Embedded).await;
    let call = PhoneCall::new();
    let recording = format!("RE-{}", call.id);
    world.serve(&format!("{recording}-dual"), "whole", World::spoken(&call)).await;
    let path = "/webhooks/twilio/recording";
    let url = format!("http://127.0.0.1:{}{path}", world.port("all"));
    let fields = [
        ("AccountSid", twilio::ACCOUNT),
        ("CallSid", call.id.as_str()),
        ("RecordingSid", recording.as_str()),
        ("RecordingStatus", "completed"),
        ("RecordingChannels", "2"),
        ("RecordingDuration", "9"),
    ];
    let tell = async |signature: &str| {
        let request = world.request("POST", path).form(&fields).header("X-Twilio-Signature", signature);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(tell("Zm9yZ2Vk").await, 401);
    assert!(world.get(&format!("/call/{}", call.id)).await.is_none());
    for _ in 0..2 {
        assert_eq!(tell(&signature(&url, &fields)).await, 204);
    }
    let seen = world.completed(&call.id).await;
    assert!(seen["transcription_text"].as_str().unwrap().contains(&call.request), "{seen}");
    assert_eq!(world.received("assemblyai", "/v2/upload").await.len(), 1, "a replay is the same call");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_and_the_filters_hold_for_every_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agents.csv");
    std::fs::write(&file, "phone,name,slack_handle,department\n+442079460188,Dana Ortiz,dana.ortiz,Sales\n")
        .unwrap();
    let settings =
        [("AGENTS_FILE", file.to_str().unwrap()), ("MIN_DURATION", "5s"), ("DEPARTMENTS", "sales")];
    let world = World::start_with(Kind::Embedded, &settings).await;
    let call = PhoneCall::new();
    let url = world.record(&call).await;
    let zap = async |seconds: i64| {
        let mut body =
            json!({ "call_id": call.id, "from_number": call.customer, "to_number": "+44 20 7946 0188" });
        body["recording_url"] = url.as_str().into();
        body["duration"] = seconds.into();
        let answer = world.post("/webhook/zapier", &body).await.unwrap();
        answer.json::<Value>().await.unwrap()["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(zap(3).await, "Call skipped - it took 3 s, and MIN_DURATION is 5 s");
    world.status(&call.id, "filtered").await;
    let filtered = shown(&world, &call.id).await;
    assert_eq!(filtered["notes"][0]["code"], "call_filtered", "{filtered}");
    assert_eq!(zap(9).await, "Call queued for processing");
    world.completed(&call.id).await;
    let shown = shown(&world, &call.id).await;
    assert_eq!(shown["metadata"]["agent_name"], "Dana Ortiz", "{shown}");
    assert_eq!(shown["metadata"]["department"], "Sales", "{shown}");
    let posts = world.slack_posts(&call.id).await;
    assert!(posts.len() == 1 && posts[0].contains("@dana.ortiz"), "{posts:?}");
    assert_eq!(world.received("assemblyai", "/v2/upload").await.len(), 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_file_of_agents_is_named_with_its_line() {
    let world = World::start(Kind::Embedded).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agents.csv");
    std::fs::write(&file, "phone,name\n+12025550188,Dana\n+1 202 555 0188,Imre\n").unwrap();
    let (code, said) = world.command(&["check"], &[("AGENTS_FILE", file.to_str().unwrap())]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("AGENTS_FILE") && said.contains("line 3: the same phone stands in line 2"),
        "{said}"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tries_exotel_and_twilio() {
    let world = World::start(Kind::Embedded).await;
    let (code, said) = world.command(&["check", "--connect"], &[]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("exotel: reached") && said.contains("twilio: reached"), "{said}");
    let (code, said) = world.command(&["check", "--connect"], &[("EXOTEL_API_TOKEN", "wrong")]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("EXOTEL_BASE_URL"), "{said}");
    world.finish().await;
}
