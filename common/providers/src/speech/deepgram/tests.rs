use bytes::Bytes;
use domain::refusal::Sent;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::testing::{self, DEEPGRAM, check};

fn client(base: &str) -> Deepgram {
    testing::tls();
    let values = Values::of([("DEEPGRAM_API_KEY", "secret-key"), ("DEEPGRAM_BASE_URL", base)]);
    Deepgram::from_values(&values, &Slots::of_this_process()).unwrap().unwrap()
}

fn audio() -> Audio {
    let body = stream::iter([Ok(Bytes::from_static(b"sound"))]).boxed();
    Audio { bytes: 5, media_type: Some("audio/wav".into()), body }
}

async fn sent(wanted: &Wanted) -> Request {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/proxy/v1/listen"))
        .and(header("authorization", "Token secret-key"))
        .and(header("content-type", "audio/wav"))
        .respond_with(ResponseTemplate::new(200).set_body_raw("{}", "application/json"))
        .mount(&server)
        .await;
    drop(client(&format!("{}/proxy/", server.uri())).transcribe(audio(), wanted).await.unwrap());
    server.received_requests().await.unwrap().remove(0)
}

/// The query as the provider's document describes it: a parameter that stands several times is a list, and so is
/// `keyterm`; switches are no texts.
fn query(request: &Request) -> Value {
    let mut found = serde_json::Map::new();
    for (name, value) in request.url.query_pairs() {
        let value = match &*value {
            "true" => json!(true),
            value => json!(value),
        };
        if name == "keyterm" {
            found.entry("keyterm").or_insert_with(|| json!([])).as_array_mut().unwrap().push(value);
        } else {
            assert!(found.insert(name.clone().into_owned(), value).is_none(), "{name} stands twice");
        }
    }
    found.into()
}

#[tokio::test]
async fn what_is_wanted_stands_in_the_query_and_the_published_parameters_know_it_all() {
    let wanted = Wanted { words: vec!["Dana Ortiz".into(), "Acme & Co".into()], ..Wanted::default() };
    let request = sent(&wanted).await;
    assert_eq!(request.body, b"sound", "the body is the audio as it is");
    let asked = query(&request);
    check(DEEPGRAM, "ListenParameters", &asked);
    let expected = json!({"model": "nova-3", "smart_format": true, "utterances": true, "detect_language": true,
        "diarize_model": "latest", "keyterm": ["Dana Ortiz", "Acme & Co"]});
    assert_eq!(asked, expected, "the old parameter `diarize` is deprecated");
}

#[tokio::test]
async fn two_channels_are_transcribed_apart_and_not_searched_for_voices() {
    let wanted = Wanted { channels: Some(2), language: Some("pt-BR".into()), ..Wanted::default() };
    let asked = query(&sent(&wanted).await);
    check(DEEPGRAM, "ListenParameters", &asked);
    assert_eq!((&asked["multichannel"], asked.get("diarize_model")), (&json!(true), None));
    assert_eq!((&asked["language"], asked.get("detect_language")), (&json!("pt-BR"), None));
}

async fn refused(answer: ResponseTemplate) -> Refusal {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let error = client(&server.uri()).transcribe(audio(), &Wanted::default()).await.err().unwrap();
    assert!(!error.text.contains("secret-key") && !error.text.contains("Odile"), "{error}");
    error
}

#[tokio::test]
async fn all_three_shapes_of_an_error_are_read() {
    let legacy = json!({"err_code": "INVALID_AUTH", "err_msg": "Odile's key is wrong", "request_id": "r"});
    check(DEEPGRAM, "ErrorResponseLegacyError", &legacy);
    let error = refused(ResponseTemplate::new(401).set_body_json(&legacy)).await;
    assert_eq!((error.fault, error.code), (Fault::Unavailable, CODES.account));
    assert!(error.text.contains("`invalid_auth`"), "{error}");

    let modern =
        json!({"category": "unprocessable_entity", "message": "Odile", "details": "…", "request_id": "r"});
    check(DEEPGRAM, "ErrorResponseModernError", &modern);
    let error = refused(ResponseTemplate::new(422).set_body_json(&modern)).await;
    assert_eq!((error.fault, error.code), (Fault::Permanent, CODES.refused));
    assert!(error.text.contains("`unprocessable_entity`"), "{error}");

    let error = refused(ResponseTemplate::new(400).set_body_string("Odile is not audio")).await;
    assert_eq!((error.fault, error.code), (Fault::Permanent, CODES.refused));
}

#[tokio::test]
async fn a_model_that_does_not_exist_is_no_fault_of_the_audio_and_its_setting_is_named() {
    let said = json!({"err_code": "INVALID_QUERY_PARAMETER", "err_msg": "No such model/language/tier combination found."});
    let error = refused(ResponseTemplate::new(400).set_body_json(said)).await;
    assert_eq!(error.fault, Fault::Unavailable);
    assert!(error.text.contains("DEEPGRAM_MODEL"), "{error}");
}

