//! Decides what a failed request to another system means. There is one type for every failure, and one table over
//! HTTP statuses.
//!
//! The table holds for every remote system, so two clients cannot decide differently about the same status. Where a
//! provider differs, its client changes that one case and says why.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use uuid::Uuid;

use crate::fault::Fault;

/// The shortest wait. A wait of zero seconds would become a busy loop.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// A system that gets our requests, or a part of our own that can be away. Runs of a workspace that wait for the same
/// destination are parked together and continue together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination(Cow<'static, str>);

impl Destination {
    pub const STORE: Self = Self::named("store");
    pub const BLOBS: Self = Self::named("blobs");

    /// Makes a destination. `name` is in snake case and must not change, because people see it and filter by it.
    pub const fn named(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A destination for one effect. A person has to say whether this effect happened.
    pub fn effect(id: Uuid) -> Self {
        Self(Cow::Owned(format!("effect:{id}")))
    }
}

impl From<&'static str> for Destination {
    fn from(name: &'static str) -> Self {
        Self::named(name)
    }
}

impl Deref for Destination {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a kind of failure. It is in snake case and must not change, because people filter and group by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(&'static str);

impl Code {
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// Whether a failed request can have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    No,
    /// The request timed out, was reset or got a 5xx, so the other side may have done what was asked.
    Maybe,
}

/// A remote system, with the names that its failures have.
#[derive(Debug)]
pub struct Remote {
    pub destination: Destination,
    /// The name of the system in a sentence, such as `AssemblyAI`.
    pub title: &'static str,
    /// What to do when the system refuses our account, such as `check ASSEMBLYAI_API_KEY`.
    pub advice: &'static str,
    pub codes: Codes,
    /// How long to wait after a 429 that does not name a time.
    pub default_wait: Duration,
}

/// The error codes of one remote system, one for each row of the table.
#[derive(Debug)]
pub struct Codes {
    pub unreachable: Code,
    pub no_answer: Code,
    pub too_long: Code,
    pub account: Code,
    pub throttled: Code,
    pub failed: Code,
    pub refused: Code,
}

/// How a failed request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Name resolution, connection or TLS failed, so the other side has not seen the request.
    NotSent { problem: String },
    /// The request timed out, or the answer broke off or cannot be read.
    Lost { problem: String },
    /// The answer is longer than we read.
    TooLong { max_bytes: u64 },
    /// The answer has a status outside 2xx.
    Status {
        status: u16,
        retry_after: Option<Duration>,
        /// What the other side said about the failure, as far as it may be shown.
        said: Option<String>,
    },
}

/// Why a remote system did not do what it was asked, and what we do about it.
///
/// The text begins with "failed to". It holds no words, names, numbers or keys of people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    pub fault: Fault,
    pub code: Code,
    pub destination: Destination,
    /// How long the other side asked us to wait.
    pub retry_after: Option<Duration>,
    pub sent: Sent,
    pub text: String,
}

impl Refusal {
    /// The table that decides what a failure means. It is for a request that changes something. For other requests
    /// see [`Self::without_effect`].
    pub fn of(remote: &Remote, failure: &Failure) -> Self {
        let Remote { destination, title, advice, codes, default_wait } = remote;
        let row = |fault, code, sent, text| Self {
            fault,
            code,
            destination: destination.clone(),
            retry_after: None,
            sent,
            text,
        };
        let (status, retry_after, said) = match failure {
            Failure::NotSent { problem } => {
                let text = format!("failed to reach {title}: {problem}");
                return row(Fault::Unavailable, codes.unreachable, Sent::No, text);
            }
            Failure::Lost { problem } => {
                let text = format!("failed to get an answer from {title}: {problem}");
                return row(Fault::Transient, codes.no_answer, Sent::Maybe, text);
            }
            // The same request would get the same long answer, and would be paid for again.
            Failure::TooLong { max_bytes } => {
                let text =
                    format!("failed to read the answer of {title}: it is longer than {max_bytes} bytes");
                return row(Fault::Permanent, codes.too_long, Sent::Maybe, text);
            }
            Failure::Status { status, retry_after, said } => (*status, *retry_after, said.as_deref()),
        };
        let answer = match said {
            Some(said) => format!("{status}, {said}"),
            None => status.to_string(),
        };
        let failed = |what: &str| format!("failed to use {title}: {what}");
        let refusal = match status {
            401..=403 => {
                let text = failed(&format!("it refuses our account ({answer}): {advice}"));
                row(Fault::Unavailable, codes.account, Sent::No, text)
            }
            429 => {
                let wait = retry_after.unwrap_or(*default_wait).max(SHORTEST_WAIT);
                let text = failed(&format!("it asks us to wait {} s", wait.as_secs()));
                row(Fault::Throttled(wait), codes.throttled, Sent::No, text)
            }
            408 | 500..=599 => {
                let text = failed(&format!("it could not do what it was asked ({answer})"));
                row(Fault::Transient, codes.failed, Sent::Maybe, text)
            }
            // 425 means "too early": the other side has not looked at the request.
            425 => {
                let text = failed(&format!("it could not do what it was asked ({answer})"));
                row(Fault::Transient, codes.failed, Sent::No, text)
            }
            _ => {
                let text = failed(&format!("it refuses the request ({answer})"));
                row(Fault::Permanent, codes.refused, Sent::No, text)
            }
        };
        Self { retry_after, ..refusal }
    }

