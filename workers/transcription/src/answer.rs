//! Transcribes a recording with a provider that answers at once.

use std::sync::Arc;

use providers::speech::SpeechAtOnce;
use queue_topology::StageError;

use crate::material;
use crate::paid_request::{Request, Sound, answered};
use crate::pieces_of_audio;
use crate::recording::{Heard, Made, Recording};

pub(crate) async fn heard(
    recording: &Recording<'_>,
    provider: &Arc<dyn SpeechAtOnce>,
) -> Result<Heard, StageError> {
    let kept_at = recording.kept_at(&provider.remote().destination);
    let source = recording.source;
    let is_kept = source.blobs.head(&kept_at).await.map_err(material::blob_fault)?.is_some();
    let audio = if is_kept {
        None
    } else {
        if let Some(heard) = pieces_of_audio::heard_before(recording, provider).await? {
            return Ok(heard);
        }
        // The recording is fetched before the request, because a fetch may take long and costs nothing.
        let key = source.recording(recording.cx, recording.material).await?;
        let bytes = source.blobs.head(&key).await.map_err(material::blob_fault)?.unwrap_or_default();
        let is_longer = |max| recording.sound.is_some_and(|sound| sound.duration_ms > max);
        if provider.max_audio_bytes().is_some_and(|max| bytes > max)
            || provider.max_audio_ms().is_some_and(is_longer)
        {
            return pieces_of_audio::heard(recording, provider, &key).await;
        }
        Some(Sound::Recording(key))
    };
    let object = material::ledger_object(recording.material);
    let request = Request { provider: provider.as_ref(), recording, object, audio, kept_at: &kept_at };
    let reading = answered(recording, provider, &request).await?;
    Ok(Heard::Transcript(Made { transcript: reading.transcript, used: reading.used }))
}
