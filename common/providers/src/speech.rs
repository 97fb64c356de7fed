//! Speech to text.
//!
//! Providers answer in two ways, and each client implements one of them. Some providers work on a *job*: they take
//! the audio and return the id of a job, and we look at the job until it is done ([`SpeechJobs`]). Other providers
//! answer *at once*: the paid request holds the audio, and the answer is the transcript ([`SpeechAtOnce`]). Both give
//! their answer as it came. The caller keeps it, and the client reads it ([`Reading`]) as often as somebody asks.
//!
//! A voice is called `A`, `B`, `C` … in every transcript, and a channel of the recording is called `1`, `2` …, whatever
//! the provider calls them.

pub mod assemblyai;
mod chain;
pub mod deepgram;
pub mod elevenlabs;
pub mod local;
pub mod openai;
mod reading;
mod requests;
pub mod streaming;
mod transcriptions;
pub mod whisper;
mod words;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::refusal::{Destination, Refusal, Remote};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use platform::blobs::BlobError;
use secrecy::SecretString;

use crate::descriptor::{Check, Checked, Descriptor};

pub use chain::{SETTINGS, configured, configured_for};
pub use reading::{Reading, TimedWord, Used};
pub use requests::transcribed;

/// The destination that runs wait for while no provider is configured, and while several providers are away.
pub const NOBODY: Destination = Destination::named("speech_to_text");

/// The longest answer that is read, in bytes. The transcript of ten hours, with a time for each word, is some 30 MB.
pub const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

const SOONEST_LOOK: Duration = Duration::from_secs(3);
const LATEST_LOOK: Duration = Duration::from_secs(30);

/// Every provider of speech to text, in the order in which they are tried where `SPEECH` does not say another.
pub static ALL: &[&Descriptor<SpeechToText>] = &[
    &assemblyai::DESCRIPTOR,
    &deepgram::DESCRIPTOR,
    &openai::DESCRIPTOR,
    &elevenlabs::DESCRIPTOR,
    &local::DESCRIPTOR,
    &whisper::DESCRIPTOR,
];

/// Reads a kept answer.
pub type Reader = fn(&[u8]) -> Result<Reading, Unreadable>;

/// The reader for the answers of the provider with this name. An answer that was paid for can be read after its
/// provider was turned off.
pub fn reader(provider: &str) -> Option<Reader> {
    match provider {
        assemblyai::NAME => Some(assemblyai::read),
        deepgram::NAME => Some(deepgram::read),
        elevenlabs::NAME => Some(elevenlabs::read),
        openai::NAME => Some(openai::read),
        local::NAME => Some(local::read),
        whisper::NAME => Some(whisper::read),
        _ => None,
    }
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

impl SpeechToText {
    pub fn remote(&self) -> &'static Remote {
        match self {
            Self::Job(provider) => provider.remote(),
            Self::AtOnce(provider) => provider.remote(),
        }
    }

    /// Reads a kept answer of this provider.
    pub fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        match self {
            Self::Job(provider) => provider.read(answer),
            Self::AtOnce(provider) => provider.read(answer),
        }
    }

    /// What a minute of audio costs in US dollars. `None` where no price is set.
    pub fn price_per_minute(&self) -> Option<f64> {
        match self {
            Self::Job(provider) => provider.price_per_minute(),
            Self::AtOnce(provider) => provider.price_per_minute(),
        }
    }
}

