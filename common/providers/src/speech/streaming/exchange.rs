//! What a transcriber and its task tell each other.

use std::sync::Arc;

use domain::refusal::Refusal;

use super::turns::Turn;
use super::voices::KnownVoice;
use super::{StreamWanted, StreamingSpeech};

/// What a transcriber begins with.
pub struct Opening {
    /// The providers in the order in which they are tried.
    pub providers: Vec<Arc<dyn StreamingSpeech>>,
    pub wanted: StreamWanted,
    /// The place of the first sample in the channel, counted in samples.
    pub starts_at: u64,
    /// Audio that came before, from `starts_at` on.
    pub audio: Vec<i16>,
    /// The place up to which the audio is transcribed already.
    pub covered: u64,
    /// Who spoke in the last seconds, by name.
    pub known: Vec<KnownVoice>,
}

/// What a transcriber says.
#[derive(Clone, Debug)]
pub enum Told {
    /// The words of a turn so far.
    Partial(Turn),
    /// The last words of a turn, and the place among the providers of who heard them.
    Final(Turn, usize),
    /// The turn with this number has no words after all.
    TakenBack(u64),
    /// Everything before this time is transcribed. `paid_ms` of audio were sent so far, to the provider at this place.
    Settled { until_ms: i64, paid_ms: i64, by: usize },
    /// Nobody transcribes what was not told. This is the last message.
    GivenUp(Refusal),
}

/// What the task is given.
pub(super) enum Input {
    Audio(Vec<i16>),
    Finish,
}
