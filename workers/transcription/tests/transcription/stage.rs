//! Tests the stage on a real store and real blobs, with a provider that follows the script of a test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::call::{CallDetails, CallId, CallKind, Participant, Role, WorkspaceId};
use domain::event::{CallAccepted, CallTranscribed, Envelope, Material, MaterialAt, MaterialKind};
use domain::fault::Fault;
use domain::moment::Moment;
use domain::refusal::{Code, Codes, Destination, Failure, Refusal, Remote};
use domain::transcript::{Segment, Transcript};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use platform::blobs::Blobs;
use platform::config::{Installation, Values};
use platform::seal::{self, Sealer};
use providers::speech::{
    Answer, Audio, GivenUp, Notify, Progress, Reading, SpeechAtOnce, SpeechJobs, SpeechToText, Unreadable,
    Wanted, Webhook,
};
use providers::{Check, Checked};
use queue_topology::broker::Lane;
use queue_topology::{Cx, Outcome, Run, Stage as _, StageError};
use store::{Arrival, Begun, InstanceId, RunKey, RunRequest, Store, Write};
use transcription::{Settings, Transcription};
use uuid::Uuid;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;
const AUDIO: &[u8] = b"ID3\x04\0\0\0\0\0\0 and sound";

static REMOTE: Remote = Remote {
    destination: Destination::named("scripted"),
    title: "Scripted",
    advice: "check SCRIPTED_KEY",
    codes: Codes {
        unreachable: Code::new("speech_to_text_unreachable"),
        no_answer: Code::new("speech_to_text_failed"),
        too_long: Code::new("speech_to_text_answer_too_long"),
        account: Code::new("speech_to_text_refuses_account"),
        throttled: Code::new("speech_to_text_throttled"),
        failed: Code::new("speech_to_text_failed"),
        refused: Code::new("speech_to_text_refused"),
    },
    default_wait: Duration::from_secs(10),
};

/// A provider that works on jobs. It answers each look with the next answer of its script, and remembers its
/// requests.
struct Scripted {
    says: Mutex<VecDeque<Progress>>,
    heard: Mutex<Vec<Vec<u8>>>,
    notified: Mutex<Vec<Option<String>>>,
    deadline: Duration,
}

impl Scripted {
    fn saying(says: impl IntoIterator<Item = Progress>) -> Arc<Self> {
        Arc::new(Self::with_deadline(says, Duration::from_hours(3)))
    }

    fn with_deadline(says: impl IntoIterator<Item = Progress>, deadline: Duration) -> Self {
        Self {
            says: Mutex::new(says.into_iter().collect()),
            heard: Mutex::default(),
            notified: Mutex::default(),
            deadline,
        }
    }

    fn jobs(&self) -> usize {
        self.notified.lock().unwrap().len()
    }
}

impl Check for Scripted {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        std::future::ready(Ok(Checked::reached())).boxed()
    }
}

async fn whole(audio: Audio) -> Vec<u8> {
    let pieces: Vec<Bytes> = audio.body.try_collect().await.unwrap();
    pieces.concat()
}

impl SpeechJobs for Scripted {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn upload(&self, audio: Audio) -> BoxFuture<'_, Result<String, Refusal>> {
        async {
            let audio = whole(audio).await;
            self.heard.lock().unwrap().push(audio);
            Ok("uploaded".to_owned())
        }
        .boxed()
    }

    fn submit<'a>(
        &'a self,
        uploaded: &'a str,
        _wanted: &'a Wanted,
        notify: Option<&'a Notify>,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        assert_eq!(uploaded, "uploaded");
        let mut notified = self.notified.lock().unwrap();
        notified.push(notify.map(|notify| notify.url.clone()));
        std::future::ready(Ok(format!("job {}", notified.len()))).boxed()
    }

    fn look<'a>(&'a self, _job: &'a str) -> BoxFuture<'a, Result<Progress, Refusal>> {
        let said = self.says.lock().unwrap().pop_front();
        std::future::ready(Ok(said.unwrap_or(Progress::Unknown))).boxed()
    }

    fn look_again_after(&self, _age: Duration) -> Duration {
        Duration::from_millis(200)
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    fn webhook(&self) -> Option<Webhook> {
        Some(Webhook {
            path: "/webhooks/scripted",
            header: seal::WEBHOOK_SECRET_HEADER,
            secret: "shared".into(),
        })
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        Ok(reading(std::str::from_utf8(answer).unwrap()))
    }
}

