//! AssemblyAI: upload the audio, submit a transcript, look until it is done.
//!
//! The key stands in `Authorization` without `Bearer`. A transcript that failed comes with status 200 and
//! `status: error`. `speech_models` must be named; the first that knows the language is taken
//! (<https://www.assemblyai.com/docs/pre-recorded-audio/select-the-speech-model>).

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::transcript::{Segment, Transcript};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::{Cache, Limiter};
use platform::config::{ConfigError, Values};
use platform::http::{self, HttpError};
use queue_topology::table;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use super::{Audio, Failed, Notify, Progress, SpeechError, SpeechToText};

const NAME: &str = "assemblyai";
const SPEECH_MODELS: [&str; 2] = ["universal-3-pro", "universal-2"];
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// 2.2 GB, the most that is taken, at 30 Mbit/s. RabbitMQ allows a delivery 30 minutes, with the fetch before.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);

pub struct AssemblyAi {
    client: Client,
    base: Url,
    key: SecretString,
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
    text: Option<String>,
    language_code: Option<String>,
    confidence: Option<f64>,
    utterances: Option<Vec<Utterance>>,
}

#[derive(Deserialize)]
struct Utterance {
    speaker: Option<String>,
    text: String,
    /// Milliseconds.
    start: i64,
    end: i64,
    confidence: Option<f64>,
}

impl AssemblyAi {
    /// Absent where no `ASSEMBLYAI_API_KEY` is set. `cache` hands out the slots of `ASSEMBLYAI_RATE`.
    pub fn from_values(values: &Values, cache: Arc<dyn Cache>) -> Result<Option<Self>, ConfigError> {
        let base = values.url("ASSEMBLYAI_BASE_URL", "https://api.assemblyai.com")?;
        let rate = values.rate("ASSEMBLYAI_RATE")?;
        let may_wait = table::TRANSCRIPTION.spec.may_wait();
        let limiter = Limiter::new(cache, NAME, "ASSEMBLYAI_RATE", rate, may_wait);
        Ok(values.secret("ASSEMBLYAI_API_KEY").map(|key| Self {
            client: http::client(REQUEST_TIMEOUT),
            base,
            key,
            limiter,
        }))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(http::join(&self.base, path)).header(AUTHORIZATION, self.key.expose_secret())
    }

    /// Takes the slot of the whole job: with another for its submission, long audio would be sent again and
    /// again while others take that one.
    async fn upload(&self, audio: Audio) -> Result<String, SpeechError> {
        self.limiter.slot().await?;
        let request = self
            .post("/v2/upload")
            .timeout(UPLOAD_TIMEOUT)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, audio.bytes)
            .body(Body::wrap_stream(audio.body));
        let uploaded: Uploaded = read(request).await?;
        Ok(uploaded.upload_url)
    }

    async fn submit(&self, uploaded: &str, notify: Option<&Notify>) -> Result<String, SpeechError> {
        let mut body = json!({
            "audio_url": uploaded,
            "speech_models": SPEECH_MODELS,
            "language_detection": true,
            "speaker_labels": true,
        });
        if let Some(notify) = notify {
            body["webhook_url"] = notify.url.as_str().into();
            body["webhook_auth_header_name"] = notify.header.into();
            body["webhook_auth_header_value"] = notify.secret.expose_secret().into();
        }
        let job: Job = read(self.post("/v2/transcript").json(&body)).await?;
        Ok(job.id)
    }

    async fn look(&self, job: &str) -> Result<Progress, SpeechError> {
        let mut address = self.base.clone();
        // The id came from outside: as a segment it cannot climb to another path.
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().extend(["v2", "transcript", job]);
        }
        let request = self.client.get(address).header(AUTHORIZATION, self.key.expose_secret());
        match read::<View>(request).await {
            Ok(view) => progress(view),
            Err(SpeechError::Refused { answer, .. }) if answer.status() == Some(StatusCode::NOT_FOUND) => {
                Err(SpeechError::NoSuchJob { provider: NAME })
            }
            Err(error) => Err(error),
        }
    }
}

impl SpeechToText for AssemblyAi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn upload(&self, audio: Audio) -> BoxFuture<'_, Result<String, SpeechError>> {
        self.upload(audio).boxed()
    }

    fn submit<'a>(
        &'a self,
        uploaded: &'a str,
        notify: Option<&'a Notify>,
    ) -> BoxFuture<'a, Result<String, SpeechError>> {
        self.submit(uploaded, notify).boxed()
    }

    fn look<'a>(&'a self, job: &'a str) -> BoxFuture<'a, Result<Progress, SpeechError>> {
        self.look(job).boxed()
    }
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, SpeechError> {
    let answer = http::send(request).await.map_err(|answer| {
        let out_of_credit =
            matches!(&answer, HttpError::Status { body, .. } if body.contains("account balance"));
        if out_of_credit {
            SpeechError::Account { provider: NAME, answer }
        } else {
            SpeechError::of(NAME, answer)
        }
    })?;
    serde_json::from_slice(&answer.body)
        // Where and what, without the words of a call.
        .map_err(|error| SpeechError::Unclear {
            provider: NAME,
            problem: format!("not the JSON expected ({:?} at column {})", error.classify(), error.column()),
        })
}

fn progress(view: View) -> Result<Progress, SpeechError> {
    match view.status.as_str() {
        "queued" | "processing" => Ok(Progress::Running),
        "completed" => Ok(Progress::Done(transcript(view))),
        "error" => {
            let fault = fault_of_the_audio(&view.error.unwrap_or_default());
            let reason = fault.unwrap_or("what it says of the job stands in its own list of jobs").to_owned();
            Ok(Progress::Failed(Failed { for_good: fault.is_some(), reason }))
        }
        _ => Err(SpeechError::Unclear { provider: NAME, problem: "a status that is not known".into() }),
    }
}

/// Its errors have no codes. These are what it says of audio it cannot use; whatever else is worth another try.
/// Only they are repeated: the rest can quote the audio's address, or anything else.
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

fn transcript(view: View) -> Transcript {
    let spoken: Vec<Segment> = view
        .utterances
        .unwrap_or_default()
        .into_iter()
        .filter(|utterance| !utterance.text.trim().is_empty())
        .map(|utterance| Segment {
            id: 0,
            speaker: utterance.speaker,
            role: None,
            start_ms: Some(utterance.start),
            end_ms: Some(utterance.end.max(utterance.start)),
            text: utterance.text,
            confidence: share(utterance.confidence),
        })
        .collect();
    let text = view.text.filter(|text| !text.trim().is_empty());
    let segments = match text {
        // Without speakers it is one text.
        Some(text) if spoken.is_empty() => vec![Segment {
            id: 0,
            speaker: None,
            role: None,
            start_ms: None,
            end_ms: None,
            text,
            confidence: share(view.confidence),
        }],
        _ => spoken,
    };
    Transcript { language: view.language_code, segments }.numbered()
}

fn share(confidence: Option<f64>) -> Option<f64> {
    confidence.filter(|share| (0.0..=1.0).contains(share))
}
