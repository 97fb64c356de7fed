//! Telephony providers, as far as we ask them for recordings.

pub mod exotel;

use platform::config::{ConfigError, Values};
use platform::fetch::Credential;

use crate::descriptor::Descriptor;
use crate::slots::Slots;

/// Every provider that gives recordings out to those whom it knows.
pub static ALL: [&Descriptor<Credential>; 1] = [&exotel::DESCRIPTOR];

/// What the configured providers want to see before they give a recording out, each for its own hosts.
pub fn credentials(values: &Values) -> Result<Vec<Credential>, ConfigError> {
    let slots = Slots::of_this_process();
    let made = ALL.iter().map(|provider| (provider.make)(values, &slots));
    Ok(made.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}