/// A provider that answers at once, with the next answer of its script. Every text is a transcript, but `garbled` is
/// not.
#[derive(Default)]
struct AtOnce {
    says: Mutex<VecDeque<Result<&'static str, Failure>>>,
    asked: Mutex<Vec<Vec<u8>>>,
}

impl AtOnce {
    fn saying(says: impl IntoIterator<Item = Result<&'static str, Failure>>) -> Arc<Self> {
        Arc::new(Self { says: Mutex::new(says.into_iter().collect()), asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Check for AtOnce {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        std::future::ready(Ok(Checked::reached())).boxed()
    }
}

impl SpeechAtOnce for AtOnce {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn transcribe<'a>(&'a self, audio: Audio, _wanted: &'a Wanted) -> BoxFuture<'a, Result<Answer, Refusal>> {
        async {
            let audio = whole(audio).await;
            self.asked.lock().unwrap().push(audio);
            let said = self.says.lock().unwrap().pop_front().expect("it is not asked so often");
            let said = said.map_err(|failure| Refusal::of(&REMOTE, &failure))?;
            Ok(stream::iter([Ok(Bytes::from_static(said.as_bytes()))]).boxed())
        }
        .boxed()
    }

    fn timeout(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn max_answer_bytes(&self) -> u64 {
        16
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        match std::str::from_utf8(answer).unwrap() {
            "garbled" => Err(Unreadable { provider: REMOTE.title, problem: "not JSON".into() }),
            text => Ok(reading(text)),
        }
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    blobs: Blobs,
    sealer: Sealer,
    call: CallId,
}

impl Bench {
    async fn new() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let blobs = Blobs::local(&folder.path().join("blobs")).unwrap();
        let call = CallId::derive(WORKSPACE, "exotel", "CALL-1");
        Self { _folder: folder, store, blobs, sealer: Sealer::from_key([7; 32]), call }
    }

    /// Brings material in, and returns the run that it starts.
    async fn arrives(&self, kind: MaterialKind, at: MaterialAt) -> Cx {
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WORKSPACE,
            call: self.call,
            source: "exotel".into(),
            external_id: "CALL-1".into(),
            kind: CallKind::Phone,
            details: CallDetails {
                participants: vec![Participant {
                    name: Some("Helen Castellanos".into()),
                    role: Some(Role::Customer),
                    ..Participant::default()
                }],
                ..CallDetails::default()
            },
            materials: vec![Material { kind, digest: "d1".into(), at, media_type: None, starts_at: None }],
        };
        self.store.take_in(&arrival, &["transcription"], "live", |_| String::new()).await.unwrap();
        self.begins(1).await
    }

    async fn begins(&self, generation: i64) -> Cx {
        let owner = InstanceId::new();
        let key = RunKey { workspace: WORKSPACE, call: self.call, stage: "transcription", generation };
        let request = RunRequest::new(key, owner, self.store.now());
        let begun = self.store.begin_run(&RunRequest { nudge: true, ..request }).await;
        let Begun::Mine(begun) = begun.unwrap() else { panic!("the run cannot be begun") };
        let run = Run {
            workspace: WORKSPACE,
            call: self.call,
            stage: "transcription",
            generation,
            attempt: begun.attempts,
            fence: begun.fence,
            since: begun.since,
            lane: Lane::Live,
        };
        Cx::new(self.store.clone(), run, owner)
    }

    async fn blob(&self, text: &[u8]) -> MaterialAt {
        self.blobs.put("material", Bytes::copy_from_slice(text)).await.unwrap();
        MaterialAt::Blob("material".into())
    }

    fn sealed(&self, url: &str) -> MaterialAt {
        MaterialAt::SealedUrl(self.sealer.seal(&seal::of_call(WORKSPACE, self.call), url))
    }

    fn stage(&self, speech: Option<Arc<Scripted>>, change: impl FnOnce(&mut Settings)) -> Transcription {
        self.stage_with(speech.map(|speech| SpeechToText::Job(speech)), change)
    }

    fn stage_with(&self, speech: Option<SpeechToText>, change: impl FnOnce(&mut Settings)) -> Transcription {
        let values = Values::of([
            ("DEBRIEF_ALLOW_PRIVATE_FETCH", "true"),
            ("DEBRIEF_PUBLIC_URL", "https://debrief.example.com/base/"),
        ]);
        let mut settings = Settings::read(&values, &Installation::read(&values).unwrap()).unwrap();
        change(&mut settings);
        Transcription::new(settings, speech.into_iter().collect(), self.blobs.clone(), self.sealer.clone())
    }
}

async fn handle(stage: &Transcription, cx: &Cx) -> Result<Outcome<CallTranscribed>, StageError> {
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

fn kept(cx: &Cx) -> Transcript {
    let kept = cx.take_kept();
    let transcript = kept.iter().find_map(|write| match write {
        Write::Transcript(transcript) => Some(transcript.clone()),
        _ => None,
    });
    transcript.unwrap_or_else(|| panic!("{kept:?}"))
}

fn said(text: &str) -> Transcript {
    let segment = Segment {
        id: 1,
        speaker: Some("A".into()),
        role: None,
        start_ms: Some(0),
        end_ms: Some(900),
        text: text.into(),
        confidence: Some(0.9),
    };
    Transcript { language: None, segments: vec![segment], ..Transcript::default() }
}

fn reading(text: &str) -> Reading {
    Reading { transcript: said(text), ..Reading::default() }
}

fn hello() -> Progress {
    Progress::Done(Bytes::from_static(b"Hello."))
}

const DONE: Outcome<CallTranscribed> = Outcome::Emit(CallTranscribed {});

#[tokio::test]
async fn a_supplied_transcript_is_read_without_any_provider() {
    let bench = Bench::new().await;
    let at = bench.blob(b"WEBVTT\n\n00:01.000 --> 00:02.000\nHelen Castellanos: Morning.\n").await;
    let cx = bench.arrives(MaterialKind::Transcript, at).await;
    assert_eq!(handle(&bench.stage(None, |_| {}), &cx).await.unwrap(), DONE);
    assert_eq!(kept(&cx).segments[0].role, Some(Role::Customer));
}

#[tokio::test]
async fn a_supplied_transcript_can_stand_behind_a_url() {
    let bench = Bench::new().await;
    let server = MockServer::start().await;
    let text = ResponseTemplate::new(200).set_body_string("Helen Castellanos: Morning.\n");
    Mock::given(method("GET")).respond_with(text).mount(&server).await;
    let cx = bench.arrives(MaterialKind::Transcript, bench.sealed(&server.uri())).await;
    assert_eq!(handle(&bench.stage(None, |_| {}), &cx).await.unwrap(), DONE);
    assert_eq!(kept(&cx).segments[0].text, "Morning.");
}

#[tokio::test]
async fn a_transcript_that_cannot_be_read_says_why_and_is_not_tried_again() {
    let bench = Bench::new().await;
    let cx = bench.arrives(MaterialKind::Session, bench.blob(b"{\"items\": [").await).await;
    let error = handle(&bench.stage(None, |_| {}), &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "transcript_unreadable"));
    assert!(error.to_string().contains("it is not JSON"), "{error}");
}

#[tokio::test]
async fn a_recording_waits_where_nobody_can_transcribe_it() {
    let bench = Bench::new().await;
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    let error = handle(&bench.stage(None, |_| {}), &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unavailable, "speech_to_text_not_configured"));
    assert_eq!(error.destination.as_deref(), Some("speech_to_text"));
    assert!(error.to_string().contains("ASSEMBLYAI_API_KEY"), "{error}");
}

#[tokio::test]
async fn a_recording_is_fetched_once_paid_for_once_and_looked_at_until_it_is_done() {
    let bench = Bench::new().await;
    let server = MockServer::start().await;
    let audio = ResponseTemplate::new(200).set_body_bytes(AUDIO);
    Mock::given(path("/a.mp3")).respond_with(audio).expect(1).mount(&server).await;
    let speech = Scripted::saying([Progress::Running, Progress::Running, hello(), hello()]);
    let stage = bench.stage(Some(Arc::clone(&speech)), |_| {});
    let url = format!("{}/a.mp3?token=secret", server.uri());
    let cx = bench.arrives(MaterialKind::Recording, bench.sealed(&url)).await;
    for _ in 0..2 {
        assert_eq!(handle(&stage, &cx).await.unwrap(), Outcome::Later(Duration::from_millis(200)));
    }
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(kept(&cx).to_text(), "Speaker A: Hello.\n");
    // The run is done again, as after a crash right before its end. The answer is kept, so nobody is asked.
    speech.says.lock().unwrap().clear();
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(speech.jobs(), 1);
    assert_eq!(*speech.heard.lock().unwrap(), [AUDIO]);
    let told = speech.notified.lock().unwrap()[0].clone().unwrap();
    let expected = format!(
        "https://debrief.example.com/base/webhooks/scripted?workspace={WORKSPACE}&call={}&generation=1",
        bench.call
    );
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_job_that_failed_or_is_gone_is_made_again() {
    let bench = Bench::new().await;
    let failed = GivenUp { reason: "Server error".into(), for_good: false };
    let speech = Scripted::saying([Progress::Failed(failed)]);
    let stage = bench.stage(Some(Arc::clone(&speech)), |_| {});
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Transient, "transcription_failed"));
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Transient, "transcription_lost"));
    speech.says.lock().unwrap().push_back(hello());
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(speech.jobs(), 3);
}

