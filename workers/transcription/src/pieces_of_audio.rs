//! Transcribes a recording that is too long for a provider, piece by piece.
//!
//! The pieces are cut once and kept as blobs together with the list of their times. Each piece is an effect of its own,
//! so a run that comes back pays only for the pieces that are missing. The pieces of audio are deleted when all answers
//! are kept; the list stays, so that a replay can read the answers again.

use std::sync::Arc;
use std::time::Duration;

use domain::note::Note;
use futures::TryStreamExt as _;
use providers::speech::{SpeechAtOnce, Used};
use queue_topology::StageError;
use serde::{Deserialize, Serialize};

use crate::cutting::{CutError, CutOrder};
use crate::join::{self, Part};
use crate::kept;
use crate::material;
use crate::paid_request::{Request, Sound, answered};
use crate::recording::{Heard, Made, Recording};
use crate::treatment;

/// How long one delivery works on pieces. A broker allows half an hour for a delivery, and the last request of this
/// time may take as long as it is allowed to.
const WORKS_FOR: Duration = Duration::from_mins(8);
const GOES_ON_AFTER: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    start_ms: i64,
    end_ms: i64,
}

/// The keys of the blobs of one recording for one provider.
struct Keys<'a> {
    recording: &'a Recording<'a>,
    provider: &'a str,
}

impl Keys<'_> {
    fn list(&self) -> String {
        format!("{}.pieces", self.recording.kept_at(self.provider))
    }

    fn answer(&self, span: Span) -> String {
        format!("{}.{}-{}", self.recording.kept_at(self.provider), span.start_ms, span.end_ms)
    }

    fn audio(&self, span: Span) -> String {
        let Recording { cx, material, .. } = self.recording;
        let Span { start_ms, end_ms } = span;
        format!("pieces/{}/{}/{}.{start_ms}-{end_ms}", cx.run.call, self.provider, material.digest)
    }
}

/// Goes on with a recording that was cut earlier. `None` where it was not.
pub(crate) async fn heard_before(
    recording: &Recording<'_>,
    provider: &Arc<dyn SpeechAtOnce>,
) -> Result<Option<Heard>, StageError> {
    if provider.max_audio_bytes().is_none() && provider.max_audio_ms().is_none() {
        return Ok(None);
    }
    let name: &str = &provider.remote().destination;
    let keys = Keys { recording, provider: name };
    match kept::answer(recording, &keys.list()).await? {
        Some(list) => match serde_json::from_slice::<Vec<Span>>(&list) {
            Ok(spans) => transcribed(recording, provider, &keys, &spans).await.map(Some),
            Err(error) => {
                tracing::warn!(%error, "the list of pieces cannot be read: the recording is cut again");
                Ok(None)
            }
        },
        None => Ok(None),
    }
}

/// Cuts the recording in the blob `key`, and has its pieces transcribed.
pub(crate) async fn heard(
    recording: &Recording<'_>,
    provider: &Arc<dyn SpeechAtOnce>,
    key: &str,
) -> Result<Heard, StageError> {
    let remote = provider.remote();
    let order = CutOrder {
        max_bytes: provider.max_audio_bytes().unwrap_or(u64::MAX),
        max_ms: provider.max_audio_ms().unwrap_or(i64::MAX),
        treatment: recording.wishes.of(recording.sound),
    };
    let name: &str = &remote.destination;
    let keys = Keys { recording, provider: name };
    let source = recording.source;
    let bytes = source.blobs.head(key).await.map_err(material::blob_fault)?;
    let mut pieces = recording.cutter.cut(source.blobs.reader(key, bytes.unwrap_or_default()), order);
    let mut spans = Vec::new();
    while let Some(piece) = pieces.try_next().await.map_err(cut_fault)? {
        let span = Span { start_ms: piece.start_ms, end_ms: piece.end_ms };
        source.blobs.put(&keys.audio(span), piece.bytes).await.map_err(material::blob_fault)?;
        spans.push(span);
    }
    if spans.is_empty() {
        return Err(cut_fault(CutError::Undecodable("it holds no audio".to_owned())));
    }
    // The list is written last, so whoever finds it finds all pieces.
    let list = serde_json::to_vec(&spans)
        .map_err(|error| StageError::permanent("transcription_pieces_unlisted", error))?;
    source.blobs.put(&keys.list(), list.into()).await.map_err(material::blob_fault)?;
    tracing::debug!(pieces = spans.len(), "cut a recording that is too long for the provider");
    transcribed(recording, provider, &keys, &spans).await
}

async fn transcribed(
    recording: &Recording<'_>,
    provider: &Arc<dyn SpeechAtOnce>,
    keys: &Keys<'_>,
    spans: &[Span],
) -> Result<Heard, StageError> {
    let began = recording.cx.now();
    let source = recording.source;
    let (mut parts, mut used) = (Vec::new(), Used::default());
    for span in spans {
        if recording.cx.now().since(began) > WORKS_FOR {
            return Ok(Heard::Later(GOES_ON_AFTER));
        }
        let kept_at = keys.answer(*span);
        let is_kept = source.blobs.head(&kept_at).await.map_err(material::blob_fault)?.is_some();
        let object =
            format!("{}:{}-{}", material::ledger_object(recording.material), span.start_ms, span.end_ms);
        let audio = (!is_kept).then(|| Sound::Piece(keys.audio(*span)));
        let request = Request { provider: provider.as_ref(), recording, object, audio, kept_at: &kept_at };
        let reading = answered(recording, provider, &request).await?;
        add(&mut used, &reading.used, *span);
        parts.push(Part {
            start_ms: span.start_ms,
            end_ms: span.end_ms,
            transcript: reading.transcript,
            words: reading.words,
        });
    }
    for span in spans {
        if let Err(error) = source.blobs.delete(&keys.audio(*span)).await {
            tracing::debug!(%error, "failed to delete a piece of a recording");
        }
    }
    let count = parts.len();
    let mut transcript = join::join(parts);
    let title = provider.remote().title;
    let treated = treatment::in_words(&recording.wishes.of(recording.sound));
    let text = format!(
        "The recording is too long for {title}, so it was transcribed in {count} pieces{}.",
        treated.map(|done| format!("; in them {done}")).unwrap_or_default()
    );
    transcript.notes.push(Note::new("transcribed_in_pieces", text));
    Ok(Heard::Transcript(Made { transcript, used }))
}

/// Adds what one piece used. Where the provider names no length, the length of the piece counts.
fn add(used: &mut Used, of_piece: &Used, span: Span) {
    let audio_ms = of_piece.audio_ms.unwrap_or(span.end_ms - span.start_ms);
    used.audio_ms = Some(used.audio_ms.unwrap_or_default() + audio_ms);
    used.input_tokens += of_piece.input_tokens;
    used.output_tokens += of_piece.output_tokens;
    used.model = of_piece.model.clone().or(used.model.take());
}

fn cut_fault(error: CutError) -> StageError {
    match error {
        CutError::Undecodable(_) => StageError::permanent("transcription_recording_uncut", error),
        CutError::Source(error) => material::blob_fault(error),
    }
}
