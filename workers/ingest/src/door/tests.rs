//! Tests the door with a source of a made-up provider. The provider signs its requests as telephony and meeting
//! providers do: over the address that it was given and the bytes of the body.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use axum::extract::State;
use axum::http::Method;
use axum::routing::Router;
use domain::call::{CallDetails, CallKind, WorkspaceId};
use domain::event::{CallReceived, Envelope};
use domain::principal::{Principal, Scopes};
use futures::future::{BoxFuture, ready};
use platform::blobs::Blobs;
use platform::cache::Memory;
use platform::config::Values;
use platform::seal::Sealer;
use queue_topology::broker::{Lane, Message};
use queue_topology::intake::{Intake, NewMaterial, Outbox};
use serde_json::json;
use tower::ServiceExt as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use web::Access;

use super::*;
use crate::Settings;

const SECRET: &str = "shared with the provider";
const PUBLIC_URL: &str = "https://calls.example.com/debrief";
const PATH: &str = "/webhooks/toy";
const SIGNATURE: &str = "x-toy-signature";
const MAX_BYTES: u64 = 256;

/// What happened at the toy provider.
#[utoipa::path(method(get, post), path = "/webhooks/toy", tag = "bringing in", security(()),
    responses((status = 204, description = "It is kept"), (status = 401, body = Problem)))]
async fn toy(State(ingest): State<Arc<Ingest>>, request: Request) -> Result<Response, Problem> {
    ingest.receive(Toy { secret: SECRET, public_url: PUBLIC_URL }, request).await
}

struct Toy<'a> {
    secret: &'a str,
    public_url: &'a str,
}

impl Toy<'_> {
    fn signature(&self, path_and_query: &str, body: &[u8]) -> String {
        let signed = [self.secret, self.public_url, path_and_query].concat();
        Uuid::new_v5(&Uuid::NAMESPACE_URL, &[signed.as_bytes(), body].concat()).to_string()
    }

    fn check(&self, head: &Parts, body: &[u8]) -> Result<(), Problem> {
        let address = head.uri.path_and_query().map_or("/", |address| address.as_str());
        let sent = head.headers.get(SIGNATURE).and_then(|signature| signature.to_str().ok());
        if sent == Some(&self.signature(address, body)) {
            Ok(())
        } else {
            Err(Problem::new(StatusCode::UNAUTHORIZED, "the signature is missing or wrong"))
        }
    }
}

impl Source for Toy<'_> {
    const SENDER: Sender<Self> = Sender::Signature(Self::check);

    fn max_bytes(&self) -> u64 {
        MAX_BYTES
    }

    async fn read(&self, sent: Sent) -> Result<Read, Problem> {
        let call = |id: &str, url: Option<&str>| Arrival {
            source: "toy".to_owned(),
            external_id: id.to_owned(),
            kind: CallKind::Phone,
            details: CallDetails::default(),
            materials: url.map(|url| NewMaterial::Url(url.to_owned())).into_iter().collect(),
        };
        if sent.head.method == Method::GET {
            let pairs = url::form_urlencoded::parse(sent.query().as_bytes());
            let ids = pairs.filter(|(name, _)| name == "call");
            return Ok(Read::Arrivals(ids.map(|(_, id)| call(&id, None)).collect()));
        }
        let body = sent.json().await?;
        Ok(match body["event"].as_str() {
            Some("is_it_yours") => Read::Reply(Json(json!({ "token": body["token"] })).into_response()),
            Some("recorded") => {
                let recordings = body["recordings"].as_array().into_iter().flatten();
                let calls =
                    recordings.map(|one| call(one["id"].as_str().unwrap_or_default(), one["url"].as_str()));
                Read::Arrivals(calls.collect())
            }
            _ => Read::Arrivals(Vec::new()),
        })
    }

    fn answer(&self, _: &[Accepted]) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<Envelope<CallReceived>>>);

impl Outbox for Kept {
    fn keep<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, anyhow::Result<()>> {
        let event = Envelope::decode(&message.body).context("decode the event");
        Box::pin(ready(event.map(|event| self.0.lock().unwrap().push(event))))
    }
}

