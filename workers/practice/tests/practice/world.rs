//! A process with practice for the tests, and functions that make what a meeting needs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use domain::call::WorkspaceId;
use domain::principal::{AgentIdentity, Principal, Scopes, Sees};
use platform::blobs::Blobs;
use platform::cache::Memory;
use platform::fetch::Allow;
use platform::seal::Sealer;
use practice::company::Site;
use practice::materials::Reader;
use practice::{Practice, Voices};
use providers::models::LanguageModel;
use providers::speech::SpeechToText;
use providers::voices::Voice;
use queue_topology::broker::Lane;
use queue_topology::intake::Intake;
use serde_json::{Value, json};
use store::Store;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use web::Access;

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

pub(crate) struct World {
    pub(crate) practice: Practice,
    router: Router,
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    _dir: tempfile::TempDir,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The data of an answer that is no error.
    pub(crate) fn data(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        let answer = self.json();
        assert_eq!(answer["success"], true);
        assert!(answer["timestamp"].is_string());
        answer["data"].clone()
    }

    pub(crate) fn is_problem(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.json()
    }
}

fn everybody() -> Principal {
    Principal { workspace: WORKSPACE, actor: "test".into(), scopes: Scopes::ALL, sees: Sees::All }
}

/// The program that reads documents, which is built together with the tests.
pub(crate) fn reader() -> Reader {
    Reader::with(PathBuf::from(env!("CARGO_BIN_EXE_read-document")))
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(None, Allow::None, reader()).await
    }

    pub(crate) async fn with_model(model: Arc<dyn LanguageModel>) -> Self {
        Self::with(Some(model), Allow::None, reader()).await
    }

    pub(crate) async fn with(model: Option<Arc<dyn LanguageModel>>, allow: Allow, reader: Reader) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(dir.path()).await.unwrap();
        let blobs = Blobs::local(&dir.path().join("blobs")).unwrap();
        let intake = Intake {
            broker: None,
            outbox: Arc::new(store.clone()),
            blobs: blobs.clone(),
            sealer: Sealer::from_key([7; 32]),
            cache: Arc::new(Memory::default()),
            lane: Lane::Live,
        };
        let practice = Practice {
            store: store.clone(),
            blobs: blobs.clone(),
            access: Arc::new(Access::of(everybody())),
            intake,
            model,
            voices: Voices::default(),
            speech: Vec::new(),
            language: None,
            reader,
            site: Site::new(allow),
            floors: Arc::new(Notify::new()),
            stopping: CancellationToken::new(),
        };
        Self { router: practice::router(practice.clone()), practice, store, blobs, _dir: dir }
    }

    /// The same process, where these speak and understand speech.
    pub(crate) fn with_sound(mut self, voices: Vec<Arc<dyn Voice>>, speech: Vec<SpeechToText>) -> Self {
        self.practice = Practice { voices: Voices::new(voices), speech, ..self.practice };
        self.router = practice::router(self.practice.clone());
        self
    }

    /// The address at which the process listens.
    pub(crate) async fn listen(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// The same process, as an agent who is signed in sees it.
    pub(crate) fn as_agent(&self, name: &str) -> Router {
        let only = Sees::OnlyOf(AgentIdentity::new(name).unwrap());
        let scopes = Scopes::from_text("read");
        let agent =
            Principal { workspace: WORKSPACE, actor: format!("user:{name}").into(), scopes, sees: only };
        practice::router(Practice { access: Arc::new(Access::of(agent)), ..self.practice.clone() })
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send_to(self.router.clone(), request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Request::delete(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(json_request("POST", path, body, None)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(json_request("PUT", path, body, None)).await
    }

    pub(crate) async fn post_with_key(&self, path: &str, body: &Value, key: &str) -> Answer {
        self.send(json_request("POST", path, body, Some(key))).await
    }

    pub(crate) async fn form(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &[u8])],
    ) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend(
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
            );
        }
        for (name, content) in files {
            let head = format!(
                "--b\r\nContent-Disposition: form-data; name=\"materials\"; filename=\"{name}\"\r\n\r\n"
            );
            body.extend(head.bytes());
            body.extend(*content);
            body.extend(b"\r\n");
        }
        body.extend(b"--b--\r\n");
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, "multipart/form-data; boundary=b");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn salesperson(&self, files: &[(&str, &[u8])]) -> String {
        let fields = [("product_name", "CloudSync Pro"), ("description", "Cloud storage for companies")];
        let made = self.form("POST", "/api/salesperson/create", &fields, files).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        text(&made.data()["salesperson_id"])
    }

    pub(crate) async fn company(&self) -> String {
        let body = json!({"company_url": "https://acme.example", "auto_fetch": false});
        text(&self.post("/api/company/create", &body).await.data()["company_id"])
    }

    pub(crate) async fn representative(&self, company: &str, name: &str, role: &str) -> String {
        let body =
            json!({"name": name, "role": role, "is_decision_maker": role == "ceo", "tenure_months": 12});
        let made = self.post(&format!("/api/company/{company}/representatives"), &body).await;
        text(&made.data()["representative_id"])
    }

    /// Makes a meeting with these people and starts it.
    pub(crate) async fn meeting(&self, people: &[(&str, &str)]) -> String {
        let salesperson = self.salesperson(&[]).await;
        self.meeting_of(&salesperson, people).await
    }

    pub(crate) async fn meeting_of(&self, salesperson: &str, people: &[(&str, &str)]) -> String {
        let company = self.company().await;
        let mut representatives = Vec::new();
        for (name, role) in people {
            representatives.push(self.representative(&company, name, role).await);
        }
        let body = json!({
            "salesperson_id": salesperson, "company_id": company, "meeting_mode": format!("1-on-{}", people.len()),
            "representatives": representatives, "meeting_goal": "Agree on a pilot",
        });
        let made = self.post("/api/meeting/create", &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let meeting = text(&made.data()["meeting_id"]);
        self.post(&format!("/api/meeting/{meeting}/start"), &json!({})).await.data();
        meeting
    }

    pub(crate) async fn say(&self, meeting: &str, words: &str) -> Value {
        self.post("/api/conversation/send-message", &message(meeting, words)).await.data()
    }

    pub(crate) async fn history(&self, meeting: &str) -> Vec<Value> {
        let history = self.get(&format!("/api/conversation/{meeting}/history")).await.data();
        history["turns"].as_array().unwrap().clone()
    }
}

pub(crate) fn message(meeting: &str, words: &str) -> Value {
    json!({"meeting_id": meeting, "speaker": "salesperson", "message": words})
}

pub(crate) fn json_request(method: &str, path: &str, body: &Value, key: Option<&str>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
    let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
    request.body(Body::from(body.to_string())).unwrap()
}

pub(crate) fn streaming(path: &str, body: &Value) -> Request<Body> {
    let mut request = json_request("POST", path, body, None);
    request.headers_mut().insert(ACCEPT, "text/event-stream".parse().unwrap());
    request
}

pub(crate) async fn send_to(router: Router, request: Request<Body>) -> Answer {
    let answering = async {
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes: bytes.to_vec(),
        }
    };
    tokio::time::timeout(Duration::from_mins(1), answering).await.unwrap()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
