//! The parts of a process that practice needs.

use std::sync::Arc;

use platform::blobs::Blobs;
use platform::cache::Cache;
use platform::config::{ConfigError, Values};
use platform::fetch::Allow;
use providers::Slots;
use providers::models::{self, LanguageModel};
use providers::speech::{self, SpeechToText};
use providers::voices;
use queue_topology::intake::Intake;
use store::Store;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use web::{Access, Guarded};

use crate::company::Site;
use crate::materials::Reader;
use crate::voices::Voices;

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
    /// Who speaks aloud.
    pub voices: Voices,
    /// Who understands what the salesperson says aloud, in the order in which they are asked.
    pub speech: Vec<SpeechToText>,
    /// The language of all conversations, where the installation names one.
    pub language: Option<String>,
    pub reader: Reader,
    pub site: Site,
    /// Wakes who waits for a floor of this process.
    pub floors: Arc<Notify>,
    /// Cancelled when the process is asked to stop.
    pub stopping: CancellationToken,
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
        let slots = Slots::new(cache, MAY_WAIT);
        Ok(Self {
            store,
            blobs,
            access,
            intake,
            model: models::configured(values, &slots)?,
            voices: Voices::new(voices::configured(values, &slots)?),
            speech: speech::configured_for(values, &slots, "LIVE_SPEECH")?,
            language: values.text("SPEECH_LANGUAGE"),
            reader,
            site: Site::new(Allow::from_values(values)?),
            floors: Arc::new(Notify::new()),
            stopping: CancellationToken::new(),
        })
    }
}

impl Guarded for Practice {
    fn access(&self) -> &Access {
        &self.access
    }
}