#[tokio::test]
async fn audio_that_no_provider_can_use_is_given_up() {
    let bench = Bench::new().await;
    let failed = GivenUp { reason: "Audio duration is too short.".into(), for_good: true };
    let speech = Scripted::saying([Progress::Failed(failed)]);
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    let error = handle(&bench.stage(Some(speech), |_| {}), &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "transcription_refused"));
    assert!(error.to_string().contains("too short"), "{error}");
}

#[tokio::test]
async fn a_job_that_never_ends_is_given_up_at_its_deadline() {
    let bench = Bench::new().await;
    let speech = Scripted::with_deadline([Progress::Running, Progress::Running], Duration::ZERO);
    let speech = Arc::new(speech);
    let stage = bench.stage(Some(Arc::clone(&speech)), |_| {});
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "transcription_timed_out"));
    // A replay makes a new job.
    assert!(handle(&stage, &cx).await.is_err());
    assert_eq!(speech.jobs(), 2);
}

#[tokio::test]
async fn a_recording_that_cannot_be_fetched_says_so() {
    let bench = Bench::new().await;
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_string("<html>Sign in</html>");
    Mock::given(path("/page")).respond_with(page).mount(&server).await;
    let speech = Scripted::saying([]);
    let stage = bench.stage(Some(Arc::clone(&speech)), |_| {});
    let cx = bench.arrives(MaterialKind::Recording, bench.sealed(&format!("{}/gone", server.uri()))).await;
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Transient, "recording_not_found"));

    let bench = Bench::new().await;
    let cx = bench.arrives(MaterialKind::Recording, bench.sealed(&format!("{}/page", server.uri()))).await;
    let stage = bench.stage(Some(Arc::clone(&speech)), |_| {});
    assert_eq!(handle(&stage, &cx).await.unwrap_err().code, "recording_not_audio");

    let bench = Bench::new().await;
    let cx = bench.arrives(MaterialKind::Recording, bench.sealed(&format!("{}/page", server.uri()))).await;
    let stage =
        bench.stage(Some(Arc::clone(&speech)), |settings| settings.allow = platform::fetch::Allow::None);
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "recording_url_refused"));

    let stage = bench.stage(Some(Arc::clone(&speech)), |settings| settings.limits.max_bytes = 10);
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(AUDIO))
        .mount(&server)
        .await;
    let bench = Bench::new().await;
    let cx = bench.arrives(MaterialKind::Recording, bench.sealed(&server.uri())).await;
    assert_eq!(handle(&stage, &cx).await.unwrap_err().code, "recording_too_large");
    assert_eq!(speech.jobs(), 0);
}

