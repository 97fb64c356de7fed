//! AssemblyAI: a client uploads the audio, submits a job, and looks at the job until it is done.
//!
//! The key stands in `Authorization` without `Bearer`. A failed transcript comes with HTTP status 200 and
//! `status: error`. The request must name `speech_models`, and the provider takes the first model that knows the language
//! (<https://www.assemblyai.com/docs/pre-recorded-audio/select-the-speech-model>).

#[cfg(test)]
mod tests;
mod utterances;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::fault::Fault;
use domain::refusal::{Destination, Failure, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Group, Values};
use platform::http::{self, HttpError};
use platform::seal;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use super::chain;
use super::reading::{self, Reading};
use super::requests::{CODES, declare, price};
use super::words::{Limits, fitting};
use super::{
    Audio, GivenUp, MAX_ANSWER_BYTES, Notify, Progress, SpeechJobs, SpeechToText, Unreadable, Wanted, Webhook,
};
use crate::descriptor::{Check, Checked, Descriptor};
use crate::requests::counted;
use crate::said;
use crate::slots::Slots;
use crate::versions::{ASSEMBLYAI_MODELS as MODELS, ASSEMBLYAI_STREAM_MODEL as STREAM_MODEL};
use utterances::Spoken;

pub(super) const NAME: &str = "assemblyai";
const TITLE: &str = "AssemblyAI";
pub(super) const BASE_URL: &str = "https://api.assemblyai.com";
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an upload may take. The provider takes at most 2.2 GB, which needs about this long at 30 Mbit/s. RabbitMQ
/// allows 30 minutes for a delivery, and the fetch of the recording has to fit into them too.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);
/// How old a job may become. The provider takes at most ten hours of audio, and finishes them in much less than one
/// hour.
const DEADLINE: Duration = Duration::from_hours(3);
/// The provider takes 1000 terms of at most six words
/// (<https://assemblyai.com/docs/pre-recorded-audio/keyterms-prompting>). A shorter list serves better.
const WORDS: Limits = Limits { entries: 200, words_of_entry: 6, chars_of_entry: 100, chars: 5_000 };

pub(super) static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: TITLE,
    advice: "check ASSEMBLYAI_API_KEY, and the account",
    codes: CODES,
    default_wait: Duration::from_secs(10),
};

pub static DESCRIPTOR: Descriptor<SpeechToText> = Descriptor {
    name: NAME,
    service: Some("transcription"),
    key: "ASSEMBLYAI_API_KEY",
    settings: Group {
        title: "Speech to text: AssemblyAI",
        keys: &[
            secret("ASSEMBLYAI_API_KEY", "Turns AssemblyAI on."),
            plain("ASSEMBLYAI_BASE_URL", BASE_URL, "Its address."),
            plain(
                MODELS.setting,
                MODELS.default,
                "The models that may transcribe, comma separated. The first that knows the language is taken.",
            ),
            plain(
                "ASSEMBLYAI_RATE",
                "",
                "Recordings handed over in a time, such as 5/s, 100/m or 1000/h; one counts once, however often it is \
                 asked for. Absent: no limit.",
            ),
            plain(
                "ASSEMBLYAI_POLL",
                "",
                "How often a transcript that is being made is asked for. Absent: every 3s at first, every 30s later.",
            ),
            plain(
                "ASSEMBLYAI_REDACT",
                "",
                "What it takes out of transcripts, comma separated: person_name, phone_number, credit_card_number … \
                 Absent: nothing.",
            ),
            plain(
                "ASSEMBLYAI_PRICE_MINUTE",
                "",
                "US dollars for a minute of audio. Absent: no cost is recorded.",
            ),
            plain(
                "ASSEMBLYAI_STREAM_URL",
                "",
                "The address for calls that are being spoken. Absent: made from ASSEMBLYAI_BASE_URL.",
            ),
            plain(STREAM_MODEL.setting, STREAM_MODEL.default, "The model that transcribes them."),
            plain(
                "ASSEMBLYAI_STREAM_PRICE_MINUTE",
                "",
                "US dollars for a minute of them. Absent: as ASSEMBLYAI_PRICE_MINUTE.",
            ),
            secret(
                "ASSEMBLYAI_WEBHOOK_SECRET",
                "What its webhook must bring in a header. Absent: made from the API key. Used with DEBRIEF_PUBLIC_URL.",
            ),
        ],
    },
    make: |values, slots| {
        let client = AssemblyAi::from_values(values, slots)?;
        let is_named = chain::names(values, NAME)?;
        Ok(client.filter(|_| is_named).map(|client| SpeechToText::Job(Arc::new(client))))
    },
};

