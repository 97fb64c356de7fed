//! What cuts a recording that is too long for a provider.

use bytes::Bytes;
use futures::stream::BoxStream;
use platform::blobs::BlobError;
use providers::speech::Audio;

/// A piece of a recording: a WAV file with one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where the piece begins in the recording. It can begin before the one before it ends.
    pub start_ms: i64,
    pub end_ms: i64,
    pub bytes: Bytes,
}

/// Why a recording cannot be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// Nobody can decode the recording.
    #[error("failed to cut the recording: {0}")]
    Undecodable(String),
    /// The recording broke off while it was read.
    #[error(transparent)]
    Source(BlobError),
}

/// Cuts recordings.
pub trait Cutter: Send + Sync {
    /// Cuts the recording at silences into pieces of at most `max_bytes`, in the order in which they were said. Together
    /// they hold everything that was said. Where there is no silence, two pieces share a second or more. The same
    /// recording is cut in the same way each time, because what was paid for is found by the times of the pieces.
    fn cut(&self, audio: Audio, max_bytes: u64) -> BoxStream<'static, Result<Piece, CutError>>;
}
