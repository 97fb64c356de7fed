//! A process with the role `live` for the tests. What it sends into the pipeline is kept for a test to look at.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::Router;
use domain::call::{CallId, WorkspaceId};
use domain::event::{CallAccepted, CallReceived, Envelope, Kept, MaterialAt, MaterialKind};
use domain::principal::{Scope, Scopes};
use live::{Hub, Listen, Live, Settings};
use platform::blobs::Blobs;
use platform::cache::Memory as CacheInMemory;
use platform::config::{Installation, Values};
use platform::seal::Sealer;
use queue_topology::broker::{Broker, Embedded, Lane};
use queue_topology::intake::Intake;
use queue_topology::lease::Lease;
use queue_topology::retry::Schedule;
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Engine, Memory, Outcome, Pipeline, Stage, StageError, Waits, keeper};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use store::{KeyCreation, NewKey, Store};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use web::Access;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::sounds;

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;
const BOUNDARY: &str = "a-boundary-of-the-tests";

pub(crate) struct World {
    router: Router,
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) speech: MockServer,
    /// What went into the pipeline.
    pub(crate) arrived: Arc<Mutex<Vec<CallReceived>>>,
    pub(crate) stopping: CancellationToken,
    _dir: tempfile::TempDir,
}

/// The first stage of the pipeline, which only keeps what comes.
struct Arrivals(Arc<Mutex<Vec<CallReceived>>>);

impl Stage for Arrivals {
    type In = CallReceived;
    type Out = CallAccepted;
    const QUEUE: Queue<CallReceived> = table::DEDUP;

    async fn handle(
        &self,
        _: &Cx,
        event: &Envelope<CallReceived>,
    ) -> Result<Outcome<CallAccepted>, StageError> {
        self.0.lock().unwrap().push(event.data.clone());
        Ok(Outcome::Done)
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        // A second test of the same process finds it installed.
        rustls::crypto::ring::default_provider().install_default().ok();
        let dir = tempfile::tempdir().unwrap();
        let speech = MockServer::start().await;
        let address = speech.uri();
        let given = [("LOCAL_SPEECH_BASE_URL", address.as_str()), ("DEBRIEF_ALLOW_PRIVATE_FETCH", "true")];
        let values = Values::of(given.into_iter().chain(settings.iter().copied()));
        let installation = Installation::read(&values).unwrap();
        let store = Store::open_embedded(dir.path()).await.unwrap();
        let broker: Arc<dyn Broker> = Arc::new(Embedded::open(&dir.path().join("queue.db")).await.unwrap());
        broker.declare().await.unwrap();
        let blobs = Blobs::local(&dir.path().join("blobs")).unwrap();
        let cache = Arc::new(CacheInMemory::default());
        let intake = Intake {
            broker: Some(Arc::clone(&broker)),
            outbox: Arc::new(store.clone()),
            blobs: blobs.clone(),
            sealer: Sealer::from_key([7; 32]),
            cache: cache.clone(),
            lane: Lane::Live,
        };
        let (hub, stopping) = (Hub::default(), CancellationToken::new());
        let sum_up =
            Arc::new(|transcript: &domain::transcript::Transcript, _: &[String]| analysis(transcript));
        let streaming = live::streaming(&values, cache.clone()).unwrap();
        let listen = Listen::from_values(&values, &installation, intake, cache, hub.clone(), sum_up).unwrap();
        let arrived = Arc::default();
        let workers = Pipeline::new().then(Arrivals(Arc::clone(&arrived))).workers();
        let live_workers = Pipeline::new().beside(listen).workers();
        let lease = Lease::acquire(store.clone(), Duration::from_secs(30)).await.unwrap();
        let engine = Engine {
            store: store.clone(),
            broker: Arc::clone(&broker),
            lease,
            schedule: Schedule::read(&values).unwrap(),
            drain_timeout: Duration::from_secs(1),
            memory: Memory::of(1 << 30),
            waits: Waits::default(),
            also: &[],
        };
        tokio::spawn(keeper::run(engine.clone(), stopping.clone()));
        for worker in workers.into_iter().chain(live_workers) {
            let (engine, stopping) = (engine.clone(), stopping.clone());
            tokio::spawn(async move { worker.run(engine, stopping).await });
        }
        let access = Arc::new(Access::new(&web::Settings::read(&values).unwrap(), Arc::new(store.clone())));
        access.look().await.unwrap();
        let live = Live {
            store: store.clone(),
            broker,
            blobs: blobs.clone(),
            access: Arc::clone(&access),
            settings: Settings::read(&values, &installation).unwrap(),
            read_metadata: Arc::new(|metadata, _| {
                let metadata = metadata.as_object().cloned().unwrap_or_default();
                Ok((None, domain::call::CallDetails { metadata, ..Default::default() }))
            }),
            hub,
            streaming,
            stopping: stopping.clone(),
        };
        let router = web::finish(live::router(live), &access);
        Self { router, store, blobs, speech, arrived, stopping, _dir: dir }
    }