impl Check for SpeechToText {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        match self {
            Self::Job(provider) => provider.check(),
            Self::AtOnce(provider) => provider.check(),
        }
    }

    fn remarks(&self) -> Vec<String> {
        match self {
            Self::Job(provider) => provider.remarks(),
            Self::AtOnce(provider) => provider.remarks(),
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
        wanted: &'a Wanted,
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

    /// Reads the answer for a job that is done.
    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable>;

    /// What a minute of audio costs in US dollars. `None` where no price is set.
    fn price_per_minute(&self) -> Option<f64> {
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
    fn transcribe<'a>(&'a self, audio: Audio, wanted: &'a Wanted) -> BoxFuture<'a, Result<Answer, Refusal>>;

    /// How long [`Self::transcribe`] may take, from the first byte that is sent to the last byte that is read. The
    /// delivery is held all this time, and a broker allows half an hour for a delivery. So the time must be much
    /// shorter than that.
    fn timeout(&self) -> Duration;

    /// The longest answer that is kept, in bytes. A longer answer is refused for good, because the next answer would
    /// be just as long and would cost money too.
    fn max_answer_bytes(&self) -> u64 {
        MAX_ANSWER_BYTES
    }

    /// The longest recording that the provider takes, in bytes. A longer one is cut into pieces.
    fn max_audio_bytes(&self) -> Option<u64> {
        None
    }

    /// The longest recording that the provider takes, in milliseconds. A longer one is cut into pieces, however small it is.
    fn max_audio_ms(&self) -> Option<i64> {
        None
    }

    /// How much memory of this process the work on a recording takes. It is 0 where somebody else works.
    fn memory_bytes(&self) -> u64 {
        0
    }

    /// Reads a kept answer.
    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable>;

    /// What a minute of audio costs in US dollars. `None` where no price is set.
    fn price_per_minute(&self) -> Option<f64> {
        None
    }
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
    /// The media type of the content, or else the one that the source named, such as `audio/mpeg`.
    pub media_type: Option<String>,
    pub body: BoxStream<'static, Result<Bytes, BlobError>>,
}

impl Audio {
    /// A name for the file whose extension says what it is. Some providers look at nothing else.
    pub fn file_name(&self) -> String {
        let kind = self.media_type.as_deref().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let extension = match kind.as_str() {
            "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
            "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
            "video/mp4" => "mp4",
            "audio/flac" | "audio/x-flac" => "flac",
            "audio/ogg" | "audio/opus" | "application/ogg" => "ogg",
            "audio/webm" | "video/webm" => "webm",
            "audio/aac" => "aac",
            "audio/aiff" | "audio/x-aiff" => "aiff",
            "audio/amr" => "amr",
            "audio/basic" => "au",
            "audio/x-ms-wma" => "wma",
            // Telephone systems write MP3, and most files without a name are MP3.
            _ => "mp3",
        };
        format!("recording.{extension}")
    }
}

/// What should be in the transcript of a recording, and what is known about the recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names and words that are likely to be spoken, the most important first.
    pub words: Vec<String>,
    /// The language of the call as a BCP 47 tag. `None` where the provider has to find out.
    pub language: Option<String>,
    /// How many channels the recording has, where each of them holds speakers of its own. 1 for a
    /// piece in which all channels are mixed. `None` where everybody is heard in every channel, and where that is not known.
    pub channels: Option<u16>,
}

impl Wanted {
    /// Whether each channel of the recording is a speaker of its own. That holds for the two channels of a telephone
    /// call. A recording with more channels is a studio's, and its channels say nothing about speakers.
    pub fn is_one_speaker_a_channel(&self) -> bool {
        self.channels == Some(2)
    }

    /// The language without its region, as most providers name it.
    fn base_language(&self) -> Option<&str> {
        self.language.as_deref().map(|tag| tag.split(['-', '_']).next().unwrap_or(tag))
    }
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
    /// The job is done. This is the answer as it came, which was paid for.
    Done(Bytes),
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
    use futures::{StreamExt as _, stream};
    use platform::config::Values;

    use super::*;
    use crate::Slots;

    #[test]
    fn a_job_is_looked_at_less_often_as_it_gets_older() {
        let waits = [0, 60, 100, 300, 10_000].map(|age| look_again_after(Duration::from_secs(age)).as_secs());
        assert_eq!(waits, [3, 6, 10, 30, 30]);
    }

    #[test]
    fn without_a_key_there_is_no_provider_and_the_keys_are_named() {
        let none = configured(&Values::default(), &Slots::of_this_process()).unwrap();
        assert!(none.is_empty());
        assert!(keys().contains("ASSEMBLYAI_API_KEY"));
    }

    #[test]
    fn a_file_name_says_what_the_content_is() {
        let name = |kind: Option<&str>| {
            let body = stream::empty().boxed();
            Audio { bytes: 0, media_type: kind.map(str::to_owned), body }.file_name()
        };
        assert_eq!(name(Some("audio/wav")), "recording.wav");
        assert_eq!(name(Some("Audio/MP4; codecs=mp4a")), "recording.m4a");
        assert_eq!(name(Some("application/octet-stream")), "recording.mp3");
        assert_eq!(name(None), "recording.mp3");
    }

    #[test]
    fn the_two_channels_of_a_call_are_two_speakers_and_other_channels_say_nothing() {
        let wanted = |channels| Wanted { channels, ..Wanted::default() }.is_one_speaker_a_channel();
        assert_eq!([None, Some(1), Some(2), Some(6)].map(wanted), [false, false, true, false]);
    }

    #[test]
    fn every_provider_has_a_reader_that_works_without_its_key() {
        for provider in ALL {
            let unreadable = reader(provider.name).unwrap()(b"<html>").unwrap_err();
            assert!(!unreadable.to_string().contains("html"), "{unreadable}");
        }
        assert!(reader("somebody").is_none());
    }
}
