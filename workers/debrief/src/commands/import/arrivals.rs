//! Makes an arrival of each call that was found, and hands it to the intake. The functions that read uploads also
//! read these files, so an import refuses what an upload refuses, in the same words.
//!
//! An import does not speak to a broker. Each event goes to the outbox of the store. So an import works beside a
//! `run` that owns the embedded queue, and also beside RabbitMQ.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use domain::call::{CallId, WorkspaceId};
use futures::{Stream, TryStreamExt as _};
use ingest::sources::{meeting, recording, session};
use platform::blobs::Blobs;
use platform::blobs::Upload;
use platform::cache::Memory;
use platform::config::{Installation, Values};
use platform::seal::Sealer;
use queue_topology::broker::Lane;
use queue_topology::intake::{Accepted, Arrival, Intake};
use serde_json::{Map, Value};
use store::Store;
use tokio_util::io::ReaderStream;
use web::Problem;
use web::files;

use super::classify::read;
use super::pairing::{Item, What};
use super::words;
use crate::deployment::StartError;

const PIECE_BYTES: usize = 64 * 1024;
/// How often a file is tried when the store cannot take it at the moment. The store may still be busy with the files
/// before.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// Brings calls in.
pub(super) struct Importer {
    settings: ingest::Settings,
    workspace: WorkspaceId,
    intake: Intake,
    store: Store,
}

/// A call that was taken, and the digests of its material. Only the digests tell whether dedup has seen the call of
/// this import.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) call: CallId,
    pub(super) digests: Vec<String>,
}

/// Why a call was not taken. The text is shown after the name of the file.
#[derive(Debug)]
pub(super) struct NotTaken {
    pub(super) why: String,
    /// Whether the same can be taken later. Several tries were made already.
    pub(super) is_passing: bool,
}

/// Why a try to take a call failed.
enum Refusal {
    /// Another try may succeed.
    ForNow(String),
    ForGood(String),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let fields = problem.errors.iter().map(|error| match error.pointer.trim_start_matches('/') {
            "" => error.detail.clone(),
            name => format!("`{name}` {}", error.detail),
        });
        let fields = fields.collect::<Vec<_>>().join("; ");
        let why = if fields.is_empty() { problem.detail } else { fields };
        if problem.status == StatusCode::SERVICE_UNAVAILABLE { Self::ForNow(why) } else { Self::ForGood(why) }
    }
}

