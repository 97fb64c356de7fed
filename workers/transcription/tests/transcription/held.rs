//! Tests how the stage fetches a recording that a provider keeps, with a holder that follows the script of a test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{CallAccepted, CallTranscribed, Envelope, Material, MaterialAt, MaterialKind};
use domain::fault::Fault;
use domain::held_file::{HeldFile, Holder};
use domain::moment::Moment;
use domain::refusal::{Code, Codes, Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::blobs::Blobs;
use platform::config::{Installation, Values};
use platform::fetch::Address;
use platform::seal::{self, Sealer};
use providers::holders::Holders;
use providers::recordings::{Located, RecordingHolder};
use providers::{Check, Checked};
use queue_topology::broker::Lane;
use queue_topology::{Cx, Outcome, Run, Stage as _, StageError};
use store::{Arrival, Begun, InstanceId, RunKey, RunRequest, Store, Write};
use transcription::{Settings, Transcription};
use uuid::Uuid;
use wiremock::matchers::{header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;
const TEXT: &str = "Helen Castellanos: Morning.\n";

static REMOTE: Remote = Remote {
    destination: Destination::named("twilio"),
    title: "Twilio",
    advice: "check TWILIO_AUTH_TOKEN",
    codes: Codes {
        unreachable: Code::new("twilio_unreachable"),
        no_answer: Code::new("twilio_failed"),
        too_long: Code::new("twilio_answer_too_long"),
        account: Code::new("twilio_refuses_account"),
        throttled: Code::new("twilio_throttled"),
        failed: Code::new("twilio_failed"),
        refused: Code::new("twilio_refused"),
    },
    default_wait: Duration::from_secs(10),
};

/// A holder that answers each question with the next answer of its script.
struct Scripted {
    says: Mutex<VecDeque<Located>>,
    asked: Mutex<Vec<String>>,
    patience: Duration,
}

impl Scripted {
    fn saying(says: impl IntoIterator<Item = Located>) -> Arc<Self> {
        Arc::new(Self::with_patience(says, Duration::from_hours(1)))
    }

    fn with_patience(says: impl IntoIterator<Item = Located>, patience: Duration) -> Self {
        Self { says: Mutex::new(says.into_iter().collect()), asked: Mutex::default(), patience }
    }
}

impl Check for Scripted {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        std::future::ready(Ok(Checked::reached())).boxed()
    }
}

impl RecordingHolder for Scripted {
    fn holder(&self) -> Holder {
        Holder::Twilio
    }

    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn locate<'a>(&'a self, file: &'a HeldFile) -> BoxFuture<'a, Result<Located, Refusal>> {
        self.asked.lock().unwrap().push(file.id().to_owned());
        let said = self.says.lock().unwrap().pop_front().expect("it is not asked so often");
        std::future::ready(Ok(said)).boxed()
    }

    fn patience(&self) -> Duration {
        self.patience
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
        let call = CallId::derive(WORKSPACE, "twilio", "CA1");
        Self { _folder: folder, store, blobs, sealer: Sealer::from_key([7; 32]), call }
    }

    /// Announces a transcript that the provider keeps, and returns the run that it starts. A transcript is read without a
    /// provider of speech to text.
    async fn announced(&self) -> Cx {
        let address = HeldFile::new(Holder::Twilio, "RE1").address();
        let sealed = self.sealer.seal(&seal::of_call(WORKSPACE, self.call), &address);
        let at = MaterialAt::SealedUrl(sealed);
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WORKSPACE,
            call: self.call,
            source: "twilio".into(),
            external_id: "CA1".into(),
            kind: CallKind::Phone,
            details: CallDetails::default(),
            materials: vec![Material {
                kind: MaterialKind::Transcript,
                digest: "d1".into(),
                at,
                media_type: None,
                starts_at: None,
            }],
        };
        self.store.take_in(&arrival, &["transcription"], "live", |_| String::new()).await.unwrap();
        let owner = InstanceId::new();
        let key = RunKey { workspace: WORKSPACE, call: self.call, stage: "transcription", generation: 1 };
        let request = RunRequest { nudge: true, ..RunRequest::new(key, owner, self.store.now()) };
        let Begun::Mine(begun) = self.store.begin_run(&request).await.unwrap() else {
            panic!("the run cannot be begun")
        };
        let run = Run {
            workspace: WORKSPACE,
            call: self.call,
            stage: "transcription",
            generation: 1,
            attempt: begun.attempts,
            fence: begun.fence,
            since: begun.since,
            lane: Lane::Live,
        };
        Cx::new(self.store.clone(), run, owner)
    }

    /// What becomes of the run when the holder is this one. Private addresses may not be fetched from.
    async fn handled(
        &self,
        cx: &Cx,
        holder: Option<Arc<Scripted>>,
    ) -> Result<Outcome<CallTranscribed>, StageError> {
        let values = Values::default();
        let settings = Settings::read(&values, &Installation::read(&values).unwrap()).unwrap();
        let holders = Holders::of(holder.map(|holder| holder as Arc<dyn RecordingHolder>));
        let stage = Transcription::new(settings, Vec::new(), self.blobs.clone(), self.sealer.clone());
        let event = Envelope {
            id: Uuid::new_v4(),
            workspace: WORKSPACE,
            call: cx.run.call,
            generation: cx.run.generation,
            time: Moment::now(),
            traceparent: None,
            data: CallAccepted {},
        };
        stage.with_holders(holders).handle(cx, &event).await
    }

    async fn refused(&self, cx: &Cx, holder: Option<Arc<Scripted>>) -> StageError {
        self.handled(cx, holder).await.unwrap_err()
    }
}

