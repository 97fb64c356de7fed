//! Turns what arrived about a call into its transcript.

pub mod format;
pub mod speech;
