//! Providers on loopback: what Debrief calls, answering by the providers' own contracts.
//!
//! Each simulator is an application of its own on a port of its own, with settable latency and faults, a
//! record of what arrived and a count of what was made. A simulator knows no sample: what it answers it
//! derives from what it was sent.

mod assemblyai;
mod call_data;
mod control;
mod faults;
mod openai;
mod recordings;
mod salesforce;
mod slack;
mod spoken;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use control::Control;
pub use control::{Effects, Received};
pub use faults::{Fault, Faults, ModelFault};
use recordings::Shelf;
pub use recordings::{Recording, Variant};
pub use salesforce::CONTACT_FIELDS;
pub use slack::natural_key as slack_key;
pub use spoken::{Utterance, recording_with};

#[derive(Clone, Debug)]
pub struct Options {
    /// The first simulator listens here, the next one port further; `None`: any free ports.
    pub base_port: Option<u16>,
    /// How long a transcript is queued and in work before it is completed.
    pub transcription_time: Duration,
    /// The fields that the Salesforce org's `Contact` has.
    pub contact_fields: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            base_port: None,
            transcription_time: Duration::from_millis(300),
            contact_fields: CONTACT_FIELDS.iter().map(|(name, _)| (*name).to_owned()).collect(),
        }
    }
}

/// Which provider a simulator plays. The names are those of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    Assemblyai,
    Openai,
    Slack,
    Salesforce,
    CallData,
    Recordings,
}

impl Provider {
    pub const ALL: [Self; 6] =
        [Self::Assemblyai, Self::Openai, Self::Slack, Self::Salesforce, Self::CallData, Self::Recordings];

    pub fn name(self) -> &'static str {
        match self {
            Self::Assemblyai => "assemblyai",
            Self::Openai => "openai",
            Self::Slack => "slack",
            Self::Salesforce => "salesforce",
            Self::CallData => "call_data",
            Self::Recordings => "recordings",
        }
    }

    /// What this provider answers a request that it refuses with `status`, in its own error form.
    fn refusal(self) -> fn(StatusCode) -> Response {
        match self {
            Self::Assemblyai => assemblyai::refusal,
            Self::Openai => openai::refusal,
            Self::Slack => slack::refusal,
            Self::Salesforce => salesforce::refusal,
            Self::CallData => call_data::refusal,
            Self::Recordings => recordings::refusal,
        }
    }

    fn app(self, base: &str, control: Arc<Control>, options: &Options, recordings: &Shelf) -> Router {
        match self {
            Self::Assemblyai => assemblyai::app(base, control, options),
            Self::Openai => openai::app(control),
            Self::Slack => slack::app(control),
            Self::Salesforce => salesforce::app(base, control, options),
            Self::CallData => call_data::app(control),
            Self::Recordings => recordings::app(recordings.clone()),
        }
    }
}

/// All of them, running. They end when this is dropped, or with [`Simulators::stop`].
#[derive(Debug)]
pub struct Simulators {
    pub assemblyai: Simulator,
    pub openai: Simulator,
    pub slack: Simulator,
    pub salesforce: Simulator,
    pub call_data: Simulator,
    pub recordings: Simulator,
}

impl Simulators {
    /// Starts every simulator on loopback. Fails when a port is taken.
    pub async fn start(options: &Options) -> anyhow::Result<Self> {
        let port = |nth: u16| options.base_port.map_or(0, |base| base.saturating_add(nth));
        Ok(Self {
            assemblyai: Simulator::start(Provider::Assemblyai, port(0), options).await?,
            openai: Simulator::start(Provider::Openai, port(1), options).await?,
            slack: Simulator::start(Provider::Slack, port(2), options).await?,
            salesforce: Simulator::start(Provider::Salesforce, port(3), options).await?,
            call_data: Simulator::start(Provider::CallData, port(4), options).await?,
            recordings: Simulator::start(Provider::Recordings, port(5), options).await?,
        })
    }

    pub fn each(&self) -> [&Simulator; 6] {
        [&self.assemblyai, &self.openai, &self.slack, &self.salesforce, &self.call_data, &self.recordings]
    }

    /// Each simulator's address by its name: `{"slack":"http://127.0.0.1:40213", …}`.
    pub fn addresses(&self) -> BTreeMap<&'static str, String> {
        self.each().into_iter().map(|simulator| (simulator.provider.name(), simulator.url(""))).collect()
    }

    /// Ends them and frees their ports.
    pub async fn stop(self) {
        for simulator in Vec::from(self) {
            simulator.stop().await;
        }
    }
}

impl From<Simulators> for Vec<Simulator> {
    fn from(all: Simulators) -> Self {
        vec![all.assemblyai, all.openai, all.slack, all.salesforce, all.call_data, all.recordings]
    }
}

/// One simulator, running on a loopback port of its own until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    pub provider: Provider,
    pub address: SocketAddr,
    control: Arc<Control>,
    /// What the recordings simulator serves; the others have nothing there.
    shelf: Shelf,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Simulator {
    /// `port` 0 is any free port.
    pub async fn start(provider: Provider, port: u16, options: &Options) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("listen on port {port} for the {} simulator", provider.name()))?;
        let address = listener.local_addr().context("read the address that was bound")?;
        let control = Arc::new(Control::new(provider.refusal()));
        let shelf = Shelf::default();
        let app = provider.app(&format!("http://{address}"), control.clone(), options, &shelf);
        let app = control::around(app, &control);
        let running = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { provider, address, control, shelf, running })
    }

    /// The address of `path` (with its leading slash; empty for the base address).
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request that arrived, in order; the control routes are not among them.
    pub fn received(&self) -> Vec<Received> {
        self.control.received(0)
    }

    /// What was made, by kind and natural key, and how often: a count above one is a duplicate.
    pub fn effects(&self) -> Effects {
        self.control.effects()
    }

    /// Replaces latency and faults.
    pub fn set_faults(&self, faults: Faults) {
        self.control.set_faults(faults);
    }

    /// Forgets what arrived; what was made stays counted.
    pub fn forget_received(&self) {
        self.control.forget_received();
    }

    /// Ends it and frees its port.
    pub async fn stop(mut self) {
        self.control.stopping().cancel();
        self.running.abort();
        if let Err(error) = (&mut self.running).await {
            tracing::debug!(%error, provider = self.provider.name(), "the simulator ended");
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.control.stopping().cancel();
        self.running.abort();
    }
}

/// A lock whose holder panicked is still good here: every change is a single insert.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` unless the simulator stops first.
fn in_background(stopping: CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = work => {}
        }
    });
}

/// A map that forgets its oldest entries, so that a long load test does not fill the memory.
#[derive(Debug)]
struct Bounded<V> {
    values: HashMap<String, V>,
    order: VecDeque<String>,
    limit: usize,
}

impl<V> Bounded<V> {
    fn new(limit: usize) -> Self {
        Self { values: HashMap::new(), order: VecDeque::new(), limit }
    }

    fn insert(&mut self, key: String, value: V) {
        if self.values.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.values.remove(&oldest);
            }
        }
    }

    fn get(&self, key: &str) -> Option<&V> {
        self.values.get(key)
    }

    fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.values.get_mut(key)
    }

    /// Oldest first.
    fn iter(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.order.iter().filter_map(|key| self.values.get(key))
    }
}

/// SHA-256 in hex, shortened to what a person can compare.
fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(&sha2::Sha256::digest(bytes)[..16])
}

/// The pairs of a form or a query.
fn form_pairs(bytes: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}
