//! Telephony providers from which we fetch recordings.

pub mod exotel;

use platform::config::{ConfigError, Values};
use platform::fetch::Credential;

use crate::descriptor::Descriptor;
use crate::slots::Slots;

/// Every provider that gives out recordings only with credentials.
pub static ALL: &[&Descriptor<Credential>] = &[&exotel::DESCRIPTOR];

/// The credentials that the configured providers need before they give out a recording. Each belongs to the hosts of
/// its provider.
pub fn credentials(values: &Values) -> Result<Vec<Credential>, ConfigError> {
    let slots = Slots::of_this_process();
    let made = ALL.iter().map(|provider| (provider.make)(values, &slots));
    Ok(made.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}
