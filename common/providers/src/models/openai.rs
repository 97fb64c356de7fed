//! `OpenAI`, and every server that offers its chat completions with structured outputs (vLLM, llama.cpp, Ollama).
//!
//! The client library retries by itself, and hides the status and the headers of a failure. So its requests go
//! through a service of our own, which sends a request once, limits the length of the answer, and turns each status
//! into a refusal. The answer is read with our own types, because compatible servers leave out fields that the
//! library's types require.

mod settings;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use domain::fault::Fault;
use domain::refusal::{Code, Codes, Destination, Failure, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::config::{Group, Values};
use platform::http::{self, HttpError};
use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{BoxError, Service};

use super::json_reply::json_in;
use super::{LanguageModel, Pieces, Prices, Repair, Reply, Request, Tokens};
use crate::descriptor::{Check, Checked, Descriptor};
use crate::requests::{self, counted};
use crate::said;
use crate::slots::Slots;
use settings::Settings;

const NAME: &str = "openai";
const QUOTA: Code = Code::new("model_quota_exceeded");
const NOT_FOUND: Code = Code::new("model_not_found");
const INVALID: Code = Code::new("model_answer_invalid");

static REMOTE: Remote = Remote {
    destination: Destination::named("model"),
    title: "the model",
    advice: "check OPENAI_API_KEY",
    codes: Codes {
        unreachable: Code::new("model_unreachable"),
        no_answer: Code::new("model_failed"),
        too_long: Code::new("model_answer_too_long"),
        account: Code::new("model_unauthorized"),
        throttled: Code::new("model_throttled"),
        failed: Code::new("model_failed"),
        refused: Code::new("model_rejected"),
    },
    // Most limits count requests in a minute, so there is room again after some seconds.
    default_wait: Duration::from_secs(20),
};

pub static DESCRIPTOR: Descriptor<Arc<dyn LanguageModel>> = Descriptor {
    name: NAME,
    service: Some("model"),
    key: "OPENAI_API_KEY",
    settings: Group {
        title: "Model: OpenAI, and whatever speaks its API (vLLM, llama.cpp, Ollama)",
        keys: settings::KEYS,
    },
    make: |values: &Values, slots: &Slots| {
        let settings = Settings::read(values)?;
        Ok(settings.map(|settings| Arc::new(OpenAi::new(&settings, slots)) as Arc<dyn LanguageModel>))
    },
};

struct OpenAi {
    client: Client<OpenAIConfig>,
    /// The client for requests that the library does not offer.
    plain: reqwest::Client,
    settings: Settings,
    limiter: Limiter,
}

impl OpenAi {
    fn new(settings: &Settings, slots: &Slots) -> Self {
        // Every field is set, because the library fills missing fields from the environment.
        let config = OpenAIConfig::new()
            .with_api_key(settings.api_key.expose_secret())
            .with_api_base(settings.base_url.as_str().trim_end_matches('/'))
            .with_org_id("")
            .with_project_id("");
        let plain = http::client(settings.timeout);
        let model = settings.model.clone();
        let client =
            Client::build(plain.clone(), config).with_http_service(SendOnce { http: plain.clone(), model });
        let limiter = slots.limiter(NAME, "OPENAI_RATE", settings.rate);
        count(settings, Tokens::default());
        Self { client, plain, settings: settings.clone(), limiter }
    }

    fn body(&self, request: &Request<'_>) -> Value {
        let mut messages = vec![
            json!({ "role": "system", "content": request.system }),
            json!({ "role": "user", "content": request.user }),
        ];
        if let Some(Repair { answer, complaint }) = request.repair {
            messages.push(json!({ "role": "assistant", "content": answer }));
            messages.push(json!({ "role": "user", "content": complaint }));
        }
        let mut body = json!({ "model": self.settings.model, "messages": messages });
        if let Some(schema) = &request.schema {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": { "name": schema.name, "strict": true, "schema": schema.schema },
            });
        }
        body
    }

    async fn ask(&self, request: &Request<'_>) -> Result<Reply, Refusal> {
        let body = self.body(request);
        let completion: Completion = self.client.chat().create_byot(body).await.map_err(refusal_of)?;
        // An answer that cannot be used was paid for too.
        count(&self.settings, completion.tokens());
        let reply = completion.read()?;
        Ok(match request.schema {
            Some(_) => Reply { text: json_in(&reply.text), ..reply },
            None => reply,
        })
    }

    async fn try_out(&self) -> Result<Checked, Refusal> {
        let model = &self.settings.model;
        let found = match self.get(&["models", model]).await {
            Ok(found) => found,
            // Some servers have a list of models but no page for each model, and some servers have neither.
            Err(error)
                if error.status() == Some(StatusCode::NOT_FOUND)
                    && word(error.body()) != Some(NOT_FOUND.name().into()) =>
            {
                let Ok(list) = self.get(&["models"]).await else {
                    let note = format!("the server has no list in which `{model}` could be looked up");
                    return Ok(Checked::Reached { notes: vec![note] });
                };
                let listed = list["data"].as_array().map(Vec::as_slice).unwrap_or_default();
                listed.iter().find(|listed| listed["id"] == model.as_str()).cloned().ok_or_else(|| {
                    let text =
                        format!("failed to use the model: the server has no `{model}`: check OPENAI_MODEL");
                    Refusal { text, ..self.refusal(&error) }
                })?
            }
            Err(error) => return Err(self.refusal(&error)),
        };
        let ends = found["shutdown_date"]
            .as_str()
            .map(|day| format!("`{model}` is shut down on {day}: set OPENAI_MODEL to another before"));
        Ok(Checked::Reached { notes: ends.into_iter().collect() })
    }

    async fn get(&self, path: &[&str]) -> Result<Value, HttpError> {
        let mut address = self.settings.base_url.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let request = self.plain.get(address).bearer_auth(self.settings.api_key.expose_secret());
        let answer = counted(NAME, http::send(request)).await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    fn refusal(&self, error: &HttpError) -> Refusal {
        refusal(error, &self.settings.model)
    }
}

