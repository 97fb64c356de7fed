//! The simulator of AssemblyAI.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulators::{Recording, Utterance, assemblyai, recording_with, recordings};

use crate::playground::{Playground, answer};

fn utterance(speaker: &str, start: u64, end: u64, text: &str) -> Utterance {
    Utterance { speaker: speaker.to_owned(), start, end, text: text.to_owned() }
}

#[tokio::test]
async fn a_recording_becomes_the_transcript_of_the_dialogue_in_it() {
    let play = Playground::start().await;
    let wav = recording_with(&[
        utterance("Ada", 0, 900, "Hello there."),
        utterance("Bo", 1000, 2000, "Good morning."),
    ]);
    let url = play.simulators.put_recording("call.wav", Recording::wav(wav.clone()));
    let fetched = play.http.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(fetched, wav);

    let provider = &assemblyai::PROVIDER;
    let call = |method, path: &str| play.at(method, provider, path).header("authorization", "key");
    let (status, uploaded) = answer(call(Method::POST, "/v2/upload").body(fetched)).await;
    assert_eq!(status, StatusCode::OK);
    let request = json!({
        "audio_url": uploaded["upload_url"], "speech_models": ["universal-2"], "speaker_labels": true,
    });
    let (_, submitted) = answer(call(Method::POST, "/v2/transcript").json(&request)).await;
    assert_eq!(submitted["status"], "queued");
    let path = format!("/v2/transcript/{}", submitted["id"].as_str().unwrap());
    let done = loop {
        let (_, seen) = answer(call(Method::GET, &path)).await;
        match seen["status"].as_str() {
            Some("queued" | "processing") => tokio::task::yield_now().await,
            _ => break seen,
        }
    };
    assert_eq!(done["status"], "completed");
    assert_eq!(done["text"], "Hello there. Good morning.");
    assert_eq!(done["audio_duration"], 2);
    assert_eq!(done["utterances"][1]["speaker"], "B");
    assert_eq!(done["utterances"][1]["start"], 1000);
    assert_eq!(done["utterances"][1]["words"][1]["text"], "morning.");
    let simulator = play.of(provider);
    let effects = simulator.effects();
    assert_eq!(effects["transcript"], effects["upload"]);
    assert_eq!(effects["transcript"].values().sum::<u64>(), 1);
    assert_eq!(simulator.received()[0].body_bytes, wav.len() as u64);
}

