//! Sends files through ingest's own routes, within this process: what is wrong with a file is decided, and
//! said, in one place.
//!
//! No broker is asked. Each event goes to the store's outbox, so an import works beside a `run` that owns
//! the embedded queue as well as beside RabbitMQ.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Request, StatusCode};
use axum::routing::Router;
use domain::call::CallId;
use futures::future::{BoxFuture, ready};
use futures::stream::{self, BoxStream, StreamExt as _};
use ingest::{Ingest, Nudge, Outbox, Outgoing, PublishFault, Publisher};
use platform::blobs::Blobs;
use platform::cache::Memory;
use platform::config::{Installation, Values};
use platform::seal::Sealer;
use queue_topology::broker::Lane;
use serde_json::{Value, json};
use store::Store;
use tokio_util::io::ReaderStream;
use tower::ServiceExt as _;
use uuid::Uuid;
use web::Access;

use super::classify::{extension, read_json};
use super::pairing::{Item, What};
use crate::deployment::StartError;
use crate::ports::ToOutbox;

const PIECE_BYTES: usize = 64 * 1024;
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// "Not at the moment" is no reason to give a file up: the store may be busy with what came before.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// Ingest, in here.
pub(super) struct Door {
    router: Router,
    store: Store,
    kept: Arc<Kept>,
}

/// A file that was taken: its call, and the digests of the material it brought.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) call: CallId,
    pub(super) digests: Vec<String>,
}

impl Door {
    pub(super) fn open(
        values: &Values,
        store: Store,
        blobs: Blobs,
        sealer: Sealer,
    ) -> Result<Self, StartError> {
        let kept = Arc::new(Kept { outbox: ToOutbox(store.clone()), digests: Mutex::default() });
        let router = ingest::router(Ingest {
            settings: ingest::Settings::read(values, &Installation::read(values)?)?,
            // Who may start this process may read the store: keys are for the network.
            access: Arc::new(Access::read(&Values::default())?),
            blobs,
            sealer,
            cache: Arc::new(Memory::default()),
            publisher: Arc::new(NoBroker),
            outbox: Arc::<Kept>::clone(&kept),
            lane: Lane::Bulk,
        });
        Ok(Self { router, store, kept })
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Sends one call; the error says why it was not taken, to stand after the file's name.
    pub(super) async fn send(&self, item: &Item) -> Result<Sent, String> {
        for _ in 1..TRIES {
            let (status, body) = self.ask(request(item).await?).await?;
            if status != StatusCode::SERVICE_UNAVAILABLE {
                return self.read_answer(status, &body);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let (status, body) = self.ask(request(item).await?).await?;
        self.read_answer(status, &body)
    }

    async fn ask(&self, request: Request<Body>) -> Result<(StatusCode, Value), String> {
        let answer = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), MAX_ANSWER_BYTES).await;
        let body = body.map_err(|error| format!("the answer cannot be read: {error}"))?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn read_answer(&self, status: StatusCode, body: &Value) -> Result<Sent, String> {
        if status != StatusCode::ACCEPTED {
            return Err(problem(status, body));
        }
        let call: CallId = serde_json::from_value(body["call_id"].clone())
            .map_err(|error| format!("was taken, but the answer names no call: {error}"))?;
        Ok(Sent { call, digests: self.kept.take(call) })
    }
}

/// What a problem document says, each field by its name.
fn problem(status: StatusCode, body: &Value) -> String {
    let fields = body["errors"].as_array().into_iter().flatten().map(|error| {
        let name = error["pointer"].as_str().unwrap_or_default().trim_start_matches('/');
        let detail = error["detail"].as_str().unwrap_or_default();
        if name.is_empty() { detail.to_owned() } else { format!("`{name}` {detail}") }
    });
    let fields: Vec<_> = fields.collect();
    if !fields.is_empty() {
        return fields.join("; ");
    }
    let said = ["detail", "title"].iter().find_map(|name| body[*name].as_str());
    said.map_or_else(|| format!("was refused with {status}"), str::to_owned)
}

async fn request(item: &Item) -> Result<Request<Body>, String> {
    let (path, media_type, body) = match &item.what {
        What::Session { lead } => {
            let mut body = json!({ "transcript": read_json(&item.path)? });
            if let Some(lead) = lead {
                let read = read_json(lead);
                body["lead"] = read.map_err(|problem| format!("its lead {} {problem}", lead.display()))?;
            }
            ("/api/sessions", "application/json".to_owned(), Body::from(body.to_string()))
        }
        What::Meeting { meeting, transcript, audio } => {
            let mut form = Form::new();
            let meeting = meeting.as_deref().map_or(Ok(json!({})), read_json)?;
            form.add("meeting", "json", stream::iter([Ok(Bytes::from(meeting.to_string()))]).boxed());
            for (name, path) in [("transcript", transcript), ("audio", audio)] {
                if let Some(path) = path {
                    form.add_file(name, path).await?;
                }
            }
            form.into_body("/api/meetings")
        }
        What::Audio => {
            let mut form = Form::new();
            form.add_file("audio", &item.path).await?;
            form.into_body("/api/calls")
        }
    };
    Request::post(path)
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, media_type)
        .body(body)
        .map_err(|error| format!("cannot be sent: {error}"))
}

/// A multipart form that is read from its files while it is sent.
struct Form {
    boundary: String,
    pieces: Vec<BoxStream<'static, io::Result<Bytes>>>,
}

impl Form {
    fn new() -> Self {
        Self { boundary: format!("debrief-{}", Uuid::new_v4()), pieces: Vec::new() }
    }

