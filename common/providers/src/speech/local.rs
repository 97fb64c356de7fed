//! Any server that offers `OpenAI`'s transcriptions: faster-whisper, `whisper.cpp`, vLLM, `LocalAI` …

use std::sync::Arc;
use std::time::Duration;

use domain::refusal::{Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Group, Values};

use super::chain;
use super::reading::Reading;
use super::requests::{CODES, LazyClient, TIMEOUT, declare, price};
use super::transcriptions::{self, Transcriptions};
use super::{Answer, Audio, SpeechAtOnce, SpeechToText, Unreadable, Wanted};
use crate::descriptor::{Check, Checked, Descriptor};
use crate::slots::Slots;

pub(super) const NAME: &str = "local";
const TITLE: &str = "the local speech server";
const DEFAULT_MODEL: &str = "whisper-1";

static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: TITLE,
    advice: "check LOCAL_SPEECH_API_KEY",
    codes: CODES,
    default_wait: Duration::from_secs(10),
};

pub static DESCRIPTOR: Descriptor<SpeechToText> = Descriptor {
    name: NAME,
    service: Some("transcription"),
    key: "LOCAL_SPEECH_BASE_URL",
    settings: Group {
        title: "Speech to text: a local server that offers OpenAI's transcriptions",
        keys: &[
            plain(
                "LOCAL_SPEECH_BASE_URL",
                "",
                "Turns it on: its address with the path before /audio/transcriptions, such as http://127.0.0.1:8000/v1.",
            ),
            plain("LOCAL_SPEECH_MODEL", DEFAULT_MODEL, "The model, as the server calls it."),
            secret("LOCAL_SPEECH_API_KEY", "Its key. Absent: none is sent."),
            plain(
                "LOCAL_SPEECH_MAX_MB",
                "",
                "The longest recording that it takes, in millions of bytes. A longer one is sent in pieces. Absent: no limit.",
            ),
            plain("LOCAL_SPEECH_RATE", "", "Recordings in a time, such as 10/m. Absent: no limit."),
            plain(
                "LOCAL_SPEECH_PRICE_MINUTE",
                "",
                "US dollars for a minute of audio, where somebody wants to count it. Absent: no cost is recorded.",
            ),
        ],
    },
    make: |values, slots| {
        let client = Local::from_values(values, slots)?;
        let is_named = chain::names(values, NAME)?;
        Ok(client.filter(|_| is_named).map(|client| SpeechToText::AtOnce(Arc::new(client))))
    },
};

pub(super) struct Local {
    api: Transcriptions,
    max_audio_bytes: Option<u64>,
    price: Option<f64>,
}

impl Local {
    /// Reads the settings. `None` where no `LOCAL_SPEECH_BASE_URL` is set.
    pub(super) fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let base = values.url("LOCAL_SPEECH_BASE_URL", "http://127.0.0.1/v1")?;
        let rate = values.rate("LOCAL_SPEECH_RATE")?;
        let model = values.text("LOCAL_SPEECH_MODEL").unwrap_or_else(|| DEFAULT_MODEL.to_owned());
        let key = values.key("LOCAL_SPEECH_API_KEY")?;
        let price = price(values, "LOCAL_SPEECH_PRICE_MINUTE")?;
        let max_mb = values.parse::<u64>("LOCAL_SPEECH_MAX_MB", "a number of millions of bytes")?;
        if max_mb.is_some_and(|mb| !(1..=1_000_000).contains(&mb)) {
            return Err(ConfigError::new("LOCAL_SPEECH_MAX_MB", "is not between 1 and 1000000"));
        }
        if values.text("LOCAL_SPEECH_BASE_URL").is_none() {
            return Ok(None);
        }
        declare(NAME);
        let api = Transcriptions {
            name: NAME,
            remote: &REMOTE,
            setting: "LOCAL_SPEECH_BASE_URL and LOCAL_SPEECH_MODEL",
            client: LazyClient::default(),
            base,
            key,
            model,
            limiter: slots.limiter("local_speech", "LOCAL_SPEECH_RATE", rate),
        };
        Ok(Some(Self { api, max_audio_bytes: max_mb.map(|mb| mb * 1_000_000), price }))
    }
}

/// Reads a kept answer.
pub(super) fn read(answer: &[u8]) -> Result<Reading, Unreadable> {
    transcriptions::read(TITLE, answer)
}

impl SpeechAtOnce for Local {
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
        self.max_audio_bytes
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

impl Check for Local {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async { Ok(Checked::Reached { notes: self.api.look_for_model().await? }) }.boxed()
    }
}
