use bytes::Bytes;
use domain::refusal::Sent;
use futures::{StreamExt as _, stream};
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::testing::{self, form};

fn client(base: &str) -> ElevenLabs {
    testing::tls();
    let values = Values::of([("ELEVENLABS_API_KEY", "secret-key"), ("ELEVENLABS_BASE_URL", base)]);
    ElevenLabs::from_values(&values, &Slots::of_this_process()).unwrap().unwrap()
}

fn audio() -> Audio {
    let body = stream::iter([Ok(Bytes::from_static(b"sound"))]).boxed();
    Audio { bytes: 5, media_type: Some("audio/wav".into()), body }
}

async fn sent(wanted: &Wanted) -> Request {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/speech-to-text"))
        .and(header("xi-api-key", "secret-key"))
        .respond_with(ResponseTemplate::new(200).set_body_raw("{}", "application/json"))
        .mount(&server)
        .await;
    drop(client(&server.uri()).transcribe(audio(), wanted).await.unwrap());
    server.received_requests().await.unwrap().remove(0)
}

#[tokio::test]
async fn the_form_names_the_model_and_exactly_one_source_and_asks_for_voices() {
    let wanted = Wanted {
        words: vec!["Dana Ortiz".into(), "a phrase of more than five words".into(), "Acme [beta]".into()],
        language: Some("en-US".into()),
        channels: Some(1),
    };
    let fields = form(&sent(&wanted).await);
    let short: Vec<_> = fields.iter().map(|(name, value, _)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        short,
        [
            ("model_id", "scribe_v2"),
            ("timestamps_granularity", "word"),
            ("tag_audio_events", "false"),
            ("language_code", "en"),
            ("diarize", "true"),
            ("keyterms", "Dana Ortiz"),
            ("file", "sound"),
        ]
    );
    assert_eq!(fields.last().unwrap().2.as_deref(), Some("recording.wav"));
}

#[tokio::test]
async fn two_channels_are_transcribed_apart_and_not_searched_for_voices() {
    let fields = form(&sent(&Wanted { channels: Some(2), ..Wanted::default() }).await);
    let has = |name: &str| fields.iter().any(|(field, _, _)| field == name);
    assert_eq!((has("use_multi_channel"), has("diarize")), (true, false));
}

async fn refused(answer: ResponseTemplate) -> Refusal {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let error = client(&server.uri()).transcribe(audio(), &Wanted::default()).await.err().unwrap();
    assert!(!error.text.contains("secret-key") && !error.text.contains("Odile"), "{error}");
    error
}

fn detail(http: u16, status: &str) -> ResponseTemplate {
    ResponseTemplate::new(http)
        .set_body_json(json!({"detail": {"status": status, "message": "Odile has no credit"}}))
}

#[tokio::test]
async fn a_used_up_quota_comes_as_401_or_400_and_waiting_does_not_help() {
    for http in [401, 400] {
        let error = refused(detail(http, "quota_exceeded")).await;
        assert_eq!((error.fault, error.code, error.sent), (Fault::Unavailable, CODES.account, Sent::No));
        assert!(error.text.contains("quota_exceeded"), "{error}");
    }
}

