//! Runs processes that end when the test ends.

use std::collections::{BTreeSet, HashMap};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use simulators::{Options, Simulators};
use tokio::process::{Child, Command};

/// A running program. It is killed when this value is dropped.
pub(crate) struct Process {
    child: Child,
    name: String,
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Kills the process as `kill -9` does, and waits until the process is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap_or_else(|error| panic!("kill {}: {error}", self.name));
    }

    /// Sends SIGTERM, and waits until the process has ended by itself.
    pub(crate) async fn stop(self) -> std::process::ExitStatus {
        self.signal("TERM").await
    }

    /// Sends a signal, and waits until the process has ended by itself.
    pub(crate) async fn signal(mut self, name: &str) -> std::process::ExitStatus {
        let pid = self.child.id().expect("it runs");
        let killed = Command::new("kill").args(["-s", name, &pid.to_string()]).status().await.unwrap();
        assert!(killed.success());
        self.child.wait().await.unwrap()
    }
}

/// Starts the binary under test. It logs to a file beside its data.
pub(crate) fn debrief(args: &[&str], settings: &HashMap<String, String>, log: &Path) -> Process {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_debrief"))
        .args(args)
        .env_clear()
        .envs(settings)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    Process { child, name: args.join(" ") }
}

/// Runs the binary under test to its end. Returns its exit code and its output.
pub(crate) async fn command(args: &[&str], settings: &HashMap<String, String>) -> (Option<i32>, String) {
    command_within(Duration::from_secs(30), args, settings).await
}

/// As [`command`], for a command that takes longer.
pub(crate) async fn command_within(
    patience: Duration,
    args: &[&str],
    settings: &HashMap<String, String>,
) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_debrief"));
    command.args(args).env_clear().envs(settings).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(patience, command.output()).await;
    let output = ended.unwrap_or_else(|_| panic!("`debrief {}` does not end", args.join(" "))).unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Starts the simulators in the process of the test, and returns their addresses by name.
pub(crate) async fn simulators() -> (Simulators, HashMap<String, String>) {
    let options = Options { transcription_time: Duration::from_millis(400), ..Options::default() };
    let simulators = Simulators::start(&options).await.unwrap();
    let addresses = simulators.iter().map(|one| (one.provider.name.to_owned(), one.url(""))).collect();
    (simulators, addresses)
}

/// Finds a port that was free a moment ago, and never returns the same port twice. It is outside the range that the
/// system gives to connections, because the system could give it away before the process listens.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap();
    loop {
        let port = rand::random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && given.insert(port) {
            return port;
        }
    }
}
