//! A store, blobs and a stage with several providers that follow the script of a test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{CallAccepted, CallTranscribed, Envelope, Material, MaterialAt, MaterialKind};
use domain::moment::Moment;
use domain::refusal::{Code, Codes, Destination, Failure, Refusal, Remote};
use domain::transcript::{Segment, Transcript};
use futures::future::{BoxFuture, ready};
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use platform::blobs::{BlobReader, Blobs};
use platform::config::{Installation, Values};
use platform::seal::Sealer;
use providers::speech::{
    Answer, Audio, Notify, Progress, Reading, SpeechAtOnce, SpeechJobs, SpeechToText, Unreadable, Used,
    Wanted,
};
use providers::{Check, Checked};
use queue_topology::broker::Lane;
use queue_topology::replay::{self, Start};
use queue_topology::{Cx, Outcome, Run, Stage as _, StageError};
use store::{
    Arrival, Begun, Claim, InstanceId, RunKey, RunRequest, Settlement, SpeechAttemptRow, Store, Write,
};
use transcription::{CutError, CutOrder, Cutter, Piece, Settings, Transcription};
use uuid::Uuid;

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;
pub(crate) const AUDIO: &[u8] = b"ID3\x04\0\0\0\0\0\0 and sound";
pub(crate) const DONE: Outcome<CallTranscribed> = Outcome::Emit(CallTranscribed {});

const CODES: Codes = Codes {
    unreachable: Code::new("speech_to_text_unreachable"),
    no_answer: Code::new("speech_to_text_failed"),
    too_long: Code::new("speech_to_text_answer_too_long"),
    account: Code::new("speech_to_text_refuses_account"),
    throttled: Code::new("speech_to_text_throttled"),
    failed: Code::new("speech_to_text_failed"),
    refused: Code::new("speech_to_text_refused"),
};

const fn remote(name: &'static str) -> Remote {
    Remote {
        destination: Destination::named(name),
        title: "Somebody",
        advice: "check the key",
        codes: CODES,
        default_wait: Duration::from_secs(10),
    }
}

pub(crate) static FIRST: Remote = remote("first");
pub(crate) static SECOND: Remote = remote("second");
pub(crate) static DEEPGRAM: Remote = remote("deepgram");

pub(crate) type Says = Result<String, Failure>;

#[expect(clippy::unnecessary_wraps, reason = "it stands beside answers that are failures")]
pub(crate) fn says(text: &str) -> Says {
    Ok(text.to_owned())
}

pub(crate) fn down() -> Says {
    Err(Failure::NotSent { problem: "refused".into() })
}

pub(crate) fn status(status: u16, retry_after: Option<u64>) -> Says {
    let retry_after = retry_after.map(Duration::from_secs);
    Err(Failure::Status { status, retry_after, said: None })
}

/// A provider that answers at once, with the next answer of its script.
pub(crate) struct AtOnce {
    remote: &'static Remote,
    says: Mutex<VecDeque<Says>>,
    pub(crate) asked: Mutex<Vec<(Vec<u8>, Wanted)>>,
    max_audio_bytes: Option<u64>,
}

impl AtOnce {
    pub(crate) fn new(remote: &'static Remote, says: impl IntoIterator<Item = Says>) -> Arc<Self> {
        Self::taking(remote, None, says)
    }

    pub(crate) fn taking(
        remote: &'static Remote,
        max_audio_bytes: Option<u64>,
        says: impl IntoIterator<Item = Says>,
    ) -> Arc<Self> {
        let says = Mutex::new(says.into_iter().collect());
        Arc::new(Self { remote, says, asked: Mutex::default(), max_audio_bytes })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) fn will_say(&self, says: Says) {
        self.says.lock().unwrap().push_back(says);
    }
}

impl Check for AtOnce {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        ready(Ok(Checked::reached())).boxed()
    }
}

