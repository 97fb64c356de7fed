//! Deepgram: one request with the raw audio, which is answered with the transcript.
//!
//! What is wanted stands in the query. A parameter that is given several times (`keyterm`) is repeated. The key stands
//! behind `Token`. The errors have three shapes: a text, `{err_code, err_msg}` and `{category, message, details}`.

mod answer;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Group, Values};
use platform::http::{self, HttpError};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::{Body, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
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
use crate::versions::DEEPGRAM_MODEL as MODEL;

pub(super) use answer::read;

pub(super) const NAME: &str = "deepgram";
const TITLE: &str = "Deepgram";
pub(super) const BASE_URL: &str = "https://api.deepgram.com";
/// The provider takes 2 GB.
const MAX_AUDIO_BYTES: u64 = 2_000_000_000;
/// The provider takes 100 terms with 500 tokens in all. A token of a name has some three characters.
pub(super) const WORDS: Limits = Limits { entries: 100, words_of_entry: 6, chars_of_entry: 60, chars: 1_200 };

pub(super) static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: TITLE,
    advice: "check DEEPGRAM_API_KEY, and the account",
    codes: CODES,
    // The limit counts requests that are worked on at the same time. Each of them takes some seconds.
    default_wait: Duration::from_secs(10),
};

pub static DESCRIPTOR: Descriptor<SpeechToText> = Descriptor {
    name: NAME,
    service: Some("transcription"),
    key: "DEEPGRAM_API_KEY",
    settings: Group {
        title: "Speech to text: Deepgram",
        keys: &[
            secret("DEEPGRAM_API_KEY", "Turns Deepgram on."),
            plain("DEEPGRAM_BASE_URL", BASE_URL, "Its address."),
            plain(MODEL.setting, MODEL.default, "The model that transcribes."),
            plain(
                "DEEPGRAM_RATE",
                "",
                "Recordings in a time, such as 5/s, 100/m or 1000/h. Absent: no limit.",
            ),
            plain(
                "DEEPGRAM_PRICE_MINUTE",
                "",
                "US dollars for a minute of audio; each channel counts. Absent: no cost is recorded.",
            ),
            plain(
                "DEEPGRAM_STREAM_PRICE_MINUTE",
                "",
                "US dollars for a minute of calls that are being spoken. Absent: as DEEPGRAM_PRICE_MINUTE.",
            ),
        ],
    },
    make: |values, slots| {
        let client = Deepgram::from_values(values, slots)?;
        let is_named = chain::names(values, NAME)?;
        Ok(client.filter(|_| is_named).map(|client| SpeechToText::AtOnce(Arc::new(client))))
    },
};

/// The header with the key. `None` where no `DEEPGRAM_API_KEY` is set.
pub(super) fn authorization(values: &Values) -> Result<Option<HeaderValue>, ConfigError> {
    let Some(key) = values.secret("DEEPGRAM_API_KEY") else { return Ok(None) };
    let mut authorization = HeaderValue::try_from(format!("Token {}", key.expose_secret()))
        .map_err(|_| ConfigError::new("DEEPGRAM_API_KEY", "it has characters that no key can have"))?;
    authorization.set_sensitive(true);
    Ok(Some(authorization))
}

pub(super) struct Deepgram {
    client: LazyClient,
    base: Url,
    authorization: HeaderValue,
    model: String,
    price: Option<f64>,
    limiter: Limiter,
}

