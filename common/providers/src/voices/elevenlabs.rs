//! `ElevenLabs`: one request for each line, whose answer is sound while it is made. With `ELEVENLABS_VOICE_SOCKET` the lines of
//! an answer go over one WebSocket.
//!
//! The key stands in `xi-api-key`. An account without credit is refused with 401 or with 400.

mod socket;
#[cfg(test)]
mod socket_tests;
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
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;

use super::requests::{CODES, LazyClient, sound};
use super::{AnswerLines, Line, Manner, Sound, Voice, names, voice_of};
use crate::descriptor::{Check, Checked, Descriptor};
use crate::requests::counted;
use crate::said;
use crate::slots::Slots;
use crate::versions::ELEVENLABS_SPEECH_MODEL as MODEL;
use crate::websocket;
use socket::{Opening, say_all};

const NAME: &str = "elevenlabs";
const TITLE: &str = "the voice of ElevenLabs";
const BASE_URL: &str = "https://api.elevenlabs.io";
const KEY_HEADER: &str = "xi-api-key";
const SOCKET: &str = "ELEVENLABS_VOICE_SOCKET";
const FORMAT: &str = "pcm_24000";
/// Voices that every account has.
const VOICES: &str = "JBFqnCBsd6RMkjVDRZzb,EXAVITQu4vr4xnSDxMaL,onwK4e9ZLuTAKqWW03F9";

static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: TITLE,
    advice: "check ELEVENLABS_API_KEY, and the account",
    codes: CODES,
    // The limit counts requests that are worked on at the same time. Each of them takes a second.
    default_wait: Duration::from_secs(2),
};

pub static DESCRIPTOR: Descriptor<Arc<dyn Voice>> = Descriptor {
    name: NAME,
    service: Some("voice"),
    key: "ELEVENLABS_API_KEY",
    settings: Group {
        title: "Voice: ElevenLabs (with ELEVENLABS_API_KEY and ELEVENLABS_BASE_URL)",
        keys: &[
            plain(MODEL.setting, MODEL.default, "The model that speaks."),
            plain(
                "ELEVENLABS_VOICES",
                VOICES,
                "The ids of the voices of representatives who have none of their own, comma separated.",
            ),
            plain("ELEVENLABS_VOICE_RATE", "", "Lines in a time, such as 5/s. Absent: no limit."),
            plain(
                SOCKET,
                "false",
                "true: the lines of an answer go over one WebSocket. A line that it does not say is a request of its own.",
            ),
        ],
    },
    make: |values, slots| {
        let voice = ElevenLabs::from_values(values, slots)?;
        let is_named = names(values, NAME)?;
        Ok(voice.filter(|_| is_named).map(|voice| Arc::new(voice) as Arc<dyn Voice>))
    },
};

struct ElevenLabs {
    client: LazyClient,
    base: Url,
    key: HeaderValue,
    model: String,
    voices: Vec<String>,
    limiter: Arc<Limiter>,
    /// The client for connections, where the lines of an answer go over one.
    connects: Option<websocket::LazyClient>,
}