struct World {
    router: Router,
    document: OpenApi,
    outbox: Arc<Kept>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let (folder, outbox) = (tempfile::tempdir().unwrap(), Arc::<Kept>::default());
        let values = Values::default();
        // A key of ours does not help at this door: only a signature opens it.
        let without_any_scope = Principal {
            workspace: web::INSTALLATION,
            actor: "nobody".into(),
            scopes: Scopes::from_iter([]),
            sees: domain::principal::Sees::All,
        };
        let ingest = Ingest {
            settings: Settings::read(&values, &platform::config::Installation::read(&values).unwrap())
                .unwrap(),
            access: Arc::new(Access::of(without_any_scope)),
            intake: Intake {
                broker: None,
                outbox: Arc::<Kept>::clone(&outbox),
                blobs: Blobs::local(folder.path()).unwrap(),
                sealer: Sealer::from_key([7; 32]),
                cache: Arc::new(Memory::default()),
                lane: Lane::Live,
            },
        };
        let (router, document) = OpenApiRouter::new().routes(routes!(toy)).split_for_parts();
        Self { router: router.with_state(Arc::new(ingest)), document, outbox, _folder: folder }
    }

    async fn send(&self, method: Method, address: &str, body: &str, signature: &str) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(address)
            .header("host", "10.0.0.7:8000")
            .header("content-type", "application/json")
            .header(SIGNATURE, signature)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn post(&self, body: &str) -> (StatusCode, Value) {
        let toy = Toy { secret: SECRET, public_url: PUBLIC_URL };
        self.send(Method::POST, PATH, body, &toy.signature(PATH, body.as_bytes())).await
    }

    fn ids(&self) -> Vec<String> {
        let events = self.outbox.0.lock().unwrap();
        assert!(events.iter().all(|event| event.workspace == WorkspaceId::DEFAULT), "{events:?}");
        events.iter().map(|event| event.data.external_id.clone()).collect()
    }
}

#[tokio::test]
async fn one_delivery_that_is_signed_byte_by_byte_brings_several_calls() {
    let world = World::new();
    let body = "{ \"event\":\"recorded\",\n\t\"recordings\": [{\"id\":\"a\",\"url\":\"https://r.example.com/a\"},{\"id\":\"b\"}] }\n";
    assert_eq!(world.post(body).await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.ids(), ["a", "b"]);
    assert_eq!(world.outbox.0.lock().unwrap()[0].data.materials.len(), 1);
}

#[tokio::test]
async fn a_body_that_was_changed_is_refused_before_anybody_reads_it() {
    let world = World::new();
    let toy = Toy { secret: SECRET, public_url: PUBLIC_URL };
    let body = json!({ "event": "recorded", "recordings": [{ "id": "a" }] }).to_string();
    let signature = toy.signature(PATH, body.as_bytes());
    for (address, body, signature) in [
        (PATH, body.replace('a', "b").as_str(), signature.as_str()),
        (PATH, "not JSON at all", &signature),
        ("/webhooks/toy?more=1", &body, &signature),
        (PATH, &body, &Toy { secret: "a guess", ..toy }.signature(PATH, body.as_bytes())),
        (PATH, &body, &Toy { public_url: "http://10.0.0.7:8000", ..toy }.signature(PATH, body.as_bytes())),
        (PATH, &body, ""),
    ] {
        let (status, problem) = world.send(Method::POST, address, body, signature).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{address} {body} {problem}");
    }
    assert!(world.ids().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_its_signature_is_checked() {
    let world = World::new();
    let body = " ".repeat(300);
    assert_eq!(world.post(&body).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.send(Method::POST, PATH, &body, "").await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_question_is_answered_and_news_that_nobody_needs_is_taken() {
    let world = World::new();
    let question = json!({ "event": "is_it_yours", "token": "t" }).to_string();
    assert_eq!(world.post(&question).await, (StatusCode::OK, json!({ "token": "t" })));
    let news = json!({ "event": "rang" }).to_string();
    assert_eq!(world.post(&news).await.0, StatusCode::NO_CONTENT);
    assert!(world.ids().is_empty());
}

#[tokio::test]
async fn a_source_may_take_several_methods_and_all_of_them_are_in_the_document() {
    let world = World::new();
    let address = format!("{PATH}?call=c&call=d");
    let signature = Toy { secret: SECRET, public_url: PUBLIC_URL }.signature(&address, b"");
    assert_eq!(world.send(Method::GET, &address, "", &signature).await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.ids(), ["c", "d"]);
    let item = &world.document.paths.paths[PATH];
    assert!(item.get.is_some() && item.post.is_some());
}
