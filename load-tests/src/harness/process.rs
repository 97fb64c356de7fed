//! `debrief` as a process whose environment holds only the settings of the run.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::process::{Child, Command};

use super::http::Connection;
use super::{usage, webhook};

const READY_WITHIN: Duration = Duration::from_mins(2);
const END_WITHIN: Duration = Duration::from_mins(1);
/// The time between two questions whether the process is ready. A start-up time is exact to this.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// When no call was added for so long, no more are coming.
const STALLED: Duration = Duration::from_secs(30);

/// The binary of Debrief.
pub struct Program {
    path: PathBuf,
}

/// Settings, as environment variables.
pub type Settings = Vec<(&'static str, String)>;

impl Program {
    pub fn at(mut path: PathBuf) -> anyhow::Result<Self> {
        ensure!(path.exists(), "there is no {}: build it, or name it with --debrief", path.display());
        // The program is started in other folders.
        path = path.canonicalize().with_context(|| format!("find {}", path.display()))?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn command(&self, args: &[&str], settings: &Settings, folder: &Path) -> anyhow::Result<Command> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("bench.log"))
            .context("open the log of debrief")?;
        let mut command = Command::new(&self.path);
        command
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("DEBRIEF_DATA_DIR", folder)
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }

    /// Runs a command to its end and returns what it prints.
    pub async fn output(&self, args: &[&str], settings: &Settings, folder: &Path) -> anyhow::Result<Vec<u8>> {
        let mut command = self.command(args, settings, folder)?;
        let ended = command.stdout(Stdio::piped()).output().await.context("start debrief")?;
        ensure!(ended.status.success(), "debrief {}: {}\n{}", args.join(" "), ended.status, tail(folder));
        Ok(ended.stdout)
    }

    /// Starts `debrief run` and waits until it is ready. Its log goes to a file in `folder`.
    pub async fn run(&self, args: &[&str], settings: &Settings, folder: &Path) -> anyhow::Result<Running> {
        // Debrief listens on a port that was free a moment ago.
        let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
        let address = probe.local_addr().context("find a free port")?;
        drop(probe);
        let mut command = self.command(&[&["run"], args].concat(), settings, folder)?;
        command.env("PORT", address.port().to_string());
        let start = Instant::now();
        let child = command.spawn().context("start debrief")?;
        let mut running = Running { child, address, folder: folder.to_owned(), ready_after: Duration::ZERO };
        while !is_ready(address).await {
            if let Some(status) = running.child.try_wait().context("look at debrief")? {
                bail!("debrief ended: {status}\n{}", tail(folder));
            }
            ensure!(start.elapsed() < READY_WITHIN, "debrief is not ready\n{}", tail(folder));
            tokio::time::sleep(LOOK_EVERY).await;
        }
        running.ready_after = start.elapsed();
        Ok(running)
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut connection) = Connection::open(address).await else { return false };
    connection.get("/ready").await.is_ok_and(|answer| answer.status == 200)
}

/// Returns the end of the log.
fn tail(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("bench.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// A process of `debrief run`, which is killed when this is dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    folder: PathBuf,
    /// The time from the start of the process to the first answer 200 of `/ready`.
    pub ready_after: Duration,
}

impl Running {
    pub fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("debrief has ended")
    }

    /// Returns the value of a line of `/proc/PID/status` that counts kB, in MB (10⁶ bytes).
    pub fn memory_mb(&self, line: &str) -> anyhow::Result<f64> {
        usage::memory_mb(self.id()?, line)
    }

    /// Returns the processor time that was used so far, in seconds.
    pub fn processor_s(&self) -> anyhow::Result<f64> {
        usage::processor_s(self.id()?)
    }

    /// Waits until so many calls have come as far as they can without a provider.
    pub async fn until_waiting(&self, calls: u64) -> anyhow::Result<()> {
        let (mut counted, mut since) = (0, Instant::now());
        loop {
            let now =
                webhook::calls(self.address, Some("waiting")).await.with_context(|| tail(&self.folder))?;
            if now == calls {
                return Ok(());
            }
            if now > counted {
                (counted, since) = (now, Instant::now());
            }
            ensure!(
                since.elapsed() < STALLED,
                "{now} of {calls} calls have come to wait\n{}",
                tail(&self.folder)
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Sends SIGTERM and waits until the process has ended.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().context("debrief has ended")?;
        let sent = Command::new("kill").arg(id.to_string()).status().await.context("stop debrief")?;
        ensure!(sent.success(), "SIGTERM cannot be sent to debrief");
        let ended = tokio::time::timeout(END_WITHIN, self.child.wait()).await;
        let status = ended.context("debrief does not stop")?.context("wait for debrief")?;
        ensure!(status.success(), "debrief ended: {status}\n{}", tail(&self.folder));
        Ok(())
    }
}
