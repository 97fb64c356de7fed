//! What the clients that answer at once share: how they send audio, what the failures are called, and how prices are
//! read.

use std::sync::OnceLock;
use std::time::Duration;

use domain::refusal::{Code, Codes, Refusal};
use futures::{StreamExt as _, stream};
use platform::config::{ConfigError, Values};
use platform::http::{self, HttpError};
use reqwest::{Client, RequestBuilder};

use super::{Answer, MAX_ANSWER_BYTES};
use crate::requests::{self, counted};

/// The names that failures have, whichever provider fails. The chain of providers knows its own failures by them.
pub(super) const CODES: Codes = Codes {
    unreachable: Code::new("speech_to_text_unreachable"),
    no_answer: Code::new("speech_to_text_failed"),
    too_long: Code::new("speech_to_text_answer_too_long"),
    account: Code::new("speech_to_text_refuses_account"),
    throttled: Code::new("speech_to_text_throttled"),
    failed: Code::new("speech_to_text_failed"),
    refused: Code::new("speech_to_text_refused"),
};

/// How long one request may take. A provider works through an hour of audio in some minutes, and a broker allows half
/// an hour for a delivery.
pub(super) const TIMEOUT: Duration = Duration::from_mins(12);

/// The client of a provider, made when it is used for the first time. The settings are read far more often than a
/// recording is sent, and a client takes a while to make.
#[derive(Default)]
pub(super) struct LazyClient(OnceLock<Client>);

impl LazyClient {
    pub(super) fn get(&self) -> &Client {
        self.0.get_or_init(|| http::client(TIMEOUT))
    }
}

/// Sends the paid request and returns its answer.
pub(super) async fn answer(
    name: &'static str,
    request: RequestBuilder,
    refusal: impl Fn(&HttpError) -> Refusal,
) -> Result<Answer, Refusal> {
    let sent = counted(name, http::send_up_to(request, MAX_ANSWER_BYTES)).await;
    let answer = sent.map_err(|error| refusal(&error))?;
    Ok(stream::iter([Ok(answer.body)]).boxed())
}

/// Reads the price of a minute of audio in US dollars.
pub(super) fn price(values: &Values, name: &str) -> Result<Option<f64>, ConfigError> {
    let expected = "a price in US dollars for a minute of audio";
    match values.parse::<f64>(name, expected)? {
        Some(price) if !price.is_finite() || price < 0.0 => {
            Err(ConfigError::new(name, format!("`{price}` is not {expected}")))
        }
        price => Ok(price),
    }
}

/// Makes the counter of the provider's audio appear.
pub(super) fn declare(name: &'static str) {
    requests::transcribed(name, Duration::ZERO);
}

/// Counts audio of this length that the provider with this name transcribed for money.
pub fn transcribed(provider: &str, audio: Duration) {
    if let Some(known) = super::ALL.iter().find(|known| known.name == provider) {
        requests::transcribed(known.name, audio);
    }
}
