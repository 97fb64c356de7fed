//! `debrief` as a process that can be killed, stopped, continued and started again.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use load_tests::harness::http::Connection;
use tokio::process::{Child, Command};

const READY_WITHIN: Duration = Duration::from_mins(1);
const ENDS_WITHIN: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process that can be started several times. It runs the same, listens on the same port and writes the same log each
/// time.
pub(crate) struct Process {
    pub(crate) name: String,
    /// The arguments of `debrief`.
    pub(crate) args: Vec<String>,
    pub(crate) address: SocketAddr,
    pub(crate) log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub(crate) fn new(name: String, args: Vec<String>, log: PathBuf) -> anyhow::Result<Self> {
        Ok(Self { name, args, address: free_address()?, log, child: None })
    }

    /// Starts the process. `command` is the program with its environment.
    pub(crate) fn launch(&mut self, mut command: Command) -> anyhow::Result<()> {
        ensure!(!self.is_running(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log).context("open the log")?;
        command
            .args(&self.args)
            .env("PORT", self.address.port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("open the log")?)
            .stderr(log)
            .kill_on_drop(true);
        self.child = Some(command.spawn().with_context(|| format!("start {}", self.name))?);
        Ok(())
    }

    pub(crate) async fn until_ready(&mut self) -> anyhow::Result<()> {
        let asked = Instant::now();
        while self.ready().await != Some(200) {
            if let Some(status) = self.exited()? {
                bail!("{} ended before it was ready: {status}", self.name);
            }
            ensure!(asked.elapsed() < READY_WITHIN, "{} is not ready after {READY_WITHIN:?}", self.name);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Returns the status that `/ready` answers, or `None` when there is no answer.
    pub(crate) async fn ready(&self) -> Option<u16> {
        let asked = async {
            let mut connection = Connection::open(self.address).await.ok()?;
            Some(connection.get("/ready").await.ok()?.status)
        };
        tokio::time::timeout(Duration::from_secs(5), asked).await.ok().flatten()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.is_some() && matches!(self.exited(), Ok(None))
    }

    fn exited(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        child.try_wait().with_context(|| format!("look at {}", self.name))
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        let id = self.child.as_ref().and_then(Child::id);
        id.with_context(|| format!("{} does not run", self.name))
    }

    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        ensure!(self.is_running(), "{} does not run", self.name);
        let mut child = self.child.take().with_context(|| format!("{} does not run", self.name))?;
        child.kill().await.with_context(|| format!("kill {}", self.name))
    }

    /// Sends a signal: `TERM`, `STOP`, `CONT` …
    pub(crate) async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.id()?.to_string()).status().await;
        let sent = sent.with_context(|| format!("send SIG{signal} to {}", self.name))?;
        ensure!(sent.success(), "{} cannot be sent SIG{signal}", self.name);
        Ok(())
    }

    /// Waits until the process has ended.
    pub(crate) async fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let name = &self.name;
        let child = self.child.as_mut().with_context(|| format!("{name} does not run"))?;
        let ended = tokio::time::timeout(within, child.wait()).await;
        let status = ended.with_context(|| format!("{name} has not ended after {within:?}"))?;
        let status = status.with_context(|| format!("wait for {name}"))?;
        self.child = None;
        Ok(status)
    }

    pub(crate) async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal("TERM").await?;
        self.ended(ENDS_WITHIN).await
    }

    /// Returns the last lines of the log.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// Returns an address whose port was free a moment ago. The system does not give such a port to connections, so that it is
/// free again at the next start.
fn free_address() -> anyhow::Result<SocketAddr> {
    let mut tries = (0..100).map(|_| rand::random_range(10_000..20_000));
    let port = tries.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    Ok((Ipv4Addr::LOCALHOST, port.context("find a free port")?).into())
}
