//! `OpenAI`, and whatever speaks its chat completions with structured outputs (vLLM, llama.cpp, Ollama).
//!
//! The client library retries by itself and hides a failure's status and headers, so its requests go
//! through a service of our own: it sends once, bounds the answer, and turns each status into what the
//! stage has to do about it. The answer is read with types of our own, since compatible servers leave out
//! fields that the library's types require.

use std::task::{Context, Poll};
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use chrono::Utc;
use platform::http::{self, HttpError};
use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{BoxError, Service};

use super::{Answer, Answering, Model, ModelError};
use crate::prompt::Prompt;
use crate::schema;
use crate::settings::OpenAiSettings;

/// How long to wait after a 429 that does not say so: per-minute limits fill again within seconds.
const DEFAULT_WAIT: Duration = Duration::from_secs(20);

pub struct OpenAi {
    client: Client<OpenAIConfig>,
    model: String,
}

impl OpenAi {
    pub fn new(settings: &OpenAiSettings) -> Self {
        // Every field is set: the library fills what is left from the environment.
        let config = OpenAIConfig::new()
            .with_api_key(settings.api_key.expose_secret())
            .with_api_base(settings.base_url.as_str().trim_end_matches('/'))
            .with_org_id("")
            .with_project_id("");
        let http = http::client(settings.timeout);
        let client = Client::build(http.clone(), config).with_http_service(SendOnce(http));
        Self { client, model: settings.model.clone() }
    }

    async fn ask(&self, prompt: &Prompt) -> Result<Answer, ModelError> {
        let request = json!({
            "model": self.model,
            "messages": [
                { "role": "system", "content": prompt.system },
                { "role": "user", "content": prompt.user },
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": { "name": schema::NAME, "strict": true, "schema": schema::schema() },
            },
        });
        let completion: Completion =
            self.client.chat().create_byot(request).await.map_err(ModelError::from)?;
        completion.read()
    }
}

impl Model for OpenAi {
    fn name(&self) -> &str {
        &self.model
    }

    fn read<'a>(&'a self, prompt: &'a Prompt) -> Answering<'a> {
        Box::pin(self.ask(prompt))
    }
}

/// What we read of a chat completion.
#[derive(Debug, Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Tokens>,
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
struct Tokens {
    prompt_tokens: i64,
    completion_tokens: i64,
}

impl Completion {
    fn read(self) -> Result<Answer, ModelError> {
        let choice = self
            .choices
            .into_iter()
            .next()
            .ok_or_else(|| ModelError::BadReply("it has no choices".into()))?;
        if choice.message.refusal.is_some_and(|refusal| !refusal.is_empty()) {
            return Err(ModelError::Refused);
        }
        match choice.finish_reason.as_deref() {
            Some("length") => return Err(ModelError::CutShort),
            Some("content_filter") => return Err(ModelError::Filtered),
            _ => {}
        }
        let reply = choice.message.content.unwrap_or_default();
        let reading = schema::read(&reply).map_err(|bad| ModelError::BadReply(bad.to_string()))?;
        let usage = self.usage.unwrap_or_default();
        Ok(Answer {
            reading,
            prompt_tokens: usage.prompt_tokens.max(0),
            completion_tokens: usage.completion_tokens.max(0),
        })
    }
}

impl From<OpenAIError> for ModelError {
    fn from(error: OpenAIError) -> Self {
        match error {
            OpenAIError::Boxed(ours) => match ours.downcast::<Self>() {
                Ok(error) => *error,
                Err(other) => Self::Broken { reason: other.to_string(), retry_after: None },
            },
            // Its text would repeat the answer, and with it what was said in the call.
            OpenAIError::JSONDeserialize(..) => Self::BadReply("it is not a chat completion".into()),
            OpenAIError::InvalidArgument(reason) => Self::Rejected(reason),
            _ => Self::Broken { reason: "the connection broke".into(), retry_after: None },
        }
    }
}

/// Sends a request once and hands on what is 2xx and JSON.
#[derive(Clone)]
struct SendOnce(reqwest::Client);

impl Service<HttpRequestFactory> for SendOnce {
    type Response = reqwest::Response;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let request = request.build().await?;
            let sent = http::send_any(reqwest::RequestBuilder::from_parts(client, request)).await;
            Ok(checked(sent)?)
        })
    }
}

fn checked(sent: Result<http::Answer, HttpError>) -> Result<reqwest::Response, ModelError> {
    let answer = sent.map_err(|error| match error {
        HttpError::NotSent(reason) => ModelError::Unreachable(reason),
        other => ModelError::Broken { reason: other.to_string(), retry_after: None },
    })?;
    if !answer.status.is_success() {
        return Err(failed(&answer));
    }
    // The library logs an answer that it cannot read, and an answer holds what was said in the call.
    if serde_json::from_slice::<Completion>(&answer.body).is_err() {
        return Err(ModelError::BadReply("it is not a chat completion".into()));
    }
    Ok(::http::Response::new(answer.body).into())
}

/// What a status outside 2xx asks of us.
fn failed(answer: &http::Answer) -> ModelError {
    let error = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    let word = |name: &str| error["error"][name].as_str().unwrap_or_default();
    // Its message can quote the request, and with it what was said in the call.
    let reason = http::error_word(&answer.body).unwrap_or_default();
    let said = format!("{} {reason}", answer.status.as_u16()).trim_end().to_owned();
    let no_quota = [word("code"), word("type")].contains(&"insufficient_quota");
    let wait = http::retry_after(&answer.headers, Utc::now());
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ModelError::Unauthorized(said),
        StatusCode::PAYMENT_REQUIRED => ModelError::NoQuota(said),
        StatusCode::TOO_MANY_REQUESTS if no_quota => ModelError::NoQuota(said),
        StatusCode::TOO_MANY_REQUESTS => ModelError::Throttled(wait.unwrap_or(DEFAULT_WAIT)),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => ModelError::NotFound(said),
        status if status.is_redirection() => ModelError::NotFound(said),
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_EARLY => {
            ModelError::Broken { reason: said, retry_after: wait }
        }
        status if status.is_client_error() => ModelError::Rejected(said),
        _ => ModelError::Broken { reason: said, retry_after: wait },
    }
}
