//! Transcriptions by `OpenAI`. The key and the address are those of the model.

use std::sync::Arc;
use std::time::Duration;

use domain::refusal::{Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::keys::plain;
use platform::config::{ConfigError, Group, Values};

use super::chain;
use super::reading::Reading;
use super::requests::{CODES, LazyClient, TIMEOUT, declare, price};
use super::transcriptions::{self, Transcriptions};
use super::{Answer, Audio, SpeechAtOnce, SpeechToText, Unreadable, Wanted};
use crate::descriptor::{Check, Checked, Descriptor};
use crate::slots::Slots;
use crate::versions::{OPENAI_STREAM_MODEL as STREAM_MODEL, OPENAI_TRANSCRIBE_MODEL as MODEL};

pub(super) const NAME: &str = "openai";
const TITLE: &str = "OpenAI's transcription";
pub(super) const BASE_URL: &str = "https://api.openai.com/v1";
/// The provider takes 25 MB. The other parts of the form and the lines between them count too.
const MAX_AUDIO_BYTES: u64 = 25_000_000;

/// The GPT models refuse what is longer: some at 1,400 seconds, some at 1,500. `whisper-1` takes any length.
const MAX_AUDIO_MS: i64 = 1_400_000;

pub(super) static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: TITLE,
    advice: "check OPENAI_API_KEY, and the account",
    codes: CODES,
    // Most limits count requests in a minute, so there is room again after some seconds.
    default_wait: Duration::from_secs(20),
};

pub static DESCRIPTOR: Descriptor<SpeechToText> = Descriptor {
    name: NAME,
    service: Some("transcription"),
    key: "OPENAI_API_KEY",
    settings: Group {
        title: "Speech to text: OpenAI (with OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_RATE)",
        keys: &[
            plain(
                MODEL.setting,
                MODEL.default,
                "The model that transcribes. Only the default tells speakers apart; only whisper-1 gives times for words.",
            ),
            plain(
                "OPENAI_TRANSCRIBE_PRICE_MINUTE",
                "",
                "US dollars for a minute of audio. Absent: no cost is recorded.",
            ),
            plain(
                STREAM_MODEL.setting,
                STREAM_MODEL.default,
                "The model that transcribes calls that are being spoken.",
            ),
            plain(
                "OPENAI_STREAM_PRICE_MINUTE",
                "",
                "US dollars for a minute of them. Absent: as OPENAI_TRANSCRIBE_PRICE_MINUTE.",
            ),
        ],
    },
    make: |values, slots| {
        let client = OpenAi::from_values(values, slots)?;
        let is_named = chain::names(values, NAME)?;
        Ok(client.filter(|_| is_named).map(|client| SpeechToText::AtOnce(Arc::new(client))))
    },
};

pub(super) struct OpenAi {
    api: Transcriptions,
    price: Option<f64>,
}

impl OpenAi {
    /// Reads the settings. `None` where no `OPENAI_API_KEY` is set.
    pub(super) fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let base = values.url("OPENAI_BASE_URL", BASE_URL)?;
        let rate = values.rate("OPENAI_RATE")?;
        let model = values.text(MODEL.setting).unwrap_or_else(|| MODEL.default.to_owned());
        let price = price(values, "OPENAI_TRANSCRIBE_PRICE_MINUTE")?;
        let Some(key) = values.key("OPENAI_API_KEY")? else { return Ok(None) };
        declare(NAME);
        let api = Transcriptions {
            name: NAME,
            remote: &REMOTE,
            setting: "OPENAI_BASE_URL and OPENAI_TRANSCRIBE_MODEL",
            client: LazyClient::default(),
            base,
            key: Some(key),
            model,
            limiter: slots.limiter(NAME, "OPENAI_RATE", rate),
        };
        Ok(Some(Self { api, price }))
    }
}

/// Reads a kept answer.
pub(super) fn read(answer: &[u8]) -> Result<Reading, Unreadable> {
    transcriptions::read(TITLE, answer)
}

impl SpeechAtOnce for OpenAi {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn transcribe<'a>(&'a self, audio: Audio, wanted: &'a Wanted) -> BoxFuture<'a, Result<Answer, Refusal>> {
        self.api.transcribe(audio, wanted).boxed()
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn max_audio_bytes(&self) -> Option<u64> {
        Some(MAX_AUDIO_BYTES)
    }

    fn max_audio_ms(&self) -> Option<i64> {
        self.api.model.starts_with("gpt-").then_some(MAX_AUDIO_MS)
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        let mut reading = read(answer)?;
        reading.used.model = Some(self.api.model.clone());
        Ok(reading)
    }

    fn price_per_minute(&self) -> Option<f64> {
        self.price
    }
}

impl Check for OpenAi {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async { Ok(Checked::Reached { notes: self.api.look_for_model().await? }) }.boxed()
    }
}
