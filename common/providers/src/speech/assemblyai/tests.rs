use bytes::Bytes;
use domain::refusal::Sent;
use domain::transcript::Transcript;
use futures::{StreamExt as _, stream};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const COMPLETED: &str = include_str!("../../../tests/samples/assemblyai/completed.json");

fn provider(base: &str) -> AssemblyAi {
    drop(rustls::crypto::ring::default_provider().install_default());
    let values = Values::of([("ASSEMBLYAI_API_KEY", "secret-key"), ("ASSEMBLYAI_BASE_URL", base)]);
    AssemblyAi::from_values(&values, &Slots::of_this_process()).unwrap().unwrap()
}

async fn looked(answer: ResponseTemplate) -> Result<Progress, Refusal> {
    let server = MockServer::start().await;
    Mock::given(path("/v2/transcript/t-1")).respond_with(answer).mount(&server).await;
    provider(&server.uri()).look("t-1").await
}

fn answer(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

async fn done(body: &str) -> Transcript {
    match looked(answer(body)).await.unwrap() {
        Progress::Done(answer) => read(&answer).unwrap().transcript,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn audio_is_uploaded_and_submitted_with_the_key_as_it_is() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/proxy/v2/upload"))
        .and(header("authorization", "secret-key"))
        .and(header("content-length", "12"))
        .respond_with(answer(r#"{"upload_url":"https://cdn.example.com/u/1"}"#))
        .mount(&server)
        .await;
    let expected = json!({
        "audio_url": "https://cdn.example.com/u/1",
        "speech_models": ["assemblyai-stt-3-7", "universal-2"],
        "language_detection": true,
        "speaker_labels": true,
        "webhook_url": "https://debrief.example.com/webhooks/assemblyai?call=1",
        "webhook_auth_header_name": "X-Debrief-Webhook-Secret",
        "webhook_auth_header_value": "shared",
    });
    Mock::given(method("POST"))
        .and(path("/proxy/v2/transcript"))
        .and(header("authorization", "secret-key"))
        .and(body_json(&expected))
        .respond_with(answer(r#"{"id":"t-1","status":"queued"}"#))
        .mount(&server)
        .await;

    let provider = provider(&format!("{}/proxy/", server.uri()));
    let pieces = [Ok(Bytes::from_static(b"first ")), Ok(Bytes::from_static(b"second"))];
    let uploaded = provider
        .upload(Audio { bytes: 12, media_type: None, body: stream::iter(pieces).boxed() })
        .await
        .unwrap();
    let notify = Notify {
        url: "https://debrief.example.com/webhooks/assemblyai?call=1".into(),
        header: seal::WEBHOOK_SECRET_HEADER,
        secret: "shared".into(),
    };
    assert_eq!(provider.submit(&uploaded, &Wanted::default(), Some(&notify)).await.unwrap(), "t-1");
}

#[tokio::test]
async fn a_rate_that_is_used_up_hands_no_audio_over() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = MockServer::start().await;
    Mock::given(path("/v2/upload"))
        .respond_with(answer(r#"{"upload_url":"https://cdn.example.com/u/1"}"#))
        .expect(1)
        .mount(&server)
        .await;
    let base = server.uri();
    let values = Values::of([
        ("ASSEMBLYAI_API_KEY", "key"),
        ("ASSEMBLYAI_BASE_URL", base.as_str()),
        ("ASSEMBLYAI_RATE", "1/h"),
    ]);
    let provider = AssemblyAi::from_values(&values, &Slots::of_this_process()).unwrap().unwrap();
    let upload = || provider.upload(Audio { bytes: 0, media_type: None, body: stream::empty().boxed() });
    upload().await.unwrap();
    let error = upload().await.unwrap_err();
    assert_eq!((error.code.name(), error.sent), ("rate_used_up", Sent::No));
    assert!(matches!(error.fault, Fault::Throttled(wait) if wait > Duration::from_mins(59)), "{error:?}");
}

#[tokio::test]
async fn utterances_become_segments_with_their_speakers() {
    let transcript = done(COMPLETED).await;
    assert_eq!(transcript.segments.len(), 3);
    let second = &transcript.segments[1];
    assert_eq!((second.id, second.label().as_str()), (2, "Speaker B"));
    assert_eq!((second.start_ms, second.end_ms, second.confidence), (Some(2_500), Some(6_100), Some(0.93)));
}

#[tokio::test]
async fn a_text_without_utterances_is_one_segment_and_silence_is_none() {
    let plain = done(r#"{"id":"t-1","status":"completed","text":"Hello there.","utterances":null,"confidence":0.9,"language_code":"en"}"#).await;
    assert_eq!(plain.language.as_deref(), Some("en"));
    assert_eq!(plain.segments.len(), 1);
    assert_eq!((plain.segments[0].text.as_str(), plain.segments[0].start_ms), ("Hello there.", None));
    let silent = done(r#"{"id":"t-1","status":"completed","text":"","utterances":[]}"#).await;
    assert_eq!(silent.segments, []);
}

#[tokio::test]
async fn a_job_is_running_until_it_is_done_or_failed() {
    for status in ["queued", "processing"] {
        let found = looked(answer(&format!(r#"{{"id":"t-1","status":"{status}"}}"#))).await.unwrap();
        assert_eq!(found, Progress::Running);
    }
    let elsewhere = "what it says of the job stands in its own list of jobs";
    for (said, reason, for_good) in [
        (
            "Transcoding failed. File does not appear to contain audio.",
            "does not appear to contain audio",
            true,
        ),
        ("Audio duration is too short.", "too short", true),
        ("Download error, unable to download https://r.example.com/a?token=s", elsewhere, false),
        ("Server error, developers have been alerted", elsewhere, false),
    ] {
        let found = looked(answer(&json!({"id": "t-1", "status": "error", "error": said}).to_string())).await;
        assert_eq!(found.unwrap(), Progress::Failed(GivenUp { reason: reason.into(), for_good }));
    }
}

#[tokio::test]
async fn each_answer_says_what_is_to_be_done() {
    let wait = Duration::from_secs(7);
    let cases = [
        (ResponseTemplate::new(400).set_body_string("{}"), Fault::Permanent, "speech_to_text_refused"),
        (
            ResponseTemplate::new(400).set_body_string("Your current account balance is negative"),
            Fault::Unavailable,
            "speech_to_text_refuses_account",
        ),
        (ResponseTemplate::new(401), Fault::Unavailable, "speech_to_text_refuses_account"),
        (ResponseTemplate::new(403), Fault::Unavailable, "speech_to_text_refuses_account"),
        (
            ResponseTemplate::new(429).insert_header("Retry-After", "7"),
            Fault::Throttled(wait),
            "speech_to_text_throttled",
        ),
        (ResponseTemplate::new(500), Fault::Transient, "speech_to_text_failed"),
        (answer(&COMPLETED[..200]), Fault::Transient, "speech_to_text_failed"),
        (answer("<html>"), Fault::Transient, "speech_to_text_failed"),
        (answer(r#"{"status":"dreaming"}"#), Fault::Transient, "speech_to_text_failed"),
    ];
    for (answer, fault, code) in cases {
        let error = looked(answer).await.unwrap_err();
        assert_eq!((error.fault, error.code.name()), (fault, code), "{error}");
        assert!(!error.to_string().contains("secret-key"), "{error}");
        if fault == Fault::Unavailable {
            assert_eq!(&*error.destination, "assemblyai");
        }
    }
}

#[tokio::test]
async fn a_job_that_may_have_been_made_is_told_from_one_that_was_not() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let lost = provider(&server.uri()).submit("u", &Wanted::default(), None).await.unwrap_err();
    assert_eq!((lost.fault, lost.sent), (Fault::Transient, Sent::Maybe));

    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let down = provider(&format!("http://{nobody}")).submit("u", &Wanted::default(), None).await.unwrap_err();
    assert_eq!((down.fault, down.sent), (Fault::Unavailable, Sent::No));
    assert_eq!(&*down.destination, "assemblyai");
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_asked_for_again() {
    let cut = looked(
        ResponseTemplate::new(200)
            .set_body_string("{\"status\":\"comp")
            .insert_header("content-type", "application/json"),
    )
    .await;
    let cut = cut.unwrap_err();
    assert_eq!((cut.fault, cut.sent), (Fault::Transient, Sent::No));
}

#[tokio::test]
async fn a_job_id_cannot_lead_to_another_path() {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(answer(r#"{"status":"queued"}"#)).mount(&server).await;
    assert_eq!(provider(&server.uri()).look("../../v2/account?x=1#y").await.unwrap(), Progress::Running);
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked[0].url.path(), "/v2/transcript/..%2F..%2Fv2%2Faccount%3Fx=1%23y");
}

#[tokio::test]
async fn a_job_that_the_provider_does_not_know_is_told_from_a_failure() {
    assert_eq!(looked(ResponseTemplate::new(404)).await.unwrap(), Progress::Unknown);
}

/// The provider's answer to the name of a retired model.
const RETIRED: &str = r#"{"error":"The \"universal-3-pro\" speech model(s) have been deprecated. Use speech_models: [\"assemblyai-stt-3-7\", \"universal-2\"] instead."}"#;

#[tokio::test]
async fn a_model_that_is_refused_is_named_together_with_its_setting() {
    let server = MockServer::start().await;
    let refused = ResponseTemplate::new(400).set_body_raw(RETIRED, "application/json");
    Mock::given(path("/v2/transcript")).respond_with(refused).mount(&server).await;
    let error = provider(&server.uri()).submit("u", &Wanted::default(), None).await.unwrap_err();
    assert_eq!((error.fault, error.code.name()), (Fault::Permanent, "speech_to_text_refused"));
    for told in ["universal-3-pro", "assemblyai-stt-3-7", "ASSEMBLYAI_MODELS"] {
        assert!(error.text.contains(told), "{told}: {error}");
    }
}

#[tokio::test]
async fn a_sentence_that_may_hold_what_was_said_is_not_shown() {
    let server = MockServer::start().await;
    let refused =
        ResponseTemplate::new(400).set_body_json(json!({"error": "The audio says: call Odile back"}));
    Mock::given(path("/v2/transcript")).respond_with(refused).mount(&server).await;
    let error = provider(&server.uri()).submit("u", &Wanted::default(), None).await.unwrap_err();
    assert!(!error.text.contains("Odile") && error.text.contains("400"), "{error}");
}

#[tokio::test]
async fn the_models_are_a_setting() {
    let read = |models| {
        let values = Values::of([("ASSEMBLYAI_API_KEY", "key"), ("ASSEMBLYAI_MODELS", models)]);
        AssemblyAi::from_values(&values, &Slots::of_this_process()).map(|client| client.unwrap().models)
    };
    drop(rustls::crypto::ring::default_provider().install_default());
    assert_eq!(read("universal-2").unwrap(), ["universal-2"]);
    assert_eq!(read("").unwrap(), ["assemblyai-stt-3-7", "universal-2"]);
    assert_eq!(read(" , ").err().unwrap().name, "ASSEMBLYAI_MODELS");
}

#[tokio::test]
async fn a_check_tries_the_key_and_the_models_and_starts_no_job() {
    let checked = async |listed: ResponseTemplate, submitted: ResponseTemplate| {
        let server = MockServer::start().await;
        Mock::given(method("GET")).and(path("/v2/transcript")).respond_with(listed).mount(&server).await;
        Mock::given(method("POST"))
            .and(path("/v2/transcript"))
            .and(body_json(json!({ "speech_models": ["assemblyai-stt-3-7", "universal-2"] })))
            .respond_with(submitted)
            .mount(&server)
            .await;
        provider(&server.uri()).check().await.map_err(|refusal| refusal.text)
    };
    let listed = || answer(r#"{"page_details":{},"transcripts":[]}"#);
    let no_audio = ResponseTemplate::new(400).set_body_json(json!({"error": "\"audio_url\" is required"}));
    let retired = ResponseTemplate::new(400).set_body_raw(RETIRED, "application/json");
    assert!(matches!(checked(listed(), no_audio.clone()).await, Ok(Checked::Reached { .. })));
    assert!(checked(listed(), retired).await.unwrap_err().contains("universal-3-pro"));
    assert!(checked(ResponseTemplate::new(401), no_audio).await.unwrap_err().contains("ASSEMBLYAI_API_KEY"));
}

/// The body of the request for a job.
async fn submitted(settings: &[(&str, &str)], wanted: &Wanted) -> serde_json::Value {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = MockServer::start().await;
    let job = answer(r#"{"id":"t-1","status":"queued"}"#);
    Mock::given(path("/v2/transcript")).respond_with(job).mount(&server).await;
    let base = server.uri();
    let ours = [("ASSEMBLYAI_API_KEY", "key"), ("ASSEMBLYAI_BASE_URL", base.as_str())];
    let values = Values::of(ours.into_iter().chain(settings.iter().copied()));
    let provider = AssemblyAi::from_values(&values, &Slots::of_this_process()).unwrap().unwrap();
    provider.submit("https://cdn.example.com/u/1", wanted, None).await.unwrap();
    server.received_requests().await.unwrap()[0].body_json().unwrap()
}

#[tokio::test]
async fn the_channels_of_a_call_are_transcribed_apart_and_are_not_searched_for_voices() {
    let stereo = Wanted { channels: Some(2), ..Wanted::default() };
    let body = submitted(&[], &stereo).await;
    assert_eq!((&body["multichannel"], body.get("speaker_labels")), (&json!(true), None));
    let mono = submitted(&[], &Wanted::default()).await;
    assert_eq!((&mono["speaker_labels"], mono.get("multichannel")), (&json!(true), None));
    let answer = r#"{"status":"completed","audio_duration":12,"utterances":[
        {"speaker":"1","channel":"1","text":"Hello.","start":0,"end":900},
        {"speaker":2,"channel":"2","text":"Hi.","start":1000,"end":1500}]}"#;
    let reading = read(answer.as_bytes()).unwrap();
    let speakers: Vec<_> =
        reading.transcript.segments.iter().map(|segment| segment.speaker.as_deref()).collect();
    assert_eq!(speakers, [Some("1"), Some("2")]);
    assert_eq!(reading.used.audio_ms, Some(12_000), "this one length is in seconds");
}

#[tokio::test]
async fn words_and_the_language_go_along() {
    let wanted = Wanted {
        words: vec!["Dana Ortiz".into(), "one two three four five six seven".into(), "Acme".into()],
        language: Some("pt-BR".into()),
        channels: None,
    };
    let body = submitted(&[], &wanted).await;
    assert_eq!(body["keyterms_prompt"], json!(["Dana Ortiz", "Acme"]));
    assert_eq!((&body["language_code"], body.get("language_detection")), (&json!("pt_br"), None));
}

#[tokio::test]
async fn redaction_covers_all_that_is_asked_for_because_nothing_else_is_asked_for() {
    let body = submitted(&[("ASSEMBLYAI_REDACT", "person_name, phone_number")], &Wanted::default()).await;
    assert_eq!(body["redact_pii_policies"], json!(["person_name", "phone_number"]));
    assert_eq!((&body["redact_pii"], &body["redact_pii_sub"]), (&json!(true), &json!("entity_name")));
    // The provider redacts the text and its words. It does not redact these.
    for unredacted in ["entity_detection", "summarization", "auto_chapters", "auto_highlights"] {
        assert_eq!(body.get(unredacted), None, "{unredacted}");
    }
    let values = Values::of([("ASSEMBLYAI_API_KEY", "key"), ("ASSEMBLYAI_REDACT", "Phone Number")]);
    let error = AssemblyAi::from_values(&values, &Slots::of_this_process()).err().unwrap();
    assert_eq!(error.name, "ASSEMBLYAI_REDACT");
}