#[tokio::test]
async fn too_many_at_once_is_waited_for_and_work_of_ten_minutes_may_have_been_paid() {
    let error = refused(ResponseTemplate::new(429)).await;
    assert_eq!((error.fault, error.sent), (Fault::Throttled(Duration::from_secs(10)), Sent::No));
    let error = refused(ResponseTemplate::new(504)).await;
    assert_eq!((error.fault, error.sent), (Fault::Transient, Sent::Maybe));
    let error = refused(ResponseTemplate::new(402)).await;
    assert_eq!((error.fault, error.sent), (Fault::Unavailable, Sent::No));
    let cut = client(&testing::cut_short("200 OK").await).transcribe(audio(), &Wanted::default()).await;
    assert_eq!(cut.err().unwrap().sent, Sent::Maybe);
}

fn metadata(channels: u16) -> Value {
    json!({"request_id": "8a8f4a5e-2b7c-4d8e-9f10-1a2b3c4d5e6f", "sha256": "0", "created": "2026-11-30T00:00:00Z",
        "duration": 12.5, "channels": channels, "models": ["nova-3"], "model_info": {}})
}

#[test]
fn utterances_become_segments_and_voices_from_0_become_letters() {
    let answer = json!({"metadata": metadata(1), "results": {
    "channels": [{"detected_language": "en", "alternatives": [{"transcript": "Hello. Hi.", "confidence": 0.9,
        "words": [{"word": "hello", "start": 0.0, "end": 0.5, "confidence": 0.9}]}]}],
    "utterances": [
        {"start": 0.08, "end": 1.2, "confidence": 0.91, "channel": 0, "transcript": "Hello.", "speaker": 0, "words": []},
        {"start": 1.5, "end": 2.0, "confidence": 0.8, "channel": 0, "transcript": "Hi.", "speaker": 1, "words": []},
    ]}});
    check(DEEPGRAM, "ListenV1Response", &answer);
    let reading = read(answer.to_string().as_bytes()).unwrap();
    let segments = &reading.transcript.segments;
    assert_eq!((segments[0].speaker.as_deref(), segments[1].speaker.as_deref()), (Some("A"), Some("B")));
    assert_eq!(
        (segments[0].start_ms, segments[0].end_ms, segments[0].confidence),
        (Some(80), Some(1_200), Some(0.91))
    );
    assert_eq!((reading.used.audio_ms, reading.used.paid_ms()), (Some(12_500), Some(12_500)));
    assert_eq!(reading.transcript.language.as_deref(), Some("en"));
}

#[test]
fn channels_from_0_become_numbers_from_1_in_the_order_of_time_and_each_is_paid_for() {
    let utterance = |channel: u8, start: f64, text: &str| json!({"start": start, "end": start + 0.5, "confidence": 0.9, "channel": channel, "transcript": text, "words": []});
    let answer = json!({"metadata": metadata(2), "results": {
        "channels": [{"alternatives": []}, {"alternatives": []}],
        "utterances": [utterance(0, 0.0, "Hello."), utterance(0, 3.0, "How are you?"), utterance(1, 1.0, "Hi.")]}});
    check(DEEPGRAM, "ListenV1Response", &answer);
    let reading = read(answer.to_string().as_bytes()).unwrap();
    let read: Vec<_> = reading
        .transcript
        .segments
        .iter()
        .map(|segment| (segment.speaker.as_deref().unwrap(), segment.text.as_str()))
        .collect();
    assert_eq!(read, [("1", "Hello."), ("2", "Hi."), ("1", "How are you?")]);
    assert_eq!((reading.used.audio_ms, reading.used.paid_ms()), (Some(12_500), Some(25_000)));
}

#[test]
fn without_utterances_the_words_or_the_text_of_a_channel_are_read() {
    let words = json!([
        {"word": "hello", "punctuated_word": "Hello,", "start": 0.0, "end": 0.4, "confidence": 0.9, "speaker": 0},
        {"word": "yes", "start": 0.5, "end": 0.9, "confidence": 0.9, "speaker": 1},
    ]);
    let answer = |words: Value| {
        json!({"metadata": metadata(1), "results": {"channels": [{"alternatives": [
            {"transcript": "Hello, yes", "confidence": 0.5, "words": words}]}]}})
        .to_string()
    };
    let texts = |answer: String| -> Vec<String> {
        let reading = read(answer.as_bytes()).unwrap();
        reading.transcript.segments.into_iter().map(|segment| segment.text).collect()
    };
    assert_eq!(texts(answer(words)), ["Hello,", "yes"]);
    assert_eq!(texts(answer(json!([]))), ["Hello, yes"]);
}

#[test]
fn silence_has_no_segments_and_what_is_no_transcript_is_not_read() {
    let silent = json!({"metadata": metadata(1), "results": {"channels": [{"alternatives": [{"transcript": "", "words": []}]}],
        "utterances": []}});
    assert_eq!(read(silent.to_string().as_bytes()).unwrap().transcript.segments, []);
    // With a callback the provider only answers that it took the request.
    for wrong in
        [r#"{"request_id":"8a8f4a5e-2b7c-4d8e-9f10-1a2b3c4d5e6f"}"#, "<html>", "{\"results\":{\"chan", ""]
    {
        assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
