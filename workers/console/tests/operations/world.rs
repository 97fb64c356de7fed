//! A process with the console for the tests, a browser that keeps cookies, and functions that put calls into the store.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::Router;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{Material, MaterialAt, MaterialKind};
use domain::principal::{Scope, Scopes};
use platform::blobs::Blobs;
use platform::cache::Memory;
use platform::config::{Installation, Known, Values};
use platform::seal::Sealer;
use queue_topology::broker::{Broker, Embedded, Lane};
use queue_topology::intake::Intake;
use store::{
    Arrival, Begun, Claim, EffectKey, ErrorText, InstanceId, NewKey, RunKey, RunRequest, Settled, Settlement,
    Store, WantedEffect,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;
use web::Access;
use web_console::{Console, ProviderStates, Updates};

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

pub(crate) struct World {
    router: Router,
    pub(crate) store: Store,
    access: Arc<Access>,
    cookies: Mutex<String>,
    _dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(&dir.path().join("blobs")).unwrap();
        let store = Store::open_embedded(dir.path()).await.unwrap();
        let broker = Embedded::open(&dir.path().join("queue.db")).await.unwrap();
        broker.declare().await.unwrap();
        let broker: Arc<dyn Broker> = Arc::new(broker);
        let values = Values::of(settings.iter().copied());
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
            blobs,
            sealer,
            intake,
            access: Arc::clone(&access),
            accounts: Arc::new(web::Accounts::new(store.clone())),
            installation: Arc::new(Installation::read(&values).unwrap()),
            values: Arc::new(values),
            known: Arc::new(Known::with(providers::settings())),
            providers: ProviderStates::default(),
            roles: vec!["console"],
            services: Vec::new(),
            updates: Updates::new(),
            stopping: CancellationToken::new(),
        };
        let router = web::finish(web_console::router(console), &access);
        Self { router, store, access, cookies: Mutex::default(), _dir: dir }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    pub(crate) async fn get_with_key(&self, path: &str, key: &str) -> Answer {
        self.send(Request::get(path).header(AUTHORIZATION, format!("Bearer {key}")), Body::empty()).await
    }

    /// A page, which must be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.text
    }

    /// Sends a form as the page at `from` has it: with what it holds for every form.
    pub(crate) async fn submit(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.page(from).await;
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let csrf = csrf.expect("the page has a form");
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
        let cookies = self.cookies.lock().unwrap().clone();
        let request = request.header(COOKIE, cookies).header("host", "localhost").body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            *self.cookies.lock().unwrap() = pair;
        }
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// A key of the workspace with this name.
    pub(crate) async fn key(&self, workspace: &str, scopes: &[Scope]) -> String {
        use secrecy::ExposeSecret as _;
        let key = web::key::generate().expose_secret().to_owned();
        let name = Uuid::new_v4().to_string();
        let new = NewKey {
            workspace,
            name: &name,
            scopes: scopes.iter().copied().collect::<Scopes>(),
            hash: &web::key::hash(&key),
            actor: "cli:test",
        };
        self.store.create_key(new).await.unwrap();
        // The process notices by itself after a while that there is a key now.
        self.access.look().await.unwrap();
        key
    }

    pub(crate) async fn arrived(&self, external_id: &str) -> CallId {
        let call = CallId::derive(WORKSPACE, "exotel", external_id);
        let recording = Material {
            kind: MaterialKind::Recording,
            digest: "aa11".into(),
            at: MaterialAt::SealedUrl("s".into()),
            media_type: None,
            starts_at: None,
        };
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WORKSPACE,
            call,
            source: "exotel".into(),
            external_id: external_id.into(),
            kind: CallKind::Phone,
            details: CallDetails::default(),
            materials: vec![recording],
        };
        self.store.take_in(&arrival, &["transcription"], "live", |_| "{}".into()).await.unwrap();
        call
    }

    pub(crate) async fn begin(&self, call: CallId) -> Claim {
        let owner = InstanceId::new();
        self.store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
        let run = RunKey { workspace: WORKSPACE, call, stage: "transcription", generation: 1 };
        let request = RunRequest::new(run, owner, self.store.now());
        let begun = self.store.begin_run(&request).await.unwrap();
        let Begun::Mine(begun) = begun else { panic!("the run was not taken: {begun:?}") };
        request.claim(&begun)
    }

    pub(crate) async fn settle(&self, claim: &Claim, how: Settlement<'_>) {
        assert_eq!(self.store.settle_run(claim, &how).await.unwrap(), Settled::Yes);
    }

    /// Makes a call whose transcription is dead, and returns it.
    pub(crate) async fn dead(&self, external_id: &str, text: &str) -> CallId {
        let call = self.arrived(external_id).await;
        let claim = self.begin(call).await;
        let group = queue_topology::scrubbing::group("recording_not_found", text);
        let error = ErrorText { code: "recording_not_found", text };
        self.settle(&claim, Settlement::Dead { error, group: &group }).await;
        call
    }

    /// Makes an effect whose end nobody knows, and returns its id.
    pub(crate) async fn unknown_effect(&self, external_id: &str, object: &str) -> Uuid {
        let claim = self.begin(self.arrived(external_id).await).await;
        let key = EffectKey::new(claim.run.call.0, "slack", object);
        let wanted = WantedEffect {
            digest: "d".into(),
            generation: 1,
            timeout: Duration::from_secs(30),
            can_update: false,
            resend_unknown: false,
        };
        let asked_at = self.store.now();
        self.store.intend(&claim, &key, &wanted, asked_at).await.unwrap();
        self.store.fail_effect(key.id, asked_at, true, "slack_no_answer").await.unwrap();
        key.id
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Where the browser is sent to.
    pub(crate) fn leads_to(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        self.headers[LOCATION].to_str().unwrap()
    }
}