#[tokio::test]
async fn a_busy_system_is_given_more_time_than_too_many_requests_of_our_own() {
    let error = refused(detail(429, "too_many_concurrent_requests")).await;
    assert_eq!(error.fault, Fault::Throttled(Duration::from_secs(10)));
    let error = refused(detail(429, "system_busy")).await;
    assert_eq!(error.fault, Fault::Throttled(Duration::from_mins(1)));
    let error = refused(detail(429, "system_busy").insert_header("Retry-After", "5")).await;
    assert_eq!(error.fault, Fault::Throttled(Duration::from_secs(5)));
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named_and_a_model_that_is_wrong_is_no_fault_of_the_audio() {
    let wrong = json!({"detail": [{"loc": ["body", "model_id"], "msg": "Odile", "type": "missing"}]});
    let error = refused(ResponseTemplate::new(422).set_body_json(wrong)).await;
    assert_eq!(error.fault, Fault::Permanent);
    assert!(error.text.contains("`model_id`"), "{error}");
    let error = refused(detail(400, "invalid_model_id")).await;
    assert_eq!(error.fault, Fault::Unavailable);
    assert!(error.text.contains("ELEVENLABS_TRANSCRIBE_MODEL"), "{error}");
    let error = refused(detail(400, "invalid_audio")).await;
    assert_eq!((error.fault, error.code), (Fault::Permanent, CODES.refused));
    let error = refused(ResponseTemplate::new(500)).await;
    assert_eq!((error.fault, error.sent), (Fault::Transient, Sent::Maybe));
}

#[test]
fn words_become_turns_without_spaces_and_sounds() {
    let word = |text: &str, start: f64, kind: &str, speaker: &str| json!({"text": text, "start": start, "end": start + 0.3, "type": kind, "speaker_id": speaker, "logprob": -0.1});
    let answer = json!({"language_code": "eng", "language_probability": 0.98, "text": "Hello there. (laughter) Hi.",
        "words": [word("Hello", 0.0, "word", "speaker_0"), word(" ", 0.3, "spacing", "speaker_0"),
            word("there.", 0.4, "word", "speaker_0"), word("(laughter)", 1.0, "audio_event", "speaker_0"),
            word("Hi.", 1.5, "word", "speaker_1")], "audio_duration_secs": 2.5});
    let reading = read(answer.to_string().as_bytes()).unwrap();
    let turns: Vec<_> = reading
        .transcript
        .segments
        .iter()
        .map(|turn| (turn.speaker.as_deref().unwrap(), turn.text.as_str(), turn.start_ms, turn.end_ms))
        .collect();
    assert_eq!(turns, [("A", "Hello there.", Some(0), Some(700)), ("B", "Hi.", Some(1_500), Some(1_800))]);
    assert_eq!(reading.used.audio_ms, Some(2_500));
    assert_eq!(reading.transcript.language.as_deref(), Some("en"), "the answer says `eng`");
}

#[test]
fn the_other_shape_has_a_transcript_for_each_channel() {
    let channel = |index: u8, text: &str, start: f64| {
        json!({"language_code": "eng", "text": text, "channel_index": index,
            "words": [{"text": text, "start": start, "end": start + 0.4, "type": "word", "logprob": 0}]})
    };
    let answer = json!({"transcripts": [channel(0, "Second.", 2.0), channel(1, "First.", 0.5)], "audio_duration_secs": 3});
    let reading = read(answer.to_string().as_bytes()).unwrap();
    let turns: Vec<_> = reading
        .transcript
        .segments
        .iter()
        .map(|turn| (turn.speaker.as_deref().unwrap(), turn.text.as_str()))
        .collect();
    assert_eq!(turns, [("2", "First."), ("1", "Second.")]);
    assert_eq!(
        (reading.used.audio_ms, reading.used.paid_ms()),
        (Some(3_000), Some(6_000)),
        "each is paid for"
    );
}

#[test]
fn a_language_without_spaces_gets_none_and_silence_has_no_segments() {
    let word =
        |text: &str, start: f64| json!({"text": text, "start": start, "end": start + 0.2, "type": "word"});
    let answer =
        json!({"language_code": "jpn", "text": "もしもし", "words": [word("もし", 0.0), word("もし", 0.2)]});
    assert_eq!(read(answer.to_string().as_bytes()).unwrap().transcript.segments[0].text, "もしもし");
    let silent = json!({"language_code": "eng", "text": "", "words": []});
    assert_eq!(read(silent.to_string().as_bytes()).unwrap().transcript.segments, []);
    // With a webhook the provider only answers that it took the request.
    for wrong in [r#"{"message":"Request processed","request_id":"r"}"#, "<html>", "{\"text\":\"He", ""] {
        assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
