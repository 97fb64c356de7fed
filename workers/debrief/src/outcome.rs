//! How a command writes its output, and with which exit code it ends.

use std::fmt::Arguments;
use std::io::Write as _;
use std::process::ExitCode;

use crate::deployment::StartError;

/// The exit code of a command that ran and failed.
pub(crate) const FAILED: u8 = 1;

/// The exit code of a command, or why it could not start.
pub(crate) type Ended = Result<ExitCode, StartError>;

/// Ends a command that ran and could not do what was asked. `why` is shown to the user.
#[expect(clippy::unnecessary_wraps, reason = "commands return this as their result")]
pub(crate) fn failed(why: impl std::fmt::Display) -> Ended {
    eprintln!("debrief: {why}");
    Ok(ExitCode::from(FAILED))
}

/// The exit code after the reader of our output went away. Shells use 128 plus the number of SIGPIPE.
const READER_GONE: i32 = 141;

/// Writes to standard output. Where the reader went away (`| head`), the program ends without an error message.
pub(crate) fn write(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if out.write_fmt(text).and_then(|()| out.flush()).is_err() {
        std::process::exit(READER_GONE);
    }
}

/// Prints a line as `println!` does, but does not panic when the reader goes away.
macro_rules! say {
    ($($text:tt)*) => { $crate::outcome::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints a text as `print!` does, but does not panic when the reader goes away.
macro_rules! say_on {
    ($($text:tt)*) => { $crate::outcome::write(format_args!($($text)*)) };
}
