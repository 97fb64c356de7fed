//! Reads one document, as the binary `debrief` does for itself. The tests start it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match practice::materials::asked_to_read(std::env::args_os()) {
        Some(kind) => practice::materials::read_here(&kind),
        None => ExitCode::FAILURE,
    }
}