    /// The same refusal for a request that changes nothing. Such a request cannot have taken effect.
    pub fn without_effect(self) -> Self {
        Self { sent: Sent::No, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: Remote = Remote {
        destination: Destination::named("somebody"),
        title: "Somebody",
        advice: "check SOMEBODY_KEY",
        codes: Codes {
            unreachable: Code::new("unreachable"),
            no_answer: Code::new("no_answer"),
            too_long: Code::new("too_long"),
            account: Code::new("account"),
            throttled: Code::new("throttled"),
            failed: Code::new("failed"),
            refused: Code::new("refused"),
        },
        default_wait: Duration::from_secs(10),
    };

    fn of(status: u16, retry_after: Option<u64>) -> Refusal {
        let retry_after = retry_after.map(Duration::from_secs);
        Refusal::of(&REMOTE, &Failure::Status { status, retry_after, said: Some("`a_word`".into()) })
    }

    #[test]
    fn a_status_says_what_follows_from_it() {
        let throttled = |seconds| Fault::Throttled(Duration::from_secs(seconds));
        for (status, retry_after, fault, code, sent) in [
            (302, None, Fault::Permanent, "refused", Sent::No),
            (400, None, Fault::Permanent, "refused", Sent::No),
            (401, None, Fault::Unavailable, "account", Sent::No),
            (402, None, Fault::Unavailable, "account", Sent::No),
            (403, None, Fault::Unavailable, "account", Sent::No),
            (404, None, Fault::Permanent, "refused", Sent::No),
            (408, None, Fault::Transient, "failed", Sent::Maybe),
            (425, None, Fault::Transient, "failed", Sent::No),
            (429, None, throttled(10), "throttled", Sent::No),
            (429, Some(7), throttled(7), "throttled", Sent::No),
            (429, Some(0), throttled(1), "throttled", Sent::No),
            (500, None, Fault::Transient, "failed", Sent::Maybe),
            (503, Some(30), Fault::Transient, "failed", Sent::Maybe),
        ] {
            let found = of(status, retry_after);
            assert_eq!((found.fault, found.code.name(), found.sent), (fault, code, sent), "{status}");
            assert_eq!(found.retry_after, retry_after.map(Duration::from_secs), "{status}");
        }
    }

    #[test]
    fn a_request_that_never_arrived_is_told_from_one_that_may_have() {
        let not_sent = Refusal::of(&REMOTE, &Failure::NotSent { problem: "refused".into() });
        assert_eq!((not_sent.fault, not_sent.sent), (Fault::Unavailable, Sent::No));
        let lost = Refusal::of(&REMOTE, &Failure::Lost { problem: "timed out".into() });
        assert_eq!((lost.fault, lost.sent), (Fault::Transient, Sent::Maybe));
        assert_eq!(lost.without_effect().sent, Sent::No);
    }

    #[test]
    fn an_answer_that_is_too_long_is_not_asked_for_again() {
        let too_long = Refusal::of(&REMOTE, &Failure::TooLong { max_bytes: 16 });
        assert_eq!((too_long.fault, too_long.code.name()), (Fault::Permanent, "too_long"));
    }

    #[test]
    fn a_refused_account_says_what_to_check_and_what_was_said() {
        let text = of(401, None).to_string();
        assert_eq!(
            text,
            "failed to use Somebody: it refuses our account (401, `a_word`): check SOMEBODY_KEY"
        );
    }
}
