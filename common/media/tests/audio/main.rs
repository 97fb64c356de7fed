//! Recordings of every format, from their bytes to what is known about them.

#![expect(clippy::unwrap_used, reason = "a test should fail where it cannot go on")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "test signals are short, and their values are small"
)]

mod formats;
mod measuring;
mod sounds;
mod speech;