impl Deepgram {
    /// Reads the settings. `None` where no `DEEPGRAM_API_KEY` is set.
    pub(super) fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let base = values.url("DEEPGRAM_BASE_URL", BASE_URL)?;
        let rate = values.rate("DEEPGRAM_RATE")?;
        let model = values.text(MODEL.setting).unwrap_or_else(|| MODEL.default.to_owned());
        let price = price(values, "DEEPGRAM_PRICE_MINUTE")?;
        let Some(authorization) = authorization(values)? else { return Ok(None) };
        declare(NAME);
        Ok(Some(Self {
            client: LazyClient::default(),
            base,
            authorization,
            model,
            price,
            limiter: slots.limiter(NAME, "DEEPGRAM_RATE", rate),
        }))
    }

    async fn send(&self, audio: Audio, wanted: &Wanted) -> Result<Answer, Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))?;
        let media_type = audio.media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        let request = self
            .client
            .get()
            .post(http::join(&self.base, "/v1/listen"))
            .query(&self.parameters(wanted))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, media_type)
            .header(CONTENT_LENGTH, audio.bytes)
            .body(Body::wrap_stream(audio.body));
        requests::answer(NAME, request, |error| self.refusal(error)).await
    }

    fn parameters(&self, wanted: &Wanted) -> Vec<(&'static str, String)> {
        let mut parameters = vec![("model", self.model.clone())];
        let mut say = |name, value: &str| parameters.push((name, value.to_owned()));
        say("smart_format", "true");
        say("utterances", "true");
        match &wanted.language {
            Some(language) => say("language", language),
            None => say("detect_language", "true"),
        }
        // With both, the provider would look for several voices on each channel.
        if wanted.is_one_speaker_a_channel() {
            say("multichannel", "true");
        } else {
            say("diarize_model", "latest");
        }
        // Only this family of models knows the parameter. Others refuse the request.
        if self.model.starts_with("nova-3") {
            for word in fitting(&wanted.words, WORDS) {
                say("keyterm", word);
            }
        }
        parameters
    }

    fn refusal(&self, error: &HttpError) -> Refusal {
        let complaint = Complaint::read(error.body());
        let word = complaint.word();
        let refusal = Refusal::of(
            &REMOTE,
            &error.failure(said::shown(word.as_deref(), complaint.sentence.as_deref(), &[&self.model])),
        );
        let has = |words: &str| complaint.sentence.as_deref().is_some_and(|said| said.contains(words));
        let of_model = word.as_deref().is_some_and(|word| word.contains("model")) || has("model");
        match error.status() {
            // A model that does not exist is no fault of the audio.
            Some(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND) if of_model => Refusal {
                fault: Fault::Unavailable,
                code: REMOTE.codes.account,
                text: format!("{}: check {}", refusal.text, MODEL.setting),
                ..refusal
            },
            _ => refusal,
        }
    }
}

/// The error in an answer, from whichever of the three shapes it has.
#[derive(Default)]
struct Complaint {
    word: Option<String>,
    sentence: Option<String>,
}

impl Complaint {
    fn read(body: &str) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Said {
            err_code: Option<String>,
            err_msg: Option<String>,
            category: Option<String>,
            message: Option<String>,
        }
        match serde_json::from_str::<Said>(body) {
            Ok(said) => {
                Self { word: said.err_code.or(said.category), sentence: said.err_msg.or(said.message) }
            }
            Err(_) => Self { word: None, sentence: Some(body.to_owned()).filter(|body| !body.is_empty()) },
        }
    }

    /// The name of the error in the form of a word. The provider writes it as `INVALID_AUTH` or as `Bad Request`.
    fn word(&self) -> Option<String> {
        let word = self.word.as_deref()?.trim().replace([' ', '-'], "_").to_lowercase();
        said::is_word(&word).then_some(word)
    }
}

impl SpeechAtOnce for Deepgram {
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

impl Check for Deepgram {
    /// The list of projects shows whether the key is valid. It costs nothing.
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            let request = self
                .client
                .get()
                .get(http::join(&self.base, "/v1/projects"))
                .timeout(Duration::from_secs(20))
                .header(AUTHORIZATION, self.authorization.clone());
            counted(NAME, http::send(request))
                .await
                .map_err(|error| self.refusal(&error).without_effect())?;
            Ok(Checked::Reached { notes: vec![format!("it is asked for {}", self.model)] })
        }
        .boxed()
    }
}
