//! A deployment whose parts can be broken one by one, with the simulated providers that it talks to.

mod outcome;
mod plan;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use load_tests::harness::amqp::{Broker, Topology};
use load_tests::harness::http::Connection;
use load_tests::harness::ledger::Ledger;
use load_tests::harness::servers::{Place, Servers};
use rand::rngs::StdRng;
use serde_json::Value;
use simulators::Simulators;
use tokio::process::Command;

use crate::inputs::Call;
use crate::process::Process;
use crate::run::{Kind, Run};
use crate::senders::{Load, Sender, Senders};
use crate::servers::OwnServers;
use plan::{ALL, members, runs_role, settings};
pub(crate) use plan::{Plan, SlackAccess};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const ACCEPTED_WITHIN: Duration = Duration::from_secs(20);
const COMMAND_WITHIN: Duration = Duration::from_mins(2);

/// A deployment. The process of an embedded world is called `all`. On servers a process is called after its role, and
/// further processes of a role are called `dedup-2`, `dedup-3`, and so on. A dropped world kills its processes.
/// [`World::finish`] also removes its database and its queues.
pub(crate) struct World {
    pub(crate) run: Run,
    pub(crate) simulators: Arc<Simulators>,
    pub(crate) ledger: Arc<Ledger>,
    /// The processes in the order in which they are started.
    processes: Vec<Process>,
    settings: BTreeMap<&'static str, String>,
    place: Option<(Servers, Place)>,
    sender: Sender,
    dice: Mutex<StdRng>,
}

impl World {
    /// Starts the simulators and the processes, and waits until all of them are ready. The retry schedule is
    /// `200ms,500ms,1s`, and a lease lasts three seconds.
    pub(crate) async fn start(run: &Run, plan: Plan) -> anyhow::Result<Self> {
        let simulators = Arc::new(Simulators::start(&plan.simulators).await?);
        Self::start_beside(run, plan, simulators).await
    }

    /// Does the same as [`Self::start`] with simulators that run already.
    pub(crate) async fn start_beside(
        run: &Run,
        plan: Plan,
        simulators: Arc<Simulators>,
    ) -> anyhow::Result<Self> {
        let place = match run.kind {
            Kind::Embedded => None,
            Kind::Servers => {
                let servers = run.servers.start().await?;
                let place = Place::make(&servers).await?;
                Some((servers, place))
            }
        };
        let processes = members(run, &plan)?;
        let doors: Vec<SocketAddr> =
            processes.iter().filter(|one| runs_role(&one.name, "ingest")).map(|one| one.address).collect();
        let door = doors.first().context("find a process of the role ingest")?;
        let mut settings = settings(&simulators, plan.slack);
        let data = run.folder.join("data");
        settings.insert(
            "DEBRIEF_DATA_DIR",
            data.to_str().context("read the name of the data folder")?.to_owned(),
        );
        settings.insert("DEBRIEF_PUBLIC_URL", format!("http://{door}"));
        if let Some((_, place)) = &place {
            settings.extend(place.settings()?);
        }
        settings.extend(plan.settings);
        let ledger = Arc::new(Ledger::default());
        let sender = Sender::new(&doors, &ledger)?;
        let dice = Mutex::new(run.dice());
        let mut world =
            Self { run: run.clone(), simulators, ledger, processes, settings, place, sender, dice };
        if world.place.is_some() {
            let (code, output) = world.command(&["migrate"]).await?;
            ensure!(code == Some(0), "debrief migrate: {code:?}\n{output}");
        }
        for name in world.names() {
            world.launch_process(&name, &[])?;
        }
        for process in &mut world.processes {
            process.until_ready().await?;
        }
        Ok(world)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.run.kind
    }

    pub(crate) fn servers(&self) -> &OwnServers {
        &self.run.servers
    }

    // ------------------------------------------------------------ processes

    /// Returns the names of all processes, those that do not run included.
    pub(crate) fn names(&self) -> Vec<String> {
        self.processes.iter().map(|process| process.name.clone()).collect()
    }

