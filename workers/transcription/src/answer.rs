//! A recording and a provider that answers at once. The answer was paid for, so it is kept as a blob before anything
//! reads it: a run that dies in between, a retry and a replay read what is kept. A better reader can read it again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use domain::event::Material;
use domain::refusal::{Failure, Refusal};
use domain::transcript::Transcript;
use platform::blobs::BlobError;
use providers::speech::{Audio, SpeechAtOnce};
use queue_topology::{Cx, Effect, Receipt, Scope, StageError, Unknown};
use sha2::{Digest as _, Sha256};
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
        // Before the request, since a fetch may take long and costs nothing.
        Some(source.recording(cx.run.workspace, cx.run.call, material).await?)
    };
    let request = Request { provider: provider.as_ref(), material, source, recording, kept: &kept };
    cx.once(&request).await?;
    let answer = match source.blobs.get(&kept, provider.max_answer_bytes()).await {
        Ok(answer) => answer,
        Err(BlobError::NotFound(_)) => {
            // The ledger remembers an answer that somebody has deleted: it is asked for again.
            cx.void(&request).await?;
            return Err(StageError::transient(
                "transcription_lost",
                anyhow!("the answer is not kept any more"),
            ));
        }
        Err(error) => return Err(material::blob_fault(error)),
    };
    // Megabytes of somebody else's JSON: not on a thread that others wait for.
    let provider = Arc::clone(provider);
    tokio::task::spawn_blocking(move || provider.read(&answer))
        .await
        .map_err(|error| StageError::transient("transcript_reader_failed", error))?
        .map_err(|unreadable| StageError::permanent("transcription_unreadable", unreadable))
}

/// The request that is answered with the transcript, once for each recording.
struct Request<'a> {
    provider: &'a dyn SpeechAtOnce,
    material: &'a Material,
    source: &'a Source,
    /// The blob with the audio. Absent where the answer is kept.
    recording: Option<String>,
    /// Where the answer is kept.
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
        format!("transcript:{}", self.material.digest)
    }

    fn digest(&self) -> String {
        hex::encode(Sha256::digest(format!("{}\n{}", self.target(), self.object())))
    }

    /// An answer that arrived is kept. One that did not is asked for again: a call without a transcript costs more.
    fn unknown(&self) -> Unknown {
        Unknown::Resend
    }

    fn timeout(&self) -> Duration {
        self.provider.timeout()
    }

    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        if let Some(recording) = &self.recording {
            let (bytes, body) =
                self.source.blobs.get_stream(recording).await.map_err(material::blob_fault)?;
            let audio = Audio { bytes, media_type: self.material.media_type.clone(), body };
            let answer = self.provider.transcribe(audio).await?;
            let max_bytes = self.provider.max_answer_bytes();
            let stored = self.source.blobs.put_stream(self.kept, answer, max_bytes).await;
            stored.map_err(|error| self.not_kept(error))?;
        }
        Ok(Receipt { remote_id: self.kept.to_owned(), replaced: None })
    }
}

impl Request<'_> {
    /// Why an answer, which is paid for by now, is not kept.
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
