use std::time::Duration;

use bytes::Bytes;
use domain::refusal::Sent;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use platform::config::Values;
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::super::openai::{self, OpenAi};
use super::super::{Reading, SpeechAtOnce, local};
use super::*;
use crate::slots::Slots;
use crate::testing::{self, OPENAI, check, form, form_as_json};

fn audio() -> Audio {
    let body = stream::iter([Ok(Bytes::from_static(b"ID3 ")), Ok(Bytes::from_static(b"sound"))]).boxed();
    Audio { bytes: 9, media_type: Some("audio/mpeg".into()), body }
}

fn wanted() -> Wanted {
    Wanted { words: vec!["Dana Ortiz".into(), "Acme".into()], language: Some("en-US".into()), channels: None }
}

fn client(base: &str, model: &str) -> OpenAi {
    testing::tls();
    let values = Values::of([
        ("OPENAI_API_KEY", "secret-key"),
        ("OPENAI_BASE_URL", base),
        ("OPENAI_TRANSCRIBE_MODEL", model),
    ]);
    OpenAi::from_values(&values, &Slots::of_this_process()).unwrap().unwrap()
}

async fn sent(model: &str) -> Request {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/audio/transcriptions"))
        .and(header("authorization", "Bearer secret-key"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(r#"{"text":"Hello."}"#, "application/json"))
        .mount(&server)
        .await;
    let client = client(&format!("{}/v1", server.uri()), model);
    let answer = client.transcribe(audio(), &wanted()).await.unwrap();
    let answer: Vec<Bytes> = answer.try_collect().await.unwrap();
    assert_eq!(answer.concat(), br#"{"text":"Hello."}"#, "the answer is given out as it came");
    server.received_requests().await.unwrap().remove(0)
}

#[tokio::test]
async fn the_model_decides_the_format_and_what_goes_along_and_the_published_schema_knows_it_all() {
    for (model, expected) in [
        (
            "whisper-1",
            json!({"response_format": "verbose_json", "language": "en", "prompt": "Dana Ortiz, Acme.",
                "timestamp_granularities": ["segment", "word"]}),
        ),
        (
            "gpt-4o-transcribe",
            json!({"response_format": "json", "language": "en", "prompt": "Dana Ortiz, Acme."}),
        ),
        (
            "gpt-transcribe",
            json!({"response_format": "json", "languages": ["en"], "keywords": ["Dana Ortiz", "Acme"]}),
        ),
        // It takes no prompt, and it refuses more than 30 seconds without a strategy.
        (
            "gpt-4o-transcribe-diarize",
            json!({"response_format": "diarized_json", "language": "en", "chunking_strategy": "auto"}),
        ),
    ] {
        let request = sent(model).await;
        let mut fields = form_as_json(&request);
        check(OPENAI, "CreateTranscriptionRequest", &fields);
        let fields_without_file = fields.as_object_mut().unwrap();
        assert_eq!(fields_without_file.remove("file"), Some(json!("ID3 sound")));
        assert_eq!(fields_without_file.remove("model"), Some(json!(model)));
        assert_eq!(fields, expected, "{model}");
    }
}

#[tokio::test]
async fn the_file_has_a_name_with_an_extension_and_is_the_last_field() {
    let fields = form(&sent("whisper-1").await);
    let (name, _, file) = fields.last().unwrap();
    assert_eq!((name.as_str(), file.as_deref()), ("file", Some("recording.mp3")));
}

async fn refused(answer: ResponseTemplate) -> Refusal {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let error = client(&server.uri(), "whisper-1").transcribe(audio(), &wanted()).await.err().unwrap();
    assert!(!error.text.contains("secret-key") && !error.text.contains("Odile"), "{error}");
    error
}

fn complaint(status: u16, code: &str, param: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error": {
        "message": "Odile said something", "type": "invalid_request_error", "param": param, "code": code,
    }}))
}

