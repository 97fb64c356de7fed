//! What the readers share: a segment, and the reasons why there is no transcript.

use domain::transcript::Segment;

/// The highest number of segments. A whole day with a turn every second has fewer. The limit is needed because a segment
/// takes far more memory than the few bytes that it can have in a file.
pub(super) const MAX_SEGMENTS: usize = 100_000;

/// Why a supplied transcript cannot be used. The text completes "failed to read the transcript: …".
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("it is empty")]
    Empty,
    #[error("it is not text in UTF-8, UTF-16 or Windows-1252")]
    NotText,
    #[error("it is a web page")]
    Html,
    /// A file of a kind that no reader takes. The text says which.
    #[error("it is {0}")]
    OtherKind(&'static str),
    #[error("it is a Word document that cannot be read: {0}")]
    DamagedDocument(String),
    #[error("it is an archive that holds more than any transcript does")]
    Oversized,
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is JSON, but neither `items` nor `conversation` is a list in it")]
    NotASession,
    #[error("it is JSON, but no list of what was said is in it")]
    NotATranscript,
    #[error("nobody speaks in it")]
    NoSpeech,
    #[error("it has more than {MAX_SEGMENTS} turns")]
    TooMany,
}

/// A segment that has only a speaker and words; the caller adds the times, where it has them.
pub(super) fn segment(speaker: Option<String>, text: String) -> Segment {
    Segment { id: 0, speaker, role: None, start_ms: None, end_ms: None, text, confidence: None }
}