impl SpeechAtOnce for AtOnce {
    fn remote(&self) -> &'static Remote {
        self.remote
    }

    fn transcribe<'a>(&'a self, audio: Audio, wanted: &'a Wanted) -> BoxFuture<'a, Result<Answer, Refusal>> {
        async move {
            let pieces: Vec<Bytes> = audio.body.try_collect().await.unwrap();
            self.asked.lock().unwrap().push((pieces.concat(), wanted.clone()));
            let said = self.says.lock().unwrap().pop_front().expect("it is not asked so often");
            let said = said.map_err(|failure| Refusal::of(self.remote, &failure))?;
            Ok(stream::iter([Ok(Bytes::from(said))]).boxed())
        }
        .boxed()
    }

    fn timeout(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn max_audio_bytes(&self) -> Option<u64> {
        self.max_audio_bytes
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        read(answer)
    }

    fn price_per_minute(&self) -> Option<f64> {
        Some(0.6)
    }
}

/// Every answer is a transcript of half a minute, but `garbled` is not.
fn read(answer: &[u8]) -> Result<Reading, Unreadable> {
    let text = std::str::from_utf8(answer).unwrap();
    if text == "garbled" {
        return Err(Unreadable { provider: "Somebody", problem: "not JSON".into() });
    }
    let segment = Segment {
        id: 1,
        speaker: None,
        role: None,
        start_ms: Some(0),
        end_ms: Some(900),
        text: text.to_owned(),
        confidence: None,
    };
    let segments = if text.is_empty() { Vec::new() } else { vec![segment] };
    Ok(Reading {
        transcript: Transcript { segments, ..Transcript::default() },
        used: Used { audio_ms: Some(30_000), model: Some("a-model".into()), ..Used::default() },
        ..Reading::default()
    })
}

/// A provider that works on jobs. It answers each look with the next answer of its script.
pub(crate) struct Jobs {
    looks: Mutex<VecDeque<Result<Progress, Failure>>>,
    pub(crate) submitted: Mutex<usize>,
    deadline: Duration,
}

impl Jobs {
    pub(crate) fn new(
        deadline: Duration,
        looks: impl IntoIterator<Item = Result<Progress, Failure>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            looks: Mutex::new(looks.into_iter().collect()),
            submitted: Mutex::default(),
            deadline,
        })
    }
}

impl Check for Jobs {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        ready(Ok(Checked::reached())).boxed()
    }
}

impl SpeechJobs for Jobs {
    fn remote(&self) -> &'static Remote {
        &FIRST
    }

    fn upload(&self, _audio: Audio) -> BoxFuture<'_, Result<String, Refusal>> {
        ready(Ok("uploaded".to_owned())).boxed()
    }

    fn submit<'a>(
        &'a self,
        _uploaded: &'a str,
        _wanted: &'a Wanted,
        _notify: Option<&'a Notify>,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        *self.submitted.lock().unwrap() += 1;
        ready(Ok("job".to_owned())).boxed()
    }

    fn look<'a>(&'a self, _job: &'a str) -> BoxFuture<'a, Result<Progress, Refusal>> {
        let said = self.looks.lock().unwrap().pop_front().expect("it is not looked at so often");
        ready(said.map_err(|failure| Refusal::of(&FIRST, &failure).without_effect())).boxed()
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        read(answer)
    }
}

/// Cuts every recording into two pieces.
pub(crate) struct InTwo;

impl Cutter for InTwo {
    fn cut(&self, _: BlobReader, _: CutOrder) -> BoxStream<'static, Result<Piece, CutError>> {
        let piece = |start_ms, end_ms, bytes: &'static [u8]| {
            Ok(Piece { start_ms, end_ms, bytes: Bytes::from_static(bytes) })
        };
        stream::iter([piece(0, 5_000, b"piece one"), piece(5_000, 9_000, b"piece two")]).boxed()
    }
}

pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    sealer: Sealer,
}

