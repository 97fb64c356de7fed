//! The world of the tests: a listener of ingest, with a broker, an outbox and a folder that the test can inspect.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::Router;
use domain::call::{CallDetails, CallId};
use domain::event::{CallReceived, Envelope, Event as _, Kept, MaterialAt};
use domain::principal::Principal;
use futures::FutureExt as _;
use futures::future::{BoxFuture, pending};
use ingest::{Ingest, Settings};
use platform::blobs::Blobs;
use platform::cache::Memory;
use platform::config::{Installation, Values};
use platform::seal::{Sealer, of_call};
use queue_topology::broker::{Broker, BrokerError, Consumer, Depth, Lane, Message, Route, State};
use queue_topology::intake::{Intake, Outbox};
use queue_topology::table::QueueSpec;
use queue_topology::wake_ups::RunWoken;
use serde_json::Value;
use tower::ServiceExt as _;
use web::{self, Access, KeyDirectory};

/// How a broker or an outbox behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Works,
    Refuses,
    /// Refuses the first message, as when the connection has just broken.
    Stumbles,
    Hangs,
}

/// A message that was published to the queue of one stage.
#[derive(Clone)]
pub(crate) struct Nudged {
    pub(crate) stage: &'static str,
    pub(crate) event: Envelope<RunWoken>,
}

/// A broker and an outbox in one value. It keeps everything that it is given.
#[derive(Clone)]
pub(crate) struct Sink {
    mood: Mood,
    stumbled: Arc<AtomicBool>,
    pub(crate) events: Arc<Mutex<Vec<Envelope<CallReceived>>>>,
    pub(crate) nudges: Arc<Mutex<Vec<Nudged>>>,
}

impl Sink {
    fn new(mood: Mood) -> Self {
        Self { mood, stumbled: Arc::default(), events: Arc::default(), nudges: Arc::default() }
    }

    async fn take(&self, message: &Message) -> Result<(), BrokerError> {
        match self.mood {
            Mood::Stumbles if !self.stumbled.swap(true, Ordering::Relaxed) => Err(BrokerError::Blocked),
            Mood::Works | Mood::Stumbles => {
                self.note(message);
                Ok(())
            }
            Mood::Refuses => Err(BrokerError::Blocked),
            Mood::Hangs => pending().await,
        }
    }

    fn note(&self, message: &Message) {
        match message.route {
            Route::Event { key } => {
                assert_eq!(key, CallReceived::KEY);
                let event: Envelope<CallReceived> = Envelope::decode(&message.body).unwrap();
                assert_eq!(event.id, message.id);
                self.events.lock().unwrap().push(event);
            }
            Route::Stage { stage } => {
                let event = Envelope::decode(&message.body).unwrap();
                self.nudges.lock().unwrap().push(Nudged { stage, event });
            }
        }
    }
}

/// Ingest only publishes, so the other methods of the broker are never called.
impl Broker for Sink {
    fn publish(&self, message: Message) -> BoxFuture<'_, Result<(), BrokerError>> {
        async move { self.take(&message).await }.boxed()
    }

    fn declare(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        unreachable!("ingest declares nothing")
    }

    fn consume(&self, _: &QueueSpec, _: Lane, _: u16) -> BoxFuture<'_, Result<Consumer, BrokerError>> {
        unreachable!("ingest consumes nothing")
    }

    fn consume_dead(&self, _: u16) -> BoxFuture<'_, Result<Consumer, BrokerError>> {
        unreachable!("ingest consumes nothing")
    }

    fn depth(&self, _: &str, _: Lane) -> BoxFuture<'_, Result<Depth, BrokerError>> {
        unreachable!("ingest looks at no queue")
    }

    fn dead_depth(&self) -> BoxFuture<'_, Result<Depth, BrokerError>> {
        unreachable!("ingest looks at no queue")
    }

    fn purge(&self, _: &str, _: Lane) -> BoxFuture<'_, Result<u64, BrokerError>> {
        unreachable!("ingest purges nothing")
    }

    fn state(&self) -> State {
        State::Up
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

impl Outbox for Sink {
    fn keep<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, anyhow::Result<()>> {
        async move { Ok(self.take(message).await?) }.boxed()
    }
}

/// A directory in which no key was ever made.
struct NoKeys;

impl KeyDirectory for NoKeys {
    fn find<'a>(&'a self, _: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Principal>>> {
        async { Ok(None) }.boxed()
    }

    fn has_keys(&self) -> BoxFuture<'_, anyhow::Result<bool>> {
        async { Ok(false) }.boxed()
    }
}

