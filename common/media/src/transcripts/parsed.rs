//! What reading a supplied transcript gives: the transcript, or the reason why there is none.

use domain::transcript::{Segment, Transcript};

/// The highest number of segments. A whole day with a turn every second has fewer. The limit is needed because a segment
/// takes far more memory than the few bytes that it can have in a file.
pub(super) const MAX_SEGMENTS: usize = 100_000;

/// Why a supplied transcript cannot be used. The text completes "failed to read the transcript: …".
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("it is empty")]
    Empty,
    #[error("it is not text")]
    NotText,
    #[error("it is a web page")]
    Html,
    #[error("it has no cue with words and readable times ({skipped} blocks were skipped)")]
    NoCue { skipped: usize },
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is JSON, but neither `items` nor `conversation` is a list in it")]
    NotASession,
    #[error("nobody speaks in it")]
    NoSpeech,
    #[error("it has more than {MAX_SEGMENTS} turns")]
    TooMany,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The segments are numbered and stand in the order of the file.
    pub transcript: Transcript,
    /// How many blocks were left out because they had no readable time, or how many entries of a session's list
    /// were not JSON objects.
    pub skipped: usize,
}

/// A segment that has only a speaker and words; the caller adds the times, where it has them.
pub(super) fn segment(speaker: Option<String>, text: String) -> Segment {
    Segment { id: 0, speaker, role: None, start_ms: None, end_ms: None, text, confidence: None }
}