#[tokio::test]
async fn a_used_up_quota_is_no_rate_limit_and_a_missing_model_is_no_fault_of_the_audio() {
    let minute = Duration::from_mins(1);
    for (answer, fault, code, sent) in [
        (
            complaint(429, "rate_limit_exceeded", "").insert_header("Retry-After", "60"),
            Fault::Throttled(minute),
            "speech_to_text_throttled",
            Sent::No,
        ),
        (
            complaint(429, "insufficient_quota", "").insert_header("Retry-After", "60"),
            Fault::Unavailable,
            "speech_to_text_refuses_account",
            Sent::No,
        ),
        (
            complaint(404, "model_not_found", "model"),
            Fault::Unavailable,
            "speech_to_text_refuses_account",
            Sent::No,
        ),
        (
            complaint(400, "invalid_value", "model"),
            Fault::Unavailable,
            "speech_to_text_refuses_account",
            Sent::No,
        ),
        (complaint(400, "invalid_value", "file"), Fault::Permanent, "speech_to_text_refused", Sent::No),
        (ResponseTemplate::new(401), Fault::Unavailable, "speech_to_text_refuses_account", Sent::No),
        (ResponseTemplate::new(413), Fault::Permanent, "speech_to_text_refused", Sent::No),
        (ResponseTemplate::new(500), Fault::Transient, "speech_to_text_failed", Sent::Maybe),
        (ResponseTemplate::new(302), Fault::Unavailable, "speech_to_text_refuses_account", Sent::No),
    ] {
        let error = refused(answer).await;
        assert_eq!((error.fault, error.code.name(), error.sent), (fault, code, sent), "{error}");
    }
    let quota = refused(complaint(429, "insufficient_quota", "").insert_header("Retry-After", "60")).await;
    assert_eq!(quota.retry_after, None, "that time is about the rate");
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_have_been_paid_and_an_address_of_nobody_was_not() {
    let cut = client(&testing::cut_short("200 OK").await, "whisper-1").transcribe(audio(), &wanted()).await;
    let cut = cut.err().unwrap();
    assert_eq!((cut.fault, cut.sent), (Fault::Transient, Sent::Maybe));
    let down = client(&testing::nobody().await, "whisper-1").transcribe(audio(), &wanted()).await;
    let down = down.err().unwrap();
    assert_eq!((down.fault, down.sent), (Fault::Unavailable, Sent::No));
}

fn read(answer: &Value) -> Reading {
    openai::read(answer.to_string().as_bytes()).unwrap()
}

#[test]
fn turns_with_speakers_are_read_and_their_seconds_become_milliseconds() {
    let answer = json!({"task": "transcribe", "duration": 12.5, "text": "Hello. Hi.", "segments": [
        {"type": "transcript.text.segment", "id": "seg_1", "start": 0.0, "end": 1.25, "text": " Hello.", "speaker": "A"},
        {"type": "transcript.text.segment", "id": "seg_2", "start": 1.5, "end": 2.0, "text": "Hi.", "speaker": "B"},
    ], "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}});
    check(OPENAI, "CreateTranscriptionResponseDiarizedJson", &answer);
    let reading = read(&answer);
    let first = &reading.transcript.segments[0];
    assert_eq!((first.text.as_str(), first.speaker.as_deref()), ("Hello.", Some("A")));
    assert_eq!((first.start_ms, first.end_ms), (Some(0), Some(1_250)));
    let used = &reading.used;
    assert_eq!((used.audio_ms, used.input_tokens, used.output_tokens), (Some(12_500), 14, 45));
}

#[test]
fn whisper_s_words_and_language_are_read() {
    let answer = json!({"task": "transcribe", "language": "english", "duration": 3.2, "text": "Hello there.",
        "segments": [{"id": 0, "seek": 0, "start": 0.0, "end": 1.1, "text": " Hello there.", "tokens": [1],
            "temperature": 0.0, "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.01}],
        "words": [{"word": "Hello", "start": 0.0, "end": 0.4}, {"word": "there", "start": 0.5, "end": 1.1}],
        "usage": {"type": "duration", "seconds": 4}});
    check(OPENAI, "CreateTranscriptionResponseVerboseJson", &answer);
    let reading = read(&answer);
    assert_eq!(reading.transcript.language.as_deref(), Some("en"));
    assert!((reading.transcript.segments[0].confidence.unwrap() - 0.904_837).abs() < 1e-4);
    assert_eq!((reading.words.len(), reading.words[1].start_ms), (2, 500));
    assert_eq!(reading.used.audio_ms, Some(3_200));
}

#[test]
fn a_text_without_times_is_one_segment_and_seconds_of_usage_are_its_length() {
    let answer =
        json!({"text": "Hello.", "languages": [{"code": "de"}], "usage": {"type": "duration", "seconds": 4}});
    check(OPENAI, "CreateTranscriptionResponseJson", &answer);
    let reading = read(&answer);
    let segment = &reading.transcript.segments[0];
    assert_eq!(
        (segment.text.as_str(), segment.start_ms, reading.used.audio_ms),
        ("Hello.", None, Some(4_000))
    );
    assert_eq!(reading.transcript.language.as_deref(), Some("de"));
}

#[test]
fn silence_is_a_transcript_without_segments_and_another_document_is_none() {
    assert_eq!(read(&json!({"text": "", "segments": []})).transcript.segments, []);
    for wrong in ["{}", "[]", "<html>", "{\"text\":\"He", ""] {
        assert!(local::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn one_odd_segment_loses_no_other_words() {
    let answer = json!({"text": "all", "segments": [
        null, 7, {"text": 5}, {"text": "Kept.", "start": "soon", "end": -1}, {"text": "Too.", "start": "1", "end": 2},
    ]});
    let reading = read(&answer);
    let texts: Vec<_> = reading.transcript.segments.iter().map(|segment| segment.text.as_str()).collect();
    assert_eq!(texts, ["Kept.", "Too."]);
    let codes: Vec<_> = reading.transcript.notes.iter().map(|note| note.code.as_str()).collect();
    assert_eq!(codes, ["utterances_unreadable", "times_unreadable"]);
}

#[tokio::test]
async fn a_local_server_needs_no_key_and_none_is_sent() {
    testing::tls();
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(r#"{"text":"Hi."}"#, "application/json"))
        .mount(&server)
        .await;
    let base = format!("{}/v1/", server.uri());
    let values = Values::of([("LOCAL_SPEECH_BASE_URL", base.as_str()), ("LOCAL_SPEECH_MAX_MB", "2")]);
    let client = local::Local::from_values(&values, &Slots::of_this_process()).unwrap().unwrap();
    assert_eq!(client.max_audio_bytes(), Some(2_000_000));
    drop(client.transcribe(audio(), &Wanted::default()).await.unwrap());
    let request = server.received_requests().await.unwrap().remove(0);
    assert_eq!(request.url.path(), "/v1/audio/transcriptions");
    assert!(!request.headers.contains_key("authorization"));
    check(OPENAI, "CreateTranscriptionRequest", &form_as_json(&request));
}

#[test]
fn a_recording_above_25_mb_is_more_than_the_provider_takes() {
    testing::tls();
    assert_eq!(client("http://127.0.0.1:1", "whisper-1").max_audio_bytes(), Some(25_000_000));
}

#[test]
fn a_recording_above_1400_seconds_is_more_than_the_gpt_models_take() {
    testing::tls();
    let longest = |model| client("http://127.0.0.1:1", model).max_audio_ms();
    for model in ["gpt-4o-transcribe", "gpt-4o-transcribe-diarize", "gpt-transcribe"] {
        assert_eq!(longest(model), Some(1_400_000), "{model}");
    }
    assert_eq!(longest("whisper-1"), None);
}