    fn add(&mut self, name: &str, extension: &str, content: BoxStream<'static, io::Result<Bytes>>) {
        // Of a file's name only the extension says something, and only plain ones can be written here.
        let extension: String = extension.chars().filter(char::is_ascii_alphanumeric).collect();
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"file.{extension}\"\r\n\r\n",
            self.boundary
        );
        self.text(head);
        self.pieces.push(content);
        self.text("\r\n".to_owned());
    }

    async fn add_file(&mut self, name: &str, path: &Path) -> Result<(), String> {
        let unreadable = |error: io::Error| format!("{} cannot be read: {error}", path.display());
        // Opening a pipe or a device could wait for ever.
        if !tokio::fs::metadata(path).await.map_err(unreadable)?.is_file() {
            return Err(format!("{} is no file", path.display()));
        }
        let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        self.add(name, &extension(path), ReaderStream::with_capacity(file, PIECE_BYTES).boxed());
        Ok(())
    }

    fn text(&mut self, text: String) {
        self.pieces.push(stream::iter([Ok(Bytes::from(text))]).boxed());
    }

    fn into_body(mut self, path: &'static str) -> (&'static str, String, Body) {
        self.text(format!("--{}--\r\n", self.boundary));
        let media_type = format!("multipart/form-data; boundary={}", self.boundary);
        (path, media_type, Body::from_stream(stream::iter(self.pieces).flatten()))
    }
}

/// Sends every event on to the outbox.
struct NoBroker;

impl Publisher for NoBroker {
    fn publish<'a>(&'a self, _: &'a Outgoing) -> BoxFuture<'a, Result<(), PublishFault>> {
        Box::pin(ready(Err(PublishFault::Blocked)))
    }

    fn nudge(&self, _: Nudge) -> BoxFuture<'_, Result<(), PublishFault>> {
        Box::pin(ready(Err(PublishFault::Blocked)))
    }
}

/// The outbox, which remembers what each event brought: only that tells whether it was taken in.
struct Kept {
    outbox: ToOutbox,
    digests: Mutex<HashMap<CallId, Vec<String>>>,
}

impl Kept {
    fn take(&self, call: CallId) -> Vec<String> {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.remove(&call).unwrap_or_default()
    }
}

impl Outbox for Kept {
    fn keep<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<(), anyhow::Error>> {
        let event = &outgoing.event;
        let brought = event.data.materials.iter().map(|material| material.digest.clone()).collect();
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).insert(event.call, brought);
        self.outbox.keep(outgoing)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Sends one item through a door to a fresh store; how many events then wait to be relayed.
    async fn send(item: Item) -> (Result<Sent, String>, i64) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let blobs = Blobs::local(&folder.path().join("blobs")).unwrap();
        // The keys of the network are not asked for here.
        let values = Values::of([("DEBRIEF_API_KEY", "secret")]);
        let door = Door::open(&values, store.clone(), blobs, Sealer::from_key([7; 32])).unwrap();
        let sent = door.send(&item).await;
        (sent, store.outbox_len().await.unwrap())
    }

    fn session(name: &str) -> Item {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/sessions/conversations");
        Item { path: folder.join(name), what: What::Session { lead: None } }
    }

    #[tokio::test]
    async fn what_is_taken_waits_in_the_outbox_with_what_it_brought() {
        let (sent, waiting) = send(session("transcript_session_2025-10-23T10-18-31.004512.json")).await;
        assert_eq!((sent.unwrap().digests.len(), waiting), (1, 1));
    }

    #[tokio::test]
    async fn what_is_refused_is_refused_by_the_field_and_leaves_nothing() {
        let (sent, waiting) = send(session("transcript_session_2025-10-23T12-00-00.000000.json")).await;
        let why = sent.unwrap_err();
        assert!(why.starts_with("`call_id` is missing"), "{why}");
        assert_eq!(waiting, 0);
    }

    #[tokio::test]
    async fn a_meetings_files_are_sent_as_one_call() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| -> Option<PathBuf> {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            Some(path)
        };
        let meeting = write("a \"1\".json", "\u{feff}{\"uuid\":\"m-1\",\"topic\":\"Pilot\"}");
        let transcript = write("a \"1\".vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHi\n");
        let audio = write("a \"1\".wav", "RIFF\x24\0\0\0WAVEfmt ");
        let path = meeting.clone().unwrap();
        let what = What::Meeting { meeting, transcript, audio };
        let (sent, waiting) = send(Item { path, what }).await;
        let sent = sent.unwrap();
        let workspace = domain::call::WorkspaceId::DEFAULT;
        assert_eq!(sent.call, CallId::derive(workspace, "zoom", "m-1"));
        assert_eq!((sent.digests.len(), waiting), (2, 1));
    }

    #[tokio::test]
    async fn a_file_that_went_away_is_named() {
        let gone = || PathBuf::from("/nowhere/a.wav");
        let (sent, _) = send(Item { path: gone(), what: What::Audio }).await;
        assert!(sent.unwrap_err().contains("/nowhere/a.wav cannot be read"));
    }
}
