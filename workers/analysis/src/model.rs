//! What the worker needs of a language model, in its own words.

mod openai;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use domain::fault::Fault;
use platform::cache::RateUsedUp;
use queue_topology::StageError;

use crate::prompt::Prompt;
use crate::schema::Reading;

pub use openai::OpenAi;

pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, ModelError>> + Send + 'a>>;

/// Reads a transcript, or a part of one.
pub trait Model: Send + Sync {
    /// What the analysis says made it: the model's name.
    fn name(&self) -> &str;
    /// One request, never repeated here: when to try again is the stage's to say.
    fn read<'a>(&'a self, prompt: &'a Prompt) -> Answering<'a>;
}

/// A model's reply that kept to the schema, and what it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub reading: Reading,
    /// 0 where the server did not say.
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
}

/// Why there is no reading, by what a caller does about it. No variant repeats the transcript or the reply.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// 401 and 403: the key has to be mended.
    #[error("failed to ask the model: it refuses OPENAI_API_KEY ({0})")]
    Unauthorized(String),
    /// The account is out of money: waiting does not help, a person does.
    #[error("failed to ask the model: the account's quota is used up ({0})")]
    NoQuota(String),
    /// The address or the model does not exist, or nothing listens there.
    #[error("failed to ask the model: set OPENAI_BASE_URL and OPENAI_MODEL to what exists ({0})")]
    NotFound(String),
    /// The request never arrived.
    #[error("failed to reach the model: {0}")]
    Unreachable(String),
    #[error("failed to ask the model: it asked to wait {0:?}")]
    Throttled(Duration),
    /// Our own limit.
    #[error(transparent)]
    RateUsedUp(#[from] RateUsedUp),
    /// Our request is one that this model will never take.
    #[error("failed to ask the model: it rejects the request ({0})")]
    Rejected(String),
    /// 5xx, a timeout, an answer cut off on its way.
    #[error("failed to get the model's answer: {reason}")]
    Broken { reason: String, retry_after: Option<Duration> },
    #[error("failed to get the model's answer: it declined to answer")]
    Refused,
    /// `finish_reason` is `length`: its JSON is cut off.
    #[error("failed to get the model's answer: it ran into the length limit")]
    CutShort,
    #[error("failed to get the model's answer: the provider's content filter withheld it")]
    Filtered,
    #[error("failed to use the model's answer: {0}")]
    BadReply(String),
}

/// The destination that runs wait for together while the model refuses us.
pub const DESTINATION: &str = "model";

impl From<ModelError> for StageError {
    fn from(error: ModelError) -> Self {
        match &error {
            ModelError::RateUsedUp(used_up) => used_up.clone().into(),
            ModelError::Unauthorized(_) => Self::unavailable(DESTINATION, "model_unauthorized", error),
            ModelError::NoQuota(_) => Self::unavailable(DESTINATION, "model_quota_exceeded", error),
            ModelError::NotFound(_) => Self::unavailable(DESTINATION, "model_not_found", error),
            ModelError::Unreachable(_) => Self::unavailable(DESTINATION, "model_unreachable", error),
            ModelError::Throttled(wait) => Self::new(Fault::Throttled(*wait), "model_throttled", error),
            ModelError::Rejected(_) => Self::permanent("model_rejected", error),
            ModelError::Broken { retry_after, .. } => {
                let wait = *retry_after;
                Self::transient("model_failed", error).retry_after(wait)
            }
            ModelError::Refused => Self::transient("model_refused", error),
            ModelError::CutShort => Self::transient("model_answer_cut_short", error),
            ModelError::Filtered => Self::transient("model_answer_filtered", error),
            ModelError::BadReply(_) => Self::transient("model_answer_invalid", error),
        }
    }
}
