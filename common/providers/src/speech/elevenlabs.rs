//! `ElevenLabs` Scribe: one request with a form, which is answered with words.
//!
//! The key stands in `xi-api-key`. An account without credit is refused with 401 or with 400. A recording with two
//! channels gets an answer of another shape: one transcript for each channel.

mod answer;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Destination, Failure, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Group, Values};
use platform::http::{self, HttpError};
use reqwest::header::HeaderValue;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use super::chain;
use super::reading::Reading;
use super::requests::{self, CODES, LazyClient, TIMEOUT, declare, price};
use super::words::{Limits, fitting};
use super::{Answer, Audio, SpeechAtOnce, SpeechToText, Unreadable, Wanted};
use crate::descriptor::{Check, Checked, Descriptor};
use crate::requests::counted;
use crate::said;
use crate::slots::Slots;
use crate::versions::ELEVENLABS_TRANSCRIBE_MODEL as MODEL;

pub(super) use answer::read;

pub(super) const NAME: &str = "elevenlabs";
const TITLE: &str = "ElevenLabs";
const BASE_URL: &str = "https://api.elevenlabs.io";
const KEY_HEADER: &str = "xi-api-key";
/// The provider takes less than 3 GB.
const MAX_AUDIO_BYTES: u64 = 2_900_000_000;
/// The provider takes 1000 terms of at most five words and 50 characters. More than 100 cost more.
const WORDS: Limits = Limits { entries: 100, words_of_entry: 5, chars_of_entry: 49, chars: 5_000 };
/// How long to wait where the provider's system as a whole is busy.
const BUSY_FOR: Duration = Duration::from_mins(1);

static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: TITLE,
    advice: "check ELEVENLABS_API_KEY, and the account",
    codes: CODES,
    // The limit counts requests that are worked on at the same time. Each of them takes some seconds.
    default_wait: Duration::from_secs(10),
};

pub static DESCRIPTOR: Descriptor<SpeechToText> = Descriptor {
    name: NAME,
    service: Some("transcription"),
    key: "ELEVENLABS_API_KEY",
    settings: Group {
        title: "Speech to text: ElevenLabs",
        keys: &[
            secret("ELEVENLABS_API_KEY", "Turns ElevenLabs on."),
            plain("ELEVENLABS_BASE_URL", BASE_URL, "Its address."),
            plain(MODEL.setting, MODEL.default, "The model that transcribes."),
            plain(
                "ELEVENLABS_RATE",
                "",
                "Recordings in a time, such as 5/s, 100/m or 1000/h. Absent: no limit.",
            ),
            plain(
                "ELEVENLABS_PRICE_MINUTE",
                "",
                "US dollars for a minute of audio; each channel counts. Absent: no cost is recorded.",
            ),
        ],
    },
    make: |values, slots| {
        let client = ElevenLabs::from_values(values, slots)?;
        let is_named = chain::names(values, NAME)?;
        Ok(client.filter(|_| is_named).map(|client| SpeechToText::AtOnce(Arc::new(client))))
    },
};

pub(super) struct ElevenLabs {
    client: LazyClient,
    base: Url,
    key: HeaderValue,
    model: String,
    price: Option<f64>,
    limiter: Limiter,
}

