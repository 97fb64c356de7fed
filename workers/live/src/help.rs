//! Helps the agent while the call goes on. Our own code finds at once what was said that matters, which question is still
//! open, who talks too much, and which notes fit; nothing of that is sent anywhere. A model adds what it sees, some seconds
//! later.

mod advice;
mod cards;
mod model;
mod questions;
mod trackers;

pub(crate) use advice::{Advice, Mood, advise};
pub(crate) use cards::{Card, Cards};
pub(crate) use model::Counsellor;
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