impl ElevenLabs {
    /// Reads the settings. `None` where no `ELEVENLABS_API_KEY` is set.
    fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let base = values.url("ELEVENLABS_BASE_URL", BASE_URL)?;
        let rate = values.rate("ELEVENLABS_VOICE_RATE")?;
        let connects = values.flag(SOCKET)?.then(websocket::LazyClient::default);
        let model = values.text(MODEL.setting).unwrap_or_else(|| MODEL.default.to_owned());
        let mut voices = values.list("ELEVENLABS_VOICES");
        if let Some(wrong) = voices.iter().find(|voice| !voice.bytes().all(|b| b.is_ascii_alphanumeric())) {
            return Err(ConfigError::not("ELEVENLABS_VOICES", wrong, "the id of a voice"));
        }
        if voices.is_empty() {
            voices = VOICES.split(',').map(str::to_owned).collect();
        }
        let Some(key) = values.secret("ELEVENLABS_API_KEY") else { return Ok(None) };
        let mut key = HeaderValue::try_from(key.expose_secret())
            .map_err(|_| ConfigError::new("ELEVENLABS_API_KEY", "it has characters that no key can have"))?;
        key.set_sensitive(true);
        let limiter = Arc::new(slots.limiter("elevenlabs_voice", "ELEVENLABS_VOICE_RATE", rate));
        Ok(Some(Self { client: LazyClient::default(), base, key, model, voices, limiter, connects }))
    }

    async fn say(&self, line: &Line<'_>) -> Result<Sound, Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))?;
        let address = self.address(line, "stream");
        let body =
            json!({ "text": line.text, "model_id": self.model, "voice_settings": settings(line.manner) });
        let request = self.client.get().post(address).header(KEY_HEADER, self.key.clone()).json(&body);
        sound(NAME, &REMOTE, request, |error| refusal(error, &self.model)).await
    }

    /// The address of the route of the line's voice.
    fn address(&self, line: &Line<'_>, route: &str) -> Url {
        let mut address = self.base.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            // The id of a voice comes from a form, so it must not lead to another route.
            path.pop_if_empty().extend(["v1", "text-to-speech", voice_of(line, &self.voices), route]);
        }
        address.query_pairs_mut().append_pair("output_format", FORMAT);
        address
    }

    /// Opens the connection of an answer. It opens while the first line is still being made.
    fn connect(&self, line: &Line<'_>, client: &websocket::LazyClient) -> AnswerLines {
        let mut address = self.address(line, "stream-input");
        address.query_pairs_mut().append_pair("model_id", &self.model).append_pair("sync_alignment", "true");
        let opening = Opening {
            request: client.get().get(address).header(KEY_HEADER, self.key.clone()),
            settings: settings(line.manner),
            limiter: Arc::clone(&self.limiter),
        };
        let (lines, asked) = AnswerLines::new();
        let model = self.model.clone();
        tokio::spawn(say_all(opening, asked, move |error| refusal(error, &model)));
        lines
    }
}

fn settings(manner: Manner<'_>) -> Value {
    json!({
        "stability": manner.stability.clamp(0.0, 1.0),
        "similarity_boost": manner.similarity.clamp(0.0, 1.0),
        "style": manner.style.clamp(0.0, 1.0),
        "use_speaker_boost": manner.speaker_boost,
        "speed": manner.speed.clamp(0.7, 1.2),
    })
}

/// Applies the common table, with the cases in which this provider differs.
fn refusal(error: &HttpError, model: &str) -> Refusal {
    let body: Value = serde_json::from_str(error.body()).unwrap_or_default();
    let detail = &body["detail"];
    let word = detail["status"].as_str().or_else(|| detail["code"].as_str());
    let word = word.filter(|word| said::is_word(word));
    let shown = said::shown(word, detail["message"].as_str(), &[model]);
    let refusal = Refusal::of(&REMOTE, &error.failure(shown));
    let away = |what: String| Refusal {
        fault: Fault::Unavailable,
        code: REMOTE.codes.account,
        retry_after: None,
        text: format!("failed to use {TITLE}: {what}"),
        ..refusal.clone()
    };
    match (error.status(), word) {
        // It comes with 401 or 400, and waiting does not help.
        (Some(_), Some("quota_exceeded")) => {
            away("the account's credit is used up (`quota_exceeded`): check the account".into())
        }
        (Some(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND), Some(word)) if word.contains("model") => {
            away(format!("it does not take the model (`{word}`): check {}", MODEL.setting))
        }
        _ => refusal,
    }
}

impl Voice for ElevenLabs {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn speak<'a>(&'a self, line: &'a Line<'a>) -> BoxFuture<'a, Result<Sound, Refusal>> {
        self.say(line).boxed()
    }

    fn begin_answer(&self, line: &Line<'_>) -> Option<AnswerLines> {
        self.connects.as_ref().map(|client| self.connect(line, client))
    }
}

impl Check for ElevenLabs {
    /// The list of models shows whether the key is valid, and whether the model speaks. It costs nothing.
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            let request = self
                .client
                .get()
                .get(http::join(&self.base, "/v1/models"))
                .header(KEY_HEADER, self.key.clone());
            let answer = counted(NAME, http::send(request))
                .await
                .map_err(|error| refusal(&error, &self.model).without_effect())?;
            let listed: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let has_it =
                listed.as_array().is_some_and(|all| all.iter().any(|one| one["model_id"] == *self.model));
            let note = if has_it {
                format!("it has {}", self.model)
            } else {
                format!("its list of models has no {}: check {}", self.model, MODEL.setting)
            };
            Ok(Checked::Reached { notes: vec![note] })
        }
        .boxed()
    }
}
