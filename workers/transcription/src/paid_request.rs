//! The paid request to a provider that answers at once. The answer was paid for, so it is kept as a blob before anything
//! reads it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use domain::refusal::{Failure, Refusal};
use platform::blobs::BlobError;
use providers::speech::{Audio, Reading, SpeechAtOnce, Wanted};
use queue_topology::{Effect, Receipt, Scope, StageError, Unknown};
use uuid::Uuid;

use crate::kept;
use crate::material::{self, Broken};
use crate::recording::Recording;

/// Makes the paid request, unless it was made before, and reads its answer.
pub(crate) async fn answered(
    recording: &Recording<'_>,
    provider: &Arc<dyn SpeechAtOnce>,
    request: &Request<'_>,
) -> Result<Reading, StageError> {
    if request.audio.is_some() {
        recording.cx.room_for_work(provider.memory_bytes()).await;
    }
    recording.cx.once(request).await?;
    let Some(answer) = kept::answer(recording, request.kept_at).await? else {
        // The ledger remembers the answer, but somebody deleted the blob. So the provider is asked again.
        recording.cx.void(request).await?;
        return Err(StageError::transient("transcription_lost", anyhow!("the answer is not kept any more")));
    };
    let provider = Arc::clone(provider);
    kept::read(recording, answer, move |answer| provider.read(answer)).await
}

/// The audio of a request.
pub(crate) enum Sound {
    /// The blob with the whole recording.
    Recording(String),
    /// The blob with a piece of it, as a WAV file with one channel.
    Piece(String),
}

/// The effect for the request that is answered with the transcript. There is one for each recording, and one for each
/// piece of a long recording.
pub(crate) struct Request<'a> {
    pub(crate) provider: &'a dyn SpeechAtOnce,
    pub(crate) recording: &'a Recording<'a>,
    pub(crate) object: String,
    /// `None` where the answer is kept already.
    pub(crate) audio: Option<Sound>,
    /// The key of the blob in which the answer is kept.
    pub(crate) kept_at: &'a str,
}

impl Effect for Request<'_> {
    fn target(&self) -> &str {
        &self.provider.remote().destination
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        self.object.clone()
    }

    fn digest(&self) -> String {
        material::ledger_digest(self.target(), &self.object)
    }

    /// What to do when nobody can say whether the provider answered. An answer that arrived is kept, so a missing
    /// answer is asked for again. A second payment is cheaper than a call without a transcript.
    fn unknown(&self) -> Unknown {
        Unknown::Resend
    }

    fn timeout(&self) -> Duration {
        self.provider.timeout()
    }

    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        if let Some(sound) = &self.audio {
            let (audio, wanted, broken) = self.open(sound).await?;
            let answer = self
                .provider
                .transcribe(audio, &wanted)
                .await
                .map_err(|refusal| broken.instead_of(refusal))?;
            let max_bytes = self.provider.max_answer_bytes();
            let stored = self.recording.source.blobs.put_stream(self.kept_at, answer, max_bytes).await;
            stored.map_err(|error| self.not_kept(error))?;
        }
        Ok(Receipt { remote_id: self.kept_at.to_owned(), replaced: None })
    }
}

impl Request<'_> {
    async fn open(&self, sound: &Sound) -> Result<(Audio, Wanted, Broken), StageError> {
        let Recording { source, material, wanted, .. } = self.recording;
        let key = match sound {
            Sound::Recording(key) | Sound::Piece(key) => key,
        };
        let opened = source.audio(key, material).await?;
        let channels = match sound {
            Sound::Recording(_) => wanted.channels,
            // All channels are mixed in a piece.
            Sound::Piece(_) => Some(1),
        };
        Ok((opened.audio, Wanted { channels, ..wanted.clone() }, opened.broken))
    }

    /// Says why an answer that was paid for is not kept.
    fn not_kept(&self, error: BlobError) -> StageError {
        match error {
            BlobError::TooLarge { max, .. } => {
                Refusal::of(self.provider.remote(), &Failure::TooLong { max_bytes: max }).into()
            }
            BlobError::Source(source) => match source.downcast::<Refusal>() {
                Ok(refusal) => (*refusal).into(),
                Err(source) => {
                    let failure = Failure::Lost { problem: source.to_string() };
                    Refusal::of(self.provider.remote(), &failure).into()
                }
            },
            error => material::blob_fault(error).maybe_sent(),
        }
    }
}
