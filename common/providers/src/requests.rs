//! Counts what goes to providers: requests by how they ended, their durations, tokens, costs and transcribed audio.
//!
//! A counter that may rise later is there from the start with the value 0, because Prometheus sees no increase when a
//! counter first appears with the value 1.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::BoxStream;
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};
use platform::config::{ConfigError, Values};
use platform::http::{Answer, HttpError};
use reqwest::StatusCode;

/// The buckets for durations: from a post to Slack to a model that needs minutes.
const SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

struct Instruments {
    requests: Counter<u64>,
    duration: Histogram<f64>,
    tokens: Counter<u64>,
    cost: Counter<f64>,
    audio: Counter<f64>,
    streams: Counter<u64>,
}

static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter = global::meter("debrief");
    Instruments {
        requests: meter
            .u64_counter("debrief_provider_requests")
            .with_description("Requests to providers, by provider and outcome")
            .build(),
        duration: meter
            .f64_histogram("debrief_provider_request_duration")
            .with_unit("s")
            .with_boundaries(SECONDS.to_vec())
            .with_description("How long requests to providers took, by provider")
            .build(),
        tokens: meter
            .u64_counter("debrief_model_tokens")
            .with_description("Tokens that models read and wrote, by provider, model and kind")
            .build(),
        cost: meter
            .f64_counter("debrief_model_cost_usd")
            .with_description("What these tokens cost in US dollars, by provider and model")
            .build(),
        audio: meter
            .f64_counter("debrief_transcribed_audio")
            .with_unit("s")
            .with_description("Length of the audio that providers transcribed, by provider")
            .build(),
        streams: meter
            .u64_counter("debrief_speech_streams")
            .with_description(
                "Connections on which speech is transcribed while it is spoken, by provider and outcome",
            )
            .build(),
    }
});

/// How a request ended, as far as HTTP says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Ok,
    Refused,
    Account,
    Throttled,
    Failed,
    Unreachable,
    NoAnswer,
    TooLong,
}

impl Ended {
    const ALL: [Self; 8] = [
        Self::Ok,
        Self::Refused,
        Self::Account,
        Self::Throttled,
        Self::Failed,
        Self::Unreachable,
        Self::NoAnswer,
        Self::TooLong,
    ];

    fn of(answer: &Result<Answer, HttpError>) -> Self {
        match answer {
            Ok(answer) => Self::of_status(answer.status),
            Err(error) => Self::of_error(error),
        }
    }

    fn of_error(error: &HttpError) -> Self {
        match error {
            HttpError::Status { status, .. } => Self::of_status(*status),
            HttpError::NotSent(_) => Self::Unreachable,
            HttpError::Lost(_) => Self::NoAnswer,
            HttpError::TooLong { .. } => Self::TooLong,
        }
    }

    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Ok,
            401..=403 => Self::Account,
            408 | 425 | 500.. => Self::Failed,
            429 => Self::Throttled,
            _ => Self::Refused,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Account => "account",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::NoAnswer => "no_answer",
            Self::TooLong => "too_long",
        }
    }
}

fn provider(name: &'static str) -> KeyValue {
    KeyValue::new("provider", name)
}

/// Makes the counters of each provider that is turned on appear with the value 0. A provider without a service only
/// lends its credentials to the fetch of recordings, so it gets no requests.
pub fn declare_metrics(values: &Values) -> Result<(), ConfigError> {
    for one in crate::all() {
        if one.service().is_some() && one.is_on(values)? {
            for ended in Ended::ALL {
                let outcome = KeyValue::new("outcome", ended.name());
                INSTRUMENTS.requests.add(0, &[provider(one.name()), outcome]);
            }
        }
    }
    Ok(())
}

/// Waits for a request to the provider with this name, and counts it.
pub(crate) async fn counted(
    name: &'static str,
    request: impl Future<Output = Result<Answer, HttpError>>,
) -> Result<Answer, HttpError> {
    let started = Instant::now();
    let answer = request.await;
    count(name, Ended::of(&answer), started);
    answer
}

/// The same for a request whose answer is read while it comes. What is counted is how it began.
pub(crate) async fn counted_stream(
    name: &'static str,
    request: impl Future<Output = Result<BoxStream<'static, Result<Bytes, HttpError>>, HttpError>>,
) -> Result<BoxStream<'static, Result<Bytes, HttpError>>, HttpError> {
    let started = Instant::now();
    let answer = request.await;
    count(name, answer.as_ref().map_or_else(Ended::of_error, |_| Ended::Ok), started);
    answer
}

fn count(name: &'static str, ended: Ended, started: Instant) {
    let outcome = KeyValue::new("outcome", ended.name());
    INSTRUMENTS.requests.add(1, &[provider(name), outcome]);
    INSTRUMENTS.duration.record(started.elapsed().as_secs_f64(), &[provider(name)]);
}

/// Counts the tokens of one request to a model by their kind, and their cost in US dollars where the prices are known.
/// Without tokens this makes the counters appear.
pub(crate) fn used(name: &'static str, model: &str, tokens: [(&'static str, i64); 2], cost: Option<f64>) {
    let labels = [provider(name), KeyValue::new("model", model.to_owned())];
    for (kind, count) in tokens {
        let [of_provider, of_model] = labels.clone();
        let count = u64::try_from(count).unwrap_or_default();
        INSTRUMENTS.tokens.add(count, &[of_provider, of_model, KeyValue::new("kind", kind)]);
    }
    if let Some(cost) = cost {
        INSTRUMENTS.cost.add(cost, &labels);
    }
}

/// Counts audio of this length that the provider transcribed. Without audio this makes the counter appear.
pub(crate) fn transcribed(name: &'static str, audio: Duration) {
    INSTRUMENTS.audio.add(audio.as_secs_f64(), &[provider(name)]);
}

/// What became of a connection for a stream of speech.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Opened,
    Refused,
    Broken,
}

impl Stream {
    const ALL: [Self; 3] = [Self::Opened, Self::Refused, Self::Broken];

    fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Refused => "refused",
            Self::Broken => "broken",
        }
    }
}

/// Makes the counters of the connections to the provider with this name appear with the value 0.
pub(crate) fn declare_streams(name: &str) {
    for stream in Stream::ALL {
        add_streams(name, stream, 0);
    }
}

/// Counts what became of a connection to the provider with this name.
pub(crate) fn streamed(name: &str, stream: Stream) {
    add_streams(name, stream, 1);
}

fn add_streams(name: &str, stream: Stream, count: u64) {
    let labels = [KeyValue::new("provider", name.to_owned()), KeyValue::new("outcome", stream.name())];
    INSTRUMENTS.streams.add(count, &labels);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_says_who_has_to_do_something() {
        for (status, ended) in [
            (200, Ended::Ok),
            (204, Ended::Ok),
            (302, Ended::Refused),
            (400, Ended::Refused),
            (401, Ended::Account),
            (402, Ended::Account),
            (403, Ended::Account),
            (404, Ended::Refused),
            (408, Ended::Failed),
            (425, Ended::Failed),
            (429, Ended::Throttled),
            (500, Ended::Failed),
            (599, Ended::Failed),
        ] {
            assert_eq!(Ended::of_status(StatusCode::from_u16(status).unwrap()), ended, "{status}");
        }
        let answer = |error| Ended::of(&Err(error)).name();
        assert_eq!(answer(HttpError::NotSent(String::new())), "unreachable");
        assert_eq!(answer(HttpError::Lost(String::new())), "no_answer");
        assert_eq!(answer(HttpError::TooLong { max_bytes: 1 }), "too_long");
    }
}
