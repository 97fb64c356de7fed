use domain::refusal::Sent;
use futures::TryStreamExt as _;
use serde_json::json;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::testing;
use crate::voices::Manner;

fn client(base: &str) -> ElevenLabs {
    testing::tls();
    let values = Values::of([("ELEVENLABS_API_KEY", "secret-key"), ("ELEVENLABS_BASE_URL", base)]);
    ElevenLabs::from_values(&values, &Slots::of_this_process()).unwrap().unwrap()
}

fn line(voice: Option<&'static str>) -> Line<'static> {
    let manner = Manner {
        stability: 0.3,
        similarity: 0.8,
        style: 0.6,
        speaker_boost: true,
        speed: 1.5,
        directions: "sharply",
    };
    Line { text: "That costs too much.", voice, seat: 1, manner }
}

async fn said(client: &ElevenLabs, line: &Line<'_>) -> Result<Vec<u8>, Refusal> {
    let pieces: Vec<_> = client.speak(line).await?.try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test]
async fn a_line_is_sent_with_its_voice_and_its_manner_and_comes_back_as_samples() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/text-to-speech/EXAVITQu4vr4xnSDxMaL/stream"))
        .and(query_param("output_format", "pcm_24000"))
        .and(header("xi-api-key", "secret-key"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(vec![1, 2, 3, 4], "audio/pcm"))
        .mount(&server)
        .await;
    assert_eq!(said(&client(&server.uri()), &line(None)).await.unwrap(), [1, 2, 3, 4]);
    let sent: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!(sent["text"], "That costs too much.");
    assert_eq!(sent["model_id"], MODEL.default);
    assert_eq!(
        sent["voice_settings"],
        json!({"stability": 0.3, "similarity_boost": 0.8, "style": 0.6, "use_speaker_boost": true, "speed": 1.2}),
        "the provider takes a speed up to 1.2"
    );
}

#[tokio::test]
async fn a_voice_id_of_a_form_leads_to_no_other_route() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(404)).mount(&server).await;
    said(&client(&server.uri()), &line(Some("../../v1/models?x"))).await.unwrap_err();
    let sent = &server.received_requests().await.unwrap()[0].url;
    assert_eq!(sent.path(), "/v1/text-to-speech/..%2F..%2Fv1%2Fmodels%3Fx/stream");
}

async fn refused(answer: ResponseTemplate) -> Refusal {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let error = said(&client(&server.uri()), &line(None)).await.unwrap_err();
    assert!(!error.text.contains("secret-key") && !error.text.contains("Odile"), "{error}");
    error
}

#[tokio::test]
async fn a_refusal_says_what_the_caller_does_about_it() {
    let detail = |http: u16, status: &str| {
        ResponseTemplate::new(http)
            .set_body_json(json!({"detail": {"status": status, "message": "Odile has no credit"}}))
    };
    for http in [401, 400] {
        let error = refused(detail(http, "quota_exceeded")).await;
        assert_eq!((error.fault, error.code, error.sent), (Fault::Unavailable, CODES.account, Sent::No));
    }
    let error = refused(detail(400, "invalid_model_id")).await;
    assert!(error.fault == Fault::Unavailable && error.text.contains("ELEVENLABS_SPEECH_MODEL"), "{error}");
    assert_eq!(refused(detail(404, "voice_not_found")).await.fault, Fault::Permanent);
    assert_eq!(refused(ResponseTemplate::new(401)).await.fault, Fault::Unavailable);
    assert_eq!(refused(ResponseTemplate::new(500)).await.fault, Fault::Transient);
    let busy = detail(429, "too_many_concurrent_requests").insert_header("Retry-After", "3");
    assert_eq!(refused(busy).await.fault, Fault::Throttled(Duration::from_secs(3)));
}

#[tokio::test]
async fn sound_that_breaks_off_is_an_error_and_not_a_shorter_sentence() {
    let address = testing::cut_short("200 OK").await;
    let error = said(&client(&address), &line(None)).await.unwrap_err();
    assert_eq!(error.code, CODES.no_answer);
    let nobody = testing::nobody().await;
    let error = said(&client(&nobody), &line(None)).await.unwrap_err();
    assert_eq!((error.code, error.sent), (CODES.unreachable, Sent::No));
}

#[test]
fn a_list_of_voices_that_cannot_be_ids_is_refused() {
    let values = Values::of([("ELEVENLABS_API_KEY", "k"), ("ELEVENLABS_VOICES", "abc,a/b")]);
    let error = ElevenLabs::from_values(&values, &Slots::of_this_process()).err().unwrap();
    assert_eq!(error.name, "ELEVENLABS_VOICES");
}
