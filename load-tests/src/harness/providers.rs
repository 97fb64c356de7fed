//! The simulators of all providers in a process of their own, so that what they use is not counted as Debrief's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use simulators::{Effects, PROVIDERS, Provider, recordings};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::http::Connection;
use super::process::Settings;

const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// A process that simulates all providers. It is killed when this is dropped.
pub struct Providers {
    child: Child,
    /// The addresses by the names of the providers.
    addresses: BTreeMap<String, String>,
}

impl Providers {
    /// Starts the program `simulate`, which stands beside this one. `transcription` is the time that a transcript takes.
    pub async fn start(transcription: Duration) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("find this program")?.with_file_name("simulate");
        ensure!(program.exists(), "there is no {}: build it", program.display());
        Self::start_at(&program, transcription).await
    }

    async fn start_at(program: &Path, transcription: Duration) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(["all", "--json", "--transcription-ms", &transcription.as_millis().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start the simulators")?;
        let output = child.stdout.take().context("read the output of the simulators")?;
        let mut line = String::new();
        tokio::time::timeout(STARTS_WITHIN, BufReader::new(output).read_line(&mut line))
            .await
            .context("wait until the simulators have started")?
            .context("read the addresses of the simulators")?;
        let addresses = serde_json::from_str(&line).context("read the addresses of the simulators")?;
        Ok(Self { child, addresses })
    }

    /// Returns the id of the process.
    pub fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("the simulators have ended")
    }

    /// Returns the address of a provider.
    pub fn url(&self, provider: &Provider) -> anyhow::Result<&str> {
        let address = self.addresses.get(provider.name).map(String::as_str);
        address.with_context(|| format!("{} is not simulated", provider.name))
    }

    /// Returns the address of the simulator of this provider.
    pub fn address(&self, provider: &Provider) -> anyhow::Result<SocketAddr> {
        let url = self.url(provider)?;
        url.trim_start_matches("http://").parse().context("read the address of a simulator")
    }

    /// Returns the settings with which Debrief uses the simulators, and asks them without a limit to its rate.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let mut all =
            vec![("SLACK_RATE", "100000/s".to_owned()), ("SUPPORT_NUMBER", "+12025550100".to_owned())];
        for provider in PROVIDERS {
            all.extend(self.settings_of(provider)?);
        }
        Ok(all)
    }

    /// Returns the settings with which Debrief uses the simulator of this provider.
    pub fn settings_of(&self, provider: &Provider) -> anyhow::Result<Settings> {
        Ok(provider.settings(self.url(provider)?))
    }

    /// Returns how often each thing was made at a provider.
    pub async fn effects(&self, provider: &Provider) -> anyhow::Result<Effects> {
        effects_at(self.address(provider)?).await
    }

    /// Returns the requests that arrived at a provider, oldest first.
    pub async fn received(&self, provider: &Provider) -> anyhow::Result<Vec<Value>> {
        let answer = Connection::open(self.address(provider)?).await?.get("/_control/received").await?;
        ensure!(answer.status == 200, "a simulator answered {}", answer.status);
        let mut received: Value = serde_json::from_slice(&answer.body).context("read what was received")?;
        serde_json::from_value(received["requests"].take()).context("read what was received")
    }

    /// Replaces the latency and the faults of a provider.
    pub async fn set_faults(&self, provider: &Provider, faults: &Value) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address(provider)?).await?;
        let answer = connection.post_json("/_control/faults", &faults.to_string()).await?;
        ensure!(answer.status == 204, "a simulator answered {}", answer.status);
        Ok(())
    }

    /// Says how fast a provider makes answers that it streams.
    pub async fn set_pace(&self, provider: &Provider, pace: &Value) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address(provider)?).await?;
        let answer =
            connection.put("/_control/pace", "application/json", pace.to_string().as_bytes()).await?;
        ensure!(answer.status == 204, "a simulator answered {}", answer.status);
        Ok(())
    }

    /// Serves a recording in this variant and returns its URL.
    pub async fn put_recording(&self, name: &str, variant: &str, bytes: &[u8]) -> anyhow::Result<String> {
        let mut connection = Connection::open(self.address(&recordings::PROVIDER)?).await?;
        let path = format!("/_control/recordings/{name}?variant={variant}");
        let answer = connection.put(&path, "audio/wav", bytes).await?;
        ensure!(answer.status == 204, "a simulator answered {}", answer.status);
        Ok(format!("{}/recordings/{name}", self.url(&recordings::PROVIDER)?))
    }
}

/// Returns how often each thing was made at the simulator with this address.
pub async fn effects_at(address: SocketAddr) -> anyhow::Result<Effects> {
    let answer = Connection::open(address).await?.get("/_control/effects").await?;
    ensure!(answer.status == 200, "a simulator answered {}", answer.status);
    serde_json::from_slice(&answer.body).context("read what was made")
}