pub(crate) struct World {
    router: Router,
    pub(crate) broker: Sink,
    pub(crate) outbox: Sink,
    pub(crate) blobs: Blobs,
    sealer: Sealer,
    dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&[], Mood::Works, Mood::Works)
    }

    pub(crate) fn with(settings: &[(&str, &str)], broker: Mood, outbox: Mood) -> Self {
        let values = Values::of(settings.iter().copied());
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(dir.path()).unwrap();
        let access = Arc::new(Access::new(&web::Settings::read(&values).unwrap(), Arc::new(NoKeys)));
        let (broker, outbox) = (Sink::new(broker), Sink::new(outbox));
        let sealer = Sealer::from_key([7; 32]);
        let router = ingest::router(Ingest {
            settings: Settings::read(&values, &Installation::read(&values).unwrap()).unwrap(),
            access: Arc::clone(&access),
            intake: Intake {
                broker: Some(Arc::new(broker.clone())),
                outbox: Arc::new(outbox.clone()),
                blobs: blobs.clone(),
                sealer: sealer.clone(),
                cache: Arc::new(Memory::default()),
                lane: Lane::Live,
            },
        });
        Self { router: web::finish(router, &access), broker, outbox, blobs, sealer, dir }
    }

    /// Serves the same routes on a port of this machine.
    pub(crate) async fn listening(self) -> (Self, SocketAddr) {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(socket, router).await });
        (self, address)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn json(&self, path: &str, body: impl Into<Value>) -> Answer {
        self.send(post(path, "application/json", body.into().to_string())).await
    }

    pub(crate) async fn form(&self, path: &str, form: Form) -> Answer {
        self.send(post(path, Form::TYPE, form.end())).await
    }

    pub(crate) fn events(&self) -> Vec<Envelope<CallReceived>> {
        self.broker.events.lock().unwrap().clone()
    }

    /// The only event that was published.
    pub(crate) fn event(&self) -> Envelope<CallReceived> {
        let events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events[0].clone()
    }

    pub(crate) fn details(&self) -> CallDetails {
        match self.event().data.details {
            Kept::Inline(details) => details,
            Kept::Blob(key) => panic!("the details are in the blob {key}"),
        }
    }

    pub(crate) fn opened_url(&self, event: &Envelope<CallReceived>) -> String {
        let [material] = event.data.materials.as_slice() else { panic!("{event:?}") };
        let MaterialAt::SealedUrl(sealed) = &material.at else { panic!("{event:?}") };
        self.opened(event, sealed)
    }

    pub(crate) fn opened(&self, event: &Envelope<CallReceived>, sealed: &str) -> String {
        self.sealer.open(&of_call(event.workspace, event.call), sealed).unwrap()
    }

    /// The bytes of the material with the number `index`.
    pub(crate) async fn material(&self, event: &Envelope<CallReceived>, index: usize) -> Vec<u8> {
        let MaterialAt::Blob(key) = &event.data.materials[index].at else { panic!("{event:?}") };
        self.blobs.get(key, u64::MAX).await.unwrap().to_vec()
    }

    /// Waits until every upload that was not accepted is deleted.
    pub(crate) async fn nothing_left_over(&self) {
        self.uploads_incoming(0).await;
    }

    /// Waits until this many uploads are stored, or being stored, for calls that are not known yet.
    pub(crate) async fn uploads_incoming(&self, wanted: usize) {
        let end = Instant::now() + Duration::from_secs(5);
        let count = || std::fs::read_dir(self.dir.path().join("incoming")).map_or(0, Iterator::count);
        while count() != wanted {
            assert!(Instant::now() < end, "{} uploads are incoming", count());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn post(path: &str, media_type: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path).header(CONTENT_TYPE, media_type).body(body.into()).unwrap()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The id of the call, from an answer that accepts the call.
    pub(crate) fn accepted(&self) -> CallId {
        assert_eq!(self.status, StatusCode::ACCEPTED, "{self:?}");
        let id: CallId = serde_json::from_value(self.body["call_id"].clone()).unwrap();
        assert_eq!(self.body["status_url"], format!("/api/calls/{id}"));
        id
    }

    pub(crate) fn is_problem(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.body["status"], status, "{self:?}");
        for name in ["type", "title", "detail"] {
            assert!(self.body[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {self:?}");
        }
    }

    /// Checks that the answer is a problem that names exactly these fields.
    pub(crate) fn names(&self, status: u16, pointers: &[&str]) {
        self.is_problem(status);
        let named = self.body["errors"].as_array().into_iter().flatten();
        let named: Vec<_> = named.map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(named, pointers, "{self:?}");
    }
}

/// A multipart form, as it is sent.
#[derive(Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    pub(crate) const TYPE: &str = "multipart/form-data; boundary=edge";

    pub(crate) fn part(mut self, name: &str, file: &str, bytes: impl AsRef<[u8]>) -> Self {
        let head =
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\r\n");
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(bytes.as_ref());
        self.0.extend_from_slice(b"\r\n");
        self
    }

    pub(crate) fn cut(mut self, bytes: usize) -> Vec<u8> {
        self.0.truncate(self.0.len() - bytes);
        self.0
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"--edge--\r\n");
        self.0
    }
}