#[tokio::test]
async fn the_speech_provider_refuses_what_its_document_forbids() {
    let play = Playground::start().await;
    let submit = |body: Value| {
        let request = play.at(Method::POST, &assemblyai::PROVIDER, "/v2/transcript");
        answer(request.header("authorization", "key").json(&body))
    };
    let url = "http://example.org/a.wav";
    let (status, refused) = submit(json!({ "audio_url": url })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["error"].as_str().unwrap().contains("speech_models"));
    let (_, refused) = submit(json!({ "audio_url": url, "speech_models": ["a"], "diarize": true })).await;
    assert!(refused["error"].as_str().unwrap().contains("diarize"));
    for (models, said) in [
        (
            json!(["universal-3-pro", "universal-2"]),
            "The \"universal-3-pro\" speech model(s) have been deprecated",
        ),
        (json!(["nano"]), "\"nano\""),
        (json!(["a"]), "must be a non-empty list containing one or more of: \"assemblyai-stt-3-7\""),
        (json!([]), "must be a non-empty list"),
        (json!("universal-2"), "must be a non-empty list"),
    ] {
        let (status, refused) = submit(json!({ "audio_url": url, "speech_models": models })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(refused["error"].as_str().unwrap().contains(said), "{refused}");
    }
    let (status, refused) = submit(json!({ "audio_url": url, "speech_model": "best" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["error"].as_str().unwrap().contains("\"speech_model\" is deprecated"), "{refused}");
    let (status, _) =
        submit(json!({ "audio_url": url, "speech_models": ["assemblyai-stt-3-7", "universal-2"] })).await;
    assert_eq!(status, StatusCode::OK);
    let bearer = play.at(Method::POST, &assemblyai::PROVIDER, "/v2/upload").bearer_auth("key").body("x");
    assert_eq!(answer(bearer).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_model_that_is_retired_or_unknown_is_refused_in_the_providers_words() {
    let play = Playground::start().await;
    let submit = |models: Value| {
        let mut body = json!({ "audio_url": "http://example.org/a.wav" });
        for (name, value) in models.as_object().unwrap() {
            body[name] = value.clone();
        }
        let request = play.at(Method::POST, &assemblyai::PROVIDER, "/v2/transcript");
        answer(request.header("authorization", "key").json(&body))
    };
    let not_listed = "must be a non-empty list containing one or more of: \"assemblyai-stt-3-7\"";
    for (models, said) in [
        (
            json!({ "speech_models": ["universal-3-pro", "universal-2"] }),
            "The \"universal-3-pro\" speech model(s) have been deprecated.",
        ),
        (json!({ "speech_models": ["nano"] }), "The \"nano\" speech model(s) have been deprecated."),
        (json!({ "speech_models": ["a"] }), not_listed),
        (json!({ "speech_models": [] }), not_listed),
        (json!({ "speech_models": "universal-2" }), not_listed),
        (json!({ "speech_model": "best" }), "\"speech_model\" is deprecated."),
    ] {
        let (status, refused) = submit(models).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(refused["error"].as_str().unwrap().contains(said), "{refused}");
    }
    let current = json!({ "speech_models": ["assemblyai-stt-3-7", "universal-2"] });
    assert_eq!(submit(current).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_webhook_is_called_with_its_header_when_the_transcript_is_done() {
    let play = Playground::start().await;
    let upload = play.at(Method::POST, &assemblyai::PROVIDER, "/v2/upload").header("authorization", "key");
    let (_, uploaded) = answer(upload.body(vec![0; 9000])).await;
    let hook = play.of(&recordings::PROVIDER).url("/webhook?call=7");
    let job = json!({
        "audio_url": uploaded["upload_url"], "speech_models": ["universal-2"], "webhook_url": hook,
        "webhook_auth_header_name": "x-secret", "webhook_auth_header_value": "s3cret",
    });
    let submit =
        play.at(Method::POST, &assemblyai::PROVIDER, "/v2/transcript").header("authorization", "key");
    let (_, submitted) = answer(submit.json(&job)).await;
    let called = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if let Some(request) = play.of(&recordings::PROVIDER).received().pop() {
                break request;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let request = called.await.unwrap();
    assert_eq!(request.body, json!({ "transcript_id": submitted["id"], "status": "completed" }));
    assert_eq!((request.headers["x-secret"].as_str(), request.query.as_deref()), ("s3cret", Some("call=7")));
}

#[tokio::test]
async fn a_transcript_is_given_as_subtitles_listed_and_deleted() {
    let play = Playground::start().await;
    let call =
        |method, path: &str| play.at(method, &assemblyai::PROVIDER, path).header("authorization", "key");
    let wav = recording_with(&[utterance("Ada", 0, 900, "Hello there.")]);
    let (_, uploaded) = answer(call(Method::POST, "/v2/upload").body(wav)).await;
    let request = json!({ "audio_url": uploaded["upload_url"], "speech_models": ["universal-2"] });
    let (_, submitted) = answer(call(Method::POST, "/v2/transcript").json(&request)).await;
    let id = submitted["id"].as_str().unwrap();
    let path = format!("/v2/transcript/{id}");
    assert_eq!(answer(call(Method::GET, &format!("{path}/vtt"))).await.0, StatusCode::BAD_REQUEST);
    while answer(call(Method::GET, &path)).await.1["status"] != "completed" {
        tokio::task::yield_now().await;
    }
    let vtt = answer(call(Method::GET, &format!("{path}/vtt"))).await.1;
    assert_eq!(vtt, "WEBVTT\n\n00:00.000 --> 00:00.900\nHello there.\n\n");
    let srt = answer(call(Method::GET, &format!("{path}/srt?chars_per_caption=6"))).await.1;
    assert_eq!(
        srt,
        "1\n00:00:00,000 --> 00:00:00,450\nHello\n\n2\n00:00:00,450 --> 00:00:00,900\nthere.\n\n"
    );
    let list = async || answer(call(Method::GET, "/v2/transcript?limit=5")).await.1;
    assert_eq!(list().await["transcripts"][0]["id"], id);
    let (status, deleted) = answer(call(Method::DELETE, &path)).await;
    assert_eq!((status, &deleted["words"]), (StatusCode::OK, &Value::Null));
    assert_eq!(list().await["transcripts"][0]["audio_url"], "http://deleted_by_user");
    assert_eq!(answer(call(Method::DELETE, "/v2/transcript/nobody")).await.0, StatusCode::NOT_FOUND);
}
