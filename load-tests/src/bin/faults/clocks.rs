//! Clocks are set while processes read them, and a provider takes three quarters of an hour for a transcript.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::Utc;
use load_tests::harness::ledger::{Allowed, Verdict};
use simulators::{Options, assemblyai};

use crate::fault::Fault;
use crate::inputs::Call;
use crate::inspection::demand_one_attempt;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::world::{Plan, World};

const ENDS_WITHIN: Duration = Duration::from_mins(2);

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "clock-stepped",
        "The clock of every process is set an hour ahead, back, and an hour behind, under load",
        Kind::BOTH,
        |run| Box::pin(stepped(run, None)),
    ),
    Fault::long(
        "clock-of-one-stepped",
        "The clock of one process is set an hour ahead, back, and an hour behind, under load",
        Kind::SERVERS,
        |run| Box::pin(stepped(run, Some("analysis"))),
    ),
    Fault::long(
        "transcription-of-45-minutes",
        "The provider is asked ninety times, as in 45 minutes, and has one job; meanwhile no worker \
         holds a message",
        Kind::BOTH,
        |run| Box::pin(long_transcription(run)),
    ),
];

// ---------------------------------------------------------------- clocks

/// The places of the library: Debian's first, then that of other systems.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// A clock that can be set while processes read it. It leaves the monotonic clock alone, as a real clock does when
/// somebody sets it.
struct SteppedClock {
    /// The file from which processes read how far ahead the clock is.
    file: PathBuf,
    /// What makes a process use the clock.
    settings: Vec<(&'static str, String)>,
}

impl SteppedClock {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let library = FAKETIME.into_iter().find(|path| Path::new(path).exists());
        let library = library.context("libfaketime is not installed (Debian: apt-get install faketime)")?;
        let file = folder.join("clock");
        let settings = vec![
            ("LD_PRELOAD", library.to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        let clock = Self { file, settings };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets the clock ahead of the real one by so many seconds.
    fn set(&self, ahead: i64) -> anyhow::Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{ahead:+}\n")).context("set the clock")?;
        std::fs::rename(&new, &self.file).context("set the clock")
    }
}

/// Sets the clock of all processes, or only that of the role `only`.
async fn stepped(run: Run, only: Option<&str>) -> anyhow::Result<Verdict> {
    let clock = SteppedClock::new(&run.folder)?;
    let settings = if only.is_none() { clock.settings.clone() } else { Vec::new() };
    let mut world = World::start(&run, Plan { settings, ..Plan::default() }).await?;
    if let Some(role) = only {
        let name = world.process(role);
        let extra: Vec<(&str, &str)> =
            clock.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.terminate(&name).await?;
        world.start_process_with(&name, &extra).await?;
    }
    let senders = world.load(Load { per_second: 3.0, ..Load::default() });
    // The log of a process shows its time. That of ingest does not do, because it has no line for a request.
    let name = world.process(only.unwrap_or("dedup"));
    let mut not_stepped = Vec::new();
    for ahead in [3600, 0, -3600, 0] {
        clock.set(ahead)?;
        // Each time lasts longer than a lease.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let hour = (Utc::now() + chrono::Duration::seconds(ahead)).format("%Y-%m-%dT%H:").to_string();
        if !world.log(&name).contains(&hour) {
            not_stepped.push(hour);
        }
    }
    senders.stop().await?;
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    demand_one_attempt(&world, &mut verdict).await?;
    ensure!(not_stepped.is_empty(), "`{name}` has logged nothing at {not_stepped:?}: its clock was not set");
    world.finish().await?;
    Ok(verdict)
}

// ---------------------------------------------------------------- a long transcription

async fn long_transcription(run: Run) -> anyhow::Result<Verdict> {
    const LOOKS: u32 = 90;
    const POLL: Duration = Duration::from_millis(500);
    let plan = Plan {
        settings: vec![("ASSEMBLYAI_POLL", "500ms".to_owned())],
        simulators: Options { transcription_time: POLL * LOOKS, ..Options::default() },
        ..Plan::default()
    };
    let world = World::start(&run, plan).await?;
    let call = Call::phone(&mut run.dice(), &world.simulators);
    world.send_until_accepted(&call).await?;
    let looks = |world: &World| {
        let received = world.simulators.of(&assemblyai::PROVIDER).received();
        received.iter().filter(|one| one.method == "GET").count()
    };
    world
        .wait("the provider to be asked", Duration::from_secs(20), async |world| {
            (looks(world) > 2).then_some(())
        })
        .await?;
    let mut held = 0;
    let until = Instant::now() + POLL * (LOOKS - 20);
    let mut samples = 0;
    while run.kind == Kind::Servers && Instant::now() < until {
        held += held_messages(&world).await?;
        samples += 1;
    }
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    demand_one_attempt(&world, &mut verdict).await?;
    let looks = looks(&world);
    verdict.demand(looks >= 45, format!("the provider was asked {looks} times"));
    // The worker asks for some milliseconds in every half second, so that now and then it is seen to hold a message.
    verdict.demand(held <= samples / 4, format!("a worker held a message {held} times out of {samples}"));
    world.finish().await?;
    Ok(verdict)
}

/// Returns 1 when a worker holds a message, and 0 otherwise.
async fn held_messages(world: &World) -> anyhow::Result<u32> {
    let listed =
        world.servers().rabbitmqctl(&["list_queues", "--quiet", "name", "messages_unacknowledged"]).await?;
    let prefix = world.prefix()?;
    let ours: Vec<&str> = listed.lines().filter(|line| line.starts_with(prefix)).collect();
    ensure!(!ours.is_empty(), "RabbitMQ lists no queue of `{prefix}`");
    Ok(u32::from(ours.iter().any(|line| !line.ends_with("\t0"))))
}