    /// The provider answers each request with the next of these texts, and the last one again and again.
    pub(crate) async fn says(&self, texts: &[&str]) {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let next = Mutex::new(0);
        let answer = move |_: &wiremock::Request| {
            let mut next = next.lock().unwrap();
            let text = texts[(*next).min(texts.len() - 1)].clone();
            *next += 1;
            ResponseTemplate::new(200).set_body_json(json!({"text": text, "duration": 2.0}))
        };
        Mock::given(method("POST")).respond_with(answer).mount(&self.speech).await;
    }

    pub(crate) async fn paid_requests(&self) -> usize {
        self.speech.received_requests().await.unwrap().len()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    pub(crate) async fn response(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Begins a session and returns the id of its call.
    pub(crate) async fn start(&self, session: &str) -> CallId {
        let answer = self.post("/api/calls/start", json!({"session_id": session})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        CallId(answer.body["call_id"].as_str().unwrap().parse().unwrap())
    }

    pub(crate) async fn end(&self, session: &str) -> Answer {
        self.post(&format!("/api/calls/{session}/end"), json!({})).await
    }

    /// Sends a piece with these other fields of the form.
    pub(crate) async fn piece(&self, session: &str, audio: &[u8], fields: &[(&str, &str)]) -> Answer {
        self.send(form(session, audio, fields, None)).await
    }

    /// Waits until the condition holds, and returns what it found.
    pub(crate) async fn until<T>(&self, what: &str, condition: impl AsyncFn(&Self) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(found) = condition(self).await {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what}: it does not come true");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Serves the routes on an address of this machine.
    pub(crate) async fn listen(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// Makes a key that may read, in a workspace of its own. Returns its text.
    pub(crate) async fn make_key(&self, workspace: &str, name: &str) -> String {
        let text = web::key::generate();
        let hash = web::key::hash(text.expose_secret());
        let scopes = Scopes::from_iter([Scope::Read]);
        let made =
            self.store.create_key(NewKey { workspace, name, hash: &hash, scopes, actor: "test" }).await;
        assert!(matches!(made.unwrap(), KeyCreation::Created { .. }));
        text.expose_secret().to_owned()
    }

    pub(crate) async fn revoke_key(&self, workspace: &str, name: &str) {
        let workspace = self.store.workspace(workspace).await.unwrap().unwrap();
        self.store.revoke_key(workspace, name, "test").await.unwrap();
    }

    /// Begins a session with this key.
    pub(crate) async fn start_with(&self, session: &str, key: &str) {
        let request = Request::post("/api/calls/start")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {key}"));
        let body = Body::from(json!({"session_id": session}).to_string());
        assert_eq!(self.send(request.body(body).unwrap()).await.status, StatusCode::OK);
    }

    /// All events of a session.
    pub(crate) async fn events(&self, session: &str) -> Vec<Value> {
        let answer = self.get(&format!("/api/calls/{session}/events?after=0")).await;
        answer.body["events"].as_array().cloned().unwrap_or_default()
    }

    /// The number of the last event of a session.
    pub(crate) async fn last(&self, session: &str) -> i64 {
        let session = self.store.live_session(WORKSPACE, session).await.unwrap();
        session.unwrap().last_event
    }

    /// Waits until the session has so many events of this kind, and returns them.
    pub(crate) async fn told(&self, session: &str, kind: &str, count: usize) -> Vec<Value> {
        let of_kind = async |world: &Self| {
            let events = world.events(session).await;
            let of_kind: Vec<Value> = events.into_iter().filter(|event| event["type"] == kind).collect();
            (of_kind.len() >= count).then_some(of_kind)
        };
        self.until(kind, of_kind).await
    }

    /// Waits for the arrival of the call in the pipeline.
    pub(crate) async fn arrival(&self) -> CallReceived {
        self.until("an arrival", async |world: &Self| world.arrived.lock().unwrap().first().cloned()).await
    }

    /// The content of the material of this kind.
    pub(crate) async fn material(&self, arrival: &CallReceived, kind: MaterialKind) -> Vec<u8> {
        let material = arrival.materials.iter().find(|material| material.kind == kind).unwrap();
        let MaterialAt::Blob(key) = &material.at else { panic!("the material is in no blob") };
        self.blobs.get(key, u64::MAX).await.unwrap().to_vec()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

/// The notes of an arrival, by their codes.
pub(crate) fn notes(arrival: &CallReceived) -> Vec<(String, String)> {
    let Kept::Inline(details) = &arrival.details else { panic!("the details are in a blob") };
    details.notes.iter().map(|note| (note.code.clone(), note.text.clone())).collect()
}

/// The request with a piece.
pub(crate) fn form(session: &str, audio: &[u8], fields: &[(&str, &str)], key: Option<&str>) -> Request<Body> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"piece.wav\"\r\n\
         Content-Type: audio/wav\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(audio);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let mut request = Request::post(format!("/api/calls/{session}/audio"))
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.body(Body::from(body)).unwrap()
}

/// A WAV file with these samples.
pub(crate) fn wav(samples: &[f32]) -> Vec<u8> {
    let samples: Vec<i16> = samples.iter().map(|sample| media::audio::wav::pcm(*sample)).collect();
    media::audio::wav::file(&samples)
}

/// A voice that speaks for so many milliseconds, and then is silent for so many.
pub(crate) fn voice(seed: u64, speaks_ms: usize, silent_ms: usize) -> Vec<f32> {
    let samples = |ms: usize| ms * sounds::RATE / 1_000;
    let mut dice = sounds::Dice::new(seed);
    let mut sound = sounds::babble(&mut dice, 130.0, samples(speaks_ms));
    sound.extend(vec![0.0; samples(silent_ms)]);
    let room = sounds::room(seed + 1, sound.len());
    sound.iter().zip(room).map(|(voice, noise)| voice * 0.3 + noise * 0.001).collect()
}

/// An analysis that says how many segments it saw.
fn analysis(transcript: &domain::transcript::Transcript) -> domain::analysis::Analysis {
    use domain::analysis::{Analysis, Category, Metrics, Priority, Resolution, Sentiment, Tone};
    Analysis {
        analyzer: "test".into(),
        summary: format!("{} segments", transcript.segments.len()),
        key_points: Vec::new(),
        topics: Vec::new(),
        sentiment: Sentiment::Neutral,
        tone: Tone::Neutral,
        concern: None,
        category: Category::Other,
        action_items: Vec::new(),
        customer_requests: Vec::new(),
        resolution: Resolution::Unknown,
        priority: Priority::Medium,
        contacts: Vec::new(),
        metrics: Metrics::default(),
        usage: None,
    }
}
