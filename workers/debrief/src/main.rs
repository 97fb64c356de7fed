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
mod serve;
mod settings;
mod supervise;

use std::process::ExitCode;

fn main() -> ExitCode {
    panics::report();
    platform::private::create_only_private_files();
    #[cfg(feature = "failpoints")]
    platform::failpoint::setup();
    cli::main()
}
