//! How a command ends.

use std::process::ExitCode;

use crate::deployment::StartError;

/// It ran, and something failed.
pub(crate) const FAILED: u8 = 1;

/// How a command ended.
pub(crate) type Ended = Result<ExitCode, StartError>;

/// It ran, and what was asked could not be done.
#[expect(clippy::unnecessary_wraps, reason = "it is how a command ends")]
pub(crate) fn failed(why: impl std::fmt::Display) -> Ended {
    eprintln!("debrief: {why}");
    Ok(ExitCode::from(FAILED))
}
