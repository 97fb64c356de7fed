//! How a command writes its output, and with which exit code it ends.
//!
//! Everything that a command writes goes through this module, which removes what a terminal would obey. So no text of a
//! caller, of a file or of an argument can move the cursor, change colours or turn the order of the letters round.

use std::fmt::Arguments;
use std::io::Write as _;
use std::process::ExitCode;

use domain::shown_text;

use crate::deployment::StartError;

/// Prints one line as `eprintln!` does, without what a terminal would obey.
macro_rules! complain {
    ($($text:tt)*) => { $crate::outcome::write_error(format_args!($($text)*)) };
}

/// The exit code of a command that ran and failed.
pub(crate) const FAILED: u8 = 1;

/// The exit code of a command, or why it could not start.
pub(crate) type Ended = Result<ExitCode, StartError>;

/// Ends a command that ran and could not do what was asked. `why` is shown to the user.
#[expect(clippy::unnecessary_wraps, reason = "commands return this as their result")]
pub(crate) fn failed(why: impl std::fmt::Display) -> Ended {
    complain!("debrief: {why}");
    Ok(ExitCode::from(FAILED))
}

/// The exit code after the reader of our output went away. Shells use 128 plus the number of SIGPIPE.
const READER_GONE: i32 = 141;

/// Writes lines to standard output, without what a terminal would obey.
pub(crate) fn write(text: Arguments<'_>) {
    write_as_it_is(format_args!("{}", shown_text::lines(&text.to_string())));
}

/// Writes to standard output. Where the reader went away (`| head`), the program ends without an error message. The
/// text must be our own.
pub(crate) fn write_as_it_is(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if out.write_fmt(text).and_then(|()| out.flush()).is_err() {
        std::process::exit(READER_GONE);
    }
}

/// Writes one line to standard error, without what a terminal would obey.
pub(crate) fn write_error(line: Arguments<'_>) {
    eprintln!("{}", shown_text::one_line(&line.to_string()));
}

/// Prints lines as `println!` does, without what a terminal would obey. Does not panic when the reader goes away.
macro_rules! say {
    ($($text:tt)*) => { $crate::outcome::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints a text of our own as `print!` does, with its codes for a terminal. Does not panic when the reader goes away.
macro_rules! say_on {
    ($($text:tt)*) => { $crate::outcome::write_as_it_is(format_args!($($text)*)) };
}
