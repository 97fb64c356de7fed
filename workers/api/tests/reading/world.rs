//! A process with the HTTP API for the tests, and functions that put calls into its store.

use std::sync::Arc;
use std::time::Duration;

use api::Api;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::Router;
use domain::analysis::{Analysis, Category, Metrics, Priority, Resolution, Sentiment, Tone};
use domain::call::{CallDetails, CallId, CallKind, Role, WorkspaceId};
use domain::event::{Material, MaterialAt, MaterialKind};
use domain::moment::Moment;
use domain::transcript::{Segment, Transcript};
use platform::blobs::Blobs;
use platform::config::{Installation, Values};
use platform::seal::Sealer;
use queue_topology::broker::{Broker, Embedded};
use queue_topology::replay;
use serde_json::Value;
use store::{
    Arrival, Begun, Claim, EffectKey, ErrorText, InstanceId, Intent, NewRun, NewScore, RunKey, RunRequest,
    Settled, Settlement, Store, WantedEffect, Write,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;
use web::{self, Access};

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

pub(crate) struct World {
    router: Router,
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) stopping: CancellationToken,
    pub(crate) dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[], |broker| broker).await
    }

    pub(crate) async fn with(
        settings: &[(&str, &str)],
        wrap: impl FnOnce(Arc<dyn Broker>) -> Arc<dyn Broker>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(&dir.path().join("blobs")).unwrap();
        Self::in_folder(dir, blobs, settings, wrap).await
    }

    /// A process whose blobs are there.
    pub(crate) async fn on(blobs: Blobs) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), blobs, &[], |broker| broker).await
    }

    async fn in_folder(
        dir: tempfile::TempDir,
        blobs: Blobs,
        settings: &[(&str, &str)],
        wrap: impl FnOnce(Arc<dyn Broker>) -> Arc<dyn Broker>,
    ) -> Self {
        let store = Store::open_embedded(dir.path()).await.unwrap();
        let broker = Embedded::open(&dir.path().join("queue.db")).await.unwrap();
        broker.declare().await.unwrap();
        let values = Values::of(settings.iter().copied());
        let settings = web::Settings::read(&values).unwrap();
        let access = Arc::new(Access::new(&settings, Arc::new(store.clone())));
        access.look().await.unwrap();
        let stopping = CancellationToken::new();
        let api = Api {
            store: store.clone(),
            broker: wrap(Arc::new(broker)),
            blobs: blobs.clone(),
            sealer: Sealer::from_key([7; 32]),
            access: Arc::clone(&access),
            installation: Arc::new(Installation::read(&values).unwrap()),
            roles: vec!["api", "ingest"],
            services: vec![("transcription", true), ("slack", false)],
            stopping: stopping.clone(),
        };
        let all = api::health(api.clone())
            .merge(api::router(api, &serde_json::to_value(api::document([])).unwrap()));
        let router = web::finish(all, &access);
        Self { router, store, blobs, stopping, dir }
    }

    /// Waits until the condition holds.
    pub(crate) async fn until(&self, condition: impl AsyncFn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        while !condition(self).await {
            assert!(tokio::time::Instant::now() < deadline, "the condition does not come true");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request =
            headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_with_key(&self, path: &str, key: &str) -> Answer {
        self.get_with(path, &[(AUTHORIZATION.as_str(), &format!("Bearer {key}"))]).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Value>) -> Answer {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.into().to_string())).unwrap()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: impl Into<Value>) -> Answer {
        let request = Request::patch(path).header(CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.into().to_string())).unwrap()).await
    }

    pub(crate) async fn post_with_key(&self, path: &str, body: Value, key: &str) -> Answer {
        let request =
            Request::post(path).header(CONTENT_TYPE, "application/json").header("idempotency-key", key);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// The JSON of an answer, which must have status 200.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    }

    /// Makes a call that its source announced as `external_id`, with these materials.
    pub(crate) async fn arrived(&self, external_id: &str, materials: Vec<Material>) -> CallId {
        let call = CallId::derive(WORKSPACE, "exotel", external_id);
        let details = CallDetails {
            from_number: Some("+12025550131".into()),
            agent_name: Some("Dana Ortiz".into()),
            duration_ms: Some(61_400),
            started_text: Some("last Tuesday".into()),
            ..CallDetails::default()
        };
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WORKSPACE,
            call,
            source: "exotel".into(),
            external_id: external_id.into(),
            kind: CallKind::Phone,
            details,
            materials,
        };
        self.store.take_in(&arrival, &["transcription"], "live", |_| "{}".into()).await.unwrap();
        call
    }

    /// Makes a call that went through all stages and is posted in Slack.
    pub(crate) async fn completed(&self, external_id: &str) -> CallId {
        let call = self.arrived(external_id, vec![recording(MaterialAt::SealedUrl("s".into()))]).await;
        let claim = self.begin(call, "transcription", 1).await;
        self.end(&claim, &[Write::Transcript(transcript())], &["analysis"]).await;
        let claim = self.begin(call, "analysis", 1).await;
        self.end(&claim, &[Write::Analysis(Box::new(analysis()))], &["slack"]).await;
        let claim = self.begin(call, "slack", 1).await;
        let (key, asked_at) = self.intend(&claim, "post").await;
        self.store.confirm_effect(key.id, (asked_at, "d"), "1700000000.1", None).await.unwrap();
        self.end(&claim, &[], &[]).await;
        call
    }

    /// Does the call again from its analysis on, and judges it.
    pub(crate) async fn judge(&self, call: CallId, scores: Vec<NewScore>) {
        let start = replay::Start::named("analysis").unwrap();
        let replayed = replay::call(&self.store, (WORKSPACE, "test"), call, start).await.unwrap().unwrap();
        let claim = self.begin(call, "analysis", replayed.generation).await;
        let child = NewRun {
            stage: "score",
            generation: replayed.generation,
            lane: "live".into(),
            input: "{}".into(),
        };
        let done = Settlement::Done { writes: &[], children: &[child] };
        assert_eq!(self.store.settle_run(&claim, &done).await.unwrap(), Settled::Yes);
        let claim = self.begin(call, "score", replayed.generation).await;
        self.end(&claim, &[Write::Scores(scores)], &[]).await;
    }

    /// Makes a call whose transcription is dead.
    pub(crate) async fn dead(&self, external_id: &str) -> CallId {
        let call = self.arrived(external_id, vec![recording(MaterialAt::SealedUrl("s".into()))]).await;
        self.die(call, 1).await;
        call
    }

    pub(crate) async fn die(&self, call: CallId, generation: i64) {
        let claim = self.begin(call, "transcription", generation).await;
        let error = ErrorText { code: "recording_not_found", text: "the answer was 404" };
        let dead = Settlement::Dead { error, group: "recording_not_found" };
        assert_eq!(self.store.settle_run(&claim, &dead).await.unwrap(), Settled::Yes);
    }

    pub(crate) async fn begin(&self, call: CallId, stage: &'static str, generation: i64) -> Claim {
        let owner = InstanceId::new();
        self.store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
        let run = RunKey { workspace: WORKSPACE, call, stage, generation };
        let request = RunRequest::new(run, owner, self.store.now());
        let begun = self.store.begin_run(&request).await.unwrap();
        let Begun::Mine(begun) = begun else { panic!("{stage} was not taken: {begun:?}") };
        request.claim(&begun)
    }

    pub(crate) async fn end(&self, claim: &Claim, writes: &[Write], next: &[&'static str]) {
        let child =
            |stage: &&'static str| NewRun { stage, generation: 1, lane: "live".into(), input: "{}".into() };
        let children: Vec<_> = next.iter().map(child).collect();
        let done = Settlement::Done { writes, children: &children };
        assert_eq!(self.store.settle_run(claim, &done).await.unwrap(), Settled::Yes);
    }

    pub(crate) async fn intend(&self, claim: &Claim, object: &str) -> (EffectKey, Moment) {
        let key = EffectKey::new(claim.run.call.0, "slack", object);
        let wanted = WantedEffect {
            digest: "d".into(),
            generation: 1,
            timeout: Duration::from_secs(30),
            can_update: false,
            resend_unknown: false,
        };
        let asked_at = self.store.now();
        let intent = self.store.intend(claim, &key, &wanted, asked_at).await.unwrap();
        assert_eq!(intent, Intent::Send { prior: None });
        (key, asked_at)
    }
}

