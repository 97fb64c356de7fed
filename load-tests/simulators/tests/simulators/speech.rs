//! The simulators of the providers of speech to text that answer at once, and of those that speak.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use simulators::{Provider, Utterance, deepgram, elevenlabs, openai, recording_with};

use crate::contract::{self, DEEPGRAM, OPENAI};
use crate::playground::{Playground, answer};

fn wav() -> Vec<u8> {
    let said = |speaker: &str, start, end, text: &str| Utterance {
        speaker: speaker.to_owned(),
        start,
        end,
        text: text.to_owned(),
    };
    recording_with(&[said("Ada", 0, 900, "Hello there."), said("Bo", 1000, 2000, "Good morning.")])
}

fn form(
    play: &Playground,
    provider: &Provider,
    path: &str,
    fields: &[(&'static str, &'static str)],
) -> RequestBuilder {
    let form = fields.iter().fold(Form::new(), |form, (name, value)| form.text(*name, *value));
    let file = Part::bytes(wav()).file_name("call.wav").mime_str("audio/wav").unwrap();
    play.at(Method::POST, provider, path).multipart(form.part("file", file))
}

fn transcribe(play: &Playground, fields: &[(&'static str, &'static str)]) -> RequestBuilder {
    form(play, &openai::PROVIDER, "/v1/audio/transcriptions", fields).bearer_auth("sk-1")
}

#[tokio::test]
async fn openai_answers_in_the_format_that_the_model_has() {
    let play = Playground::start().await;
    for (model, format, schema) in [
        ("gpt-4o-transcribe-diarize", "diarized_json", "CreateTranscriptionResponseDiarizedJson"),
        ("whisper-1", "verbose_json", "CreateTranscriptionResponseVerboseJson"),
        ("whisper-1", "json", "CreateTranscriptionResponseJson"),
        ("gpt-transcribe", "json", "CreateTranscriptionResponseJson"),
    ] {
        let (status, body) =
            answer(transcribe(&play, &[("model", model), ("response_format", format)])).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        contract::check(OPENAI, schema, &body);
        assert_eq!(body["text"], "Hello there. Good morning.");
    }
    let diarized = [("model", "gpt-4o-transcribe-diarize"), ("response_format", "diarized_json")];
    let (_, body) = answer(transcribe(&play, &diarized)).await;
    assert_eq!((&body["segments"][1]["speaker"], &body["segments"][1]["start"]), (&json!("B"), &json!(1.0)));
    assert_eq!(play.of(&openai::PROVIDER).effects()["transcription"].values().sum::<u64>(), 5);
}

