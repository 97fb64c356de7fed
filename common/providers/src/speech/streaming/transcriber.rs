//! Transcribes one channel of a stream, over as many connections as it takes.
//!
//! A task of its own holds the connection. Audio goes to it without waiting, and what was heard comes back in its order.

use std::sync::Arc;

use domain::refusal::Refusal;
use tokio::sync::mpsc;

use super::task::Task;
use super::turns::Turn;
use super::voices::KnownVoice;
use super::{StreamWanted, StreamingSpeech};

/// How many messages may wait for the task. When it does not take them, the audio is transcribed in another way.
const WAITING_INPUTS: usize = 2_048;
const WAITING_TOLD: usize = 256;

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

/// The task that transcribes one channel. It ends when this is dropped.
pub struct Transcriber(mpsc::Sender<Input>);

impl Transcriber {
    /// Begins. What is heard comes out of the channel that is returned, which ends when the task ends.
    pub fn open(opening: Opening) -> (Self, mpsc::Receiver<Told>) {
        let (input, inputs) = mpsc::channel(WAITING_INPUTS);
        let (tell, told) = mpsc::channel(WAITING_TOLD);
        tokio::spawn(Task::new(opening, inputs, tell).run());
        (Self(input), told)
    }

    /// Gives the task audio of 16 kHz. Returns false when the task has ended, or takes nothing any more.
    pub fn push(&self, samples: Vec<i16>) -> bool {
        self.0.try_send(Input::Audio(samples)).is_ok()
    }

    /// No more audio comes. The task says what it has not said, and ends.
    pub async fn finish(self) {
        // A task that has ended has nothing to say.
        self.0.send(Input::Finish).await.ok();
    }
}
