//! The domain: plain types and pure rules. Nothing here does I/O or draws random numbers, and no rule reads a
//! clock: a time is always an argument.

pub mod account;
pub mod agents;
pub mod analysis;
pub mod audio;
pub mod blank;
pub mod call;
pub mod call_facts;
#[cfg(feature = "sqlx")]
mod column;
pub mod corrections;
pub mod due;
pub mod email_address;
pub mod event;
pub mod fault;
pub mod filters;
pub mod held_file;
pub mod moment;
pub mod note;
pub mod parties;
pub mod period;
pub mod person_name;
pub mod phone;
pub mod principal;
pub mod refusal;
pub mod search;
pub mod shown_text;
pub mod sides;
pub mod sign_in;
pub mod speakers;
pub mod transcript;