#[tokio::test]
async fn a_url_that_was_sealed_for_another_call_is_not_opened() {
    let bench = Bench::new().await;
    let at = MaterialAt::SealedUrl(bench.sealer.seal(b"another call", "http://127.0.0.1/"));
    let cx = bench.arrives(MaterialKind::Recording, at).await;
    let error = handle(&bench.stage(Some(Scripted::saying([])), |_| {}), &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "recording_url_sealed_by_another_key"));
}

fn at_once(bench: &Bench, provider: &Arc<AtOnce>) -> Transcription {
    bench.stage_with(Some(SpeechToText::AtOnce(Arc::clone(provider) as Arc<dyn SpeechAtOnce>)), |_| {})
}

#[tokio::test]
async fn an_answer_that_comes_at_once_is_paid_for_once_however_often_the_run_comes_back() {
    let bench = Bench::new().await;
    let provider = AtOnce::saying([Ok("Hello.")]);
    let stage = at_once(&bench, &provider);
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    for _ in 0..2 {
        assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
        assert_eq!(kept(&cx).to_text(), "Speaker A: Hello.\n");
    }
    assert_eq!(*provider.asked.lock().unwrap(), [AUDIO]);
}

#[tokio::test]
async fn an_answer_that_was_kept_right_before_the_process_died_is_read_and_not_paid_for_again() {
    let bench = Bench::new().await;
    let provider = AtOnce::saying([]);
    let stage = at_once(&bench, &provider);
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    let kept_at = format!("answers/{}/scripted/d1", bench.call);
    bench.blobs.put(&kept_at, Bytes::from_static(b"Hello.")).await.unwrap();
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(provider.asked(), 0);
}

