//! Speech to text.
//!
//! Providers answer in two ways, and each client implements one of them. Some providers work on a *job*: they take
//! the audio and return the id of a job, and we look at the job until the transcript is there ([`SpeechJobs`]). Other
//! providers answer *at once*: the paid request holds the audio, and the answer is the transcript ([`SpeechAtOnce`]).

pub mod assemblyai;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::refusal::{Destination, Refusal, Remote};
use domain::transcript::Transcript;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use platform::blobs::BlobError;
use platform::config::{ConfigError, Values};
use secrecy::SecretString;

use crate::descriptor::{Check, Checked, Descriptor, first};
use crate::slots::Slots;

/// The destination that runs wait for while no provider is configured.
pub const NOBODY: Destination = Destination::named("speech_to_text");

/// The longest answer that is read, in bytes. The transcript of ten hours, with a time for each word, is some 30 MB.
pub const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

const SOONEST_LOOK: Duration = Duration::from_secs(3);
const LATEST_LOOK: Duration = Duration::from_secs(30);

/// Every provider of speech to text. The first one in this list that is turned on is used.
pub static ALL: &[&Descriptor<SpeechToText>] = &[&assemblyai::DESCRIPTOR];

/// Makes the first provider that is turned on.
pub fn configured(values: &Values, slots: &Slots) -> Result<Option<SpeechToText>, ConfigError> {
    first(ALL, values, slots)
}

/// Whether an effect with this target is a transcription.
pub fn is_provider(target: &str) -> bool {
    ALL.iter().any(|provider| provider.name == target)
}

/// The settings of which each turns a provider on, for a message.
pub fn keys() -> String {
    ALL.iter().map(|provider| provider.key).collect::<Vec<_>>().join(" or ")
}

/// A provider, with the way in which it answers.
#[derive(Clone)]
pub enum SpeechToText {
    Job(Arc<dyn SpeechJobs>),
    AtOnce(Arc<dyn SpeechAtOnce>),
}

impl Check for SpeechToText {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        match self {
            Self::Job(provider) => provider.check(),
            Self::AtOnce(provider) => provider.check(),
        }
    }
}

/// A provider that works on a job while nobody waits for it.
pub trait SpeechJobs: Check + Send + Sync {
    fn remote(&self) -> &'static Remote;

    /// Uploads the audio, and returns the provider's name for it. An upload costs nothing and may be repeated.
    fn upload(&self, audio: Audio) -> BoxFuture<'_, Result<String, Refusal>>;

    /// Submits a job for uploaded audio, and returns the provider's id of the job. This request costs money.
    fn submit<'a>(
        &'a self,
        uploaded: &'a str,
        notify: Option<&'a Notify>,
    ) -> BoxFuture<'a, Result<String, Refusal>>;

    /// How long [`Self::submit`] may take.
    fn submit_timeout(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn look<'a>(&'a self, job: &'a str) -> BoxFuture<'a, Result<Progress, Refusal>>;

    /// How long to wait before a job of this age is looked at again.
    fn look_again_after(&self, age: Duration) -> Duration {
        look_again_after(age)
    }

    /// How old a job may become before it is given up.
    fn deadline(&self) -> Duration;

    /// How the provider can tell us that a job is done. `None` where we can only look at the job.
    fn webhook(&self) -> Option<Webhook> {
        None
    }
}

/// How long to wait before the next look. The pauses grow with the age of the job.
fn look_again_after(age: Duration) -> Duration {
    (age / 10).clamp(SOONEST_LOOK, LATEST_LOOK)
}

/// A provider that answers the audio with the transcript at once.
pub trait SpeechAtOnce: Check + Send + Sync {
    fn remote(&self) -> &'static Remote;

    /// Sends the audio, and returns the answer piece by piece, as it came. This request costs money, so the caller
    /// keeps the answer before anything reads it.
    fn transcribe(&self, audio: Audio) -> BoxFuture<'_, Result<Answer, Refusal>>;

    /// How long [`Self::transcribe`] may take, from the first byte that is sent to the last byte that is read. The
    /// delivery is held all this time, and a broker allows half an hour for a delivery. So the time must be much
    /// shorter than that.
    fn timeout(&self) -> Duration;

    /// The longest answer that is kept, in bytes. A longer answer is refused for good, because the next answer would
    /// be just as long and would cost money too.
    fn max_answer_bytes(&self) -> u64 {
        MAX_ANSWER_BYTES
    }

    /// Reads a kept answer.
    fn read(&self, answer: &[u8]) -> Result<Transcript, Unreadable>;
}

/// An answer to the audio, as it comes in.
pub type Answer = BoxStream<'static, Result<Bytes, Refusal>>;

/// The error for an answer that cannot be read. It says where the answer is wrong, and repeats no words of the call.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the answer of {provider}: {problem}")]
pub struct Unreadable {
    pub provider: &'static str,
    pub problem: String,
}

/// A recording, piece by piece. The whole recording is never in memory.
pub struct Audio {
    pub bytes: u64,
    /// The media type that the source named, such as `audio/mpeg`.
    pub media_type: Option<String>,
    pub body: BoxStream<'static, Result<Bytes, BlobError>>,
}

/// The route for a provider's webhook, and the secret that the provider has to send to it.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The path of the route, below our public address.
    pub path: &'static str,
    pub header: &'static str,
    pub secret: SecretString,
}

/// The address at which the provider tells us that a job is done, and the header with which it proves that the
/// message comes from it.
#[derive(Clone, Debug)]
pub struct Notify {
    pub url: String,
    pub header: &'static str,
    pub secret: SecretString,
}

/// The state of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    Running,
    /// The job is done. The segments of the transcript are numbered. There are no segments where nobody spoke.
    Done(Transcript),
    Failed(GivenUp),
    /// The provider does not know the job, or does not know it any more.
    Unknown,
}

/// Why the provider gave up a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    pub reason: String,
    /// Whether the audio is the reason. Then the same audio would fail again.
    pub for_good: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_looked_at_less_often_as_it_gets_older() {
        let waits = [0, 60, 100, 300, 10_000].map(|age| look_again_after(Duration::from_secs(age)).as_secs());
        assert_eq!(waits, [3, 6, 10, 30, 30]);
    }

    #[test]
    fn without_a_key_there_is_no_provider_and_the_keys_are_named() {
        let none = configured(&Values::default(), &Slots::of_this_process()).unwrap();
        assert!(none.is_none());
        assert!(keys().contains("ASSEMBLYAI_API_KEY"));
    }
}
