use domain::refusal::Sent;
use futures::TryStreamExt as _;
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::testing;
use crate::voices::Manner;

fn client(base: &str, model: &str) -> OpenAi {
    testing::tls();
    let base = format!("{base}/v1");
    let values = Values::of([
        ("OPENAI_API_KEY", "secret-key"),
        ("OPENAI_BASE_URL", base.as_str()),
        ("OPENAI_SPEECH_MODEL", model),
    ]);
    OpenAi::from_values(&values, &Slots::of_this_process()).unwrap().unwrap()
}

fn line(voice: Option<&'static str>) -> Line<'static> {
    let manner = Manner {
        stability: 0.3,
        similarity: 0.8,
        style: 0.6,
        speaker_boost: true,
        speed: 1.1,
        directions: "Speak sharply.",
    };
    Line { text: "That costs too much.", voice, seat: 1, manner }
}

async fn sent(model: &str, voice: Option<&'static str>) -> Value {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/audio/speech"))
        .and(header("authorization", "Bearer secret-key"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(vec![1, 2], "audio/pcm"))
        .mount(&server)
        .await;
    let (client, line) = (client(&server.uri(), model), line(voice));
    let pieces: Vec<_> = client.speak(&line).await.unwrap().try_collect().await.unwrap();
    assert_eq!(pieces.concat(), [1, 2]);
    server.received_requests().await.unwrap()[0].body_json().unwrap()
}

#[tokio::test]
async fn a_line_is_sent_with_its_voice_its_speed_and_how_to_say_it() {
    assert_eq!(
        sent("gpt-4o-mini-tts", None).await,
        json!({"model": "gpt-4o-mini-tts", "input": "That costs too much.", "voice": "marin",
            "response_format": "pcm", "speed": 1.1, "instructions": "Speak sharply."})
    );
    let older = sent("tts-1-hd", Some("voice_1234")).await;
    assert_eq!((&older["instructions"], &older["voice"]), (&Value::Null, &json!({"id": "voice_1234"})));
}

async fn refused(answer: ResponseTemplate) -> Refusal {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let (client, line) = (client(&server.uri(), "m"), line(None));
    let error = client.speak(&line).await.err().unwrap();
    assert!(!error.text.contains("secret-key") && !error.text.contains("Odile"), "{error}");
    error
}

#[tokio::test]
async fn a_refusal_says_what_the_caller_does_about_it() {
    let error = |http: u16, code: &str, param: Option<&str>| {
        ResponseTemplate::new(http).set_body_json(
            json!({"error": {"message": "Odile said so", "type": "invalid_request_error", "param": param, "code": code}}),
        )
    };
    let quota = refused(error(429, "insufficient_quota", None)).await;
    assert_eq!((quota.fault, quota.code), (Fault::Unavailable, CODES.account));
    for none in
        [ResponseTemplate::new(404), error(404, "model_not_found", None), error(400, "x", Some("model"))]
    {
        let refusal = refused(none).await;
        assert!(
            refusal.fault == Fault::Unavailable && refusal.text.contains("OPENAI_SPEECH_MODEL"),
            "{refusal}"
        );
    }
    assert_eq!(refused(error(400, "string_above_max_length", Some("input"))).await.fault, Fault::Permanent);
    assert_eq!(refused(ResponseTemplate::new(401)).await.fault, Fault::Unavailable);
    assert_eq!(refused(ResponseTemplate::new(503)).await.fault, Fault::Transient);
}

#[tokio::test]
async fn nobody_there_is_nothing_sent() {
    let nobody = testing::nobody().await;
    let (client, line) = (client(&nobody, "m"), line(None));
    let error = client.speak(&line).await.err().unwrap();
    assert_eq!((error.code, error.sent), (CODES.unreachable, Sent::No));
}