pub struct AssemblyAi {
    client: Client,
    base: Url,
    key: SecretString,
    models: Vec<String>,
    /// The kinds of personal data that the provider takes out of transcripts.
    redact: Vec<String>,
    price: Option<f64>,
    /// How often a job is looked at. `None` where `ASSEMBLYAI_POLL` is not set.
    poll: Option<Duration>,
    webhook_secret: SecretString,
    limiter: Limiter,
}

#[derive(Deserialize)]
struct Uploaded {
    upload_url: String,
}

#[derive(Deserialize)]
struct Job {
    id: String,
}

#[derive(Deserialize)]
struct View {
    status: String,
    error: Option<String>,
}

impl AssemblyAi {
    /// Reads the settings. `None` where no `ASSEMBLYAI_API_KEY` is set.
    pub fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let base = values.url("ASSEMBLYAI_BASE_URL", BASE_URL)?;
        let rate = values.rate("ASSEMBLYAI_RATE")?;
        let poll = values.text("ASSEMBLYAI_POLL").map(|_| values.duration("ASSEMBLYAI_POLL", Duration::ZERO));
        let models = models(values)?;
        let redact = redact(values)?;
        let price = price(values, "ASSEMBLYAI_PRICE_MINUTE")?;
        let configured = values.secret("ASSEMBLYAI_WEBHOOK_SECRET");
        let Some(key) = values.secret("ASSEMBLYAI_API_KEY") else { return Ok(None) };
        let configured = configured.as_ref().map(ExposeSecret::expose_secret);
        let webhook_secret = SecretString::from(seal::webhook_secret(configured, key.expose_secret()));
        declare(NAME);
        Ok(Some(Self {
            client: http::client(REQUEST_TIMEOUT),
            base,
            models,
            redact,
            price,
            poll: poll.transpose()?,
            webhook_secret,
            limiter: slots.limiter(NAME, "ASSEMBLYAI_RATE", rate),
            key,
        }))
    }

    fn get(&self, path: &[&str]) -> RequestBuilder {
        let mut address = self.base.clone();
        // Each part becomes exactly one segment of the path, so an id from outside cannot lead to another path.
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        self.client.get(address).header(AUTHORIZATION, self.key.expose_secret())
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(http::join(&self.base, path)).header(AUTHORIZATION, self.key.expose_secret())
    }

    /// Uploads the audio, and takes the one slot of the rate limit for the whole job. If the submission needed a
    /// second slot, other runs could take that slot, and long audio would be uploaded again and again.
    async fn upload(&self, audio: Audio) -> Result<String, Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))?;
        let request = self
            .post("/v2/upload")
            .timeout(UPLOAD_TIMEOUT)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, audio.bytes)
            .body(Body::wrap_stream(audio.body));
        let uploaded: Uploaded = self.read(request).await?;
        Ok(uploaded.upload_url)
    }

    async fn submit(
        &self,
        uploaded: &str,
        wanted: &Wanted,
        notify: Option<&Notify>,
    ) -> Result<String, Refusal> {
        let mut body = json!({ "audio_url": uploaded, "speech_models": self.models });
        match &wanted.language {
            // The provider writes a region with an underscore, as in `en_us`.
            Some(tag) => body["language_code"] = tag.replace('-', "_").to_lowercase().into(),
            None => body["language_detection"] = true.into(),
        }
        // With both, the provider would look for several voices on each channel.
        let speakers = if wanted.is_one_speaker_a_channel() { "multichannel" } else { "speaker_labels" };
        body[speakers] = true.into();
        let words = fitting(&wanted.words, WORDS);
        if !words.is_empty() {
            body["keyterms_prompt"] = json!(words);
        }
        if !self.redact.is_empty() {
            body["redact_pii"] = true.into();
            body["redact_pii_policies"] = json!(self.redact);
            body["redact_pii_sub"] = "entity_name".into();
        }
        if let Some(notify) = notify {
            body["webhook_url"] = notify.url.as_str().into();
            body["webhook_auth_header_name"] = notify.header.into();
            body["webhook_auth_header_value"] = notify.secret.expose_secret().into();
        }
        let job: Job = self.read(self.post("/v2/transcript").json(&body)).await?;
        Ok(job.id)
    }

    async fn look(&self, job: &str) -> Result<Progress, Refusal> {
        let request = self.get(&["v2", "transcript", job]);
        let answer = counted(NAME, http::send_up_to(request, MAX_ANSWER_BYTES)).await;
        match answer {
            Ok(answer) => progress(answer.body).map_err(Refusal::without_effect),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(Progress::Unknown),
            Err(error) => Err(self.refusal(&error).without_effect()),
        }
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Refusal> {
        let answer = counted(NAME, http::send(request)).await.map_err(|error| self.refusal(&error))?;
        parsed(&answer.body)
    }

    fn refusal(&self, error: &HttpError) -> Refusal {
        let said = complaint(error.body());
        let models: Vec<&str> = self.models.iter().map(String::as_str).collect();
        let refusal = Refusal::of(&REMOTE, &error.failure(said::shown(None, said.as_deref(), &models)));
        // For an account without money the provider answers with status 400.
        if error.body().contains("account balance") {
            return Refusal {
                fault: Fault::Unavailable,
                code: REMOTE.codes.account,
                text: format!("failed to use AssemblyAI: the account is out of credit: {}", REMOTE.advice),
                ..refusal
            };
        }
        match said {
            Some(said) if refusal.fault == Fault::Permanent && names_models(&said) => {
                Refusal { text: format!("{}: check {}", refusal.text, MODELS.setting), ..refusal }
            }
            _ => refusal,
        }
    }
}

