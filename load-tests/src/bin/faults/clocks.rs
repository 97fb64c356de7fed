//! Another time: clocks that are stepped, and a provider that takes three quarters of an hour.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::Utc;
use futures::FutureExt as _;
use load_tests::harness::ledger::{Allowed, Verdict};
use simulators::Options;

use crate::catalog::{Fault, Pace};
use crate::failpoints::accepted;
use crate::inputs::Call;
use crate::processes::nothing_spent;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::world::{Plan, World};

const ENDS_WITHIN: Duration = Duration::from_mins(2);

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "clock-stepped",
        about: "The clock of every process is stepped an hour ahead, back, and an hour behind, under load",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| stepped(run, None).boxed_local(),
    },
    Fault {
        name: "clock-of-one-stepped",
        about: "The clock of one process is stepped an hour ahead, back, and an hour behind, under load",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| stepped(run, Some("analysis")).boxed_local(),
    },
    Fault {
        name: "transcription-of-45-minutes",
        about: "The provider is asked ninety times, as in 45 minutes, and has been given one job; nobody holds a message",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| long_transcription(run).boxed_local(),
    },
];

// ---------------------------------------------------------------- clocks

/// Where Debian puts it; elsewhere under /usr/lib64.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// A clock that can be stepped while processes read it. Like a real one that somebody sets, it leaves the
/// monotonic clock alone.
struct SteppedClock {
    file: PathBuf,
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

    /// Ahead of the real one by so many seconds.
    fn set(&self, ahead: i64) -> anyhow::Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{ahead:+}\n")).context("set the clock")?;
        std::fs::rename(&new, &self.file).context("set the clock")
    }
}

/// All clocks, or the one of `only`.
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
    // Whose log says what time it is: ingest has no line for a request.
    let name = world.process(only.unwrap_or("dedup"));
    let mut not_stepped = Vec::new();
    for ahead in [3600, 0, -3600, 0] {
        clock.set(ahead)?;
        // Longer than a lease.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let hour = (Utc::now() + chrono::Duration::seconds(ahead)).format("%Y-%m-%dT%H:").to_string();
        if !world.log(&name).contains(&hour) {
            not_stepped.push(hour);
        }
    }
    senders.stop().await?;
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    nothing_spent(&world, &mut verdict).await?;
    ensure!(
        not_stepped.is_empty(),
        "`{name}` has logged nothing at {not_stepped:?}: its clock was not stepped"
    );
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
    accepted(&world, &call).await?;
    let looks = |world: &World| {
        let received = world.simulators.assemblyai.received();
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
        held += unacknowledged(&world).await?;
        samples += 1;
    }
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    nothing_spent(&world, &mut verdict).await?;
    let looks = looks(&world);
    verdict.demand(looks >= 45, format!("the provider was asked {looks} times"));
    // A look takes some milliseconds of every half second; one that is just under way may be seen.
    verdict.demand(
        held <= samples / 4,
        format!("of {samples} looks at the queues {held} found a message in hand"),
    );
    world.finish().await?;
    Ok(verdict)
}

/// Whether some worker holds a message.
async fn unacknowledged(world: &World) -> anyhow::Result<u32> {
    let listed =
        world.servers().rabbitmqctl(&["list_queues", "--quiet", "name", "messages_unacknowledged"]).await?;
    let prefix = world.prefix()?;
    let ours: Vec<&str> = listed.lines().filter(|line| line.starts_with(prefix)).collect();
    ensure!(!ours.is_empty(), "no queue of `{prefix}` is listed");
    Ok(u32::from(ours.iter().any(|line| !line.ends_with("\t0"))))
}
