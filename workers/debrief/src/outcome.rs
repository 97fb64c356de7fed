//! What a command says, and how it ends.

use std::fmt::Arguments;
use std::io::Write as _;
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

/// What a shell reports of a program whose reader went away: 128 and the number of SIGPIPE.
const READER_GONE: i32 = 141;

/// Writes to standard output. Whoever reads it may have seen enough (`| head`): that ends the program, and
/// is no mistake of ours.
pub(crate) fn write(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if out.write_fmt(text).and_then(|()| out.flush()).is_err() {
        std::process::exit(READER_GONE);
    }
}

/// As `println!`, for a reader that may go away.
macro_rules! say {
    ($($text:tt)*) => { $crate::outcome::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// As `print!`, for a reader that may go away.
macro_rules! say_on {
    ($($text:tt)*) => { $crate::outcome::write(format_args!($($text)*)) };
}
