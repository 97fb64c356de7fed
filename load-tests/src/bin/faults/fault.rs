//! What a fault is.

use std::time::Duration;

use futures::future::LocalBoxFuture;
use load_tests::harness::ledger::Verdict;

use crate::run::{Kind, Run};

/// How long a fault takes, and so whether the CI plays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// The CI plays it. It takes some seconds in a debug build on two busy cores.
    Fast,
    Long,
}

impl Length {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Long => "long",
        }
    }

    /// Returns the time after which a run is given up, because it hangs.
    pub(crate) fn limit(self) -> Duration {
        match self {
            Self::Fast => Duration::from_mins(5),
            Self::Long => Duration::from_hours(2),
        }
    }
}

/// Plays a fault and says what became of everything. An error is what kept it from finding out.
pub(crate) type Play = fn(Run) -> LocalBoxFuture<'static, anyhow::Result<Verdict>>;

/// One way to break things.
pub(crate) struct Fault {
    /// The name on the command line: lower case, with hyphens.
    pub(crate) name: &'static str,
    /// What happens, in one sentence without its full stop.
    pub(crate) about: &'static str,
    /// The kinds of deployment for which the fault makes sense. Each is a run of its own.
    pub(crate) kinds: &'static [Kind],
    pub(crate) length: Length,
    pub(crate) play: Play,
    /// Whether it needs the program of an older version, which `--older` names.
    pub(crate) needs_older: bool,
}

impl Fault {
    pub(crate) const fn fast(
        name: &'static str,
        about: &'static str,
        kinds: &'static [Kind],
        play: Play,
    ) -> Self {
        Self { name, about, kinds, length: Length::Fast, play, needs_older: false }
    }

    pub(crate) const fn long(
        name: &'static str,
        about: &'static str,
        kinds: &'static [Kind],
        play: Play,
    ) -> Self {
        Self { name, about, kinds, length: Length::Long, play, needs_older: false }
    }

    /// The same fault, which begins with the processes of an older version.
    pub(crate) const fn that_begins_with_an_older_version(self) -> Self {
        Self { needs_older: true, ..self }
    }
}
