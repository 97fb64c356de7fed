//! RabbitMQ, PostgreSQL and Redis that the runs may break. `deploy/services.sh` starts them in a folder that nobody else
//! uses.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use load_tests::harness::servers::Servers;
use tokio::process::Command;

/// The share of the machine's memory above which RabbitMQ takes no messages, as `services.sh` sets it.
pub(crate) const MEMORY: &str = "0.4";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/services.sh");

/// One of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Rabbitmq,
    Postgresql,
    Redis,
}

impl Server {
    /// Returns the name by which `services.sh` knows the server.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rabbitmq => "rabbitmq",
            Self::Postgresql => "postgresql",
            Self::Redis => "redis",
        }
    }
}

/// The servers. They are started when the first run needs them, and end with [`OwnServers::stop`].
pub(crate) struct OwnServers {
    folder: PathBuf,
}

impl OwnServers {
    /// The users as which the servers run must be able to reach `folder`.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Starts the servers that do not run, with the same ports and data as before, continues those that were stopped, and
    /// waits until all of them answer.
    pub(crate) async fn start(&self) -> anyhow::Result<Servers> {
        self.script(["start"]).await?;
        let exports = self.script(["env"]).await?;
        let address = |name: &str| {
            let begin = format!("export {name}=");
            let line = exports.lines().find_map(|line| line.strip_prefix(&begin));
            // The address is quoted for a shell.
            let address = line.map(|line| line.replace('\\', ""));
            address.with_context(|| format!("read {name} from the output of services.sh"))
        };
        Ok(Servers {
            amqp: address("DEBRIEF_TEST_AMQP_URL")?,
            database: address("DEBRIEF_TEST_DATABASE_URL")?,
            redis: address("DEBRIEF_TEST_REDIS_URL")?,
        })
    }

    /// Kills all processes of a server with `kill -9`. Its port and data are kept for [`Self::start`].
    pub(crate) async fn kill(&self, server: Server) -> anyhow::Result<()> {
        self.script(["signal", server.name(), "KILL"]).await.map(drop)
    }

    /// Stops a server with SIGSTOP: it keeps its connections and answers nothing.
    pub(crate) async fn freeze(&self, server: Server) -> anyhow::Result<()> {
        self.script(["signal", server.name(), "STOP"]).await.map(drop)
    }

    /// Continues a server with SIGCONT.
    pub(crate) async fn thaw(&self, server: Server) -> anyhow::Result<()> {
        self.script(["signal", server.name(), "CONT"]).await.map(drop)
    }

    /// Runs `rabbitmqctl` and returns what it prints. This takes about a second.
    pub(crate) async fn rabbitmqctl(&self, args: &[&str]) -> anyhow::Result<String> {
        self.script(["rabbitmqctl"].iter().chain(args)).await
    }

    /// Mends what a run may have left broken.
    pub(crate) async fn mend(&self) -> anyhow::Result<()> {
        self.start().await?;
        self.rabbitmqctl(&["set_vm_memory_high_watermark", MEMORY]).await.map(drop)
    }

    /// Ends all servers.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        self.script(["stop"]).await.map(drop)
    }

    /// Runs the script and returns what it prints.
    async fn script(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<String> {
        let mut command = Command::new("bash");
        command.arg(SCRIPT).args(args).stdin(Stdio::null());
        command.env("DEBRIEF_SERVICES_DIR", &self.folder).env("DEBRIEF_SERVICES_OWN", "1");
        let output = command.output().await.context("run services.sh")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "services.sh: {}\n{errors}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