impl LanguageModel for OpenAi {
    fn name(&self) -> &str {
        &self.settings.model
    }

    fn max_input_tokens(&self) -> usize {
        self.settings.max_input_tokens
    }

    fn prices(&self) -> Option<Prices> {
        self.settings.prices
    }

    fn take_slots(&self, requests: u32) -> BoxFuture<'_, Result<(), Refusal>> {
        async move { self.limiter.slots(requests).await.map_err(|used_up| used_up.refusal(&REMOTE)) }.boxed()
    }

    fn complete<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<Reply, Refusal>> {
        self.ask(request).boxed()
    }

    fn stream<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<Pieces, Refusal>> {
        stream::ask(self, self.body(request)).boxed()
    }
}

impl Check for OpenAi {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        self.try_out().boxed()
    }
}

/// The parts of a chat completion that we read.
#[derive(Debug, Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Used>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Used {
    prompt_tokens: i64,
    completion_tokens: i64,
}

impl Completion {
    fn tokens(&self) -> Tokens {
        let Some(used) = &self.usage else { return Tokens::default() };
        Tokens { prompt: used.prompt_tokens.max(0), completion: used.completion_tokens.max(0) }
    }

    fn read(self) -> Result<Reply, Refusal> {
        let tokens = self.tokens();
        let Some(choice) = self.choices.into_iter().next() else {
            return Err(no_use(INVALID, "it has no choices"));
        };
        check_end(choice.message.refusal.as_deref(), choice.finish_reason.as_deref())?;
        Ok(Reply { text: choice.message.content.unwrap_or_default(), tokens })
    }
}

/// Whether an answer that ended in this way can be used.
fn check_end(refusal: Option<&str>, finish_reason: Option<&str>) -> Result<(), Refusal> {
    if refusal.is_some_and(|refusal| !refusal.is_empty()) {
        return Err(no_use(Code::new("model_refused"), "it declined to answer"));
    }
    match finish_reason {
        // The answer was too long for the model, so its JSON is cut off.
        Some("length") => Err(no_use(Code::new("model_answer_cut_short"), "it ran into the length limit")),
        Some("content_filter") => {
            let problem = "the provider's content filter withheld it";
            Err(no_use(Code::new("model_answer_filtered"), problem))
        }
        _ => Ok(()),
    }
}

/// Counts what one request took.
fn count(settings: &Settings, tokens: Tokens) {
    let counts = [("prompt", tokens.prompt), ("completion", tokens.completion)];
    let cost = settings.prices.map(|prices| prices.cost(tokens));
    requests::used(NAME, &settings.model, counts, cost);
}