    /// Returns the name of the first process of this role. In an embedded world this is the process that does everything.
    pub(crate) fn process(&self, role: &str) -> String {
        match self.kind() {
            Kind::Embedded => ALL.to_owned(),
            Kind::Servers => role.to_owned(),
        }
    }

    pub(crate) fn is_running(&mut self, name: &str) -> bool {
        self.processes.iter_mut().any(|process| process.name == name && process.is_running())
    }

    /// Starts a process and waits until it is ready.
    pub(crate) async fn start_process(&mut self, name: &str) -> anyhow::Result<()> {
        self.start_process_with(name, &[]).await
    }

    /// Starts a process with more variables in its environment (`FAILPOINTS`, `LD_PRELOAD` …), only this time.
    pub(crate) async fn start_process_with(
        &mut self,
        name: &str,
        extra: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        self.launch_process(name, extra)?;
        self.find_mut(name)?.until_ready().await
    }

    /// Starts a process without waiting until it is ready, which it may never be.
    pub(crate) fn launch_process(&mut self, name: &str, extra: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut command = self.debrief();
        command.envs(extra.iter().copied());
        self.find_mut(name)?.launch(command)
    }

    /// Kills a process with `kill -9` and waits until it is gone. Fails when it is gone already.
    pub(crate) async fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.find_mut(name)?.kill().await
    }

    /// Sends SIGTERM and waits until the process has ended.
    pub(crate) async fn terminate(&mut self, name: &str) -> anyhow::Result<ExitStatus> {
        self.find_mut(name)?.terminate().await
    }

    /// Ends a process with SIGTERM and starts it again. Fails unless it ended with 0.
    pub(crate) async fn restart(&mut self, name: &str) -> anyhow::Result<()> {
        let status = self.terminate(name).await?;
        ensure!(status.success(), "{name} was asked to stop and ended: {status}");
        self.start_process(name).await
    }

    /// Stops a process with SIGSTOP.
    pub(crate) async fn freeze(&mut self, name: &str) -> anyhow::Result<()> {
        self.find(name)?.signal("STOP").await
    }

    /// Continues a process with SIGCONT.
    pub(crate) async fn thaw(&mut self, name: &str) -> anyhow::Result<()> {
        self.find(name)?.signal("CONT").await
    }

    /// Waits until a process is ready, or until it says that it is not when `ready` is false.
    pub(crate) async fn until_ready(&self, name: &str, ready: bool) -> anyhow::Result<()> {
        let process = self.find(name)?;
        let (status, what) = if ready {
            (200, format!("{name} to be ready"))
        } else {
            (503, format!("{name} not to be ready"))
        };
        self.wait(&what, Duration::from_mins(1), async |_| {
            (process.ready().await == Some(status)).then_some(())
        })
        .await
    }

    /// Returns what a process has logged since the world began, over all its starts.
    pub(crate) fn log(&self, name: &str) -> String {
        self.find(name).map(|process| process.tail(usize::MAX)).unwrap_or_default()
    }

    /// Runs a command beside the deployment and with its settings. Returns the exit code and what the command printed.
    pub(crate) async fn command(&self, args: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
        self.command_within(COMMAND_WITHIN, args).await
    }

    /// Does the same as [`Self::command`] within another time.
    pub(crate) async fn command_within(
        &self,
        within: Duration,
        args: &[&str],
    ) -> anyhow::Result<(Option<i32>, String)> {
        let mut command = self.debrief();
        let ended = command.args(args).env("PORT", "0").stdin(Stdio::null()).output();
        let ended = tokio::time::timeout(within, ended).await;
        let ended = ended.with_context(|| format!("`debrief {}` does not end", args.join(" ")))?;
        let output = ended.context("start debrief")?;
        let printed = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&printed).into_owned()))
    }

    /// Returns the program, whose environment has the settings of this world and nothing else.
    fn debrief(&self) -> Command {
        let mut command = Command::new(&self.run.program);
        command.current_dir(&self.run.folder).env_clear().envs(&self.settings).kill_on_drop(true);
        command
    }

    pub(crate) fn find(&self, name: &str) -> anyhow::Result<&Process> {
        let found = self.processes.iter().find(|process| process.name == name);
        found.with_context(|| format!("there is no process `{name}`"))
    }

    fn find_mut(&mut self, name: &str) -> anyhow::Result<&mut Process> {
        let found = self.processes.iter_mut().find(|process| process.name == name);
        found.with_context(|| format!("there is no process `{name}`"))
    }

    // ------------------------------------------------------------ calls

    /// Returns the addresses of the ingest processes.
    pub(crate) fn doors(&self) -> Vec<SocketAddr> {
        self.sender.doors.to_vec()
    }

    /// Sends one call once to the first ingest process, and notes it in the ledger. Returns the status, or `None` when there
    /// was no answer.
    pub(crate) async fn send(&self, call: &Call) -> Option<u16> {
        self.sender.send(call, 0).await
    }

    /// Sends one call again and again until it is accepted, as a provider does.
    pub(crate) async fn send_until_accepted(&self, call: &Call) -> anyhow::Result<()> {
        let deadline = Instant::now() + ACCEPTED_WITHIN;
        loop {
            let status = self.send(call).await;
            if status.is_some_and(|status| (200..300).contains(&status)) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "call {} is not accepted: {status:?}", call.id);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Starts senders that send calls at a steady rate until they are stopped.
    pub(crate) fn load(&self, load: Load) -> Senders {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        Senders::start(&self.sender, &self.simulators, load, &mut dice)
    }

    // ------------------------------------------------------------ inspection

    fn api(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.find(&self.process("api"))?.address)
    }

    /// Returns what the API answers to a request for `path`. Fails unless the status is 200.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let asked = async {
            let mut connection = Connection::open(self.api()?).await.context("connect to the API")?;
            connection.get(path).await
        };
        let answer = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        let answer = answer.with_context(|| format!("{path} is not answered"))??;
        let body = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "{path} answered {}: {body}", answer.status);
        serde_json::from_str(&body).with_context(|| format!("read {path}"))
    }

    /// Returns the bytes that the API answers to a request for `path`. Fails unless the status is 200.
    pub(crate) async fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let mut connection = Connection::open(self.api()?).await.context("connect to the API")?;
        let answer = connection.get(path).await?;
        ensure!(answer.status == 200, "{path} answered {}", answer.status);
        Ok(answer.body.to_vec())
    }

    /// Waits until `look` finds something. After the time `within` it fails and says what it waited for.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        within: Duration,
        mut look: impl AsyncFnMut(&Self) -> Option<T>,
    ) -> anyhow::Result<T> {
        let asked = Instant::now();
        loop {
            if let Some(found) = look(self).await {
                return Ok(found);
            }
            ensure!(asked.elapsed() < within, "waited {within:?} for {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the log of this process contains `text`.
    pub(crate) async fn until_logged(&self, name: &str, text: &str, within: Duration) -> anyhow::Result<()> {
        let process = self.find(name)?;
        self.wait(&format!("{name} to log `{text}`"), within, async |_| {
            process.tail(usize::MAX).contains(text).then_some(())
        })
        .await
    }

    /// Returns the addresses of the servers that this world uses.
    pub(crate) fn addresses(&self) -> anyhow::Result<&Servers> {
        Ok(&self.place.as_ref().context("find the servers of an embedded world")?.0)
    }

    /// Returns the prefix of Debrief's queues.
    pub(crate) fn prefix(&self) -> anyhow::Result<&str> {
        Ok(&self.place.as_ref().context("find the queues of an embedded world")?.1.prefix)
    }

    // ------------------------------------------------------------ the end

    /// Kills the processes, and removes the database and the queues.
    pub(crate) async fn finish(mut self) -> anyhow::Result<()> {
        let Some((servers, place)) = self.place.take() else { return Ok(()) };
        let (code, exported) = self.command(&["topology", "export"]).await?;
        if code != Some(0) {
            bail!("debrief topology export: {code:?}\n{exported}");
        }
        let topology = Topology::read(exported.as_bytes(), &place.prefix)?;
        for process in &mut self.processes {
            if process.is_running() {
                process.kill().await?;
            }
        }
        Broker::connect(&servers.amqp, topology).await?.remove().await?;
        place.remove().await
    }
}
