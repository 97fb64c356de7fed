//! A process with the console for the tests, and functions that put calls into its store.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use domain::account::Role;
use domain::analysis::Analysis;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{Material, MaterialAt, MaterialKind};
use domain::principal::{Scope, Scopes};
use domain::transcript::Transcript;
use platform::blobs::Blobs;
use platform::cache::Memory;
use platform::config::{Installation, Known, Values};
use platform::seal::Sealer;
use queue_topology::broker::{Broker, Embedded, Lane};
use queue_topology::intake::Intake;
use store::{
    Arrival, Begun, Claim, EffectKey, ErrorText, InstanceId, NewKey, NewRun, RunKey, RunRequest, Settled,
    Settlement, Store, WantedEffect, Write,
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use web::{Access, Accounts};
use web_console::{Console, OwnApi, PracticeSound, ProviderStates, Updates};

use crate::api::Api;
use crate::browser::{self, Answer, Browser};
use crate::material;

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;
pub(crate) const KEY: &str = "an-api-key-for-the-tests-0123456789";
pub(crate) const PASSWORD: &str = "Passw0rd";
pub(crate) const HERE: &str = "127.0.0.1:8000";

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) accounts: Arc<Accounts>,
    /// The routes of live calls and of practice, as the pages ask them.
    pub(crate) api: Api,
    access: Arc<Access>,
    /// The browser of tests that need only one.
    visitor: Mutex<Browser>,
    _dir: tempfile::TempDir,
}

impl World {
    /// An installation on this machine, which nobody has to sign in to.
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// An installation with an API key, and without any account.
    pub(crate) async fn with_key() -> Self {
        Self::with(&[("DEBRIEF_API_KEY", KEY)]).await
    }

    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::with_sound(settings, PracticeSound::default()).await
    }

    pub(crate) async fn with_sound(settings: &[(&str, &str)], practice_sound: PracticeSound) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(dir.path()).await.unwrap();
        let broker = Embedded::open(&dir.path().join("queue.db")).await.unwrap();
        broker.declare().await.unwrap();
        let broker: Arc<dyn Broker> = Arc::new(broker);
        let blobs = Blobs::local(&dir.path().join("blobs")).unwrap();
        let values = Values::of(settings.iter().copied());
        let access = Arc::new(Access::new(&web::Settings::read(&values).unwrap(), Arc::new(store.clone())));
        access.look().await.unwrap();
        let accounts = Arc::new(Accounts::new(store.clone()));
        let sealer = Sealer::from_key([7; 32]);
        let api = Api::default();
        let console = Console {
            store: store.clone(),
            broker: Arc::clone(&broker),
            blobs: blobs.clone(),
            sealer: sealer.clone(),
            intake: Intake {
                broker: Some(broker),
                outbox: Arc::new(store.clone()),
                blobs: blobs.clone(),
                sealer,
                cache: Arc::new(Memory::default()),
                lane: Lane::Live,
            },
            make_samples: |now| Ok(material::samples(now)),
            own_api: OwnApi::new(api.router()),
            practice_sound,
            access: Arc::clone(&access),
            accounts: Arc::clone(&accounts),
            installation: Arc::new(Installation::read(&values).unwrap()),
            values: Arc::new(values),
            known: Arc::new(Known::with(providers::settings())),
            providers: ProviderStates::default(),
            roles: vec!["console"],
            services: Vec::new(),
            updates: Updates::new(),
            stopping: CancellationToken::new(),
        };
        // What a program gets at `/` comes from another crate.
        let others = Router::new().route("/", axum::routing::get(async || "for programs"));
        let router = web_console::at_the_root(others.merge(web_console::router(console.clone())), console);
        let router = web::finish(router, &access);
        let visitor = Mutex::new(Browser::new(router.clone(), HERE));
        Self { router, store, blobs, accounts, api, access, visitor, _dir: dir }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.visitor.lock().await.get(path).await
    }

    pub(crate) async fn get_with(&self, path: &str, header: (&str, &str)) -> Answer {
        self.visitor.lock().await.get_with(path, header).await
    }

    pub(crate) async fn get_with_key(&self, path: &str, key: &str) -> Answer {
        self.get_with(path, ("authorization", &format!("Bearer {key}"))).await
    }

    /// A page, which must be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
        answer.text
    }

    pub(crate) async fn submit(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.visitor.lock().await.submit(from, path, fields).await
    }

    /// Sends exactly these fields, and does not say from which page.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.visitor.lock().await.post_as(path, fields, None).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        browser::answer(&self.router, request).await
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.router.clone(), HERE)
    }

    /// An account of the workspace `default`. An agent sees the calls of Dana Ortiz.
    pub(crate) async fn account(&self, login: &str, role: Role) {
        let agent = (role == Role::Agent).then_some("Dana Ortiz");
        let password = PASSWORD.into();
        self.accounts.create(WORKSPACE, login, (role, agent), &password, "cli:test").await.unwrap();
    }

    /// A browser in which somebody is signed in.
    pub(crate) async fn signed_in(&self, login: &str) -> Browser {
        self.signed_in_with(login, PASSWORD).await
    }

    pub(crate) async fn signed_in_with(&self, login: &str, password: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.post("/login", &[("login", login), ("password", password)]).await;
        answer.leads_to();
        browser
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

    pub(crate) async fn begin(&self, call: CallId, stage: &'static str) -> Claim {
        let owner = InstanceId::new();
        self.store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
        let run = RunKey { workspace: WORKSPACE, call, stage, generation: 1 };
        let request = RunRequest::new(run, owner, self.store.now());
        let begun = self.store.begin_run(&request).await.unwrap();
        let Begun::Mine(begun) = begun else { panic!("{stage} was not taken: {begun:?}") };
        request.claim(&begun)
    }

    pub(crate) async fn settle(&self, claim: &Claim, how: Settlement<'_>) {
        assert_eq!(self.store.settle_run(claim, &how).await.unwrap(), Settled::Yes);
    }

    async fn end(&self, claim: &Claim, write: Write, next: &[&'static str]) {
        let child =
            |stage: &&'static str| NewRun { stage, generation: 1, lane: "live".into(), input: "{}".into() };
        let children: Vec<_> = next.iter().map(child).collect();
        self.settle(claim, Settlement::Done { writes: &[write], children: &children }).await;
    }

    /// Makes a call whose transcription is dead, and returns it.
    pub(crate) async fn dead(&self, external_id: &str, text: &str) -> CallId {
        let call = self.arrived(external_id, CallDetails::default()).await;
        let claim = self.begin(call, "transcription").await;
        let group = queue_topology::scrubbing::group("recording_not_found", text);
        let error = ErrorText { code: "recording_not_found", text };
        self.settle(&claim, Settlement::Dead { error, group: &group }).await;
        call
    }

    /// Makes an effect whose end nobody knows, and returns its id.
    pub(crate) async fn unknown_effect(&self, external_id: &str, object: &str) -> Uuid {
        let call = self.arrived(external_id, CallDetails::default()).await;
        let claim = self.begin(call, "transcription").await;
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
