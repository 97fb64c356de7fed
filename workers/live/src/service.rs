//! What the doors of live calls share: the routes, the sockets and the streams all begin sessions, keep pieces and end
//! sessions here.

mod begin;
mod end;
mod pieces;
mod session;

use std::sync::Arc;

use domain::call::CallDetails;
use platform::blobs::Blobs;
use providers::speech::streaming::StreamingSpeech;
use queue_topology::broker::Broker;
use serde_json::Value;
use store::Store;
use tokio_util::sync::CancellationToken;
use web::{Access, Guarded, Problem};

use crate::hub::Hub;
use crate::settings::Settings;

pub(crate) use session::{SessionId, away, check, ended, unknown};

/// Reads the metadata of a session, which may hold the fields of the Zapier webhook. Returns who issued the session's id,
/// where the metadata says it, and the details of the call. The `&str` is the JSON pointer to the metadata.
pub type ReadMetadata =
    Arc<dyn Fn(Value, &str) -> Result<(Option<String>, CallDetails), Problem> + Send + Sync>;

/// What the routes of live calls need. The process that serves them fills this in.
#[derive(Clone)]
pub struct Live {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
    pub blobs: Blobs,
    pub access: Arc<Access>,
    pub settings: Settings,
    pub read_metadata: ReadMetadata,
    pub hub: Hub,
    /// The providers that transcribe streams while they are spoken, in the order in which they are tried.
    pub streaming: Vec<Arc<dyn StreamingSpeech>>,
    pub stopping: CancellationToken,
}

impl Guarded for Live {
    fn access(&self) -> &Access {
        &self.access
    }
}