pub(crate) fn recording(at: MaterialAt) -> Material {
    Material { kind: MaterialKind::Recording, digest: "aa11".into(), at, media_type: None, starts_at: None }
}

pub(crate) fn transcript() -> Transcript {
    let segment = |speaker: &str, role, start_ms, end_ms, text: &str| Segment {
        id: 0,
        speaker: Some(speaker.into()),
        role: Some(role),
        start_ms: Some(start_ms),
        end_ms: Some(end_ms),
        text: text.into(),
        confidence: Some(0.5),
    };
    let segments = vec![
        segment("Dana Ortiz", Role::Agent, 0, 1500, "Good morning."),
        segment("B", Role::Customer, 1500, 4000, "My invoice is wrong."),
    ];
    Transcript { language: Some("en".into()), segments, ..Transcript::default() }.numbered()
}

fn analysis() -> Analysis {
    Analysis {
        analyzer: "builtin".into(),
        summary: "An invoice is wrong.".into(),
        key_points: vec!["The invoice is wrong".into()],
        topics: vec!["invoice".into()],
        sentiment: Sentiment::Negative,
        tone: Tone::Negative,
        concern: Some("My invoice is wrong.".into()),
        category: Category::Billing,
        action_items: Vec::new(),
        customer_requests: Vec::new(),
        resolution: Resolution::Pending,
        priority: Priority::Medium,
        contacts: Vec::new(),
        metrics: Metrics { interruptions: 2, words: 6, ..Metrics::default() },
        usage: None,
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    pub(crate) fn is_problem(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.json()["status"], status);
    }

    /// Asserts that this is a problem which names exactly these fields.
    pub(crate) fn names(&self, pointers: &[&str]) {
        self.is_problem(422);
        let body = self.json();
        let named = body["errors"].as_array().into_iter().flatten();
        let named: Vec<_> = named.map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(named, pointers, "{body}");
    }
}
