//! The call-data API: every finished call is posted there once, as one document.
//!
//! It gives no credentials, no id to find a call by and no way to change one. So a post of which nobody
//! knows whether it arrived waits for a person (or is sent again, where that is configured), and a call
//! that changed later is shown as outdated over there.

mod payload;
mod transcription;

use std::sync::Arc;
use std::time::Duration;

use domain::fault::Fault;
use platform::cache::{Cache, Limiter, MAX_WAIT};
use platform::config::Rate;
use platform::http::{self, HttpError};
use queue_topology::{Effect, Receipt, Scope, StageError, Unknown, table};
use reqwest::StatusCode;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

pub use payload::{Defaults, MissingId, call_id, payload};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Where a 429 does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub struct CallDataSettings {
    /// The whole address.
    pub url: Url,
    pub defaults: Defaults,
    /// What becomes of a post of which nobody knows whether it arrived.
    pub unknown: Unknown,
    /// Of calls that are posted. Absent: no limit.
    pub rate: Option<Rate>,
}

/// What went wrong, by what is to be done about it.
#[derive(Debug, thiserror::Error)]
pub enum CallDataError {
    /// It cannot be reached, or refuses us.
    #[error("failed to post the call: {0}")]
    Unavailable(HttpError),
    #[error("failed to post the call: too many requests")]
    Throttled(Duration),
    /// It broke off or failed over there; the call may have arrived.
    #[error("failed to post the call: {0}")]
    Unknown(HttpError),
    /// It does not take this document, or `CRM_UPLOAD_URL` is not its address.
    #[error("failed to post the call: {0}")]
    Refused(HttpError),
}

impl From<HttpError> for CallDataError {
    fn from(error: HttpError) -> Self {
        match (&error, error.status()) {
            (HttpError::NotSent(_), _) | (_, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
                Self::Unavailable(error)
            }
            (_, Some(StatusCode::TOO_MANY_REQUESTS)) => {
                Self::Throttled(error.retry_after().unwrap_or(DEFAULT_WAIT))
            }
            _ if error.maybe_sent() || error.status() == Some(StatusCode::REQUEST_TIMEOUT) => {
                Self::Unknown(error)
            }
            _ => Self::Refused(error),
        }
    }
}

impl From<CallDataError> for StageError {
    fn from(error: CallDataError) -> Self {
        match &error {
            CallDataError::Unavailable(HttpError::NotSent(_)) => {
                Self::unavailable("call_data", "call_data_unreachable", error)
            }
            CallDataError::Unavailable(_) => Self::unavailable("call_data", "call_data_forbidden", error),
            CallDataError::Throttled(wait) => {
                Self::new(Fault::Throttled(*wait), "call_data_throttled", error)
            }
            CallDataError::Unknown(cause) => {
                let wait = cause.retry_after();
                Self::transient("call_data_no_answer", error).retry_after(wait).maybe_sent()
            }
            CallDataError::Refused(_) => Self::permanent("call_data_refused", error),
        }
    }
}

impl From<MissingId> for StageError {
    fn from(error: MissingId) -> Self {
        Self::permanent("call_data_id_missing", error)
    }
}

pub struct CallData {
    http: reqwest::Client,
    settings: CallDataSettings,
    limiter: Limiter,
}

impl CallData {
    /// `cache` hands out the slots of the rate limit.
    pub fn new(settings: CallDataSettings, cache: Arc<dyn Cache>) -> Self {
        let limiter = Limiter::new(cache, "call_data", "CRM_RATE", settings.rate, table::CRM.spec.may_wait());
        Self { http: http::client(TIMEOUT), settings, limiter }
    }

    pub fn defaults(&self) -> &Defaults {
        &self.settings.defaults
    }

    /// The effect that this document is posted; `call_id` is the call's id in it.
    pub fn log(&self, call_id: String, payload: Value) -> LogEffect<'_> {
        LogEffect { call_data: self, call_id, payload }
    }

    async fn post(&self, payload: &Value) -> Result<(), CallDataError> {
        http::send(self.http.post(self.settings.url.clone()).json(payload)).await?;
        Ok(())
    }
}

/// That one call is logged.
pub struct LogEffect<'a> {
    call_data: &'a CallData,
    call_id: String,
    payload: Value,
}

impl Effect for LogEffect<'_> {
    fn target(&self) -> &'static str {
        "call_data"
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
        self.call_data.settings.unknown
    }

    fn timeout(&self) -> Duration {
        MAX_WAIT + TIMEOUT
    }

    /// The id of the receipt is ours: the API finds calls by it and promises none of its own.
    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        self.call_data.limiter.slot().await?;
        self.call_data.post(&self.payload).await?;
        Ok(Receipt { remote_id: self.call_id.clone(), replaced: None })
    }
}