impl ElevenLabs {
    /// Reads the settings. `None` where no `ELEVENLABS_API_KEY` is set.
    pub(super) fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let base = values.url("ELEVENLABS_BASE_URL", BASE_URL)?;
        let rate = values.rate("ELEVENLABS_RATE")?;
        let model = values.text(MODEL.setting).unwrap_or_else(|| MODEL.default.to_owned());
        let price = price(values, "ELEVENLABS_PRICE_MINUTE")?;
        let Some(key) = values.secret("ELEVENLABS_API_KEY") else { return Ok(None) };
        let mut key = HeaderValue::try_from(key.expose_secret())
            .map_err(|_| ConfigError::new("ELEVENLABS_API_KEY", "it has characters that no key can have"))?;
        key.set_sensitive(true);
        declare(NAME);
        Ok(Some(Self {
            client: LazyClient::default(),
            base,
            key,
            model,
            price,
            limiter: slots.limiter(NAME, "ELEVENLABS_RATE", rate),
        }))
    }

    async fn send(&self, audio: Audio, wanted: &Wanted) -> Result<Answer, Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))?;
        let request = self
            .client
            .get()
            .post(http::join(&self.base, "/v1/speech-to-text"))
            .header(KEY_HEADER, self.key.clone())
            .multipart(self.form(audio, wanted)?);
        requests::answer(NAME, request, |error| self.refusal(error)).await
    }

    fn form(&self, audio: Audio, wanted: &Wanted) -> Result<Form, Refusal> {
        let (name, bytes) = (audio.file_name(), audio.bytes);
        let media_type = audio.media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        let file = Part::stream_with_length(Body::wrap_stream(audio.body), bytes).file_name(name);
        let file = file.mime_str(&media_type).map_err(|_| {
            let problem = "the media type of the recording cannot be sent".to_owned();
            Refusal { fault: Fault::Permanent, ..Refusal::of(&REMOTE, &Failure::NotSent { problem }) }
        })?;
        let mut form = Form::new()
            .text("model_id", self.model.clone())
            .text("timestamps_granularity", "word")
            // Laughter and music are no words of a speaker.
            .text("tag_audio_events", "false");
        if let Some(language) = wanted.base_language() {
            form = form.text("language_code", language.to_owned());
        }
        // The provider refuses both together.
        form = if wanted.is_one_speaker_a_channel() {
            form.text("use_multi_channel", "true")
        } else {
            form.text("diarize", "true")
        };
        // The first model of the family does not know the parameter.
        if self.model != "scribe_v1" {
            // The provider refuses these signs.
            let is_taken = |word: &&str| !word.contains(['<', '>', '{', '}', '[', ']', '\\']);
            for word in fitting(&wanted.words, WORDS).into_iter().filter(is_taken) {
                form = form.text("keyterms", word.to_owned());
            }
        }
        Ok(form.part("file", file))
    }

    /// Applies the common table, with the cases in which this provider differs.
    fn refusal(&self, error: &HttpError) -> Refusal {
        let complaint = Complaint::read(error.body());
        let word = complaint.word.as_deref().filter(|word| said::is_word(word));
        let shown = said::shown(word, complaint.sentence.as_deref(), &[&self.model]);
        let refusal = Refusal::of(&REMOTE, &error.failure(shown));
        let away = |what: &str| Refusal {
            fault: Fault::Unavailable,
            code: REMOTE.codes.account,
            retry_after: None,
            text: format!("failed to use {TITLE}: {what}"),
            ..refusal.clone()
        };
        match (error.status(), word) {
            // It comes with 401 or 400, and waiting does not help.
            (Some(_), Some("quota_exceeded")) => {
                away("the account's credit is used up (`quota_exceeded`): check the account")
            }
            (Some(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND), Some(word)) if word.contains("model") => {
                away(&format!("it does not take the model (`{word}`): check {}", MODEL.setting))
            }
            (Some(StatusCode::TOO_MANY_REQUESTS), Some("system_busy")) if refusal.retry_after.is_none() => {
                Refusal { fault: Fault::Throttled(BUSY_FOR), ..refusal }
            }
            _ => refusal,
        }
    }
}

/// The error in an answer: `{detail: {status, message}}`, or for a form that is wrong `{detail: [{loc, msg, type}]}`.
#[derive(Default)]
struct Complaint {
    word: Option<String>,
    sentence: Option<String>,
}

impl Complaint {
    fn read(body: &str) -> Self {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match &body["detail"] {
            Value::Array(wrong) => {
                let field = wrong.first().and_then(|wrong| wrong["loc"].as_array()?.last()?.as_str());
                Self {
                    word: field.map(str::to_owned),
                    sentence: wrong.first().and_then(|one| text(&one["msg"])),
                }
            }
            detail @ Value::Object(_) => {
                let word = text(&detail["status"]).or_else(|| text(&detail["code"]));
                Self { word, sentence: text(&detail["message"]) }
            }
            detail => Self { word: None, sentence: text(detail) },
        }
    }
}

impl SpeechAtOnce for ElevenLabs {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn transcribe<'a>(&'a self, audio: Audio, wanted: &'a Wanted) -> BoxFuture<'a, Result<Answer, Refusal>> {
        self.send(audio, wanted).boxed()
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn max_audio_bytes(&self) -> Option<u64> {
        Some(MAX_AUDIO_BYTES)
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = read(answer)?;
        reading.used.model = Some(self.model.clone());
        Ok(reading)
    }

    fn price_per_minute(&self) -> Option<f64> {
        self.price
    }
}

impl Check for ElevenLabs {
    /// The list of models shows whether the key is valid. It costs nothing.
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            let request = self
                .client
                .get()
                .get(http::join(&self.base, "/v1/models"))
                .timeout(Duration::from_secs(20))
                .header(KEY_HEADER, self.key.clone());
            counted(NAME, http::send(request))
                .await
                .map_err(|error| self.refusal(&error).without_effect())?;
            Ok(Checked::Reached { notes: vec![format!("it is asked for {}", self.model)] })
        }
        .boxed()
    }
}
