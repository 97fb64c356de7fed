//! Simulators that run.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use crate::control::{self, Control};
#[cfg(feature = "testing")]
use crate::faults::{Faults, injection::FaultInjection};
use crate::options::Options;
use crate::provider::{Provider, Setting, Site};
#[cfg(feature = "testing")]
use crate::record::{Effects, Received};
use crate::recording_store::{Recording, RecordingStore};
use crate::recordings;
use crate::table::PROVIDERS;

/// Running simulators. They end when this is dropped, or with [`Simulators::stop`].
#[derive(Debug)]
pub struct Simulators {
    all: Vec<Simulator>,
    recordings: RecordingStore,
}

impl Simulators {
    /// Starts the simulator of every provider on loopback. Fails when a port is taken.
    pub async fn start(options: &Options) -> anyhow::Result<Self> {
        Self::start_only(&PROVIDERS, options).await
    }

    /// Starts the simulators of these providers only.
    pub async fn start_only(providers: &[&'static Provider], options: &Options) -> anyhow::Result<Self> {
        let recordings = RecordingStore::default();
        let mut all = Vec::with_capacity(providers.len());
        for (nth, provider) in (0..).zip(providers) {
            let port = options.base_port.map_or(0, |base| base.saturating_add(nth));
            all.push(Simulator::start(provider, port, options, &recordings).await?);
        }
        Ok(Self { all, recordings })
    }

    /// Returns the simulator of this provider.
    ///
    /// # Panics
    /// Panics when the simulator was not started.
    pub fn of(&self, provider: &Provider) -> &Simulator {
        let found = self.all.iter().find(|one| one.provider.name == provider.name);
        found.unwrap_or_else(|| panic!("the {} simulator was not started", provider.name))
    }

    /// Returns the simulators in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Simulator> {
        self.all.iter()
    }

    /// Returns the settings with which Debrief uses all of these simulators.
    pub fn settings(&self) -> Vec<Setting> {
        self.all.iter().flat_map(|one| one.provider.settings(&one.url(""))).collect()
    }

    /// Serves `recording` and returns its URL. A recording of the same name is replaced.
    ///
    /// # Panics
    /// Panics when the simulator that serves recordings was not started.
    pub fn put_recording(&self, name: &str, recording: Recording) -> String {
        self.recordings.put(name, recording);
        self.of(&recordings::PROVIDER).url(&format!("/recordings/{name}"))
    }

    /// Ends the simulators and frees their ports.
    pub async fn stop(self) {
        for simulator in self.all {
            simulator.stop().await;
        }
    }
}

/// One simulator, which runs on a loopback port of its own until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    pub provider: &'static Provider,
    pub address: SocketAddr,
    control: Arc<Control>,
    #[cfg(feature = "testing")]
    faults: Arc<FaultInjection>,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Simulator {
    /// Port 0 stands for any free port.
    async fn start(
        provider: &'static Provider,
        port: u16,
        options: &Options,
        recordings: &RecordingStore,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("listen on port {port} for the {} simulator", provider.name))?;
        let address = listener.local_addr().context("read the address that was bound")?;
        let control = Arc::new(Control::new(provider.refusal));
        let base = format!("http://{address}");
        let app = (provider.routes)(&Site { base: &base, control: control.clone(), options, recordings });
        #[cfg(feature = "testing")]
        let faults = Arc::new(FaultInjection::new(provider.refusal));
        #[cfg(feature = "testing")]
        let app = faults.around(app);
        let app = control::around(app, &control);
        // Answers come in small pieces, and each is sent when it is made.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "failed to send small pieces at once");
            }
        });
        let running = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self {
            provider,
            address,
            control,
            #[cfg(feature = "testing")]
            faults,
            running,
        })
    }

    /// Returns the address of `path`, which begins with a slash. An empty path is the address of the simulator.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn stop(mut self) {
        self.control.stop();
        self.running.abort();
        if let Err(error) = (&mut self.running).await {
            tracing::debug!(%error, provider = self.provider.name, "the simulator ended");
        }
    }
}

#[cfg(feature = "testing")]
impl Simulator {
    /// Returns every request that arrived, oldest first. Requests to the control routes are not among them.
    pub fn received(&self) -> Vec<Received> {
        self.control.record.received(0)
    }

    /// Returns how often each thing was made. A count above one is a duplicate.
    pub fn effects(&self) -> Effects {
        self.control.record.effects()
    }

    /// Breaks off the streams of speech that are open, without a word. Returns how many there are.
    pub fn break_streams(&self) -> usize {
        self.control.streams.break_off()
    }

    /// Replaces the latency and the faults.
    pub fn set_faults(&self, faults: Faults) {
        self.faults.set(faults);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.control.stop();
        self.running.abort();
    }
}