/// Returns the models of the setting, or the default models.
fn models(values: &Values) -> Result<Vec<String>, ConfigError> {
    let set = values.list(MODELS.setting);
    if set.is_empty() && values.text(MODELS.setting).is_some() {
        return Err(ConfigError::new(MODELS.setting, "names no model"));
    }
    let default = || MODELS.default.split(',').map(str::to_owned).collect();
    Ok(if set.is_empty() { default() } else { set })
}

/// Reads the kinds of personal data that are taken out. The provider's own list of them grows, so only their form is
/// checked.
fn redact(values: &Values) -> Result<Vec<String>, ConfigError> {
    let kinds = values.list("ASSEMBLYAI_REDACT");
    let is_kind = |kind: &str| {
        kind.len() <= 60 && !kind.is_empty() && kind.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    match kinds.iter().find(|kind| !is_kind(kind)) {
        Some(wrong) => {
            Err(ConfigError::not("ASSEMBLYAI_REDACT", wrong, "a kind of data, such as phone_number"))
        }
        None => Ok(kinds),
    }
}

/// Reads the provider's error text from the body of a refusal.
fn complaint(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Complaint {
        error: String,
    }
    serde_json::from_str::<Complaint>(body).ok().map(|complaint| complaint.error)
}

fn names_models(said: &str) -> bool {
    said.contains("speech_model") || said.contains("speech model")
}

impl SpeechJobs for AssemblyAi {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn upload(&self, audio: Audio) -> BoxFuture<'_, Result<String, Refusal>> {
        self.upload(audio).boxed()
    }

    fn submit<'a>(
        &'a self,
        uploaded: &'a str,
        wanted: &'a Wanted,
        notify: Option<&'a Notify>,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        self.submit(uploaded, wanted, notify).boxed()
    }

    fn look<'a>(&'a self, job: &'a str) -> BoxFuture<'a, Result<Progress, Refusal>> {
        self.look(job).boxed()
    }

    fn look_again_after(&self, age: Duration) -> Duration {
        self.poll.unwrap_or_else(|| super::look_again_after(age))
    }

    fn deadline(&self) -> Duration {
        DEADLINE
    }

    fn webhook(&self) -> Option<Webhook> {
        Some(Webhook {
            path: "/webhooks/assemblyai",
            header: seal::WEBHOOK_SECRET_HEADER,
            secret: self.webhook_secret.clone(),
        })
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        read(answer)
    }

    fn price_per_minute(&self) -> Option<f64> {
        self.price
    }
}

