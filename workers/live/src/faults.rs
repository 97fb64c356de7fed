//! What a failure of the blobs means for a run.

use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::Destination;
use platform::blobs::BlobError;
use queue_topology::StageError;

/// How long a run waits that found no memory to store its audio.
const BUSY_FOR: Duration = Duration::from_secs(5);

pub(crate) fn of_blobs(error: BlobError) -> StageError {
    match error {
        BlobError::TooLarge { .. } => StageError::permanent("audio_too_large", error),
        BlobError::NotFound(_) | BlobError::BadKey(_) => StageError::permanent("audio_not_found", error),
        BlobError::Busy => StageError::new(Fault::Throttled(BUSY_FOR), "blobs_busy", error),
        BlobError::Source(_) => StageError::transient("audio_not_stored", error),
        BlobError::Store(_) => StageError::unavailable(Destination::BLOBS, "blobs_unavailable", error),
    }
}
