//! A process with the console and the API for the tests, and browsers that keep cookies.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use domain::account::Role;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use platform::blobs::Blobs;
use platform::cache::Memory;
use platform::config::{Installation, Known, Values};
use platform::seal::Sealer;
use queue_topology::broker::{Broker, Embedded, Lane};
use queue_topology::intake::Intake;
use store::{Arrival, Store};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;
use web::{Access, Accounts};
use web_console::{Console, ProviderStates, Updates};

pub(crate) const KEY: &str = "an-api-key-for-the-tests-0123456789";
pub(crate) const PASSWORD: &str = "Passw0rd";
pub(crate) const HERE: &str = "127.0.0.1:8000";

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) accounts: Arc<Accounts>,
    _dir: tempfile::TempDir,
}

impl World {
    /// An installation with an API key, and without any account.
    pub(crate) async fn new() -> Self {
        Self::with(&[("DEBRIEF_API_KEY", KEY)]).await
    }

    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(dir.path()).await.unwrap();
        let broker: Arc<dyn Broker> = Arc::new(Embedded::open(&dir.path().join("queue.db")).await.unwrap());
        let blobs = Blobs::local(&dir.path().join("blobs")).unwrap();
        let values = Values::of(settings.iter().copied());
        let settings = web::Settings::read(&values).unwrap();
        let access = Arc::new(Access::new(&settings, Arc::new(store.clone())));
        access.look().await.unwrap();
        let accounts = Arc::new(Accounts::new(store.clone()));
        let sealer = Sealer::from_key([7; 32]);
        let console = Console {
            store: store.clone(),
            broker: Arc::clone(&broker),
            blobs: blobs.clone(),
            sealer: sealer.clone(),
            intake: Intake {
                broker: Some(broker),
                outbox: Arc::new(store.clone()),
                blobs,
                sealer,
                cache: Arc::new(Memory::default()),
                lane: Lane::Live,
            },
            access: Arc::clone(&access),
            accounts: Arc::clone(&accounts),
            installation: Arc::new(Installation::read(&values).unwrap()),
            values: Arc::new(values.clone()),
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
        Self { router: web::finish(router, &access), store, accounts, _dir: dir }
    }

    /// An account of the workspace `default`.
    pub(crate) async fn account(&self, login: &str, role: Role) {
        let agent = (role == Role::Agent).then_some("Dana Ortiz");
        let password = PASSWORD.into();
        self.accounts
            .create(WorkspaceId::DEFAULT, login, (role, agent), &password, "cli:test")
            .await
            .unwrap();
    }

    /// A browser in which somebody is signed in.
    pub(crate) async fn signed_in(&self, login: &str) -> Browser<'_> {
        self.signed_in_with(login, PASSWORD).await
    }

    pub(crate) async fn signed_in_with(&self, login: &str, password: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let answer = browser.post("/login", &[("login", login), ("password", password)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: BTreeMap::new(), host: HERE.to_owned() }
    }

    pub(crate) async fn call(&self, external_id: &str, agent: &str) -> CallId {
        let call = CallId::derive(WorkspaceId::DEFAULT, "exotel", external_id);
        let details = CallDetails {
            agent_name: Some(agent.to_owned()),
            from_number: Some(format!("+1202555{external_id}")),
            ..CallDetails::default()
        };
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WorkspaceId::DEFAULT,
            call,
            source: "exotel".into(),
            external_id: external_id.into(),
            kind: CallKind::Phone,
            details,
            materials: Vec::new(),
        };
        self.store.take_in(&arrival, &["transcription"], "live", |_| String::new()).await.unwrap();
        call
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |location| location.to_str().unwrap())
    }
}

/// A browser: it keeps cookies, says where its requests come from, and sends the text of a page's forms.
pub(crate) struct Browser<'a> {
    world: &'a World,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) host: String,
}

impl Browser<'_> {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path).header(HOST, &self.host).header("accept", "text/html");
        let answer =
            self.world.send(request.header(COOKIE, self.header()).body(Body::empty()).unwrap()).await;
        self.keep(&answer);
        answer
    }

    /// Sends a form of our own page.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf().await;
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", &*csrf)]).collect();
        self.post_as(path, &fields, "same-origin").await
    }

    /// The text of the forms of this browser's pages.
    pub(crate) async fn csrf(&mut self) -> String {
        let mut page = self.get("/login").await;
        if page.status == StatusCode::SEE_OTHER {
            page = self.get("/register").await;
        }
        let (_, behind) = page.text.split_once(r#"<meta name="csrf" content=""#).unwrap();
        behind.split('"').next().unwrap().to_owned()
    }

    pub(crate) async fn post_as(&mut self, path: &str, fields: &[(&str, &str)], site: &str) -> Answer {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let request = Request::post(path)
            .header(HOST, &self.host)
            .header(COOKIE, self.header())
            .header("sec-fetch-site", site)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.world.send(request.body(Body::from(form.finish())).unwrap()).await;
        self.keep(&answer);
        answer
    }

    fn header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        self.cookies.retain(|_, value| !value.is_empty());
    }
}
