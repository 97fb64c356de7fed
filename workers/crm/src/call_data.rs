//! The call-data API: every finished call is posted there once, as one document.
//!
//! It gives no credentials, no id to find a call by and no way to change one. So a post of which nobody
//! knows whether it arrived waits for a person (or is sent again, where that is configured), and a call
//! that changed later is shown as outdated over there.

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

/// A field's text, unless it is empty.
fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.trim().is_empty())
}

/// Where finished calls are logged, and how.
pub struct CallLog {
    pub api: CallData,
    pub defaults: Defaults,
    /// What becomes of a post of which nobody knows whether it arrived.
    pub unknown: Unknown,
}

impl From<MissingId> for StageError {
    fn from(error: MissingId) -> Self {
        Self::permanent("call_data_id_missing", error)
    }
}

impl CallLog {
    /// The effect that this document is posted; `call_id` is the call's id in it.
    pub fn log(&self, call_id: String, payload: Value) -> LogEffect<'_> {
        LogEffect { call_log: self, call_id, payload }
    }
}

/// That one call is logged.
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

    /// The id of the receipt is ours: the API finds calls by it and promises none of its own.
    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        self.call_log.api.post(&self.payload).await?;
        Ok(Receipt { remote_id: self.call_id.clone(), replaced: None })
    }
}