#[tokio::test]
async fn openai_refuses_what_a_model_does_not_have() {
    let play = Playground::start().await;
    for (fields, param) in [
        (&[("model", "whisper-1"), ("response_format", "diarized_json")][..], "response_format"),
        (&[("model", "gpt-4o-transcribe"), ("response_format", "verbose_json")], "response_format"),
        (&[("model", "gpt-4o-transcribe-diarize"), ("prompt", "Dana")], "prompt"),
        (&[("model", "whisper-1"), ("colour", "red")], "colour"),
        (&[], "model"),
    ] {
        let (status, body) = answer(transcribe(&play, fields)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{fields:?}");
        contract::check(OPENAI, "ErrorResponse", &body);
        assert_eq!(body["error"]["param"], param);
    }
    assert!(!play.of(&openai::PROVIDER).effects().contains_key("transcription"));
}

fn listen(play: &Playground, query: &str) -> RequestBuilder {
    play.at(Method::POST, &deepgram::PROVIDER, &format!("/v1/listen?{query}"))
        .header("authorization", "Token key")
}

#[tokio::test]
async fn deepgram_answers_with_voices_or_with_channels() {
    let play = Playground::start().await;
    let query =
        "model=nova-3&utterances=true&diarize_model=latest&detect_language=true&keyterm=Dana&keyterm=Acme";
    let (status, body) = answer(listen(&play, query).body(wav())).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    contract::check(DEEPGRAM, "ListenV1Response", &body);
    assert_eq!(body["results"]["utterances"][1]["speaker"], 1);
    assert_eq!(body["metadata"]["duration"], 2.0);
    let (_, body) = answer(listen(&play, "model=nova-3&utterances=true&multichannel=true").body(wav())).await;
    contract::check(DEEPGRAM, "ListenV1Response", &body);
    assert_eq!(
        (&body["metadata"]["channels"], &body["results"]["utterances"][1]["channel"]),
        (&json!(2), &json!(1))
    );
}

#[tokio::test]
async fn deepgram_refuses_in_its_own_shapes() {
    let play = Playground::start().await;
    let bare = play.at(Method::POST, &deepgram::PROVIDER, "/v1/listen");
    let (status, body) = answer(bare).await;
    assert_eq!((status, &body["err_code"]), (StatusCode::UNAUTHORIZED, &json!("INVALID_AUTH")));
    contract::check(DEEPGRAM, "ErrorResponseLegacyError", &body);
    for query in ["model=nova-9000&colour=red", "model=imaginary", "model=nova-2&keyterm=Dana"] {
        let (status, body) = answer(listen(&play, query).body(wav())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        contract::check(DEEPGRAM, "ErrorResponseLegacyError", &body);
    }
    let (status, _) = answer(listen(&play, "model=nova-3")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "there is no audio");
}

fn convert(play: &Playground, fields: &[(&'static str, &'static str)]) -> RequestBuilder {
    form(play, &elevenlabs::PROVIDER, "/v1/speech-to-text", fields).header("xi-api-key", "key")
}

#[tokio::test]
async fn elevenlabs_answers_with_words_or_with_a_transcript_for_each_channel() {
    let play = Playground::start().await;
    let (status, body) = answer(convert(&play, &[("model_id", "scribe_v2"), ("diarize", "true")])).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let words = body["words"].as_array().unwrap();
    assert_eq!(
        (words.len(), &words[1]["type"], &words[6]["speaker_id"]),
        (7, &json!("spacing"), &json!("speaker_1"))
    );
    let (_, body) = answer(convert(&play, &[("model_id", "scribe_v2"), ("use_multi_channel", "true")])).await;
    assert_eq!(body["transcripts"][1]["text"], "Good morning.");
}

#[tokio::test]
async fn elevenlabs_refuses_in_its_own_shapes() {
    let play = Playground::start().await;
    let (status, body) = answer(convert(&play, &[])).await;
    assert_eq!(
        (status, &body["detail"][0]["loc"][1]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("model_id"))
    );
    let (status, body) = answer(convert(&play, &[("model_id", "scribe_v9")])).await;
    assert_eq!((status, &body["detail"]["status"]), (StatusCode::BAD_REQUEST, &json!("invalid_model_id")));
    let both = [("model_id", "scribe_v2"), ("diarize", "true"), ("use_multi_channel", "true")];
    assert_eq!(answer(convert(&play, &both)).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn openai_speaks_and_refuses_what_a_model_does_not_take() {
    let play = Playground::start().await;
    let speak = |body: serde_json::Value| {
        play.at(Method::POST, &openai::PROVIDER, "/v1/audio/speech").bearer_auth("sk-1").json(&body)
    };
    let line = json!({"model": "gpt-4o-mini-tts", "input": "Hello there.", "voice": "marin", "response_format": "pcm",
        "speed": 1.0, "instructions": "Speak sharply."});
    let sound = speak(line.clone()).send().await.unwrap();
    assert_eq!(sound.status(), StatusCode::OK);
    assert_eq!(sound.bytes().await.unwrap().len(), 2 * 24_000 * 4 / 10 * 2, "two words of 0.4 s");
    for (field, value, param) in [
        ("model", json!("tts-1"), "instructions"),
        ("input", json!("x".repeat(4_097)), "input"),
        ("voice", json!(null), "voice"),
        ("speed", json!(9), "speed"),
    ] {
        let mut wrong = line.clone();
        wrong[field] = value;
        let (status, body) = answer(speak(wrong)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{field}");
        contract::check(OPENAI, "ErrorResponse", &body);
        assert_eq!(body["error"]["param"], param);
    }
    assert_eq!(play.of(&openai::PROVIDER).effects()["speech"].values().sum::<u64>(), 1);
}

#[tokio::test]
async fn elevenlabs_speaks_and_refuses_in_its_own_shapes() {
    let play = Playground::start().await;
    let speak = |voice: &str, body: serde_json::Value| {
        let path = format!("/v1/text-to-speech/{voice}/stream?output_format=pcm_24000");
        play.at(Method::POST, &elevenlabs::PROVIDER, &path).header("xi-api-key", "key").json(&body)
    };
    let line = json!({"text": "Hello there.", "model_id": "eleven_flash_v2_5", "voice_settings": {"stability": 0.5}});
    let sound = speak("JBFqnCBsd6RMkjVDRZzb", line.clone()).send().await.unwrap();
    assert_eq!(sound.bytes().await.unwrap().len(), 2 * 24_000 * 4 / 10 * 2);
    let (status, body) = answer(speak("no-voice", line.clone())).await;
    assert_eq!((status, &body["detail"]["status"]), (StatusCode::NOT_FOUND, &json!("voice_not_found")));
    let (status, body) = answer(speak("abc", json!({"model_id": "eleven_flash_v2_5"}))).await;
    assert_eq!((status, &body["detail"][0]["loc"][1]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("text")));
    let (status, body) = answer(speak("abc", json!({"text": "x", "model_id": "eleven_v9"}))).await;
    assert_eq!((status, &body["detail"]["status"]), (StatusCode::BAD_REQUEST, &json!("invalid_model_id")));
}
