//! Debrief is one binary. It runs one worker, several workers, or all of them in one process.

#[macro_use]
mod outcome;

#[cfg(test)]
mod agreement;
mod cli;
mod commands;
mod deployment;
mod document;
mod doors;
mod listen;
mod management;
mod monitoring;
mod panics;
mod roles;
mod samples;
mod serve;
mod settings;
mod supervise;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A process that only reads a file of somebody else needs nothing of all that follows, and should not have it.
    if let Some(kind) = practice::materials::asked_to_read(std::env::args_os()) {
        return practice::materials::read_here(&kind);
    }
    panics::report();
    platform::private::create_only_private_files();
    #[cfg(feature = "failpoints")]
    platform::failpoint::setup();
    cli::main()
}
