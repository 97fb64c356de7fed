//! A deployment whose parts can be broken one by one, with the providers it talks to.

mod rest;

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
use simulators::{Options, Simulators};
use tokio::process::Command;

use crate::inputs::Call;
use crate::process::Process;
use crate::run::{Kind, Run};
use crate::senders::{Load, Sender, Senders};
use crate::servers::OwnServers;

pub(crate) const ROLES: [&str; 7] = ["ingest", "api", "dedup", "transcription", "analysis", "crm", "slack"];
/// The one process that does everything.
const ALL: &str = "all";

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const COMMAND_WITHIN: Duration = Duration::from_mins(2);

/// How a world differs from the usual one.
#[derive(Default)]
pub(crate) struct Plan {
    /// Processes of a role, where that is not one. Embedded there is one process, whatever this says.
    pub(crate) processes: Vec<(&'static str, usize)>,
    /// Beside or instead of the usual settings, for every process and command.
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) simulators: Options,
}

/// Processes have names: embedded `all`; on servers the role's name, and `dedup-2`, `dedup-3` … for further
/// processes of a role. A dropped world kills its processes; [`World::finish`] also removes its database and
/// its queues.
pub(crate) struct World {
    pub(crate) run: Run,
    pub(crate) simulators: Arc<Simulators>,
    pub(crate) ledger: Arc<Ledger>,
    /// In the order in which they are started.
    processes: Vec<Process>,
    settings: BTreeMap<&'static str, String>,
    place: Option<(Servers, Place)>,
    sender: Sender,
    dice: Mutex<StdRng>,
}

impl World {
    /// Starts simulators and processes, and waits until all are ready. The retry schedule is
    /// `200ms,500ms,1s`, the lease three seconds, and Slack is reached by bot token, so that it can be asked
    /// what was posted.
    pub(crate) async fn start(run: &Run, plan: Plan) -> anyhow::Result<Self> {
        let simulators = Arc::new(Simulators::start(&plan.simulators).await?);
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
            processes.iter().filter(|one| is_of(&one.name, "ingest")).map(|one| one.address).collect();
        let door = doors.first().context("nobody listens")?;
        let mut settings = settings(&simulators);
        let data = run.folder.join("data");
        settings.insert("DEBRIEF_DATA_DIR", data.to_str().context("a folder without a name")?.to_owned());
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
            let (code, said) = world.command(&["migrate"]).await?;
            ensure!(code == Some(0), "debrief migrate: {code:?}\n{said}");
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

    /// The names of all processes, those that do not run too.
    pub(crate) fn names(&self) -> Vec<String> {
        self.processes.iter().map(|process| process.name.clone()).collect()
    }

    /// The process of this role, the first where there are several; embedded the one that does everything.
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

    /// With more in its environment, this one time (`FAILPOINTS`, `LD_PRELOAD` …).
    pub(crate) async fn start_process_with(
        &mut self,
        name: &str,
        extra: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        self.launch_process(name, extra)?;
        self.find_mut(name)?.until_ready().await
    }

    /// Does not wait until it is ready: for a process that will not be.
    pub(crate) fn launch_process(&mut self, name: &str, extra: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut command = self.debrief();
        command.envs(extra.iter().copied());
        self.find_mut(name)?.launch(command)
    }

    /// `kill -9`, and waits until it is gone. One that is gone already is an error.
    pub(crate) async fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.find_mut(name)?.kill().await
    }

    /// SIGTERM, and waits for its own end.
    pub(crate) async fn terminate(&mut self, name: &str) -> anyhow::Result<ExitStatus> {
        self.find_mut(name)?.terminate().await
    }

    /// SIGTERM and a new one. Fails unless it ended with 0.
    pub(crate) async fn restart(&mut self, name: &str) -> anyhow::Result<()> {
        let status = self.terminate(name).await?;
        ensure!(status.success(), "{name} was asked to stop and ended: {status}");
        self.start_process(name).await
    }

    /// SIGSTOP.
    pub(crate) async fn freeze(&mut self, name: &str) -> anyhow::Result<()> {
        self.find(name)?.signal("STOP").await
    }

    /// SIGCONT.
    pub(crate) async fn thaw(&mut self, name: &str) -> anyhow::Result<()> {
        self.find(name)?.signal("CONT").await
    }

    /// Waits until a process is ready, or (`false`) says that it is not.
    pub(crate) async fn until_ready(&self, name: &str, ready: bool) -> anyhow::Result<()> {
        let process = self.find(name)?;
        let (status, what) =
            if ready { (200, format!("{name} to be ready")) } else { (503, format!("{name} to be unready")) };
        self.wait(&what, Duration::from_mins(1), async |_| {
            (process.ready().await == Some(status)).then_some(())
        })
        .await
    }

    /// What a process has logged since the world began, over all its starts.
    pub(crate) fn log(&self, name: &str) -> String {
        self.find(name).map(|process| process.tail(usize::MAX)).unwrap_or_default()
    }

    /// Runs a command beside the deployment, with its settings: the exit code, and what it said.
    pub(crate) async fn command(&self, args: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
        self.command_within(COMMAND_WITHIN, args).await
    }

