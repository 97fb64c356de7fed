//! PostgreSQL and SQLite: down, killed, busy, or full.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use load_tests::harness::ledger::{Allowed, Verdict};
use rand::RngExt as _;
use rand::rngs::StdRng;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::catalog::{Fault, Pace};
use crate::inputs::Call;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::servers::Server;
use crate::shown;
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "postgresql-down",
        about: "PostgreSQL goes away for seconds under load and comes back",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| Box::pin(postgresql_down(run, Lease::Kept)),
    },
    Fault {
        name: "postgresql-down-past-the-lease",
        about: "PostgreSQL is away for longer than any process may keep what it has in hand",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| Box::pin(postgresql_down(run, Lease::Lost)),
    },
    Fault {
        name: "postgresql-killed",
        about: "PostgreSQL is killed again and again in the middle of its commits and recovers each time",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| Box::pin(postgresql_killed(run)),
    },
    Fault {
        name: "sqlite-busy",
        about: "Another program holds the write lock of the store for seconds, then that of the queue",
        kinds: &[Kind::Embedded],
        pace: Pace::Long,
        play: |run| Box::pin(sqlite_busy(run, Lease::Kept)),
    },
    Fault {
        name: "sqlite-busy-past-the-lease",
        about: "Another program holds the write lock for longer than the process may keep what it has in hand",
        kinds: &[Kind::Embedded],
        pace: Pace::Long,
        play: |run| Box::pin(sqlite_busy(run, Lease::Lost)),
    },
    Fault {
        name: "disk-full",
        about: "The disk of the data folder is full for seconds under load",
        kinds: &[Kind::Embedded],
        pace: Pace::Long,
        play: |run| Box::pin(disk_full(run)),
    },
];

const SETTLED_WITHIN: Duration = Duration::from_mins(4);
/// So often PostgreSQL is killed.
const KILLS: usize = 4;
/// What ingest takes at most, whatever is away: a sender gives up after three seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
const DISK: &str = "64m";

/// What becomes of what a process has in hand while its database is away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lease {
    /// It goes on with it. No attempt is spent.
    Kept,
    /// It gives it up. Of a request that was under way nobody knows what became of it.
    Lost,
}

impl Lease {
    fn setting(self) -> (&'static str, String) {
        ("DEBRIEF_LEASE", if self == Self::Kept { "1m" } else { "3s" }.to_owned())
    }

    fn allowed(self) -> Allowed {
        match self {
            Self::Kept => Allowed::nothing(),
            Self::Lost => Allowed::nothing().unknown().resubmitted(1),
        }
    }

    /// What the promises are beside those of the ledger.
    async fn check(self, world: &World, verdict: &mut Verdict) -> anyhow::Result<()> {
        if self == Self::Kept {
            shown::no_attempt_spent(world, verdict).await?;
        }
        Ok(())
    }
}

fn some(dice: &mut StdRng, from_ms: u64, to_ms: u64) -> Duration {
    Duration::from_millis(dice.random_range(from_ms..to_ms))
}

async fn postgresql_down(run: Run, lease: Lease) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, Plan { settings: vec![lease.setting()], ..Plan::default() }).await?;
    let load = world.load(Load::default());
    sleep(some(&mut dice, 1000, 3000)).await;
    world.servers().kill(Server::Postgresql).await?;
    let back = Instant::now() + some(&mut dice, 4000, 9000);
    let mut wrong = Vec::new();
    while Instant::now() < back {
        let call = Call::phone(&mut dice, &world.simulators);
        let status = world.send(&call).await;
        if status != Some(200) {
            wrong.push(format!("{} was answered {status:?}", call.id));
        }
        sleep(Duration::from_millis(200)).await;
    }
    world.servers().start().await?;
    sleep(Duration::from_secs(2)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &lease.allowed()).await?;
    // The queue takes what comes in: ingest asks no database for it.
    verdict.broken.extend(wrong);
    lease.check(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

async fn postgresql_killed(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, Plan { settings: vec![Lease::Kept.setting()], ..Plan::default() }).await?;
    let load = world.load(Load { per_second: 4.0, ..Load::default() });
    for _ in 0..KILLS {
        sleep(some(&mut dice, 500, 2500)).await;
        world.servers().kill(Server::Postgresql).await?;
        world.servers().start().await?;
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    shown::no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

/// Longer than Debrief waits for the lock.
async fn sqlite_busy(run: Run, lease: Lease) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let folder = run.folder.join("data");
    let plan = Plan { settings: vec![data_in(&folder)?, lease.setting()], ..Plan::default() };
    let world = World::start(&run, plan).await?;
    let load = world.load(Load::default());
    for file in ["debrief.db", "queue.db"] {
        sleep(some(&mut dice, 500, 1500)).await;
        hold(&folder.join(file), some(&mut dice, 6000, 8000)).await?;
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &lease.allowed()).await?;
    lease.check(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

/// As another program does that looks into a SQLite file.
async fn open(file: &Path) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(30));
    options.connect().await.with_context(|| format!("open {}", file.display()))
}

/// Moves its write-ahead log into the file, and cuts it to nothing.
async fn give_back(file: &Path) -> anyhow::Result<()> {
    let mut other = open(file).await?;
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut other).await.context("cut the log")?;
    Ok(())
}

