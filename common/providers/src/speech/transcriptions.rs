//! The client for `OpenAI`'s transcriptions, and for every server that offers them (`audio/transcriptions`).
//!
//! What a model can answer depends on the model: `whisper-1` gives times for words, the model that tells speakers apart
//! gives them for turns, and the others give only a text. So the model decides the format of the answer. The file
//! needs a name with the right extension, because the server looks at nothing else to find out what it is.

mod answer;
#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Failure, Refusal, Remote};
use platform::cache::Limiter;
use platform::http::{self, HttpError};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::requests::{self, LazyClient};
use super::words::{Limits, fitting};
use super::{Answer, Audio, Wanted};
use crate::requests::counted;
use crate::said;

pub(super) use answer::read;

/// The provider takes 1024 characters of a prompt into account at most, and a long prompt makes `whisper-1` repeat it.
const WORDS: Limits = Limits { entries: 60, words_of_entry: 6, chars_of_entry: 60, chars: 600 };

/// What a model takes and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whisper and its relatives: segments and words with times, and a prompt.
    Whisper,
    /// It tells speakers apart. It takes no prompt, and it must cut long audio itself.
    Diarizing,
    /// It gives only a text. It takes a prompt.
    Text,
    /// It gives only a text. It takes a list of words.
    TextWithKeywords,
}

impl Kind {
    pub(super) fn of(model: &str) -> Self {
        match model {
            model if model.contains("diarize") => Self::Diarizing,
            model if model.starts_with("gpt-transcribe") => Self::TextWithKeywords,
            model if model.starts_with("gpt-") => Self::Text,
            _ => Self::Whisper,
        }
    }

    fn format(self) -> &'static str {
        match self {
            Self::Whisper => "verbose_json",
            Self::Diarizing => "diarized_json",
            Self::Text | Self::TextWithKeywords => "json",
        }
    }
}

pub(super) struct Transcriptions {
    pub(super) name: &'static str,
    pub(super) remote: &'static Remote,
    /// The setting that names the model, for a message.
    pub(super) setting: &'static str,
    pub(super) client: LazyClient,
    pub(super) base: Url,
    /// `None` where the server needs no key.
    pub(super) key: Option<SecretString>,
    pub(super) model: String,
    pub(super) limiter: Limiter,
}

impl Transcriptions {
    pub(super) async fn transcribe(&self, audio: Audio, wanted: &Wanted) -> Result<Answer, Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(self.remote))?;
        let request = self.request("/audio/transcriptions").multipart(self.form(audio, wanted)?);
        requests::answer(self.name, request, |error| self.refusal(error)).await
    }

    fn request(&self, path: &str) -> RequestBuilder {
        self.authorized(self.client.get().post(http::join(&self.base, path)))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }

    fn form(&self, audio: Audio, wanted: &Wanted) -> Result<Form, Refusal> {
        let kind = Kind::of(&self.model);
        let (name, bytes) = (audio.file_name(), audio.bytes);
        let media_type = audio.media_type.clone().unwrap_or_else(|| "audio/mpeg".to_owned());
        let body = Body::wrap_stream(audio.body);
        let file = Part::stream_with_length(body, bytes).file_name(name);
        let file = file.mime_str(&media_type).map_err(|_| {
            let problem = "the media type of the recording cannot be sent".to_owned();
            Refusal { fault: Fault::Permanent, ..Refusal::of(self.remote, &Failure::NotSent { problem }) }
        })?;
        let mut form = Form::new().text("model", self.model.clone()).text("response_format", kind.format());
        match wanted.base_language() {
            Some(language) if kind == Kind::TextWithKeywords => {
                form = form.text("languages[]", language.to_owned());
            }
            Some(language) => form = form.text("language", language.to_owned()),
            None => {}
        }
        let words = fitting(&wanted.words, WORDS);
        match kind {
            Kind::Whisper => {
                form = form
                    .text("timestamp_granularities[]", "segment")
                    .text("timestamp_granularities[]", "word");
            }
            // Without this, audio of more than 30 seconds is refused.
            Kind::Diarizing => form = form.text("chunking_strategy", "auto"),
            Kind::TextWithKeywords => {
                for word in &words {
                    form = form.text("keywords[]", (*word).to_owned());
                }
            }
            Kind::Text => {}
        }
        if matches!(kind, Kind::Whisper | Kind::Text) && !words.is_empty() {
            form = form.text("prompt", format!("{}.", words.join(", ")));
        }
        // The file is the last part, so that a server that reads part by part knows what to do with it.
        Ok(form.part("file", file))
    }

    /// Looks whether the server knows the model. That costs nothing.
    pub(super) async fn look_for_model(&self) -> Result<Vec<String>, Refusal> {
        let mut address = self.base.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(["models", &self.model]);
        }
        let timeout = Duration::from_secs(20);
        let request = self.authorized(self.client.get().get(address).timeout(timeout));
        match counted(self.name, http::send(request)).await {
            Ok(_) => Ok(vec![format!("it has {}", self.model)]),
            Err(error)
                if error.status() == Some(StatusCode::NOT_FOUND)
                    && !error.body().contains("model_not_found") =>
            {
                Ok(vec![format!("the server has no list in which `{}` could be looked up", self.model)])
            }
            Err(error) => Err(self.refusal(&error).without_effect()),
        }
    }

    /// Applies the common table, with the cases in which this provider differs.
    fn refusal(&self, error: &HttpError) -> Refusal {
        let complaint = Complaint::read(error.body());
        let word = complaint.words().find(|word| said::is_word(word));
        // The message can quote the request, and with it words of the call.
        let shown = said::shown(word, complaint.message.as_deref(), &[&self.model]);
        let refusal = Refusal::of(self.remote, &error.failure(shown.clone()));
        let Some(status) = error.status() else { return refusal };
        let answer = shown
            .map_or_else(|| status.as_u16().to_string(), |shown| format!("{}, {shown}", status.as_u16()));
        let title = self.remote.title;
        let away = |what: &str| Refusal {
            fault: Fault::Unavailable,
            code: self.remote.codes.account,
            text: format!("failed to use {title}: {what} ({answer})"),
            ..refusal.clone()
        };
        let no_quota = complaint.words().any(|word| word == "insufficient_quota");
        match status {
            // The time to wait that the provider names is about its rate limit, not about money.
            StatusCode::TOO_MANY_REQUESTS if no_quota => {
                Refusal { retry_after: None, ..away("the account's quota is used up") }
            }
            // The server has no such route or no such model. That is no fault of the audio.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                away(&format!("it has no such model, or it transcribes nothing: check {}", self.setting))
            }
            status if status.is_redirection() => {
                away(&format!("its address leads somewhere else: check {}", self.setting))
            }
            _ if complaint.param.as_deref() == Some("model") => {
                away(&format!("it does not take the model: check {}", self.setting))
            }
            _ => refusal,
        }
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
    param: Option<String>,
}

impl Complaint {
    fn read(body: &str) -> Self {
        #[derive(Default, Deserialize)]
        struct Said {
            #[serde(default)]
            error: Complaint,
        }
        serde_json::from_str::<Said>(body).unwrap_or_default().error
    }

    /// The words with which the provider names the error. The more exact word comes first.
    fn words(&self) -> impl Iterator<Item = &str> {
        [self.code.as_ref().and_then(Value::as_str), self.kind.as_deref()].into_iter().flatten()
    }
}
