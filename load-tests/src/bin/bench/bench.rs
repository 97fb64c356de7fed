//! What every measurement works with.

use load_tests::harness::process::Program;
use load_tests::harness::report::Report;

use crate::stop::Stop;

pub(crate) struct Bench {
    pub(crate) program: Program,
    pub(crate) report: Report,
    pub(crate) stop: Stop,
}