impl Importer {
    pub(super) fn new(
        values: &Values,
        workspace: WorkspaceId,
        store: Store,
        blobs: Blobs,
        sealer: Sealer,
    ) -> Result<Self, StartError> {
        let intake = Intake {
            broker: None,
            outbox: Arc::new(store.clone()),
            blobs,
            sealer,
            cache: Arc::new(Memory::default()),
            lane: Lane::Bulk,
        };
        let settings = ingest::Settings::read(values, &Installation::read(values)?)?;
        Ok(Self { settings, workspace, intake, store })
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The time zone in which times without an offset are read.
    pub(super) fn timezone(&self) -> chrono_tz::Tz {
        self.settings.timezone
    }

    /// The workspace to which the calls go.
    pub(super) fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Brings in what `make` makes, which is made again for each try. The error says why it was not taken.
    pub(super) async fn bring_in_made(
        &self,
        make: impl Fn(chrono_tz::Tz) -> Result<Arrival, Problem>,
    ) -> Result<Sent, String> {
        let mut tries = 1;
        loop {
            let accepted = match make(self.settings.timezone) {
                Ok(arrival) => self.intake.accept(self.workspace, arrival).await,
                Err(problem) => match Refusal::from(problem) {
                    Refusal::ForNow(why) | Refusal::ForGood(why) => return Err(why),
                },
            };
            match accepted {
                Ok(Accepted { call, materials, .. }) => {
                    let digests = materials.into_iter().map(|material| material.digest).collect();
                    return Ok(Sent { call, digests });
                }
                Err(_) if tries < TRIES => tries += 1,
                Err(not_kept) => return Err(not_kept.to_string()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Brings one call in.
    pub(super) async fn bring_in(&self, item: &Item) -> Result<Sent, NotTaken> {
        let mut tries = 1;
        loop {
            match self.take(item).await {
                Ok(Accepted { call, materials, .. }) => {
                    let digests = materials.into_iter().map(|material| material.digest).collect();
                    return Ok(Sent { call, digests });
                }
                Err(Refusal::ForNow(_)) if tries < TRIES => tries += 1,
                Err(Refusal::ForNow(why)) => return Err(NotTaken { why, is_passing: true }),
                Err(Refusal::ForGood(why)) => return Err(NotTaken { why, is_passing: false }),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn take(&self, item: &Item) -> Result<Accepted, Refusal> {
        let arrival = self.arrival(item).await?;
        let accepted = self.intake.accept(self.workspace, arrival).await;
        accepted.map_err(|not_kept| Refusal::ForNow(not_kept.to_string()))
    }

    /// Makes the arrival of a call. It keeps the names of its files, by which people find it again.
    async fn arrival(&self, item: &Item) -> Result<Arrival, Refusal> {
        let mut arrival = self.read(item).await?;
        let mut names = item.files().into_iter().filter_map(|path| Some(path.file_name()?.to_string_lossy()));
        let metadata = &mut arrival.details.metadata;
        if let Some(name) = names.next() {
            metadata.entry("file_name").or_insert_with(|| name.into());
        }
        let others: Vec<Value> = names.map(Value::from).collect();
        if !others.is_empty() {
            metadata.entry("other_file_names").or_insert(others.into());
        }
        Ok(arrival)
    }

    async fn read(&self, item: &Item) -> Result<Arrival, Refusal> {
        let timezone = self.settings.timezone;
        Ok(match &item.what {
            What::Session { lead } => {
                let parse = |path: &Path| {
                    let bytes = read_up_to(path, session::MAX_BYTES)?;
                    web::parse(&bytes).map_err(|error| format!("is not valid JSON: {error}"))
                };
                let mut body = Map::new();
                body.insert("transcript".to_owned(), parse(&item.path).map_err(Refusal::ForGood)?);
                if let Some(path) = lead {
                    let lead = parse(path).map_err(|problem| {
                        Refusal::ForGood(format!("its lead {} {problem}", path.display()))
                    })?;
                    body.insert("lead".to_owned(), lead);
                }
                session::arrival(body.into(), None, timezone)?
            }
            What::Meeting { meeting, transcript, audio } => {
                let meeting = match meeting {
                    Some(path) => {
                        let bytes = read_up_to(path, meeting::MAX_JSON_BYTES).map_err(Refusal::ForGood)?;
                        files::json(&bytes, "/meeting")?
                    }
                    None => Value::Object(Map::new()),
                };
                let transcript = match transcript {
                    Some(path) => Some(self.transcript(path).await?),
                    None => None,
                };
                let audio = match audio {
                    Some(path) => Some(self.recording(path).await?),
                    None => None,
                };
                meeting::arrival(meeting, transcript, audio, None, timezone)?
            }
            What::Audio => recording::arrival(self.recording(&item.path).await?, None, None, timezone)?,
        })
    }

    async fn transcript(&self, path: &Path) -> Result<Upload, Refusal> {
        const PLACE: &str = "/transcript";
        if let Some(why) = words::why_not(path, self.settings.timezone) {
            return Err(Refusal::ForGood(format!("{} {why}", path.display())));
        }
        let content = content(path, PLACE).await.map_err(Refusal::ForGood)?;
        let name = path.file_name().map(std::ffi::OsStr::to_string_lossy);
        Ok(files::transcript(&self.intake.blobs, content, PLACE, None, name.as_deref()).await?)
    }

    async fn recording(&self, path: &Path) -> Result<Upload, Refusal> {
        const PLACE: &str = "/audio";
        let content = content(path, PLACE).await.map_err(Refusal::ForGood)?;
        let max = self.settings.max_audio_bytes;
        Ok(files::recording(&self.intake.blobs, content, PLACE, max).await?)
    }
}

fn read_up_to(path: &Path, max: u64) -> Result<Vec<u8>, String> {
    let bytes = read(path, max + 1)?;
    if bytes.len() as u64 > max { Err(format!("is longer than {max} bytes")) } else { Ok(bytes) }
}

/// Reads a file piece by piece. `pointer` is the JSON pointer that an error names, as for an upload.
async fn content(
    path: &Path,
    pointer: &'static str,
) -> Result<impl Stream<Item = Result<Bytes, Problem>> + Send + use<>, String> {
    let unreadable = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    // Opening a pipe or a device could wait for ever.
    if !tokio::fs::metadata(path).await.map_err(unreadable)?.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let pieces = ReaderStream::with_capacity(file, PIECE_BYTES);
    Ok(pieces.map_err(move |error| Problem::field(pointer, format!("cannot be read: {error}"))))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const OTHER: WorkspaceId = WorkspaceId(uuid::Uuid::from_u128(7));

    /// Brings one item into a fresh store. Also returns how many events then wait in the outbox.
    async fn bring_in(item: Item) -> (Result<Sent, NotTaken>, i64) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let blobs = Blobs::local(&folder.path().join("blobs")).unwrap();
        // A key is configured, to show that an import needs none.
        let values = Values::of([("DEBRIEF_API_KEY", "secret")]);
        let importer =
            Importer::new(&values, OTHER, store.clone(), blobs, Sealer::from_key([7; 32])).unwrap();
        let sent = importer.bring_in(&item).await;
        (sent, store.outbox_len().await.unwrap())
    }

    fn session(name: &str) -> Item {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/sessions/conversations");
        Item { path: folder.join(name), what: What::Session { lead: None } }
    }

    #[tokio::test]
    async fn what_is_taken_waits_in_the_outbox_with_what_it_brought() {
        let (sent, waiting) = bring_in(session("transcript_session_2025-10-23T10-18-31.004512.json")).await;
        assert_eq!((sent.unwrap().digests.len(), waiting), (1, 1));
    }

    #[tokio::test]
    async fn what_is_refused_is_refused_by_the_field_and_leaves_nothing() {
        let (sent, waiting) = bring_in(session("transcript_session_2025-10-23T12-00-00.000000.json")).await;
        let why = sent.unwrap_err().why;
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
        let (sent, waiting) = bring_in(Item { path, what }).await;
        let sent = sent.unwrap();
        assert_eq!(sent.call, CallId::derive(OTHER, "zoom", "m-1"));
        assert_eq!((sent.digests.len(), waiting), (2, 1));
    }

    #[tokio::test]
    async fn what_is_too_long_or_no_recording_is_refused_in_the_words_of_an_upload() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let page = written("page.wav", "<!DOCTYPE html>");
        let (sent, _) = bring_in(Item { path: page, what: What::Audio }).await;
        let why = sent.unwrap_err().why;
        assert_eq!(why, "`audio` is a page of text, not a recording");
        let long = format!("{{\"items\":[\"{}\"]}}", "x".repeat(9 * 1024 * 1024));
        let long = written("long.json", &long);
        let (sent, _) = bring_in(Item { path: long, what: What::Session { lead: None } }).await;
        assert_eq!(sent.unwrap_err().why, "is longer than 8388608 bytes");
        let vtt = written("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHi\n");
        let deep = written("deep.json", &format!("{}{}", "[".repeat(65), "]".repeat(65)));
        let what = What::Meeting { meeting: Some(deep.clone()), transcript: Some(vtt), audio: None };
        let (sent, waiting) = bring_in(Item { path: deep, what }).await;
        assert_eq!(sent.unwrap_err().why, "`meeting` is not valid JSON: it is nested deeper than 64 levels");
        assert_eq!(waiting, 0);
    }

    #[tokio::test]
    async fn a_file_that_went_away_is_named() {
        let gone = || PathBuf::from("/nowhere/a.wav");
        let (sent, _) = bring_in(Item { path: gone(), what: What::Audio }).await;
        assert!(sent.unwrap_err().why.contains("/nowhere/a.wav cannot be read"));
    }
}
