//! Answers that were paid for. They are kept as blobs before anything reads them, so a retry, a replay or the run after
//! a crash reads the kept answer, and a better reader can read it again later.

use bytes::Bytes;
use platform::blobs::BlobError;
use providers::speech::{MAX_ANSWER_BYTES, Reading, Unreadable};
use queue_topology::StageError;

use crate::material;
use crate::recording::Recording;

/// Returns the kept answer, if there is one.
pub(crate) async fn answer(recording: &Recording<'_>, key: &str) -> Result<Option<Bytes>, StageError> {
    match recording.source.blobs.get(key, MAX_ANSWER_BYTES).await {
        Ok(answer) => Ok(Some(answer)),
        Err(BlobError::NotFound(_)) => Ok(None),
        Err(error) => Err(material::blob_fault(error)),
    }
}

/// Reads an answer. The JSON can have megabytes, so it is not read on a thread that other tasks wait for, and it needs
/// room in the memory.
pub(crate) async fn read(
    recording: &Recording<'_>,
    answer: Bytes,
    reader: impl FnOnce(&[u8]) -> Result<Reading, Unreadable> + Send + 'static,
) -> Result<Reading, StageError> {
    recording.cx.room_for(answer.len() as u64).await;
    tokio::task::spawn_blocking(move || reader(&answer))
        .await
        .map_err(|error| StageError::transient("transcript_reader_failed", error))?
        .map_err(|unreadable| StageError::permanent("transcription_unreadable", unreadable))
}
