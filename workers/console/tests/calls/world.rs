//! A process with the console for the tests, a browser that keeps its cookie, and functions that put calls into the store.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::Router;
use domain::analysis::{
    ActionItem, Analysis, Category, ContactFacts, ContactField, Fact, Metrics, Priority, Resolution,
    Sentiment, Tone,
};
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{Material, MaterialAt, MaterialKind};
use domain::note::Note;
use domain::transcript::{Segment, Transcript};
use platform::blobs::Blobs;
use platform::cache::Memory;
use platform::config::{Installation, Values};
use platform::seal::Sealer;
use queue_topology::broker::{Broker, Embedded, Lane};
use queue_topology::intake::Intake;
use store::{
    Arrival, Begun, Claim, InstanceId, NewRun, RunKey, RunRequest, Settled, Settlement, Store, Write,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;
use web::Access;
use web_console::{Console, Updates};

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

pub(crate) struct World {
    router: Router,
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    cookie: Mutex<String>,
    _dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(&dir.path().join("blobs")).unwrap();
        let store = Store::open_embedded(dir.path()).await.unwrap();
        let broker = Embedded::open(&dir.path().join("queue.db")).await.unwrap();
        broker.declare().await.unwrap();
        let broker: Arc<dyn Broker> = Arc::new(broker);
        let values = Values::of([]);
        let access = Arc::new(Access::new(&web::Settings::read(&values).unwrap(), Arc::new(store.clone())));
        access.look().await.unwrap();
        let sealer = Sealer::from_key([7; 32]);
        let intake = Intake {
            broker: Some(Arc::clone(&broker)),
            outbox: Arc::new(store.clone()),
            blobs: blobs.clone(),
            sealer: sealer.clone(),
            cache: Arc::new(Memory::default()),
            lane: Lane::Live,
        };
        let console = Console {
            store: store.clone(),
            broker,
            blobs: blobs.clone(),
            sealer,
            intake,
            access: Arc::clone(&access),
            installation: Arc::new(Installation::read(&values).unwrap()),
            roles: vec!["console"],
            services: Vec::new(),
            updates: Updates::new(),
            stopping: CancellationToken::new(),
        };
        let router = web::finish(web_console::router(console), &access);
        Self { router, store, blobs, cookie: Mutex::default(), _dir: dir }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    pub(crate) async fn get_with(&self, path: &str, header: (&str, &str)) -> Answer {
        self.send(Request::get(path).header(header.0, header.1), Body::empty()).await
    }

    /// A page, which must be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.text
    }

    /// Sends a form as a page of ours has it.
    pub(crate) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.page("/calls").await;
        let csrf =
            page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let mut all = vec![("csrf", csrf)];
        all.extend(fields);
        self.post(path, &all).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(body)).await
    }

    async fn send(&self, request: axum::http::request::Builder, body: Body) -> Answer {
        let cookie = self.cookie.lock().unwrap().clone();
        let request = request.header(COOKIE, cookie).header("host", "localhost").body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        if let Some(set) = response.headers().get(SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            pair.clone_into(&mut self.cookie.lock().unwrap());
        }
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn arrived(&self, external_id: &str, details: CallDetails) -> CallId {
        self.arrived_in(WORKSPACE, external_id, details).await
    }

    pub(crate) async fn arrived_in(
        &self,
        workspace: WorkspaceId,
        external_id: &str,
        details: CallDetails,
    ) -> CallId {
        let call = CallId::derive(workspace, "exotel", external_id);
        let recording = Material {
            kind: MaterialKind::Recording,
            digest: "aa11".into(),
            at: MaterialAt::Blob(format!("recordings/{call}/aa11")),
            media_type: Some("audio/wav".into()),
            starts_at: None,
        };
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace,
            call,
            source: "exotel".into(),
            external_id: external_id.into(),
            kind: CallKind::Phone,
            details,
            materials: vec![recording],
        };
        self.store.take_in(&arrival, &["transcription"], "live", |_| "{}".into()).await.unwrap();
        call
    }

    /// Gives the call this transcript and this analysis.
    pub(crate) async fn made(&self, call: CallId, transcript: Transcript, analysis: Analysis) {
        let claim = self.begin(call, "transcription").await;
        self.end(&claim, Write::Transcript(transcript), &["analysis"]).await;
        let claim = self.begin(call, "analysis").await;
        self.end(&claim, Write::Analysis(Box::new(analysis)), &[]).await;
    }

    async fn begin(&self, call: CallId, stage: &'static str) -> Claim {
        let owner = InstanceId::new();
        self.store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
        let run = RunKey { workspace: WORKSPACE, call, stage, generation: 1 };
        let request = RunRequest::new(run, owner, self.store.now());
        let begun = self.store.begin_run(&request).await.unwrap();
        let Begun::Mine(begun) = begun else { panic!("{stage} was not taken: {begun:?}") };
        request.claim(&begun)
    }

    async fn end(&self, claim: &Claim, write: Write, next: &[&'static str]) {
        let child =
            |stage: &&'static str| NewRun { stage, generation: 1, lane: "live".into(), input: "{}".into() };
        let children: Vec<_> = next.iter().map(child).collect();
        let done = Settlement::Done { writes: &[write], children: &children };
        assert_eq!(self.store.settle_run(claim, &done).await.unwrap(), Settled::Yes);
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Details that hold `text` wherever a source can write.
pub(crate) fn details(text: &str) -> CallDetails {
    let text = || Some(text.to_owned());
    CallDetails {
        from_number: text(),
        to_number: text(),
        started_text: text(),
        source_status: text(),
        agent_email: text(),
        agent_name: text(),
        agent_phone: text(),
        agent_slack_handle: text(),
        department: text(),
        customer_segment: text(),
        topic: text(),
        notes: vec![note(&text().unwrap())],
        ..CallDetails::default()
    }
}

fn note(text: &str) -> Note {
    Note::new(text, text).of_field(text)
}

/// A transcript of `count` segments that says `text` everywhere.
pub(crate) fn transcript(text: &str, count: usize) -> Transcript {
    let segment = Segment {
        id: 0,
        speaker: Some(text.into()),
        role: None,
        start_ms: Some(65_000),
        end_ms: None,
        text: text.into(),
        confidence: None,
    };
    let segments = vec![segment; count];
    Transcript { language: Some(text.into()), segments, notes: vec![note(text)], speakers: Vec::new() }
        .numbered()
}

/// An analysis that says `text` everywhere.
pub(crate) fn analysis(text: &str) -> Analysis {
    let list = || vec![text.to_owned()];
    let fact = Fact {
        field: ContactField::Company,
        value: text.into(),
        quote: text.into(),
        segment: 1,
        speaker: Some(text.into()),
        start_ms: Some(65_000),
    };
    Analysis {
        analyzer: text.into(),
        summary: text.into(),
        key_points: list(),
        topics: list(),
        sentiment: Sentiment::Negative,
        tone: Tone::Negative,
        concern: Some(text.into()),
        category: Category::Billing,
        action_items: vec![ActionItem {
            text: text.into(),
            owner: Some(text.into()),
            due: Some(text.into()),
        }],
        customer_requests: list(),
        resolution: Resolution::Pending,
        priority: Priority::Medium,
        contacts: vec![ContactFacts { name: text.into(), facts: vec![fact] }],
        metrics: Metrics::default(),
        usage: None,
    }
}
