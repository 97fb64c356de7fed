//! Telephony providers, as far as we fetch call details and recordings from them.

pub mod exotel;
pub mod twilio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// The value of the header `Authorization` for a user and a password.
pub(crate) fn basic(user: &str, password: &SecretString) -> SecretString {
    format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose_secret()))).into()
}
