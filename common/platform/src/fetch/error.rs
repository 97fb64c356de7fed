//! Why a fetch failed, and what follows from it.

use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Code, Codes, Destination, Failure, Refusal, Remote, Sent};
use reqwest::StatusCode;

/// Why a fetch failed. No text of an error holds the URL's path or query, because they can be secrets.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL, or the target of a redirect, is one from which we do not fetch.
    #[error("failed to fetch: {0}")]
    Refused(String),
    #[error("failed to fetch from {host}: the answer was {status}")]
    Status { host: String, status: StatusCode, retry_after: Option<Duration> },
    #[error("failed to fetch from {host}: it did not answer: {problem}")]
    NotReached { host: String, problem: String },
    #[error("failed to fetch from {host}: the answer broke off: {problem}")]
    Broken { host: String, problem: String },
    #[error("failed to fetch from {host}: no byte arrived for {seconds} s")]
    Stalled { host: String, seconds: u64 },
    #[error("failed to fetch from {host}: it took longer than {seconds} s")]
    TooSlow { host: String, seconds: u64 },
    #[error("failed to fetch from {host}: less than {min_rate} bytes arrived in a second, for {seconds} s")]
    BelowRate { host: String, min_rate: u32, seconds: u64 },
    #[error("failed to fetch from {host}: the file is larger than {} MB", max_bytes / 1_048_576)]
    TooLarge { host: String, max_bytes: u64 },
    #[error("failed to fetch from {host}: the file is empty")]
    Empty { host: String },
    #[error("failed to fetch from {host}: the file is {found}, not audio")]
    NotAudio { host: String, found: &'static str },
}

/// Whoever keeps recordings, as failures of fetches are named.
static RECORDINGS: Remote = Remote {
    destination: Destination::named("recordings"),
    title: "the recording's host",
    advice: "check the recording's address",
    codes: Codes {
        unreachable: FETCH_FAILED,
        no_answer: FETCH_FAILED,
        too_long: TOO_LARGE,
        account: Code::new("recording_forbidden"),
        throttled: Code::new("recording_throttled"),
        failed: FETCH_FAILED,
        refused: FETCH_FAILED,
    },
    default_wait: Duration::ZERO,
};
const FETCH_FAILED: Code = Code::new("recording_fetch_failed");
const TIMED_OUT: Code = Code::new("recording_fetch_timed_out");
const TOO_LARGE: Code = Code::new("recording_too_large");

impl FetchError {
    /// What follows from the error. A fetch changes nothing, so it never took effect.
    ///
    /// The table of statuses holds but for what is the host's own affair. Some providers announce a recording before it
    /// can be fetched, so the statuses 401, 403 and 404 and an empty answer may pass by themselves. And a host that is
    /// away holds up no other recording, so nothing is parked for it.
    pub fn refusal(&self) -> Refusal {
        let because = |fault, code| Refusal {
            fault,
            code,
            destination: RECORDINGS.destination.clone(),
            retry_after: None,
            sent: Sent::No,
            text: self.to_string(),
        };
        match self {
            Self::Refused(_) => because(Fault::Permanent, Code::new("recording_url_refused")),
            Self::TooLarge { .. } => because(Fault::Permanent, TOO_LARGE),
            Self::NotAudio { .. } => because(Fault::Permanent, Code::new("recording_not_audio")),
            Self::Empty { .. } => because(Fault::Transient, Code::new("recording_empty")),
            Self::NotReached { .. } | Self::Broken { .. } => because(Fault::Transient, FETCH_FAILED),
            Self::Stalled { .. } | Self::TooSlow { .. } | Self::BelowRate { .. } => {
                because(Fault::Transient, TIMED_OUT)
            }
            Self::Status { status, retry_after, .. } => {
                let (status, retry_after) = (status.as_u16(), *retry_after);
                let failure = Failure::Status { status, retry_after, said: None };
                let by_table = Refusal::of(&RECORDINGS, &failure);
                let (fault, code) = match status {
                    401..=403 => (Fault::Transient, by_table.code),
                    404 => (Fault::Transient, Code::new("recording_not_found")),
                    410 => (Fault::Permanent, Code::new("recording_gone")),
                    // Without a time the schedule decides.
                    429 if retry_after.is_none() => (Fault::Transient, by_table.code),
                    _ => (by_table.fault, by_table.code),
                };
                Refusal { retry_after, ..because(fault, code) }
            }
        }
    }
}
