//! Transcribes a recording with a provider that answers at once. The answer was paid for, so it is kept as a blob
//! before anything reads it. A retry, a replay or the run after a crash reads the kept answer. A better reader can
//! read it again later.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use domain::event::Material;
use domain::refusal::{Failure, Refusal};
use domain::transcript::Transcript;
use platform::blobs::BlobError;
use providers::speech::SpeechAtOnce;
use queue_topology::{Cx, Effect, Receipt, Scope, StageError, Unknown};
use uuid::Uuid;

use crate::material::{self, Source};

pub(crate) async fn heard(
    cx: &Cx,
    source: &Source,
    provider: &Arc<dyn SpeechAtOnce>,
    material: &Material,
) -> Result<Transcript, StageError> {
    let name = &provider.remote().destination;
    let kept = format!("answers/{}/{}/{}", cx.run.call, &**name, material.digest);
    let is_kept = source.blobs.head(&kept).await.map_err(material::blob_fault)?.is_some();
    let recording = if is_kept {
        None
    } else {
        // The recording is fetched before the request, because a fetch may take long and costs nothing.
        Some(source.recording(cx, material).await?)
    };
    let request = Request { provider: provider.as_ref(), material, source, recording, kept: &kept };
    cx.once(&request).await?;
    let answer = match source.blobs.get(&kept, provider.max_answer_bytes()).await {
        Ok(answer) => answer,
        Err(BlobError::NotFound(_)) => {
            // The ledger remembers the answer, but somebody deleted the blob. So the provider is asked again.
            cx.void(&request).await?;
            return Err(StageError::transient(
                "transcription_lost",
                anyhow!("the answer is not kept any more"),
            ));
        }
        Err(error) => return Err(material::blob_fault(error)),
    };
    // The JSON can have megabytes, so it is not read on a thread that other tasks wait for.
    let provider = Arc::clone(provider);
    tokio::task::spawn_blocking(move || provider.read(&answer))
        .await
        .map_err(|error| StageError::transient("transcript_reader_failed", error))?
        .map_err(|unreadable| StageError::permanent("transcription_unreadable", unreadable))
}

/// The effect for the request that is answered with the transcript. There is one for each recording.
struct Request<'a> {
    provider: &'a dyn SpeechAtOnce,
    material: &'a Material,
    source: &'a Source,
    /// The key of the blob with the audio. `None` where the answer is kept already.
    recording: Option<String>,
    /// The key of the blob in which the answer is kept.
    kept: &'a str,
}

impl Effect for Request<'_> {
    fn target(&self) -> &str {
        &self.provider.remote().destination
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        material::ledger_object(self.material)
    }

    fn digest(&self) -> String {
        material::ledger_digest(self.target(), self.material)
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
        if let Some(recording) = &self.recording {
            let (audio, broken) = self.source.audio(recording, self.material).await?;
            let answer =
                self.provider.transcribe(audio).await.map_err(|refusal| broken.instead_of(refusal))?;
            let max_bytes = self.provider.max_answer_bytes();
            let stored = self.source.blobs.put_stream(self.kept, answer, max_bytes).await;
            stored.map_err(|error| self.not_kept(error))?;
        }
        Ok(Receipt { remote_id: self.kept.to_owned(), replaced: None })
    }
}

impl Request<'_> {
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