/// Takes the write lock of a SQLite file, and keeps it for as long.
async fn hold(file: &Path, long: Duration) -> anyhow::Result<()> {
    let mut other = open(file).await?;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.context("take the lock")?;
    sleep(long).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.context("let go of the lock")?;
    Ok(())
}

async fn disk_full(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let disk = Disk::mount(&run.folder.join("disk")).await?;
    let folder = disk.path.join("data");
    let plan = Plan { settings: vec![data_in(&folder)?, Lease::Kept.setting()], ..Plan::default() };
    let world = World::start(&run, plan).await?;
    let load = world.load(Load { per_second: 5.0, ..Load::default() });
    sleep(some(&mut dice, 1000, 3000)).await;
    let full_until = Instant::now() + some(&mut dice, 5000, 8000);
    let mut wrong = Vec::new();
    let (mut number, mut kept, mut turned_away, mut told) = (0_u64, 0_u64, 0_u64, false);
    // What the logs have kept of the disk could still be written to.
    for file in ["debrief.db", "queue.db"] {
        give_back(&folder.join(file)).await?;
    }
    let mut filler = disk.fill().await?;
    while Instant::now() < full_until {
        // What others free is taken at once.
        filler.more().await?;
        let call = match number % 2 {
            0 => Call::meeting(&mut dice),
            _ => Call::phone(&mut dice, &world.simulators),
        };
        let asked = Instant::now();
        number += 1;
        match world.send(&call).await {
            Some(200..300) => kept += 1,
            Some(503) => turned_away += 1,
            other => wrong.push(format!("{} was answered {other:?}", call.id)),
        }
        if asked.elapsed() > ANSWERED_WITHIN {
            wrong.push(format!("{} was answered after {:?}", call.id, asked.elapsed()));
        }
        told |= world.get("/health").await.is_ok_and(|health| health["status"] == "degraded");
        sleep(Duration::from_millis(200)).await;
    }
    filler.remove()?;
    world
        .wait("the process to be well again", Duration::from_secs(30), async |world| {
            world.get("/health").await.ok().filter(|health| health["status"] == "healthy")
        })
        .await?;
    sleep(Duration::from_secs(2)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.broken.extend(wrong);
    verdict.demand(told, "nothing said that the disk is full");
    verdict.demand(turned_away > 0, format!("the disk was full, and all of {kept} calls were accepted"));
    shown::no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    drop(disk);
    Ok(verdict)
}

fn data_in(folder: &Path) -> anyhow::Result<(&'static str, String)> {
    std::fs::create_dir_all(folder).context("make a data folder")?;
    Ok(("DEBRIEF_DATA_DIR", folder.to_str().context("a data folder without a name")?.to_owned()))
}

/// A small file system of its own in memory; unmounted when it is dropped.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Only root may.
    async fn mount(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).context("make a place for a disk")?;
        let mounted = tokio::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={DISK}"), "tmpfs"])
            .arg(path)
            .output()
            .await
            .context("run mount")?;
        ensure!(mounted.status.success(), "cannot mount: {}", String::from_utf8_lossy(&mounted.stderr));
        Ok(Self { path: path.to_owned() })
    }

    /// Leaves no byte free.
    async fn fill(&self) -> anyhow::Result<Filler> {
        let path = self.path.join("filler");
        let file = tokio::fs::File::create(&path).await.context("make a file to fill the disk")?;
        let mut filler = Filler { path, file };
        filler.more().await?;
        Ok(filler)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let done = std::process::Command::new("umount").arg("--lazy").arg(&self.path).status();
        if !done.is_ok_and(|status| status.success()) {
            tracing::warn!(path = %self.path.display(), "a disk is left mounted");
        }
    }
}

/// The file that takes all the room.
struct Filler {
    path: PathBuf,
    file: tokio::fs::File,
}

impl Filler {
    async fn more(&mut self) -> anyhow::Result<()> {
        for block in [64 * 1024, 4096, 1] {
            let zeros = vec![0; block];
            loop {
                let written = async {
                    self.file.write_all(&zeros).await?;
                    self.file.flush().await
                }
                .await;
                match written {
                    Ok(()) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("fill the disk"),
                }
            }
        }
        Ok(())
    }

    fn remove(self) -> anyhow::Result<()> {
        drop(self.file);
        std::fs::remove_file(&self.path).context("make room again")
    }
}
