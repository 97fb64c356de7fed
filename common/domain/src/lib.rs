//! The domain in plain types and pure rules: no I/O, no clock and no dice.

pub mod analysis;
pub mod call;
#[cfg(feature = "sqlx")]
mod column;
pub mod event;
pub mod fault;
pub mod moment;
pub mod phone;
pub mod principal;
pub mod transcript;
