//! Events. An event says that something happened to a call, and its name is in the past tense. It travels in an
//! envelope, which is a CloudEvents 1.0 JSON document.
//!
//! An event carries ids and a few fields and has at most [`MAX_BYTES`]. Anything larger is stored in a blob, and
//! the event carries the blob's key.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;
use strum::IntoStaticStr;
use uuid::Uuid;

use crate::call::{CallDetails, CallId, CallKind, WorkspaceId};
use crate::moment::Moment;

/// The largest size of an encoded event. Queues are made for small messages, not for documents.
pub const MAX_BYTES: usize = 4096;
/// Most encoded events are smaller than this. A buffer of this size rarely has to grow.
const TYPICAL_BYTES: usize = 1536;

/// The body of an event.
pub trait Event: Serialize + DeserializeOwned + Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The CloudEvents `type`, which is also the routing key. It ends in the version of the body.
    const KEY: &'static str;
}

/// An event's body, together with the fields that every event has.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope<E> {
    pub id: Uuid,
    pub workspace: WorkspaceId,
    pub call: CallId,
    /// The generation of the call that this event belongs to. It is 0 before dedup has seen the event.
    pub generation: i64,
    pub time: Moment,
    /// The W3C trace context of the operation that made the event.
    pub traceparent: Option<String>,
    pub data: E,
}

/// The JSON document that is sent. Its field names are those of CloudEvents.
#[derive(Serialize, Deserialize)]
struct Wire<'a, E> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    id: Uuid,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    key: Cow<'a, str>,
    subject: CallId,
    time: Moment,
    #[serde(borrow)]
    datacontenttype: Cow<'a, str>,
    workspace: WorkspaceId,
    generation: i64,
    #[serde(skip_serializing_if = "Option::is_none", default, borrow)]
    traceparent: Option<Cow<'a, str>>,
    data: E,
}

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("failed to read the event: {0}")]
    Json(#[source] InvalidJson),
    /// The text of this error leaves `found` out, because it came from outside and may hold anything.
    #[error("failed to read the event: its type is not `{expected}`")]
    Type { found: String, expected: &'static str },
    #[error("failed to read the event: it is not of CloudEvents version 1.0")]
    Version,
}

/// What is wrong with a JSON document, and where. Serde's own error text quotes the value that serde did not expect,
/// and that can be a person's name. So this text quotes nothing.
#[derive(Debug, thiserror::Error)]
#[error("{kind} at line {line}, column {column}")]
pub struct InvalidJson {
    kind: &'static str,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for InvalidJson {
    fn from(error: serde_json::Error) -> Self {
        let kind = match error.classify() {
            Category::Io => "it cannot be read",
            Category::Syntax => "it is not JSON",
            Category::Data => "a field is missing or of another type",
            Category::Eof => "it ends too early",
        };
        Self { kind, line: error.line(), column: error.column() }
    }
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.into())
    }
}

/// The trace (W3C trace context) of the operation that made an encoded event. `None` where the event names none.
pub fn trace_id(encoded: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Traced<'a> {
        #[serde(default, borrow)]
        traceparent: Option<Cow<'a, str>>,
    }
    let event: Traced<'_> = serde_json::from_str(encoded).ok()?;
    let traceparent = event.traceparent?;
    let id = traceparent.split('-').nth(1)?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

impl<E: Event> Envelope<E> {
    pub fn encode(&self) -> Vec<u8> {
        let wire = Wire {
            specversion: "1.0".into(),
            id: self.id,
            source: "/debrief".into(),
            key: E::KEY.into(),
            subject: self.call,
            time: self.time,
            datacontenttype: "application/json".into(),
            workspace: self.workspace,
            generation: self.generation,
            traceparent: self.traceparent.as_deref().map(Cow::Borrowed),
            data: &self.data,
        };
        let mut bytes = Vec::with_capacity(TYPICAL_BYTES);
        // This cannot fail: every event can be written as JSON, and a vector takes every byte.
        serde_json::to_writer(&mut bytes, &wire).unwrap_or_default();
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: Wire<'_, &RawValue> = serde_json::from_slice(bytes)?;
        if wire.specversion != "1.0" {
            return Err(DecodeError::Version);
        }
        if wire.key != E::KEY {
            return Err(DecodeError::Type { found: wire.key.into_owned(), expected: E::KEY });
        }
        Ok(Self {
            id: wire.id,
            workspace: wire.workspace,
            call: wire.subject,
            generation: wire.generation,
            time: wire.time,
            traceparent: wire.traceparent.map(Cow::into_owned),
            data: serde_json::from_str(wire.data.get())?,
        })
    }
}

/// Something about a call arrived: its announcement, its recording, its transcript or a correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallReceived {
    pub source: String,
    pub external_id: String,
    pub kind: CallKind,
    pub details: Kept<CallDetails>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub materials: Vec<Material>,
}

