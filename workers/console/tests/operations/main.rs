//! The pages for people who operate Debrief, as a browser without scripts sees them.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up ends it")]

mod dead_letters;
mod effects;
mod installation;
mod queues;
mod world;
