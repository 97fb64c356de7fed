//! Speech to text while it is spoken, over a WebSocket.
//!
//! A provider implements [`StreamingSpeech`]: it opens a [`Connection`], whose *protocol* turns audio into messages and
//! messages into what was heard. A protocol reads and writes texts and knows no network, so a conversation that was
//! written down is a test. What is the same for every provider stands in the [`Transcriber`]: it connects again, sends again
//! what no final turn has answered, and ends turns that the provider does not end.

mod assemblyai;
mod buffer;
mod connection;
mod deepgram;
mod exchange;
mod openai;
mod pauses;
mod protocol;
mod task;
mod transcriber;
mod turns;
mod voices;

use std::sync::Arc;

use domain::refusal::{Refusal, Remote};
use futures::future::BoxFuture;
use platform::config::{ConfigError, Values};

use super::chain;
use crate::requests;
use crate::slots::Slots;

pub use connection::Connection;
pub use exchange::{Opening, Told};
pub use transcriber::Transcriber;
pub use turns::Turn;
pub use voices::KnownVoice;

/// The rate of the audio that a transcriber takes.
pub const RATE: u32 = media::audio::SPEECH_RATE;

/// A provider that transcribes while somebody speaks.
pub trait StreamingSpeech: Send + Sync {
    fn remote(&self) -> &'static Remote;

    /// The model that transcribes.
    fn model(&self) -> &str;

    /// Opens a connection. It costs money from here on.
    fn connect<'a>(&'a self, wanted: &'a StreamWanted) -> BoxFuture<'a, Result<Connection, Refusal>>;

    /// What a minute of audio costs in US dollars. `None` where no price is set.
    fn price_per_minute(&self) -> Option<f64>;
}

/// What should be in the words of a stream, and what is known about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamWanted {
    /// Names and words that are likely to be spoken, the most important first.
    pub words: Vec<String>,
    /// The language as a BCP 47 tag. `None` where the provider has to find out.
    pub language: Option<String>,
    /// Whether several people may speak in the one channel, and the provider has to tell their voices apart.
    pub voices: bool,
}

/// Makes the providers that transcribe a stream, in the order in which they are tried: those at the beginning of the order of
/// `setting`, or else of `SPEECH`. A provider that cannot stream ends the list. Whoever puts it first wants its words.
pub fn configured(
    values: &Values,
    slots: &Slots,
    setting: &str,
) -> Result<Vec<Arc<dyn StreamingSpeech>>, ConfigError> {
    let all = chain::configured_for(values, slots, setting)?;
    let mut streaming: Vec<Arc<dyn StreamingSpeech>> = Vec::new();
    for provider in &all {
        let made: Option<Arc<dyn StreamingSpeech>> = match &*provider.remote().destination {
            super::assemblyai::NAME => assemblyai::AssemblyAiStream::from_values(values)?.map(arc),
            super::deepgram::NAME => deepgram::DeepgramStream::from_values(values)?.map(arc),
            super::openai::NAME => openai::OpenAiStream::from_values(values)?.map(arc),
            _ => None,
        };
        let Some(made) = made else { break };
        requests::declare_streams(&provider.remote().destination);
        streaming.push(made);
    }
    Ok(streaming)
}

fn arc<T: StreamingSpeech + 'static>(provider: T) -> Arc<dyn StreamingSpeech> {
    Arc::new(provider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tls;

    fn names(settings: &[(&str, &str)]) -> Vec<String> {
        tls();
        let values = Values::of(settings.iter().copied());
        let made = configured(&values, &Slots::of_this_process(), "LIVE_SPEECH").unwrap();
        made.iter().map(|provider| provider.remote().destination.to_string()).collect()
    }

    const KEYS: [(&str, &str); 4] = [
        ("ASSEMBLYAI_API_KEY", "key"),
        ("DEEPGRAM_API_KEY", "key"),
        ("OPENAI_API_KEY", "key"),
        ("LOCAL_SPEECH_BASE_URL", "http://127.0.0.1:9"),
    ];

    #[test]
    fn the_providers_that_can_stream_are_tried_in_the_order_of_the_setting() {
        assert_eq!(names(&KEYS), ["assemblyai", "deepgram", "openai"]);
        let ordered = [&KEYS[..], &[("LIVE_SPEECH", "openai,deepgram")]].concat();
        assert_eq!(names(&ordered), ["openai", "deepgram"]);
    }

    #[test]
    fn nobody_behind_a_provider_that_cannot_stream_gets_the_audio() {
        let local_first = [&KEYS[..], &[("SPEECH", "local,deepgram")]].concat();
        assert!(names(&local_first).is_empty());
        let between = [&KEYS[..], &[("SPEECH", "deepgram,local,assemblyai")]].concat();
        assert_eq!(names(&between), ["deepgram"]);
    }
}