    /// The same where there is much to do.
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
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// The program with the settings of this world and nothing else in its environment.
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

    // ------------------------------------------------------------ what comes in

    /// Where each ingest process listens.
    pub(crate) fn doors(&self) -> Vec<SocketAddr> {
        self.sender.doors.to_vec()
    }

    /// Sends one call, once, to the first ingest process; the status, `None` where there was no answer. The
    /// ledger knows.
    pub(crate) async fn send(&self, call: &Call) -> Option<u16> {
        self.sender.send(call, 0).await
    }

    /// Calls at a steady rate until they are stopped.
    pub(crate) fn load(&self, load: Load) -> Senders {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        Senders::start(&self.sender, &self.simulators, load, &mut dice)
    }

    // ------------------------------------------------------------ looking

    fn api(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.find(&self.process("api"))?.address)
    }

    /// What the API says at `path`. Fails unless it answers 200.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let asked = async {
            let mut connection = Connection::open(self.api()?).await.context("connect to the API")?;
            connection.get(path).await
        };
        let answer = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        let answer = answer.with_context(|| format!("{path} is not answered"))??;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "{path} answered {}: {said}", answer.status);
        serde_json::from_str(&said).with_context(|| format!("read {path}"))
    }

    /// Waits until `look` finds something; fails after `within`, saying what it waited for.
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

    /// Waits until the log of this process holds `text`.
    pub(crate) async fn until_logged(&self, name: &str, text: &str, within: Duration) -> anyhow::Result<()> {
        let process = self.find(name)?;
        self.wait(&format!("{name} to log `{text}`"), within, async |_| {
            process.tail(usize::MAX).contains(text).then_some(())
        })
        .await
    }

    /// Where the servers are that this world uses.
    pub(crate) fn addresses(&self) -> anyhow::Result<&Servers> {
        Ok(&self.place.as_ref().context("it has no servers")?.0)
    }

    /// The prefix of Debrief's queues.
    pub(crate) fn prefix(&self) -> anyhow::Result<&str> {
        Ok(&self.place.as_ref().context("it has no RabbitMQ")?.1.prefix)
    }

    // ------------------------------------------------------------ the end

    /// Kills the processes and removes the database and the queues.
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

/// The processes of a world, none of them started.
fn members(run: &Run, plan: &Plan) -> anyhow::Result<Vec<Process>> {
    let member = |name: String, args: Vec<String>| {
        let log = run.folder.join(format!("{name}.log"));
        Process::new(name, args, log)
    };
    if run.kind == Kind::Embedded {
        return Ok(vec![member(ALL.to_owned(), vec!["run".to_owned()])?]);
    }
    let mut members = Vec::new();
    for role in ROLES {
        let count = plan.processes.iter().find(|(of, _)| *of == role).map_or(1, |(_, count)| *count);
        for number in 1..=count {
            let name = if number == 1 { role.to_owned() } else { format!("{role}-{number}") };
            members.push(member(name, ["run", "--role", role].map(str::to_owned).to_vec())?);
        }
    }
    Ok(members)
}

/// Whether a process of that name runs `role`.
fn is_of(name: &str, role: &str) -> bool {
    name == ALL || name == role || name.strip_prefix(role).is_some_and(|rest| rest.starts_with('-'))
}

fn settings(simulators: &Simulators) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("DEBRIEF_RETRY_SCHEDULE", "200ms,500ms,1s".to_owned()),
        ("DEBRIEF_LEASE", "3s".to_owned()),
        ("DEBRIEF_ALLOW_PRIVATE_FETCH", simulators.recordings.address.to_string()),
        ("ASSEMBLYAI_API_KEY", "key".to_owned()),
        ("ASSEMBLYAI_BASE_URL", simulators.assemblyai.url("")),
        ("ASSEMBLYAI_POLL", "200ms".to_owned()),
        ("OPENAI_API_KEY", "key".to_owned()),
        ("OPENAI_BASE_URL", simulators.openai.url("/v1")),
        ("SLACK_BOT_TOKEN", "xoxb-faults".to_owned()),
        ("SLACK_CHANNEL", "C0FAULTS".to_owned()),
        ("SLACK_BASE_URL", simulators.slack.url("/api")),
        ("SLACK_RATE", "50/s".to_owned()),
        ("SUPPORT_NUMBER", "+12025550100".to_owned()),
        ("SALESFORCE_LOGIN_URL", simulators.salesforce.url("")),
        ("SALESFORCE_CONSUMER_KEY", "key".to_owned()),
        ("SALESFORCE_CONSUMER_SECRET", "secret".to_owned()),
        ("CRM_AUTO_UPLOAD", "true".to_owned()),
        ("CRM_UPLOAD_URL", simulators.call_data.url("/apis/api/public/call-data")),
        ("CRM_CAMPAIGN_ID", "campaign".to_owned()),
        ("CRM_VOICE_AGENT_ID", "agent".to_owned()),
        ("CRM_CLIENT_ID", "client".to_owned()),
        ("CRM_DEFAULT_CALLER_PHONE", "+12025550100".to_owned()),
    ])
}