fn at(url: String) -> Located {
    Located::At(Address { url, authorization: Some("Bearer secret".into()), is_configured: true })
}

#[tokio::test]
async fn a_held_file_is_located_first_and_then_fetched_with_what_its_holder_gave() {
    let (bench, server) = (Bench::new().await, MockServer::start().await);
    let text = ResponseTemplate::new(200).set_body_string(TEXT);
    Mock::given(path("/RE1"))
        .and(header("authorization", "Bearer secret"))
        .respond_with(text)
        .mount(&server)
        .await;
    let holder = Scripted::saying([at(format!("{}/RE1", server.uri()))]);
    let cx = bench.announced().await;
    let outcome = bench.handled(&cx, Some(Arc::clone(&holder))).await.unwrap();
    assert_eq!(outcome, Outcome::Emit(CallTranscribed {}));
    let kept = cx.take_kept();
    let [Write::Transcript(transcript)] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!(transcript.segments[0].text, "Morning.");
    assert_eq!(*holder.asked.lock().unwrap(), ["RE1"]);
}

#[tokio::test]
async fn a_file_that_is_not_ready_is_looked_for_again_and_spends_no_attempt() {
    let (bench, server) = (Bench::new().await, MockServer::start().await);
    Mock::given(path("/RE1")).respond_with(ResponseTemplate::new(404)).mount(&server).await;
    let cx = bench.announced().await;
    for said in [Located::NotYet, at(format!("{}/RE1", server.uri()))] {
        let error = bench.refused(&cx, Some(Scripted::saying([said]))).await;
        assert_eq!(
            (error.code, error.fault),
            ("recording_not_ready", Fault::Throttled(Duration::from_secs(2)))
        );
    }
}

#[tokio::test]
async fn a_call_whose_file_never_comes_ends_without_a_recording_and_says_why() {
    let bench = Bench::new().await;
    let cx = bench.announced().await;
    let holder = Arc::new(Scripted::with_patience([Located::NotYet], Duration::ZERO));
    for (holder, code) in [
        (holder, "recording_never_came"),
        (Scripted::saying([Located::Nothing { why: "nothing was recorded" }]), "recording_not_kept"),
    ] {
        assert_eq!(bench.handled(&cx, Some(holder)).await.unwrap(), Outcome::Done);
        let kept = cx.take_kept();
        let [Write::NoRecording(note)] = kept.as_slice() else { panic!("{kept:?}") };
        assert_eq!(note.code, code);
    }
}

#[tokio::test]
async fn a_failure_that_is_not_about_readiness_stays_what_it_is() {
    let (bench, server) = (Bench::new().await, MockServer::start().await);
    Mock::given(path("/RE1")).respond_with(ResponseTemplate::new(410)).mount(&server).await;
    let cx = bench.announced().await;
    let gone = Scripted::saying([at(format!("{}/RE1", server.uri()))]);
    assert_eq!(bench.refused(&cx, Some(gone)).await.code, "recording_gone");
    let outside = Scripted::saying([Located::At(Address::from_outside(format!("{}/RE1", server.uri())))]);
    assert_eq!(bench.refused(&cx, Some(outside)).await.code, "recording_url_refused");
}

#[tokio::test]
async fn without_its_holder_a_call_waits_and_says_what_to_set() {
    let bench = Bench::new().await;
    let cx = bench.announced().await;
    let error = bench.refused(&cx, None).await;
    assert_eq!((error.code, error.fault), ("recording_holder_not_configured", Fault::Unavailable));
    assert_eq!(error.destination, Some(Destination::named("twilio")));
}