/// The refusal for an answer that cannot be used. The next answer may be better.
fn no_use(code: Code, problem: &str) -> Refusal {
    let refusal = Refusal::of(&REMOTE, &Failure::Lost { problem: String::new() }).without_effect();
    Refusal { code, text: format!("failed to get the model's answer: {problem}"), ..refusal }
}

fn refusal_of(error: OpenAIError) -> Refusal {
    match error {
        OpenAIError::Boxed(ours) => match ours.downcast::<Refusal>() {
            Ok(refusal) => *refusal,
            Err(other) => Refusal::of(&REMOTE, &Failure::Lost { problem: other.to_string() }),
        },
        // The text of the error would repeat the answer, and with it words of the call.
        OpenAIError::JSONDeserialize(..) => no_use(INVALID, "it is not a chat completion"),
        OpenAIError::InvalidArgument(problem) => Refusal {
            fault: Fault::Permanent,
            code: REMOTE.codes.refused,
            text: format!("failed to ask the model: {problem}"),
            ..no_use(INVALID, "")
        },
        _ => Refusal::of(&REMOTE, &Failure::Lost { problem: "the connection broke".into() }),
    }
}

/// Sends a request once, and passes an answer on only if it has a 2xx status and holds JSON.
#[derive(Clone)]
struct SendOnce {
    http: reqwest::Client,
    /// The model that gets the request. Its name may be shown from an error text.
    model: String,
}

impl Service<HttpRequestFactory> for SendOnce {
    type Response = reqwest::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let Self { http, model } = self.clone();
        async move {
            let request = request.build().await?;
            let request = reqwest::RequestBuilder::from_parts(http, request);
            let sent = counted(NAME, http::send(request)).await;
            let answer = sent.map_err(|error| refusal(&error, &model))?;
            // The library logs an answer that it cannot read, and an answer can hold words of the call.
            if serde_json::from_slice::<Completion>(&answer.body).is_err() {
                return Err(no_use(INVALID, "it is not a chat completion").into());
            }
            Ok(::http::Response::new(answer.body).into())
        }
        .boxed()
    }
}

/// The error in an answer, in the provider's format.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Complaint {
    message: Option<String>,
    code: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Complaint {
    fn read(body: &str) -> Self {
        #[derive(Default, Deserialize)]
        struct Body {
            #[serde(default)]
            error: Complaint,
        }
        serde_json::from_str::<Body>(body).unwrap_or_default().error
    }

    /// The words with which the provider names the error. The more exact word comes first.
    fn words(&self) -> impl Iterator<Item = &str> {
        [self.code.as_ref().and_then(Value::as_str), self.kind.as_deref()].into_iter().flatten()
    }
}

fn word(body: &str) -> Option<String> {
    Complaint::read(body).words().next().map(str::to_owned)
}

/// Applies the common table, with the cases in which this provider differs.
fn refusal(error: &HttpError, model: &str) -> Refusal {
    let complaint = Complaint::read(error.body());
    let word = complaint.words().find(|word| said::is_word(word));
    // The message can quote the request, and with it words of the call.
    let shown = said::shown(word, complaint.message.as_deref(), &[model]);
    let refusal = Refusal::of(&REMOTE, &error.failure(shown.clone())).without_effect();
    let Some(status) = error.status() else { return refusal };
    let answer =
        shown.map_or_else(|| status.as_u16().to_string(), |shown| format!("{}, {shown}", status.as_u16()));
    let away = |code, what: &str| Refusal {
        fault: Fault::Unavailable,
        code,
        text: format!("failed to ask the model: {what} ({answer})"),
        ..refusal.clone()
    };
    // The account has no money left. Waiting does not help, so a person has to act.
    let no_quota = complaint.words().any(|word| word == "insufficient_quota");
    match status {
        StatusCode::PAYMENT_REQUIRED => away(QUOTA, "the account's quota is used up"),
        StatusCode::TOO_MANY_REQUESTS if no_quota => Refusal {
            // The time to wait that the provider names is about its rate limit, not about money.
            retry_after: None,
            ..away(QUOTA, "the account's quota is used up")
        },
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            away(NOT_FOUND, "set OPENAI_BASE_URL and OPENAI_MODEL to what exists")
        }
        status if status.is_redirection() => {
            away(NOT_FOUND, "set OPENAI_BASE_URL and OPENAI_MODEL to what exists")
        }
        StatusCode::CONFLICT => Refusal { fault: Fault::Transient, code: REMOTE.codes.failed, ..refusal },
        _ => refusal,
    }
}