impl World {
    pub(crate) async fn new() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let blobs = Blobs::local(&folder.path().join("blobs")).unwrap();
        Self { _folder: folder, store, blobs, sealer: Sealer::from_key([7; 32]) }
    }

    pub(crate) fn stage(&self, speech: Vec<SpeechToText>) -> Transcription {
        self.stage_with(speech, |_| {})
    }

    pub(crate) fn stage_with(
        &self,
        speech: Vec<SpeechToText>,
        change: impl FnOnce(&mut Settings),
    ) -> Transcription {
        let values = Values::default();
        let mut settings = Settings::read(&values, &Installation::read(&values).unwrap()).unwrap();
        settings.away_for = Duration::ZERO;
        change(&mut settings);
        Transcription::new(settings, speech, self.blobs.clone(), self.sealer.clone())
    }

    /// A recording comes in. Returns the run that it starts.
    pub(crate) async fn arrives(&self, name: &str) -> Cx {
        self.blobs.put(name, Bytes::from_static(AUDIO)).await.unwrap();
        let call = CallId::derive(WORKSPACE, "exotel", name);
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WORKSPACE,
            call,
            source: "exotel".into(),
            external_id: name.into(),
            kind: CallKind::Phone,
            details: CallDetails { agent_name: Some("Dana Ortiz".into()), ..CallDetails::default() },
            materials: vec![Material {
                kind: MaterialKind::Recording,
                digest: format!("digest-of-{name}"),
                at: MaterialAt::Blob(name.into()),
                media_type: None,
                starts_at: None,
            }],
        };
        self.store.take_in(&arrival, &["transcription"], "live", |_| String::new()).await.unwrap();
        self.begins(call, 1).await
    }

    async fn begins(&self, call: CallId, generation: i64) -> Cx {
        let owner = InstanceId::new();
        let key = RunKey { workspace: WORKSPACE, call, stage: "transcription", generation };
        let request = RunRequest::new(key, owner, self.store.now());
        let begun = self.store.begin_run(&RunRequest { nudge: true, ..request }).await.unwrap();
        let Begun::Mine(begun) = begun else { panic!("the run cannot be begun") };
        let run = Run {
            workspace: WORKSPACE,
            call,
            stage: "transcription",
            generation,
            attempt: begun.attempts,
            fence: begun.fence,
            since: begun.since,
            lane: Lane::Live,
        };
        OWNER.with(|last| last.set(Some(owner)));
        Cx::new(self.store.clone(), run, owner)
    }

    /// Ends the run as done, and has the call done again. Returns the new run.
    pub(crate) async fn replayed(&self, cx: &Cx) -> Cx {
        let owner = OWNER.with(std::cell::Cell::get).unwrap();
        let claim = Claim { run: cx.run.key(), owner, fence: cx.run.fence };
        let writes = cx.take_kept();
        self.store.settle_run(&claim, &Settlement::Done { writes: &writes, children: &[] }).await.unwrap();
        let who = (WORKSPACE, "test");
        let replayed = replay::call(&self.store, who, cx.run.call, Start::WHOLE_CALL).await.unwrap().unwrap();
        self.begins(cx.run.call, replayed.generation).await
    }

    pub(crate) async fn attempts(&self, cx: &Cx) -> Vec<SpeechAttemptRow> {
        self.store.speech_attempts(WORKSPACE, cx.run.call).await.unwrap()
    }
}

thread_local! {
    /// The owner of the last run that was begun. Each test has a thread of its own.
    static OWNER: std::cell::Cell<Option<InstanceId>> = const { std::cell::Cell::new(None) };
}

pub(crate) fn once(provider: &Arc<AtOnce>) -> SpeechToText {
    SpeechToText::AtOnce(Arc::clone(provider) as Arc<dyn SpeechAtOnce>)
}

pub(crate) async fn handle(stage: &Transcription, cx: &Cx) -> Result<Outcome<CallTranscribed>, StageError> {
    let event = Envelope {
        id: Uuid::new_v4(),
        workspace: WORKSPACE,
        call: cx.run.call,
        generation: cx.run.generation,
        time: Moment::now(),
        traceparent: None,
        data: CallAccepted {},
    };
    stage.handle(cx, &event).await
}

/// The transcript that the run kept, and who made it.
pub(crate) fn kept(cx: &Cx) -> (Transcript, store::SpeechAttempt) {
    let (mut transcript, mut made) = (None, None);
    for write in cx.take_kept() {
        match write {
            Write::Transcript(kept) => transcript = Some(kept),
            Write::Transcribed(attempt) => made = Some(attempt),
            other => panic!("{other:?}"),
        }
    }
    (transcript.unwrap(), made.unwrap())
}
