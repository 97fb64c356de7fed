//! `OpenAI`'s speech, and every server that offers it (`audio/speech`). The key and the address are those of the model.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::config::keys::plain;
use platform::config::{ConfigError, Group, Values};
use platform::http::{self, HttpError};
use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::requests::{CODES, LazyClient, sound};
use super::{Line, Sound, Voice, names, voice_of};
use crate::descriptor::{Check, Checked, Descriptor};
use crate::requests::counted;
use crate::said;
use crate::slots::Slots;
use crate::versions::OPENAI_SPEECH_MODEL as MODEL;

const NAME: &str = "openai";
const TITLE: &str = "OpenAI's speech";
const BASE_URL: &str = "https://api.openai.com/v1";
/// The provider recommends the first two.
const VOICES: &str = "cedar,marin,ash,coral";

static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: TITLE,
    advice: "check OPENAI_API_KEY, and the account",
    codes: CODES,
    default_wait: Duration::from_secs(2),
};

pub static DESCRIPTOR: Descriptor<Arc<dyn Voice>> = Descriptor {
    name: NAME,
    service: Some("voice"),
    key: "OPENAI_API_KEY",
    settings: Group {
        title: "Voice: OpenAI (with OPENAI_API_KEY and OPENAI_BASE_URL)",
        keys: &[
            plain(MODEL.setting, MODEL.default, "The model that speaks."),
            plain(
                "OPENAI_VOICES",
                VOICES,
                "The voices of representatives who have none of their own, comma separated.",
            ),
            plain("OPENAI_VOICE_RATE", "", "Lines in a time, such as 5/s. Absent: no limit."),
        ],
    },
    make: |values, slots| {
        let voice = OpenAi::from_values(values, slots)?;
        let is_named = names(values, NAME)?;
        Ok(voice.filter(|_| is_named).map(|voice| Arc::new(voice) as Arc<dyn Voice>))
    },
};

struct OpenAi {
    client: LazyClient,
    base: Url,
    key: SecretString,
    model: String,
    voices: Vec<String>,
    limiter: Limiter,
}

impl OpenAi {
    /// Reads the settings. `None` where no `OPENAI_API_KEY` is set.
    fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let base = values.url("OPENAI_BASE_URL", BASE_URL)?;
        let rate = values.rate("OPENAI_VOICE_RATE")?;
        let model = values.text(MODEL.setting).unwrap_or_else(|| MODEL.default.to_owned());
        let mut voices = values.list("OPENAI_VOICES");
        if voices.is_empty() {
            voices = VOICES.split(',').map(str::to_owned).collect();
        }
        let Some(key) = values.key("OPENAI_API_KEY")? else { return Ok(None) };
        let limiter = slots.limiter("openai_voice", "OPENAI_VOICE_RATE", rate);
        Ok(Some(Self { client: LazyClient::default(), base, key, model, voices, limiter }))
    }

    async fn say(&self, line: &Line<'_>) -> Result<Sound, Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))?;
        let voice = voice_of(line, &self.voices);
        let mut body = json!({
            "model": self.model,
            "input": line.text,
            // A voice of one's own is named by an object.
            "voice": if voice.starts_with("voice_") { json!({ "id": voice }) } else { json!(voice) },
            "response_format": "pcm",
            "speed": line.manner.speed.clamp(0.25, 4.0),
        });
        // The older models refuse it.
        if !line.manner.directions.is_empty() && !self.model.starts_with("tts-1") {
            body["instructions"] = json!(line.manner.directions);
        }
        let request = self
            .client
            .get()
            .post(http::join(&self.base, "/audio/speech"))
            .bearer_auth(self.key.expose_secret())
            .json(&body);
        sound(NAME, &REMOTE, request, |error| self.refusal(error)).await
    }

    /// Applies the common table, with the cases in which this provider differs.
    fn refusal(&self, error: &HttpError) -> Refusal {
        let body: Value = serde_json::from_str(error.body()).unwrap_or_default();
        let complaint = &body["error"];
        let word = complaint["code"].as_str().or_else(|| complaint["type"].as_str());
        let word = word.filter(|word| said::is_word(word));
        let shown = said::shown(word, complaint["message"].as_str(), &[&self.model]);
        let refusal = Refusal::of(&REMOTE, &error.failure(shown));
        let away = |what: String| Refusal {
            fault: Fault::Unavailable,
            code: REMOTE.codes.account,
            retry_after: None,
            text: format!("failed to use {TITLE}: {what}"),
            ..refusal.clone()
        };
        match error.status() {
            Some(StatusCode::TOO_MANY_REQUESTS) if word == Some("insufficient_quota") => {
                away("the account's quota is used up".into())
            }
            // A server of one's own may have a model that writes and none that speaks.
            Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => {
                away(format!("it has no such model, or it does not speak: check {} and VOICE", MODEL.setting))
            }
            Some(status) if status.is_redirection() => {
                away("its address leads somewhere else: check OPENAI_BASE_URL".into())
            }
            Some(_) if complaint["param"] == "model" => {
                away(format!("it does not take the model: check {}", MODEL.setting))
            }
            _ => refusal,
        }
    }
}

impl Voice for OpenAi {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn speak<'a>(&'a self, line: &'a Line<'a>) -> BoxFuture<'a, Result<Sound, Refusal>> {
        self.say(line).boxed()
    }
}

impl Check for OpenAi {
    /// Looks whether the server knows the model. That costs nothing.
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            let mut address = self.base.clone();
            if let Ok(mut path) = address.path_segments_mut() {
                path.pop_if_empty().extend(["models", &self.model]);
            }
            let request = self.client.get().get(address).bearer_auth(self.key.expose_secret());
            counted(NAME, http::send(request))
                .await
                .map_err(|error| self.refusal(&error).without_effect())?;
            Ok(Checked::Reached { notes: vec![format!("it has {}", self.model)] })
        }
        .boxed()
    }
}
