//! An answer that comes in pieces, as server-sent events. `[DONE]` ends it, and one event without choices says what it took.

use bytes::Bytes;
use domain::refusal::{Failure, Refusal};
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use platform::http::{self, HttpError};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{INVALID, NAME, OpenAi, Pieces, REMOTE, Settings, Tokens, Used, check_end, count, no_use};
use crate::requests::counted_stream;

/// The longest event, in bytes.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// One event of the answer.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Used>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

pub(super) async fn ask(openai: &OpenAi, mut body: Value) -> Result<Pieces, Refusal> {
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    let request = openai
        .plain
        .post(http::join(&openai.settings.base_url, "/chat/completions"))
        .bearer_auth(openai.settings.api_key.expose_secret())
        .json(&body);
    let sent = counted_stream(NAME, http::send_for_stream(request)).await;
    let bytes = sent.map_err(|error| openai.refusal(&error))?;
    let reading =
        Reading { bytes, buffer: Vec::new(), settings: openai.settings.clone(), state: State::Open };
    Ok(stream::unfold(reading, |mut reading| async move { Some((reading.next().await?, reading)) }).boxed())
}

struct Reading {
    bytes: BoxStream<'static, Result<Bytes, HttpError>>,
    buffer: Vec<u8>,
    settings: Settings,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    /// The words are complete. What they took may still come.
    Ended,
    Over,
}

impl Reading {
    /// The next piece of the text.
    async fn next(&mut self) -> Option<Result<String, Refusal>> {
        loop {
            while let Some(line) = self.line() {
                match self.take(&line) {
                    Ok(text) if text.is_empty() => {}
                    Ok(text) => return Some(Ok(text)),
                    Err(refusal) => return Some(self.fails(refusal)),
                }
            }
            if self.state == State::Over {
                return None;
            }
            if self.buffer.len() > MAX_EVENT_BYTES {
                return Some(self.fails(no_use(INVALID, "an event of it is too long")));
            }
            match self.bytes.next().await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                // Whoever says no more has said all, if the answer says why it ended.
                _ if self.state == State::Ended => return None,
                Some(Err(error)) => {
                    return Some(self.fails(Refusal::of(&REMOTE, &error.failure(None)).without_effect()));
                }
                None => {
                    let problem = "the answer broke off".to_owned();
                    return Some(
                        self.fails(Refusal::of(&REMOTE, &Failure::Lost { problem }).without_effect()),
                    );
                }
            }
        }
    }

    fn fails(&mut self, refusal: Refusal) -> Result<String, Refusal> {
        self.state = State::Over;
        self.buffer.clear();
        Err(refusal)
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        Some(self.buffer.drain(..=end).collect())
    }

    /// Takes a line. Returns the text that it brought.
    fn take(&mut self, line: &[u8]) -> Result<String, Refusal> {
        let line = line.trim_ascii();
        let Some(data) = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) else {
            return Ok(String::new());
        };
        if data == b"[DONE]" {
            self.state = State::Over;
            return Ok(String::new());
        }
        // The error is not shown, because it would repeat the answer.
        let event: Event = serde_json::from_slice(data)
            .map_err(|_| no_use(INVALID, "an event of it is no part of a chat completion"))?;
        if let Some(used) = event.usage {
            let tokens =
                Tokens { prompt: used.prompt_tokens.max(0), completion: used.completion_tokens.max(0) };
            count(&self.settings, tokens);
        }
        let Some(choice) = event.choices.into_iter().next() else { return Ok(String::new()) };
        check_end(choice.delta.refusal.as_deref(), choice.finish_reason.as_deref())?;
        if choice.finish_reason.is_some() {
            self.state = State::Ended;
        }
        Ok(choice.delta.content.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use domain::fault::Fault;
    use futures::TryStreamExt as _;
    use platform::config::Values;
    use wiremock::matchers::{body_partial_json, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::Slots;
    use crate::models::{LanguageModel as _, Request};
    use crate::testing;

    fn model(base: &str) -> OpenAi {
        testing::tls();
        let base = format!("{base}/v1");
        let values = Values::of([("OPENAI_API_KEY", "secret-key"), ("OPENAI_BASE_URL", base.as_str())]);
        OpenAi::new(&Settings::read(&values).unwrap().unwrap(), &Slots::of_this_process())
    }

    async fn said(base: &str) -> Result<Vec<String>, Refusal> {
        let request = Request { system: "Speak.", user: "Hello.", schema: None, repair: None };
        model(base).stream(&request).await?.try_collect().await
    }

    async fn answered(answer: ResponseTemplate) -> Result<Vec<String>, Refusal> {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/v1/chat/completions"))
            .and(body_partial_json(json!({"stream": true, "stream_options": {"include_usage": true}})))
            .respond_with(answer)
            .mount(&server)
            .await;
        said(&server.uri()).await
    }

    fn events(all: &[Value]) -> ResponseTemplate {
        let lines = all.iter().map(|event| format!("data: {event}\n\n"));
        let text = [": a comment\r\n\r\n".to_owned()].into_iter().chain(lines).collect::<String>();
        ResponseTemplate::new(200).set_body_raw(text + "data: [DONE]\n\n", "text/event-stream")
    }

    fn piece(text: &str) -> Value {
        json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
    }

    fn end(reason: &str) -> Value {
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    }

    #[tokio::test]
    async fn the_pieces_come_in_their_order_and_what_is_no_text_is_passed_over() {
        let used = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}});
        let role = json!({"choices": [{"delta": {"role": "assistant", "content": ""}}]});
        let all = [role, piece("Hel"), piece("lo “ü”."), end("stop"), used];
        assert_eq!(answered(events(&all)).await.unwrap(), ["Hel", "lo “ü”."]);
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_used_ends_in_an_error_that_repeats_no_words() {
        let declined = json!({"choices": [{"delta": {"refusal": "Odile asks too much"}}]});
        for (all, code) in [
            (vec![piece("He"), end("length")], "model_answer_cut_short"),
            (vec![end("content_filter")], "model_answer_filtered"),
            (vec![declined], "model_refused"),
            (vec![json!("Odile")], "model_answer_invalid"),
        ] {
            let error = answered(events(&all)).await.unwrap_err();
            assert_eq!(error.code.name(), code);
            assert!(!error.text.contains("Odile"), "{error}");
        }
        let cut = ResponseTemplate::new(200)
            .set_body_raw(format!("data: {}\n\n", piece("He")), "text/event-stream");
        let error = answered(cut).await.unwrap_err();
        assert_eq!((error.code.name(), error.fault), ("model_failed", Fault::Transient));
        assert_eq!(said(&testing::nobody().await).await.unwrap_err().code.name(), "model_unreachable");
        assert_eq!(answered(ResponseTemplate::new(401)).await.unwrap_err().fault, Fault::Unavailable);
    }

    #[tokio::test]
    async fn a_server_that_forgets_to_say_done_has_said_all_when_it_says_why_it_ends() {
        let text = format!("data: {}\n\ndata: {}\n\n", piece("Hello."), end("stop"));
        let answer = ResponseTemplate::new(200).set_body_raw(text, "text/event-stream");
        assert_eq!(answered(answer).await.unwrap(), ["Hello."]);
    }
}
