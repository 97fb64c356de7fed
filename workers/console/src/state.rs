//! The parts of a process that the console needs.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use domain::moment::Moment;
use platform::blobs::Blobs;
use platform::config::{ConfigError, Installation, Known, Values};
use platform::seal::Sealer;
use providers::Provider;
use queue_topology::broker::Broker;
use queue_topology::intake::Intake;
use store::{SampleCall, Store};
use tokio_util::sync::CancellationToken;
use web::{Access, Accounts, Guarded};

use crate::changes::Updates;
use crate::own_api::OwnApi;

/// Makes the sample calls. They began shortly before the given time.
pub type MakeSamples = fn(Moment) -> Result<Vec<SampleCall>, Box<dyn Error + Send + Sync>>;

#[derive(Clone)]
pub struct Console {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
    pub blobs: Blobs,
    pub sealer: Sealer,
    /// The way in for the calls that people bring in a browser.
    pub intake: Intake,
    /// The sample calls, for a workspace that has no call yet.
    pub make_samples: MakeSamples,
    /// The routes of live calls and of practice. A console in a process of its own has them too.
    pub own_api: OwnApi,
    pub practice_sound: PracticeSound,
    pub access: Arc<Access>,
    pub accounts: Arc<Accounts>,
    pub installation: Arc<Installation>,
    /// Every setting that was given, and every setting that there is.
    pub values: Arc<Values>,
    pub known: Arc<Known>,
    pub providers: ProviderStates,
    /// What this process runs, by the names of its roles.
    pub roles: Vec<&'static str>,
    /// The services that can be configured, and whether each of them is.
    pub services: Vec<(&'static str, bool)>,
    pub updates: Updates,
    /// Cancelled when the process is asked to stop. From then on no page is told about changes.
    pub stopping: CancellationToken,
}

/// What the meetings of practice can do with sound.
#[derive(Clone, Copy, Debug, Default)]
pub struct PracticeSound {
    /// Whether the representatives speak aloud.
    pub has_voice: bool,
    /// Whether anybody understands what the salesperson says aloud.
    pub understands_speech: bool,
}

/// Whether each provider is on. This cannot change while the process runs, and it takes a while to find out, because each
/// provider makes its client. So it is found out once, when a page asks for the first time.
#[derive(Clone, Default)]
pub struct ProviderStates(Arc<OnceLock<Vec<ProviderState>>>);

/// A provider, and whether it is on. An error says what is wrong with its settings.
pub(crate) struct ProviderState {
    pub(crate) provider: &'static dyn Provider,
    pub(crate) is_on: Result<bool, ConfigError>,
}

impl Console {
    pub(crate) fn providers(&self) -> &[ProviderState] {
        let state =
            |provider: &'static dyn Provider| ProviderState { provider, is_on: provider.is_on(&self.values) };
        self.providers.0.get_or_init(|| providers::all().into_iter().map(state).collect())
    }
}

impl ProviderState {
    pub(crate) fn is_on(&self) -> bool {
        *self.is_on.as_ref().unwrap_or(&false)
    }
}

impl Guarded for Console {
    fn access(&self) -> &Access {
        &self.access
    }
}
