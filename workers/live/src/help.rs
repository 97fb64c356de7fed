//! Helps the agent while the call goes on, by our own code: what was said that matters, which question is still open, who
//! talks too much. Nothing here takes longer than some milliseconds, and nothing is sent anywhere.

mod advice;
mod questions;
mod trackers;

pub(crate) use advice::{Advice, Mood, advise};
pub(crate) use trackers::Trackers;

use domain::call::Role;

/// What somebody said in a turn, for those who look for something in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) role: Option<Role>,
    pub(crate) text: String,
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
}
