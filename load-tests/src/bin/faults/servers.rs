//! Servers of our own, to be broken: RabbitMQ, PostgreSQL and Redis through `deploy/services.sh`, in a folder
//! that nobody else uses.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use load_tests::harness::servers::Servers;
use tokio::process::Command;

/// The share of the machine's memory from which on RabbitMQ takes nothing in, as `services.sh` sets it.
pub(crate) const MEMORY: &str = "0.4";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/services.sh");

/// The name that `services.sh` knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Rabbitmq,
    Postgresql,
    Redis,
}

impl Server {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rabbitmq => "rabbitmq",
            Self::Postgresql => "postgresql",
            Self::Redis => "redis",
        }
    }
}

/// They are started when the first run needs them, and ended with [`OwnServers::stop`].
pub(crate) struct OwnServers {
    folder: PathBuf,
}

impl OwnServers {
    /// `folder` has to be one that the servers' own users can reach.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Starts those that do not run, on the same ports and data as before, continues those that were
    /// stopped, and waits until all answer.
    pub(crate) async fn start(&self) -> anyhow::Result<Servers> {
        self.script(["start"]).await?;
        let exports = self.script(["env"]).await?;
        let address = |name: &str| {
            let begin = format!("export {name}=");
            let line = exports.lines().find_map(|line| line.strip_prefix(&begin));
            // Quoted for a shell, where anything in it needs that.
            let address = line.map(|line| line.replace('\\', ""));
            address.with_context(|| format!("services.sh does not say {name}"))
        };
        Ok(Servers {
            amqp: address("DEBRIEF_TEST_AMQP_URL")?,
            database: address("DEBRIEF_TEST_DATABASE_URL")?,
            redis: address("DEBRIEF_TEST_REDIS_URL")?,
        })
    }

    /// `kill -9` of all its processes. Its port and data are kept for [`Self::start`].
    pub(crate) async fn kill(&self, server: Server) -> anyhow::Result<()> {
        self.script(["signal", server.name(), "KILL"]).await.map(drop)
    }

    /// SIGSTOP: it holds its connections and answers nothing.
    pub(crate) async fn freeze(&self, server: Server) -> anyhow::Result<()> {
        self.script(["signal", server.name(), "STOP"]).await.map(drop)
    }

    /// SIGCONT.
    pub(crate) async fn thaw(&self, server: Server) -> anyhow::Result<()> {
        self.script(["signal", server.name(), "CONT"]).await.map(drop)
    }

    /// `rabbitmqctl`; what it prints. Takes about a second.
    pub(crate) async fn rabbitmqctl(&self, args: &[&str]) -> anyhow::Result<String> {
        self.script(["rabbitmqctl"].iter().chain(args)).await
    }

    /// After a run that may have left something broken.
    pub(crate) async fn mend(&self) -> anyhow::Result<()> {
        self.start().await?;
        self.rabbitmqctl(&["set_vm_memory_high_watermark", MEMORY]).await.map(drop)
    }

    /// Ends all of them.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        self.script(["stop"]).await.map(drop)
    }

    /// What the script prints.
    async fn script(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<String> {
        let mut command = Command::new("bash");
        command.arg(SCRIPT).args(args).stdin(Stdio::null());
        command.env("DEBRIEF_SERVICES_DIR", &self.folder).env("DEBRIEF_SERVICES_OWN", "1");
        let output = command.output().await.context("run services.sh")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "services.sh: {}\n{said}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
