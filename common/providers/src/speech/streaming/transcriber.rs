//! Transcribes one channel of a stream, over as many connections as it takes.
//!
//! A task of its own holds the connection. Audio goes to it without waiting, and what was heard comes back in its order.

use tokio::sync::mpsc;

use super::exchange::{Input, Opening, Told};
use super::task::Task;

/// How many messages may wait for the task. When it does not take them, the audio is transcribed in another way.
const WAITING_INPUTS: usize = 2_048;
const WAITING_TOLD: usize = 256;

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
