//! The systems that keep recordings, and those of them that are turned on.

use std::fmt;
use std::sync::Arc;

use domain::held_file::Holder;
use platform::config::{ConfigError, Values};
use platform::fetch::Credential;

use crate::descriptor::Descriptor;
use crate::meetings::zoom;
use crate::recordings::RecordingHolder;
use crate::slots::Slots;
use crate::telephony::{exotel, twilio};

/// Every system that keeps files.
pub static ALL: &[&Descriptor<Arc<dyn RecordingHolder>>] =
    &[&exotel::DESCRIPTOR, &twilio::DESCRIPTOR, &zoom::DESCRIPTOR];

/// The holders that are turned on.
#[derive(Clone, Default)]
pub struct Holders(Vec<Arc<dyn RecordingHolder>>);

impl Holders {
    pub fn of(holders: impl IntoIterator<Item = Arc<dyn RecordingHolder>>) -> Self {
        Self(holders.into_iter().collect())
    }

    pub fn configured(values: &Values, slots: &Slots) -> Result<Self, ConfigError> {
        let made = ALL.iter().map(|holder| (holder.make)(values, slots));
        Ok(Self::of(made.collect::<Result<Vec<_>, _>>()?.into_iter().flatten()))
    }

    pub fn get(&self, holder: Holder) -> Option<&Arc<dyn RecordingHolder>> {
        self.0.iter().find(|known| known.holder() == holder)
    }

    /// The credentials of all holders. Each belongs to the hosts of its holder.
    pub fn credentials(&self) -> Vec<Credential> {
        self.0.iter().filter_map(|holder| holder.credential()).collect()
    }
}

impl fmt::Debug for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|holder| holder.holder())).finish()
    }
}

/// The setting that turns a holder on, for a message.
pub fn key(holder: Holder) -> &'static str {
    ALL.iter().find(|known| known.name == holder.name()).map_or(holder.name(), |known| known.key)
}
