//! Speech to text, in the worker's words. A provider takes audio, works on a job, and is asked for it.

pub mod assemblyai;

use std::time::Duration;

use bytes::Bytes;
use domain::fault::Fault;
use domain::transcript::Transcript;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use platform::blobs::BlobError;
use platform::cache::RateUsedUp;
use platform::http::HttpError;
use queue_topology::StageError;
use reqwest::StatusCode;
use secrecy::SecretString;

pub trait SpeechToText: Send + Sync {
    /// The provider, as effects and parked runs name it: `assemblyai`.
    fn name(&self) -> &'static str;
    /// Hands the audio over, and returns by what the provider knows it. Costs nothing, and may be done again.
    fn upload(&self, audio: Audio) -> BoxFuture<'_, Result<String, SpeechError>>;
    /// Has uploaded audio transcribed, and returns the provider's id of the job. This is what is paid for.
    fn submit<'a>(
        &'a self,
        uploaded: &'a str,
        notify: Option<&'a Notify>,
    ) -> BoxFuture<'a, Result<String, SpeechError>>;
    fn look<'a>(&'a self, job: &'a str) -> BoxFuture<'a, Result<Progress, SpeechError>>;
}

/// A recording, piece by piece: it is never whole in memory.
pub struct Audio {
    pub bytes: u64,
    pub body: BoxStream<'static, Result<Bytes, BlobError>>,
}

/// Where the provider says that it is done, and with which header it proves that it is the one we told.
#[derive(Clone, Debug)]
pub struct Notify {
    pub url: String,
    pub header: &'static str,
    pub secret: SecretString,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    Running,
    /// Its segments are numbered; there are none where nobody spoke.
    Done(Transcript),
    Failed(Failed),
}

/// A job that the provider gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub reason: String,
    /// Whether it is the audio's fault: the same audio would fail again.
    pub for_good: bool,
}

/// What went wrong at a provider, by what is to be done about it.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// It refuses our key, or the account: somebody has to mend that.
    #[error("{provider} refuses our account: {answer}")]
    Account { provider: &'static str, answer: HttpError },
    /// It cannot be reached.
    #[error("failed to reach {provider}: {answer}")]
    Down { provider: &'static str, answer: HttpError },
    #[error("{provider} asks us to wait")]
    Throttled { provider: &'static str, wait: Duration },
    /// Our own limit.
    #[error(transparent)]
    RateUsedUp(#[from] RateUsedUp),
    /// No answer, a broken one, or a failure on its side: it may have done what was asked.
    #[error("{provider} gave no usable answer: {problem}")]
    Unclear { provider: &'static str, problem: String },
    /// It does not know the job (any more).
    #[error("{provider} does not know the job")]
    NoSuchJob { provider: &'static str },
    /// It refuses what we sent, and will again.
    #[error("{provider} refuses the request: {answer}")]
    Refused { provider: &'static str, answer: HttpError },
}

/// Where a 429 does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

impl SpeechError {
    pub(crate) fn of(provider: &'static str, answer: HttpError) -> Self {
        match &answer {
            HttpError::NotSent(_) => Self::Down { provider, answer },
            HttpError::Lost(_) | HttpError::TooLong => {
                Self::Unclear { provider, problem: answer.to_string() }
            }
            HttpError::Status { status, retry_after, .. } => match *status {
                StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
                    Self::Account { provider, answer }
                }
                StatusCode::TOO_MANY_REQUESTS => {
                    Self::Throttled { provider, wait: retry_after.unwrap_or(DEFAULT_WAIT) }
                }
                StatusCode::REQUEST_TIMEOUT => Self::Unclear { provider, problem: answer.to_string() },
                status if status.is_server_error() => Self::Unclear { provider, problem: answer.to_string() },
                _ => Self::Refused { provider, answer },
            },
        }
    }
}

impl From<SpeechError> for StageError {
    fn from(error: SpeechError) -> Self {
        match &error {
            SpeechError::RateUsedUp(used_up) => used_up.clone().into(),
            SpeechError::Account { provider, .. } => {
                Self::unavailable(*provider, "speech_to_text_refuses_account", error)
            }
            SpeechError::Down { provider, .. } => {
                Self::unavailable(*provider, "speech_to_text_unreachable", error)
            }
            SpeechError::Throttled { wait, .. } => {
                Self::new(Fault::Throttled(*wait), "speech_to_text_throttled", error)
            }
            SpeechError::Unclear { .. } => Self::transient("speech_to_text_failed", error).maybe_sent(),
            SpeechError::NoSuchJob { .. } => Self::transient("transcription_lost", error),
            SpeechError::Refused { .. } => Self::permanent("speech_to_text_refused", error),
        }
    }
}