#[tokio::test]
async fn an_answer_that_nobody_can_read_is_dead_and_stays_kept_for_a_better_reader() {
    let bench = Bench::new().await;
    let provider = AtOnce::saying([Ok("garbled")]);
    let stage = at_once(&bench, &provider);
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    for _ in 0..2 {
        let error = handle(&stage, &cx).await.unwrap_err();
        assert_eq!((error.fault, error.code), (Fault::Permanent, "transcription_unreadable"));
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_dead_after_the_first_and_says_why() {
    let bench = Bench::new().await;
    let provider = AtOnce::saying([Ok("more than sixteen bytes of transcript")]);
    let stage = at_once(&bench, &provider);
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "speech_to_text_answer_too_long"));
    assert!(error.to_string().contains("16 bytes"), "{error}");
}

#[tokio::test]
async fn an_answer_that_was_lost_or_deleted_is_asked_for_again() {
    let bench = Bench::new().await;
    let lost = || Err(Failure::Lost { problem: "timed out".into() });
    let provider = AtOnce::saying([lost(), Ok("Hello."), Ok("Hello again.")]);
    let stage = at_once(&bench, &provider);
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    assert_eq!(handle(&stage, &cx).await.unwrap_err().code, "speech_to_text_failed");
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    bench.blobs.delete(&format!("answers/{}/scripted/d1", bench.call)).await.unwrap();
    assert_eq!(handle(&stage, &cx).await.unwrap_err().code, "transcription_lost");
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(provider.asked(), 3);
}

#[tokio::test]
async fn a_provider_that_is_away_parks_the_run_and_was_sent_nothing() {
    let bench = Bench::new().await;
    let provider = AtOnce::saying([Err(Failure::NotSent { problem: "refused".into() }), Ok("Hello.")]);
    let stage = at_once(&bench, &provider);
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(AUDIO).await).await;
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.destination.as_deref()), (Fault::Unavailable, Some("scripted")));
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
}

#[tokio::test]
async fn a_recording_is_measured_once_and_what_was_measured_is_kept_with_its_transcript() {
    let bench = Bench::new().await;
    let speech = Scripted::saying([Progress::Running, hello()]);
    let stage = bench.stage(Some(Arc::clone(&speech)), |_| {});
    let wav = include_bytes!("../../../../common/media/test-data/audio/pcm_s16le.wav");
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(wav).await).await;
    assert_eq!(handle(&stage, &cx).await.unwrap(), Outcome::Later(Duration::from_millis(200)));
    let kept_at = format!("measured/{}/d1", bench.call);
    assert!(bench.blobs.head(&kept_at).await.unwrap().is_some());
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    let kept = cx.take_kept();
    let measured = kept.iter().find_map(|write| match write {
        Write::Audio(measured) => Some(measured),
        _ => None,
    });
    let facts = &measured.unwrap().facts;
    assert_eq!((facts.container.as_str(), facts.duration_ms, facts.channels.len()), ("wav", 200, 2));
    assert!(kept.iter().any(|write| matches!(write, Write::Transcript(_))));
}

#[tokio::test]
async fn a_file_that_is_no_recording_is_refused_before_anybody_is_paid() {
    let bench = Bench::new().await;
    let speech = Scripted::saying([hello()]);
    let stage = bench.stage(Some(Arc::clone(&speech)), |_| {});
    let cx = bench.arrives(MaterialKind::Recording, bench.blob(b"PK\x03\x04\x14\0\x06\0").await).await;
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "recording_not_audio"));
    assert!(error.to_string().contains("a ZIP archive"), "{error}");
    assert_eq!(speech.jobs(), 0);
}
