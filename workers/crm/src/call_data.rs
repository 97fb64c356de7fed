//! Posts every finished call to the call-data API once, as one document.
//!
//! The API has no id to find a call by, and no way to change a call. So when nobody knows whether a post arrived, the
//! post waits for a person, or is sent again if that is configured. A call that changed later is shown as outdated
//! there.

mod payload;
mod times;
mod transcription;

use std::time::Duration;

use platform::cache::MAX_WAIT;
use providers::crm::call_data::{CallData, REMOTE, TIMEOUT};
use queue_topology::{Effect, Receipt, Scope, StageError, Unknown};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use payload::{Defaults, MissingId, call_id, payload};

/// The text of a field. `None` where it is empty.
fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.trim().is_empty())
}

/// Where finished calls are logged, and how.
pub struct CallLog {
    pub api: CallData,
    pub defaults: Defaults,
    /// What happens to a post when nobody knows whether it arrived.
    pub unknown: Unknown,
}

impl From<MissingId> for StageError {
    fn from(error: MissingId) -> Self {
        Self::permanent("call_data_id_missing", error)
    }
}

impl CallLog {
    /// The effect that posts this document. `call_id` is the id of the call in the document.
    pub fn log(&self, call_id: String, payload: Value) -> LogEffect<'_> {
        LogEffect { call_log: self, call_id, payload }
    }
}

/// The effect that logs one call.
pub struct LogEffect<'a> {
    call_log: &'a CallLog,
    call_id: String,
    payload: Value,
}

impl Effect for LogEffect<'_> {
    fn target(&self) -> &str {
        &REMOTE.destination
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        "log".to_owned()
    }

    fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.payload.to_string()))
    }

    fn unknown(&self) -> Unknown {
        self.call_log.unknown
    }

    fn timeout(&self) -> Duration {
        MAX_WAIT + TIMEOUT
    }

    /// The receipt holds our own id of the call, because the API promises no id of its own.
    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        self.call_log.api.post(&self.payload).await?;
        Ok(Receipt { remote_id: self.call_id.clone(), replaced: None })
    }
}
