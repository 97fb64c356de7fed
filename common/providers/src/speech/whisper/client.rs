//! The provider: one recording at a time, off the threads that everybody waits for.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::fault::Fault;
use domain::refusal::{Code, Destination, Refusal, Remote, Sent};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::requests::CODES;
use super::super::{Answer, Audio, Reading, SpeechAtOnce, Unreadable, Wanted};
use super::model::Folder;
use super::stopped::{Cancelled, Failed};
use super::transcriber::{self, Order};
use super::{NAME, TITLE, read};
use crate::descriptor::{Check, Checked};

/// A recording waits this long for the one before it. Then its run comes back later, so that a run whose recording was
/// never begun is not given up.
const PATIENCE: Duration = Duration::from_secs(20);
const COME_AGAIN_IN: Duration = Duration::from_secs(15);
/// A broker allows half an hour for a delivery. A longer recording is cut into pieces, and each is kept by itself.
const TIMEOUT: Duration = Duration::from_mins(20);
const MAX_AUDIO_MS: i64 = 6 * 60 * 1_000;
/// How much longer than it was measured to be a recording may turn out.
const SURPLUS_MS: i64 = 60 * 1_000;
/// The file and its samples are in memory.
const MAX_AUDIO_BYTES: u64 = 32 * 1024 * 1024;
const SOUND_BYTES: u64 = 80 * 1024 * 1024;

const UNUSABLE: Code = Code::new("speech_to_text_model_unusable");

static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: TITLE,
    advice: "check WHISPER_MODEL_DIR",
    codes: CODES,
    default_wait: COME_AGAIN_IN,
};

/// Only one recording at a time is transcribed, whatever the number of workers: two of them would take twice the memory
/// and would not be faster.
static TURN: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(1)));

pub(super) struct Whisper {
    folder: Folder,
    threads: usize,
    patience: Duration,
}

impl Whisper {
    pub(super) fn new(folder: PathBuf, threads: usize) -> Self {
        Self { folder: Folder::new(folder), threads, patience: PATIENCE }
    }

    async fn heard(&self, audio: Audio, wanted: &Wanted) -> Result<Answer, Refusal> {
        let recording = collected(audio).await?;
        let turn = tokio::time::timeout(self.patience, Arc::clone(&TURN).acquire_owned());
        let Ok(Ok(turn)) = turn.await else {
            let text = format!("failed to use {TITLE}: it works on another recording");
            return Err(refusal(Fault::Throttled(COME_AGAIN_IN), CODES.throttled, text));
        };
        let order = Order {
            recording,
            are_apart: wanted.is_one_speaker_a_channel(),
            language: wanted.base_language().map(str::to_owned),
            max_ms: usize::try_from(MAX_AUDIO_MS + SURPLUS_MS).unwrap_or(usize::MAX),
        };
        let answer =
            self.work(turn, move |folder, cancelled| transcriber::transcribed(folder, order, cancelled));
        let answer = serde_json::to_vec(&answer.await?)
            .map_err(|error| refused(&Failed::Network(format!("the answer cannot be written: {error}"))))?;
        Ok(stream::iter([Ok(Bytes::from(answer))]).boxed())
    }

    /// Works on threads of its own. The work ends soon after nobody waits for it any more, for example because the process
    /// stops; only then the next may begin.
    async fn work<T: Send + 'static>(
        &self,
        turn: OwnedSemaphorePermit,
        work: impl FnOnce(&Folder, &Cancelled) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Refusal> {
        let cancelled = Cancelled::default();
        let _cancels = cancelled.on_drop();
        let (folder, threads) = (self.folder.clone(), self.threads);
        let worked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.map_err(|error| Failed::Network(format!("no threads: {error}")))?;
            pool.install(|| work(&folder, &cancelled))
        });
        match worked.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(failed)) => Err(refused(&failed)),
            // The network's code is other people's code: where it panics, the recording is tried once more, and the
            // process goes on.
            Err(_) => Err(refused(&Failed::Network("the network gave up".to_owned()))),
        }
    }
}

async fn collected(audio: Audio) -> Result<Bytes, Refusal> {
    let limit = usize::try_from(MAX_AUDIO_BYTES).unwrap_or(usize::MAX);
    let mut body = audio.body;
    let mut all = BytesMut::new();
    // The caller knows why a recording broke off, and says that instead.
    let broken = |_| refused(&Failed::Recording("it broke off".to_owned()));
    while let Some(bytes) = body.try_next().await.map_err(broken)? {
        all.extend_from_slice(&bytes);
        if all.len() > limit {
            return Err(refused(&Failed::Recording(format!("it has more than {MAX_AUDIO_BYTES} bytes"))));
        }
    }
    Ok(all.freeze())
}

fn refused(failed: &Failed) -> Refusal {
    let (fault, code, what) = match failed {
        Failed::Model(_) => (Fault::Unavailable, UNUSABLE, "the model cannot be used"),
        Failed::Recording(_) => (Fault::Permanent, CODES.refused, "it cannot read the recording"),
        Failed::Network(_) | Failed::Cancelled => {
            (Fault::Transient, CODES.failed, "it could not do what it was asked")
        }
    };
    refusal(fault, code, format!("failed to use {TITLE}: {what}: {failed}"))
}

/// Nothing happens outside this process, so a refused recording was not transcribed by anybody.
fn refusal(fault: Fault, code: Code, text: String) -> Refusal {
    Refusal { fault, code, destination: REMOTE.destination.clone(), retry_after: None, sent: Sent::No, text }
}

impl SpeechAtOnce for Whisper {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn transcribe<'a>(&'a self, audio: Audio, wanted: &'a Wanted) -> BoxFuture<'a, Result<Answer, Refusal>> {
        self.heard(audio, wanted).boxed()
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn max_audio_bytes(&self) -> Option<u64> {
        Some(MAX_AUDIO_BYTES)
    }

    fn max_audio_ms(&self) -> Option<i64> {
        Some(MAX_AUDIO_MS)
    }

    fn memory_bytes(&self) -> u64 {
        match self.folder.memory_bytes() {
            0 => 0,
            model => model + MAX_AUDIO_BYTES + SOUND_BYTES,
        }
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        read(answer)
    }

    /// Nobody is paid.
    fn price_per_minute(&self) -> Option<f64> {
        Some(0.0)
    }
}

impl Check for Whisper {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            let Ok(turn) = Arc::clone(&TURN).try_acquire_owned() else {
                return Ok(Checked::Untried { why: "it works on a recording now" });
            };
            self.work(turn, transcriber::tried).await?;
            Ok(Checked::Reached { notes: vec![format!("it has {}", self.folder.name())] })
        }
        .boxed()
    }

    fn remarks(&self) -> Vec<String> {
        let looked = self.folder.look();
        looked
            .err()
            .map(|error| format!("warning: {NAME}: the model cannot be used: {error}"))
            .into_iter()
            .collect()
    }
}