impl Check for AssemblyAi {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        self.try_out().boxed()
    }
}

impl AssemblyAi {
    /// Checks the key and the models. The list of jobs shows whether the key is valid. The provider has no list of
    /// models, so the check submits a job without audio. The provider always refuses such a job, and it costs
    /// nothing. If the models are wrong, the refusal names them.
    async fn try_out(&self) -> Result<Checked, Refusal> {
        let list = self.get(&["v2", "transcript"]).query(&[("limit", "1")]);
        counted(NAME, http::send(list)).await.map_err(|error| self.refusal(&error).without_effect())?;
        let request = self.post("/v2/transcript").json(&json!({ "speech_models": self.models }));
        match counted(NAME, http::send(request)).await {
            Err(error) if complaint(error.body()).is_some_and(|said| names_models(&said)) => {
                Err(self.refusal(&error).without_effect())
            }
            _ => Ok(Checked::Reached { notes: vec![format!("it takes {}", self.models.join(", "))] }),
        }
    }
}

/// Reads the answer for a job that is done.
pub(super) fn read(answer: &[u8]) -> Result<Reading, Unreadable> {
    reading::json::<Spoken>(TITLE, answer).map(Spoken::reading)
}

/// Reads an answer. The error says where the answer is wrong, without any words of a call.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        not_understood(format!("not the JSON expected ({:?} at column {})", error.classify(), error.column()))
    })
}

fn not_understood(problem: String) -> Refusal {
    Refusal::of(&REMOTE, &Failure::Lost { problem })
}

fn progress(body: Bytes) -> Result<Progress, Refusal> {
    let view: View = parsed(&body)?;
    match view.status.as_str() {
        "queued" | "processing" => Ok(Progress::Running),
        "completed" => Ok(Progress::Done(body)),
        "error" => {
            let fault = fault_of_the_audio(&view.error.unwrap_or_default());
            let reason = fault.unwrap_or("what it says of the job stands in its own list of jobs").to_owned();
            Ok(Progress::Failed(GivenUp { for_good: fault.is_some(), reason }))
        }
        _ => Err(not_understood("a status that is not known".to_owned())),
    }
}

/// Finds out whether the audio itself is the reason. The provider's errors have no codes, so the known sentences
/// about unusable audio are listed here. After any other error another try makes sense. Only the listed sentences are
/// shown, because others can quote the audio's address or anything else.
fn fault_of_the_audio(reason: &str) -> Option<&'static str> {
    let reason = reason.to_lowercase();
    let known = [
        "does not appear to contain audio",
        "no spoken audio",
        "too short",
        "too long",
        "file type",
        "transcoding failed",
        "no audio",
    ];
    known.into_iter().find(|words| reason.contains(words))
}