impl CallReceived {
    /// The keys of the blobs that the event names.
    pub fn blobs(&self) -> impl Iterator<Item = &str> {
        let details = match &self.details {
            Kept::Blob(key) => Some(key.as_str()),
            Kept::Inline(_) => None,
        };
        let materials = self.materials.iter().filter_map(|material| match &material.at {
            MaterialAt::Blob(key) => Some(key.as_str()),
            MaterialAt::SealedUrl(_) => None,
        });
        details.into_iter().chain(materials)
    }
}

/// A new generation of the call begins, and its material can be transcribed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallAccepted {}

/// The transcript of this generation is in the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallTranscribed {}

/// The analysis of this generation is in the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallAnalyzed {}

/// Audio of a call that is being spoken came in, or its session ended. This event only starts the work on the session: it
/// stands in the run's row, and nothing publishes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpeechHeard {}

/// The event type of a stage that emits no event, because no stage follows it. No value of it can exist, so
/// nothing is ever published under its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Nothing {}

impl Event for CallReceived {
    const KEY: &'static str = "call.received.v1";
}
impl Event for CallAccepted {
    const KEY: &'static str = "call.accepted.v1";
}
impl Event for CallTranscribed {
    const KEY: &'static str = "call.transcribed.v1";
}
impl Event for CallAnalyzed {
    const KEY: &'static str = "call.analyzed.v1";
}
impl Event for SpeechHeard {
    const KEY: &'static str = "speech.heard.v1";
}
impl Event for Nothing {
    const KEY: &'static str = "nothing.v1";
}

/// Where a value is kept: in the event itself, or in a blob when it is too large for an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept<T> {
    Inline(T),
    /// The key of a blob that holds the value as JSON.
    Blob(String),
}

/// Something from which a transcript can be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Material {
    pub kind: MaterialKind,
    /// Identifies the content: materials with equal digests are the same, whichever way they arrived. It is the
    /// SHA-256 of the bytes, or of a URL without its query, in hex.
    pub digest: String,
    pub at: MaterialAt,
    /// The media type, or the file's extension when the sender gave no media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// When the material begins. A call that was recorded in several pieces has material with different starts. It is
    /// absent where the source named no start, and then the material is that of the whole call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Moment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum MaterialKind {
    /// The audio of the call.
    Recording,
    /// A transcript that somebody else made: `WebVTT`, `SubRip` or lines of `Name: words`.
    Transcript,
    /// A voice agent's record of its session, in JSON.
    Session,
}

impl MaterialKind {
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// Where the material can be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaterialAt {
    /// The key of a blob.
    Blob(String),
    /// An encrypted URL. It is encrypted because the query of a URL can hold a password.
    SealedUrl(String),
}

#[cfg(test)]
mod first_version;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        let envelope = Envelope {
            id: Uuid::from_u128(7),
            workspace: WorkspaceId::DEFAULT,
            call: CallId(Uuid::from_u128(8)),
            generation: 3,
            time: Moment::from_micros(1_700_000_000_000_001),
            traceparent: None,
            data: CallAccepted {},
        };
        assert_eq!(Envelope::<CallAccepted>::decode(&envelope.encode()).unwrap(), envelope);
        let other = Envelope::<CallAnalyzed>::decode(&envelope.encode()).unwrap_err();
        assert!(other.to_string().contains("not `call.analyzed.v1`"), "{other}");
    }

    #[test]
    fn the_trace_of_an_event_is_read_and_what_is_no_trace_is_not() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let said = |traceparent: &str| trace_id(&format!(r#"{{"id": 7, "traceparent": "{traceparent}"}}"#));
        assert_eq!(said(&format!("00-{id}-b7ad6b7169203331-01")).as_deref(), Some(id));
        for other in ["", "00", "00-", "00-0af7-b7ad-01", &format!("00-{}-b7ad-01", "x".repeat(32))] {
            assert_eq!(said(other), None, "{other}");
        }
        assert_eq!((trace_id("{}"), trace_id("input 1")), (None, None));
    }

    #[test]
    fn the_error_about_a_wrong_event_does_not_quote_its_content() {
        let mut wire: serde_json::Value = serde_json::from_slice(
            &Envelope {
                id: Uuid::from_u128(7),
                workspace: WorkspaceId::DEFAULT,
                call: CallId(Uuid::from_u128(8)),
                generation: 1,
                time: Moment::from_micros(1),
                traceparent: None,
                data: CallAccepted {},
            }
            .encode(),
        )
        .unwrap();
        wire["data"] = "Odile Marchetti".into();
        let error = Envelope::<CallAccepted>::decode(wire.to_string().as_bytes()).unwrap_err();
        assert!(!error.to_string().contains("Odile"), "{error}");
        wire["workspace"] = "Odile Marchetti".into();
        let error = Envelope::<CallAccepted>::decode(wire.to_string().as_bytes()).unwrap_err();
        assert!(!error.to_string().contains("Odile"), "{error}");
    }
}
