//! Debrief: one binary that is every worker, or all of them in one process.

#[macro_use]
mod outcome;

mod cli;
mod commands;
mod deployment;
mod listen;
mod ports;
mod roles;
mod serve;
mod supervise;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
