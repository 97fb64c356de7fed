//! Tests practice from the outside, with an embedded store.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod companies;
mod ending;
mod files;
mod floor;
mod from_call;
mod judging;
mod meetings;
mod progress;
mod sockets;
mod sooner;
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
mod speaking;
mod voices;
mod world;
