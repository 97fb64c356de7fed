//! Speech to text.
//!
//! Providers answer in two ways, and a client is one of them. One that works on a *job* takes the audio, says by what
//! it knows the job, and is looked at until the transcript is there ([`SpeechJobs`]). One that answers *at once*
//! takes the audio in the request that is paid for, and its answer is the transcript ([`SpeechAtOnce`]).

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

/// What runs wait for while no provider is configured.
pub const NOBODY: Destination = Destination::named("speech_to_text");

/// The longest answer that is read, in bytes. The transcript of ten hours, with a time for each word, is some 30 MB.
pub const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

const SOONEST_LOOK: Duration = Duration::from_secs(3);
const LATEST_LOOK: Duration = Duration::from_secs(30);

/// Every provider, in the order in which they are chosen.
pub static ALL: [&Descriptor<SpeechToText>; 1] = [&assemblyai::DESCRIPTOR];

/// The provider that transcribes: the first that is turned on.
pub fn configured(values: &Values, slots: &Slots) -> Result<Option<SpeechToText>, ConfigError> {
    first(&ALL, values, slots)
}

/// Whether an effect with this target is a transcription.
pub fn is_provider(target: &str) -> bool {
    ALL.iter().any(|provider| provider.name == target)
}

/// The settings of which each turns a provider on, for a message.
pub fn keys() -> String {
    ALL.map(|provider| provider.key).join(" or ")
}

/// A provider, by the way in which it answers.
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

    /// Hands the audio over, and returns by what the provider knows it. Costs nothing, and may be done again.
    fn upload(&self, audio: Audio) -> BoxFuture<'_, Result<String, Refusal>>;

    /// Has uploaded audio transcribed, and returns the provider's id of the job. This is what is paid for.
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

    /// How the provider can tell us that a job is done. Absent: it is only looked at.
    fn webhook(&self) -> Option<Webhook> {
        None
    }
}

/// Less often as the job gets older.
fn look_again_after(age: Duration) -> Duration {
    (age / 10).clamp(SOONEST_LOOK, LATEST_LOOK)
}

/// A provider whose answer to the audio is the transcript.
pub trait SpeechAtOnce: Check + Send + Sync {
    fn remote(&self) -> &'static Remote;

    /// Sends the audio, and returns the answer piece by piece, as it came. This is what is paid for: whoever calls it
    /// keeps the answer before anything reads it.
    fn transcribe(&self, audio: Audio) -> BoxFuture<'_, Result<Answer, Refusal>>;

    /// How long [`Self::transcribe`] may take, from the first byte that is sent to the last that is read. The run
    /// is held for so long, so it must stay well below the half hour for which a broker lets a delivery be held.
    fn timeout(&self) -> Duration;

    /// The longest answer that is kept, in bytes. A longer one is refused for good: the next would be as long, and
    /// paid for as well.
    fn max_answer_bytes(&self) -> u64 {
        MAX_ANSWER_BYTES
    }

    /// Reads an answer that was kept.
    fn read(&self, answer: &[u8]) -> Result<Transcript, Unreadable>;
}

/// An answer to the audio, as it comes in.
pub type Answer = BoxStream<'static, Result<Bytes, Refusal>>;

/// An answer that is none of the provider's, by where it goes wrong. No text repeats what was said in the call.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the answer of {provider}: {problem}")]
pub struct Unreadable {
    pub provider: &'static str,
    pub problem: String,
}

/// A recording, piece by piece: it is never whole in memory.
pub struct Audio {
    pub bytes: u64,
    /// As its source said it, such as `audio/mpeg`.
    pub media_type: Option<String>,
    pub body: BoxStream<'static, Result<Bytes, BlobError>>,
}

/// Where our door for a provider's webhook is, and what the provider has to bring there.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Below our public address.
    pub path: &'static str,
    pub header: &'static str,
    pub secret: SecretString,
}

/// Where the provider says that it is done, and with which header it proves that it is the one we told.
#[derive(Clone, Debug)]
pub struct Notify {
    pub url: String,
    pub header: &'static str,
    pub secret: SecretString,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    Running,
    /// Its segments are numbered; there are none where nobody spoke.
    Done(Transcript),
    Failed(GivenUp),
    /// The provider does not know the job (any more).
    Unknown,
}

/// Why the provider gave a job up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    pub reason: String,
    /// Whether it is the audio's fault: the same audio would fail again.
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
