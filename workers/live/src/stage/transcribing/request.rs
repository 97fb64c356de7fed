//! The paid request for one turn, to a provider that answers at once or to one that works on a job.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use bytes::{Bytes, BytesMut};
use domain::call::{Call, CallDetails};
use domain::refusal::{Failure, Refusal};
use futures::{StreamExt as _, stream};
use platform::blobs::Blobs;
use providers::speech::{Audio, Progress, Reading, SpeechAtOnce, SpeechJobs, Unreadable, Wanted};
use queue_topology::{Cx, Effect, Receipt, Scope, StageError, Unknown, Whom};
use sha2::{Digest as _, Sha256};
use store::live::LiveTurn;
use uuid::Uuid;

use super::kept;
use crate::faults;
use crate::places::MAX_PIECE_BYTES;
use crate::stage::Listen;

/// When a job is looked at again. Somebody waits for the words.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is said in a turn, by a provider that answers at once.
pub(super) async fn at_once(
    listen: &Listen,
    cx: &Cx,
    call: &Call,
    turn: &LiveTurn,
    provider: &Arc<dyn SpeechAtOnce>,
) -> Result<Option<Reading>, StageError> {
    let target = &provider.remote().destination;
    let kept_at = kept_at(cx, target, turn);
    let request = AtOnce {
        provider: provider.as_ref(),
        blobs: &listen.blobs,
        turn,
        wanted: wanted(listen, call),
        kept_at: &kept_at,
    };
    cx.once(&request).await?;
    let Some(answer) = kept(listen, &kept_at).await? else {
        // The ledger remembers the answer, but somebody deleted the blob. So the provider is asked again.
        cx.void(&request).await?;
        return Err(lost());
    };
    read(provider.read(&answer)).map(Some)
}

/// What is said in a turn, by a provider that works on a job. `None` while it works.
pub(super) async fn job(
    listen: &Listen,
    cx: &Cx,
    call: &Call,
    turn: &LiveTurn,
    provider: &Arc<dyn SpeechJobs>,
) -> Result<Option<Reading>, StageError> {
    let target = &provider.remote().destination;
    let kept_at = kept_at(cx, target, turn);
    if let Some(answer) = kept(listen, &kept_at).await? {
        return read(provider.read(&answer)).map(Some);
    }
    let request =
        Job { provider: provider.as_ref(), blobs: &listen.blobs, turn, wanted: wanted(listen, call) };
    let receipt = cx.once(&request).await?;
    let progress = {
        let _held = cx.wait_for(Whom::Provider(target)).await?;
        provider.look(&receipt.remote_id).await?
    };
    match progress {
        Progress::Done(answer) => {
            listen.blobs.put(&kept_at, answer.clone()).await.map_err(faults::of_blobs)?;
            read(provider.read(&answer)).map(Some)
        }
        Progress::Running => Ok(None),
        Progress::Failed(given_up) => {
            cx.void(&request).await?;
            let why = anyhow!("{} gave up: {}", provider.remote().title, given_up.reason);
            Err(if given_up.for_good {
                StageError::permanent("transcription_refused", why)
            } else {
                StageError::transient("transcription_failed", why)
            })
        }
        Progress::Unknown => {
            cx.void(&request).await?;
            Err(lost())
        }
    }
}

fn lost() -> StageError {
    StageError::transient("transcription_lost", anyhow!("the answer for a turn is not kept any more"))
}

fn read(reading: Result<Reading, Unreadable>) -> Result<Reading, StageError> {
    reading.map_err(|unreadable| StageError::permanent("transcription_unreadable", unreadable))
}

/// The key of the blob that keeps the answer about a turn.
fn kept_at(cx: &Cx, target: &str, turn: &LiveTurn) -> String {
    format!("answers/{}/{target}/live-{}", cx.run.call, turn.number)
}

/// The object of a turn in the ledger of effects.
fn object(turn: &LiveTurn) -> String {
    format!("turn:{}", turn.number)
}

fn digest(target: &str, object: &str) -> String {
    hex::encode(Sha256::digest(format!("{target}\n{object}")))
}

fn wanted(listen: &Listen, call: &Call) -> Wanted {
    let CallDetails { agent_name, participants, .. } = &call.details;
    let people = participants.iter().filter_map(|person| person.name.as_ref()).chain(agent_name);
    let words = people.cloned().chain(listen.settings.words.iter().cloned()).collect();
    Wanted { words, language: listen.settings.language.clone(), channels: Some(1) }
}

async fn audio(blobs: &Blobs, turn: &LiveTurn) -> Result<Audio, StageError> {
    let sound: Bytes = blobs.get(&turn.blob, MAX_PIECE_BYTES).await.map_err(faults::of_blobs)?;
    let bytes = sound.len() as u64;
    let body = stream::iter([Ok(sound)]).boxed();
    Ok(Audio { bytes, media_type: Some("audio/wav".into()), body })
}

/// The request that is answered with what is said in a turn.
struct AtOnce<'a> {
    provider: &'a dyn SpeechAtOnce,
    blobs: &'a Blobs,
    turn: &'a LiveTurn,
    wanted: Wanted,
    kept_at: &'a str,
}

impl Effect for AtOnce<'_> {
    fn target(&self) -> &str {
        &self.provider.remote().destination
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        object(self.turn)
    }

    fn digest(&self) -> String {
        digest(self.target(), &self.object())
    }

    /// An answer that arrived is kept, so a missing answer is asked for again. A second payment for some seconds is cheaper
    /// than a call without its words.
    fn unknown(&self) -> Unknown {
        Unknown::Resend
    }

    fn timeout(&self) -> Duration {
        self.provider.timeout()
    }

    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        let remote = self.provider.remote();
        if self.blobs.head(self.kept_at).await.map_err(faults::of_blobs)?.is_none() {
            let audio = audio(self.blobs, self.turn).await?;
            let mut answer = self.provider.transcribe(audio, &self.wanted).await?;
            let max_bytes = self.provider.max_answer_bytes().min(MAX_PIECE_BYTES);
            // A short answer that is written at once costs half of the syncs of one that is written as it comes.
            let mut whole = BytesMut::new();
            while let Some(part) = answer.next().await {
                whole.extend_from_slice(&part?);
                if whole.len() as u64 > max_bytes {
                    return Err(Refusal::of(remote, &Failure::TooLong { max_bytes }).into());
                }
            }
            let kept = self.blobs.put(self.kept_at, whole.freeze()).await;
            kept.map_err(|error| faults::of_blobs(error).maybe_sent())?;
        }
        Ok(Receipt { remote_id: self.kept_at.to_owned(), replaced: None })
    }
}

/// The request that makes the job for a turn.
struct Job<'a> {
    provider: &'a dyn SpeechJobs,
    blobs: &'a Blobs,
    turn: &'a LiveTurn,
    wanted: Wanted,
}

impl Effect for Job<'_> {
    fn target(&self) -> &str {
        &self.provider.remote().destination
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        object(self.turn)
    }

    fn digest(&self) -> String {
        digest(self.target(), &self.object())
    }

    fn unknown(&self) -> Unknown {
        Unknown::Resend
    }

    fn timeout(&self) -> Duration {
        self.provider.submit_timeout() + Duration::from_secs(30)
    }

    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        let uploaded = self.provider.upload(audio(self.blobs, self.turn).await?).await?;
        let remote_id = self.provider.submit(&uploaded, &self.wanted, None).await?;
        Ok(Receipt { remote_id, replaced: None })
    }
}
