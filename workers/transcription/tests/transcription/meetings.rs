//! Tests the stage on calls in pieces and on meetings of Zoom, with a provider of speech to text that repeats what it is
//! sent and with a server that answers like Zoom.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::call::{CallDetails, CallId, CallKind, Role, WorkspaceId};
use domain::event::{CallAccepted, CallTranscribed, Envelope, Material, MaterialAt, MaterialKind};
use domain::fault::Fault;
use domain::held_file::{HeldFile, Holder};
use domain::moment::Moment;
use domain::refusal::{Code, Codes, Destination, Refusal, Remote};
use domain::transcript::{Segment, Transcript};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use platform::blobs::Blobs;
use platform::config::{Installation, Values};
use platform::seal::{self, Sealer};
use providers::holders::Holders;
use providers::meetings;
use providers::speech::{Answer, Audio, Reading, SpeechAtOnce, SpeechToText, Unreadable, Wanted};
use providers::{Check, Checked, Slots};
use queue_topology::broker::Lane;
use queue_topology::{Cx, Outcome, Run, Stage as _, StageError};
use serde_json::{Value, json};
use store::{Arrival, Begun, Claim, InstanceId, RunKey, RunRequest, Settlement, Store, TakenIn, Write};
use transcription::{Settings, Transcription};
use uuid::Uuid;
use wiremock::matchers::{header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;
const MEETING: &str = "/ajXp112QmuoKj4854875==";
const SOUND: &[u8] = b"ID3\x04\0\0\0\0\0\0";

static REMOTE: Remote = Remote {
    destination: Destination::named("echo"),
    title: "Echo",
    advice: "check ECHO_KEY",
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

/// A provider whose transcript is the text behind the first bytes of the audio.
#[derive(Default)]
struct Echo {
    paid: Mutex<Vec<String>>,
}

impl Check for Echo {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        std::future::ready(Ok(Checked::reached())).boxed()
    }
}

impl SpeechAtOnce for Echo {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn transcribe<'a>(&'a self, audio: Audio, _: &'a Wanted) -> BoxFuture<'a, Result<Answer, Refusal>> {
        async {
            let pieces: Vec<Bytes> = audio.body.try_collect().await.unwrap();
            let text = String::from_utf8_lossy(&pieces.concat()[SOUND.len()..]).into_owned();
            self.paid.lock().unwrap().push(text.clone());
            Ok(stream::iter([Ok(Bytes::from(text))]).boxed())
        }
        .boxed()
    }

    fn timeout(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        let segment = Segment {
            id: 1,
            speaker: Some("A".into()),
            role: None,
            start_ms: Some(1_000),
            end_ms: Some(2_000),
            text: String::from_utf8_lossy(answer).into_owned(),
            confidence: None,
        };
        let transcript = Transcript { segments: vec![segment], ..Transcript::default() };
        Ok(Reading { transcript, ..Reading::default() })
    }
}

pub(crate) fn at(second: i64) -> Moment {
    Moment::from_micros(1_772_616_600_000_000 + second * 1_000_000)
}

pub(crate) struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    blobs: Blobs,
    sealer: Sealer,
    call: CallId,
    echo: Arc<Echo>,
    pub(crate) zoom: MockServer,
    /// The run that was begun last.
    begun: Mutex<Option<Claim>>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let blobs = Blobs::local(&folder.path().join("blobs")).unwrap();
        let call = CallId::derive(WORKSPACE, "zoom", MEETING);
        let zoom = MockServer::start().await;
        let (sealer, echo) = (Sealer::from_key([7; 32]), Arc::default());
        Self { _folder: folder, store, blobs, sealer, call, echo, zoom, begun: Mutex::default() }
    }

    pub(crate) async fn file(&self, kind: MaterialKind, content: &str, start: i64) -> Material {
        let content = match kind {
            MaterialKind::Recording => [SOUND, content.as_bytes()].concat(),
            _ => content.as_bytes().to_vec(),
        };
        let key = format!("material-{kind:?}-{start}");
        self.blobs.put(&key, Bytes::from(content)).await.unwrap();
        let at_blob = MaterialAt::Blob(key.clone());
        Material { kind, digest: key, at: at_blob, media_type: None, starts_at: Some(at(start)) }
    }

    pub(crate) fn held(&self, id: &str, values: &[(&str, &str)]) -> Material {
        let file = HeldFile::new(Holder::Zoom, id).with("meeting", MEETING);
        let file = values.iter().fold(file, |file, (name, value)| file.with(name, *value));
        Material { starts_at: Some(at(0)), ..self.behind(id, &file.address()) }
    }

    /// A recording behind this address, which says nothing about when it starts.
    pub(crate) fn behind(&self, digest: &str, address: &str) -> Material {
        let sealed = self.sealer.seal(&seal::of_call(WORKSPACE, self.call), address);
        Material {
            kind: MaterialKind::Recording,
            digest: digest.to_owned(),
            at: MaterialAt::SealedUrl(sealed),
            media_type: Some("audio/mp4".into()),
            starts_at: None,
        }
    }

    /// What the store knows of the call.
    pub(crate) async fn known(&self) -> CallDetails {
        self.store.call(WORKSPACE, self.call).await.unwrap().unwrap().details
    }

    /// Brings material of a meeting in, and returns the run of its generation.
    pub(crate) async fn arrives(&self, material: Material) -> Cx {
        let details = json!({ "metadata": { "host_email": "priya@tidegrid.example.com" } });
        self.arrives_with(CallKind::Meeting, serde_json::from_value(details).unwrap(), material).await
    }

    /// Brings material of any call in.
    pub(crate) async fn arrives_with(&self, kind: CallKind, details: CallDetails, material: Material) -> Cx {
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WORKSPACE,
            call: self.call,
            source: "zoom".into(),
            external_id: MEETING.into(),
            kind,
            details,
            materials: vec![material],
        };
        let taken =
            self.store.take_in(&arrival, &["transcription"], "live", |_| String::new()).await.unwrap();
        let TakenIn::Accepted { generation } = taken else { panic!("{taken:?}") };
        self.begins(generation).await
    }

    async fn begins(&self, generation: i64) -> Cx {
        let owner = InstanceId::new();
        let key = RunKey { workspace: WORKSPACE, call: self.call, stage: "transcription", generation };
        let request = RunRequest { nudge: true, ..RunRequest::new(key, owner, self.store.now()) };
        let Begun::Mine(begun) = self.store.begin_run(&request).await.unwrap() else {
            panic!("it cannot be begun")
        };
        *self.begun.lock().unwrap() = Some(request.claim(&begun));
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

    async fn handled(&self, cx: &Cx, credentials: bool) -> Result<Outcome<CallTranscribed>, StageError> {
        let base = format!("{}/v2", self.zoom.uri());
        let mut given = vec![("ZOOM_WEBHOOK_SECRET_TOKEN", "s"), ("ZOOM_BASE_URL", &base)];
        if credentials {
            given.extend([("ZOOM_ACCOUNT_ID", "a"), ("ZOOM_CLIENT_ID", "c"), ("ZOOM_CLIENT_SECRET", "s")]);
        }
        given.extend([("EXOTEL_API_KEY", "key"), ("EXOTEL_API_TOKEN", "token"), ("EXOTEL_SID", "acme")]);
        let exotel = self.zoom.uri();
        given.push(("EXOTEL_BASE_URL", &exotel));
        // Without credentials the server is one of somebody else, and must be permitted.
        given.push(("DEBRIEF_ALLOW_PRIVATE_FETCH", if credentials { "false" } else { "true" }));
        let values = Values::of(given);
        let slots = Slots::of_this_process();
        let settings = Settings::read(&values, &Installation::read(&values).unwrap()).unwrap();
        let speech = SpeechToText::AtOnce(Arc::clone(&self.echo) as Arc<dyn SpeechAtOnce>);
        let stage = Transcription::new(settings, vec![speech], self.blobs.clone(), self.sealer.clone())
            .with_holders(Holders::configured(&values, &slots).unwrap())
            .with_attendance(meetings::attendance(&values, &slots).unwrap());
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

    /// Handles the run, and returns the transcript and what was found out about the call.
    pub(crate) async fn transcribed(&self, cx: &Cx, credentials: bool) -> (Transcript, Option<CallDetails>) {
        let outcome = self.handled(cx, credentials).await.unwrap();
        assert_eq!(outcome, Outcome::Emit(CallTranscribed {}));
        let (mut transcript, mut details) = (None, None);
        for write in cx.take_kept() {
            match write {
                Write::Transcript(made) => transcript = Some(made),
                Write::Details(found) => details = Some(*found),
                Write::Transcribed(by) => assert_eq!(by.provider, "echo"),
                other => panic!("{other:?}"),
            }
        }
        self.ends().await;
        (transcript.unwrap(), details)
    }

    /// Ends the run, so that the next generation can begin.
    pub(crate) async fn ends(&self) {
        let claim = self.begun.lock().unwrap().take().unwrap();
        let done = Settlement::Done { writes: &[], children: &[] };
        self.store.settle_run(&claim, &done).await.unwrap();
    }

    pub(crate) fn paid(&self) -> Vec<String> {
        self.echo.paid.lock().unwrap().clone()
    }

    pub(crate) async fn zoom_answers(&self, at: &str, token: &str, answer: ResponseTemplate) {
        let bearer = format!("Bearer {token}");
        Mock::given(path(at))
            .and(header("authorization", bearer.as_str()))
            .respond_with(answer)
            .mount(&self.zoom)
            .await;
    }

    /// The API of Zoom with one recording, and with these participants.
    pub(crate) async fn with_api(&self, file: &str, people: Value) {
        let token = json!({ "access_token": "account-token", "expires_in": 3599 });
        Mock::given(path("/oauth/token"))
            .respond_with(ResponseTemplate::new(200).set_body_json(token))
            .mount(&self.zoom)
            .await;
        let twice = "%252FajXp112QmuoKj4854875%253D%253D";
        let listed = json!({ "uuid": MEETING, "recording_files": [{
            "id": file, "file_type": "M4A", "download_url": format!("{}/rec/found-again", self.zoom.uri()),
        }] });
        let answer = ResponseTemplate::new(200).set_body_json(listed);
        self.zoom_answers(&format!("/v2/meetings/{twice}/recordings"), "account-token", answer).await;
        let people = ResponseTemplate::new(200).set_body_json(json!({ "participants": people }));
        self.zoom_answers(&format!("/v2/past_meetings/{twice}/participants"), "account-token", people).await;
    }
}

pub(crate) fn sound(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_bytes([SOUND, text.as_bytes()].concat())
}

pub(crate) fn lines(transcript: &Transcript) -> Vec<(&str, Option<i64>)> {
    transcript.segments.iter().map(|segment| (segment.text.as_str(), segment.start_ms)).collect()
}

#[tokio::test]
async fn a_piece_that_comes_later_is_joined_in_order_and_only_it_is_paid_for() {
    let bench = Bench::new().await;
    let cx = bench.arrives(bench.file(MaterialKind::Recording, "the second piece", 600).await).await;
    let (alone, _) = bench.transcribed(&cx, false).await;
    assert_eq!(lines(&alone), [("the second piece", Some(1_000))]);
    // It comes days later, although it was recorded first.
    let cx = bench.arrives(bench.file(MaterialKind::Recording, "the first piece", 0).await).await;
    assert_eq!(cx.run.generation, 2);
    let (both, _) = bench.transcribed(&cx, false).await;
    assert_eq!(lines(&both), [("the first piece", Some(1_000)), ("the second piece", Some(601_000))]);
    assert_eq!(both.segments.iter().map(|segment| segment.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(bench.paid(), ["the second piece", "the first piece"], "each is paid for once");
    // The transcript of one piece takes the place of its audio, and the other piece is not paid for again.
    let written = "WEBVTT\n\n00:00:05.000 --> 00:00:06.000\nPriya: Written down.\n";
    let cx = bench.arrives(bench.file(MaterialKind::Transcript, written, 600).await).await;
    let (mixed, _) = bench.transcribed(&cx, false).await;
    assert_eq!(lines(&mixed), [("the first piece", Some(1_000)), ("Written down.", Some(605_000))]);
    assert_eq!(bench.paid().len(), 2);
}

#[tokio::test]
async fn a_recording_is_fetched_with_the_token_of_its_webhook() {
    let bench = Bench::new().await;
    let url = format!("{}/rec/webhook_download/a", bench.zoom.uri());
    bench.with_api("a", json!([])).await;
    bench.zoom_answers("/rec/webhook_download/a", "download-token", sound("hello")).await;
    let cx = bench.arrives(bench.held("a", &[("url", &url), ("token", "download-token")])).await;
    let (transcript, _) = bench.transcribed(&cx, true).await;
    assert_eq!(lines(&transcript), [("hello", Some(1_000))]);
}

#[tokio::test]
async fn a_token_that_has_ended_or_is_missing_is_replaced_by_that_of_the_account() {
    for values in [&[("token", "ended")][..], &[]] {
        let bench = Bench::new().await;
        let url = format!("{}/rec/webhook_download/a", bench.zoom.uri());
        bench.with_api("a", json!([])).await;
        bench.zoom_answers("/rec/webhook_download/a", "ended", ResponseTemplate::new(401)).await;
        bench.zoom_answers("/rec/found-again", "account-token", sound("found again")).await;
        let mut known = values.to_vec();
        if !known.is_empty() {
            known.push(("url", &url));
        }
        let cx = bench.arrives(bench.held("a", &known)).await;
        let (transcript, _) = bench.transcribed(&cx, true).await;
        assert_eq!(lines(&transcript), [("found again", Some(1_000))]);
    }
}

#[tokio::test]
async fn without_credentials_a_recording_whose_token_has_ended_waits_and_says_what_to_set() {
    let bench = Bench::new().await;
    let cx = bench.arrives(bench.held("a", &[])).await;
    let error = bench.handled(&cx, false).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unavailable, "zoom_credentials_missing"));
    assert!(error.to_string().contains("ZOOM_ACCOUNT_ID"), "{error}");
}

#[tokio::test]
async fn a_recording_that_zoom_does_not_keep_any_more_is_said() {
    let bench = Bench::new().await;
    bench.with_api("another", json!([])).await;
    let cx = bench.arrives(bench.held("a", &[])).await;
    assert_eq!(bench.handled(&cx, true).await.unwrap(), Outcome::Done);
    let kept = cx.take_kept();
    let [Write::NoRecording(note)] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!(note.code, "recording_not_kept");
}

#[tokio::test]
async fn a_token_goes_to_zooms_own_hosts_only_and_along_no_redirect() {
    let (bench, elsewhere) = (Bench::new().await, MockServer::start().await);
    Mock::given(path("/a")).respond_with(sound("elsewhere")).mount(&elsewhere).await;
    // A webhook names the host of somebody else.
    let url = format!("{}/a", elsewhere.uri());
    let cx = bench.arrives(bench.held("a", &[("url", &url), ("token", "download-token")])).await;
    bench.transcribed(&cx, false).await;
    // Zoom redirects to where it keeps its files.
    bench.with_api("b", json!([])).await;
    let away = ResponseTemplate::new(302).insert_header("location", url.as_str());
    bench.zoom_answers("/rec/webhook_download/b", "download-token", away).await;
    let url = format!("{}/rec/webhook_download/b", bench.zoom.uri());
    let cx = bench.arrives(bench.held("b", &[("url", &url), ("token", "download-token")])).await;
    // The other server is private, and only the server of our own configuration may be.
    let error = bench.handled(&cx, true).await.unwrap_err();
    assert_eq!(error.code, "recording_url_refused");
    let asked = elsewhere.received_requests().await.unwrap();
    assert_eq!(asked.len(), 1);
    assert!(asked.iter().all(|request| !request.headers.contains_key("authorization")), "{asked:?}");
}

#[tokio::test]
async fn the_participants_are_asked_for_and_their_roles_are_given_to_what_they_said() {
    let bench = Bench::new().await;
    let people = json!([
        { "id": "h", "name": "Priya Raman", "user_email": "Priya@tidegrid.example.com" },
        { "id": "", "name": "Tom Björk", "user_email": "" },
    ]);
    bench.with_api("a", people).await;
    let written =
        "WEBVTT\n\n00:00.000 --> 00:01.000\nPriya Raman: Hello.\n\n00:01.000 --> 00:02.000\nTom Björk: Hi.\n";
    let cx = bench.arrives(bench.file(MaterialKind::Transcript, written, 0).await).await;
    let (transcript, found) = bench.transcribed(&cx, true).await;
    let roles: Vec<_> = transcript.segments.iter().map(|segment| segment.role).collect();
    assert_eq!(roles, [Some(Role::Host), Some(Role::Participant)]);
    let names: Vec<_> = found.unwrap().participants.into_iter().map(|person| person.name.unwrap()).collect();
    assert_eq!(names, ["Priya Raman", "Tom Björk"]);
}

#[tokio::test]
async fn a_meeting_whose_participants_are_not_told_is_transcribed_all_the_same_and_says_so() {
    let bench = Bench::new().await;
    let token = json!({ "access_token": "account-token" });
    Mock::given(path("/oauth/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .mount(&bench.zoom)
        .await;
    let written = "WEBVTT\n\n00:00.000 --> 00:01.000\nPriya: Hello.\n";
    let cx = bench.arrives(bench.file(MaterialKind::Transcript, written, 0).await).await;
    let (_, found) = bench.transcribed(&cx, true).await;
    assert_eq!(found.unwrap().notes[0].code, "participants_not_known");
}
