//! What a provider's protocol is: audio becomes messages, and messages become what was heard. All times are those of the
//! connection: its first sample is at 0.

use tokio_tungstenite::tungstenite::Message;

/// How a provider talks on one connection.
pub(super) trait Protocol: Send {
    /// The messages with which the conversation begins.
    fn hello(&mut self) -> Vec<Message> {
        Vec::new()
    }

    /// The messages that carry this audio, which has 16 kHz.
    fn audio(&mut self, samples: &[i16]) -> Vec<Message>;

    /// What a message says.
    fn read(&mut self, message: &str) -> Result<Vec<Heard>, Broken>;

    /// The message that ends the turn that is spoken. `None` where there is nothing to end.
    fn end_turn(&mut self) -> Option<Message>;

    /// The message that keeps a connection open on which no audio comes.
    fn keep_alive(&self) -> Option<Message> {
        None
    }

    /// The messages that end the conversation. The provider still says what it has not said.
    fn finish(&mut self) -> Vec<Message>;

    /// How the audio is sent.
    fn pace(&self) -> Pace;
}

/// How fast audio may be sent, and in which portions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    /// The shortest and the longest frame, in milliseconds.
    pub(super) shortest_ms: i64,
    pub(super) longest_ms: i64,
    /// How many times faster than it was spoken audio may be sent.
    pub(super) speed: f64,
}

/// What a provider heard.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// The words of a turn so far. They take the place of what was said of this turn before.
    Partial(Utterance),
    /// The words of a turn that is over, but a better version of them should follow at once.
    Ending(Utterance),
    /// The turn is over.
    Final(Utterance),
    /// Everything that was sent is transcribed. This is the last message.
    Finished,
}

/// What is said in a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Utterance {
    /// Tells the turns of the connection apart.
    pub(super) turn: i64,
    pub(super) text: String,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) confidence: Option<f64>,
    /// The provider's label of the voice.
    pub(super) speaker: Option<String>,
    pub(super) language: Option<String>,
    /// The words with their times, where the provider gives them.
    pub(super) words: Vec<Word>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

/// The connection cannot go on. The text repeats no words of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken(pub(super) String);

/// Little-endian bytes of samples.
pub(super) fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}
