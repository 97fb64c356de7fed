//! Live calls from the first request to the arrival in the pipeline, on an embedded store, with a speech provider that
//! answers as it is told.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up ends it")]

mod ending;
mod hearing;
mod listening;
mod sessions;
mod sockets;
#[expect(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the sounds are those of the tests of media"
)]
#[path = "../../../../common/media/tests/audio/sounds.rs"]
mod sounds;
mod speech;
mod streams;
mod world;
