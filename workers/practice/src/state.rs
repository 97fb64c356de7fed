//! The parts of a process that practice needs.

use std::sync::Arc;

use platform::blobs::Blobs;
use platform::cache::Cache;
use platform::config::{ConfigError, Values};
use platform::fetch::Allow;
use providers::Slots;
use providers::models::{self, LanguageModel};
use queue_topology::intake::Intake;
use store::Store;
use tokio::sync::Notify;
use web::{Access, Guarded};

use crate::company::Site;
use crate::materials::Reader;

/// How many turns wait for a slot of the model at the same time.
const MAY_WAIT: usize = 16;

#[derive(Clone)]
pub struct Practice {
    pub store: Store,
    pub blobs: Blobs,
    pub access: Arc<Access>,
    pub intake: Intake,
    /// Who speaks in character. Without one the representatives speak from built-in material.
    pub model: Option<Arc<dyn LanguageModel>>,
    pub reader: Reader,
    pub site: Site,
    /// Wakes who waits for a floor of this process.
    pub floors: Arc<Notify>,
}

impl Practice {
    pub fn from_values(
        values: &Values,
        (store, blobs): (Store, Blobs),
        cache: Arc<dyn Cache>,
        access: Arc<Access>,
        intake: Intake,
    ) -> Result<Self, ConfigError> {
        let reader = Reader::of_this_program()
            .map_err(|error| ConfigError::new("debrief", format!("its own file cannot be found: {error}")))?;
        Ok(Self {
            store,
            blobs,
            access,
            intake,
            model: models::configured(values, &Slots::new(cache, MAY_WAIT))?,
            reader,
            site: Site::new(Allow::from_values(values)?),
            floors: Arc::new(Notify::new()),
        })
    }
}

impl Guarded for Practice {
    fn access(&self) -> &Access {
        &self.access
    }
}
