//! The simulators of all providers in a process of their own, so that what they use is not counted as ours.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::http::Connection;
use super::process::Settings;
use simulators::Effects;

const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// Killed when it is dropped.
pub struct Providers {
    child: Child,
    /// By the simulator's name.
    addresses: BTreeMap<String, String>,
}

impl Providers {
    /// Starts `simulate`, which stands beside this program. A transcript is ready so long after it was asked for.
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
        let output = child.stdout.take().context("the simulators say nothing")?;
        let mut said = String::new();
        tokio::time::timeout(STARTS_WITHIN, BufReader::new(output).read_line(&mut said))
            .await
            .context("the simulators do not start")?
            .context("read where the simulators listen")?;
        let addresses = serde_json::from_str(&said).context("read where the simulators listen")?;
        Ok(Self { child, addresses })
    }

    pub fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("the simulators have ended")
    }

    fn url(&self, provider: &str) -> anyhow::Result<&str> {
        self.addresses
            .get(provider)
            .map(String::as_str)
            .with_context(|| format!("no {provider} is simulated"))
    }

    fn address(&self, provider: &str) -> anyhow::Result<SocketAddr> {
        let url = self.url(provider)?;
        url.trim_start_matches("http://").parse().context("read the address of a simulator")
    }

    /// Turns all of them on, without a limit to how fast they are asked.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let key = || "key".to_owned();
        let number = || "+12025550100".to_owned();
        Ok(vec![
            ("DEBRIEF_ALLOW_PRIVATE_FETCH", self.address("recordings")?.to_string()),
            ("ASSEMBLYAI_API_KEY", key()),
            ("ASSEMBLYAI_BASE_URL", self.url("assemblyai")?.to_owned()),
            ("ASSEMBLYAI_POLL", "200ms".to_owned()),
            ("OPENAI_API_KEY", key()),
            ("OPENAI_BASE_URL", format!("{}/v1", self.url("openai")?)),
            ("SLACK_WEBHOOK_URL", format!("{}/services/T/B/x", self.url("slack")?)),
            ("SLACK_RATE", "100000/s".to_owned()),
            ("SUPPORT_NUMBER", number()),
            ("SALESFORCE_LOGIN_URL", self.url("salesforce")?.to_owned()),
            ("SALESFORCE_CONSUMER_KEY", key()),
            ("SALESFORCE_CONSUMER_SECRET", key()),
            ("CRM_AUTO_UPLOAD", "true".to_owned()),
            ("CRM_UPLOAD_URL", format!("{}/apis/api/public/call-data", self.url("call_data")?)),
            ("CRM_CAMPAIGN_ID", "campaign".to_owned()),
            ("CRM_VOICE_AGENT_ID", "agent".to_owned()),
            ("CRM_CLIENT_ID", "client".to_owned()),
            ("CRM_DEFAULT_CALLER_PHONE", number()),
        ])
    }

    /// What was made at one of them, and how often.
    pub async fn effects(&self, provider: &str) -> anyhow::Result<Effects> {
        effects_at(self.address(provider)?).await
    }

    /// The requests to one of them that arrived, oldest first.
    pub async fn received(&self, provider: &str) -> anyhow::Result<Vec<Value>> {
        let answer = Connection::open(self.address(provider)?).await?.get("/_control/received").await?;
        ensure!(answer.status == 200, "a simulator answered {}", answer.status);
        let mut received: Value = serde_json::from_slice(&answer.body).context("read what was received")?;
        serde_json::from_value(received["requests"].take()).context("read what was received")
    }

    /// Replaces latency and faults of one of them.
    pub async fn set_faults(&self, provider: &str, faults: &Value) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address(provider)?).await?;
        let answer = connection.post_json("/_control/faults", &faults.to_string()).await?;
        ensure!(answer.status == 204, "a simulator answered {}", answer.status);
        Ok(())
    }

    /// Serves a recording as `variant` says, and returns its URL.
    pub async fn put_recording(&self, name: &str, variant: &str, bytes: &[u8]) -> anyhow::Result<String> {
        let mut connection = Connection::open(self.address("recordings")?).await?;
        let path = format!("/_control/recordings/{name}?variant={variant}");
        let answer = connection.put(&path, "audio/wav", bytes).await?;
        ensure!(answer.status == 204, "a simulator answered {}", answer.status);
        Ok(format!("{}/recordings/{name}", self.url("recordings")?))
    }
}

/// What was made at the simulator that listens there.
pub async fn effects_at(address: SocketAddr) -> anyhow::Result<Effects> {
    let answer = Connection::open(address).await?.get("/_control/effects").await?;
    ensure!(answer.status == 200, "a simulator answered {}", answer.status);
    serde_json::from_slice(&answer.body).context("read what was made")
}
