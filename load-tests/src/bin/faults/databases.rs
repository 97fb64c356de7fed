//! PostgreSQL is down or killed, and SQLite is busy or has no space left.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use load_tests::harness::ledger::{Allowed, Verdict};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::answers::Answers;
use crate::fault::Fault;
use crate::inputs::Call;
use crate::inspection::demand_no_attempt_spent;
use crate::run::{Kind, Run, random_time};
use crate::senders::Load;
use crate::servers::Server;
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "postgresql-down",
        "PostgreSQL goes down for seconds under load and comes back",
        Kind::SERVERS,
        |run| Box::pin(postgresql_down(run, Lease::Kept)),
    ),
    Fault::long(
        "postgresql-down-past-the-lease",
        "PostgreSQL is down for so long that every process has to give up its runs",
        Kind::SERVERS,
        |run| Box::pin(postgresql_down(run, Lease::Lost)),
    ),
    Fault::long(
        "postgresql-killed",
        "PostgreSQL is killed again and again in the middle of its commits, and recovers each time",
        Kind::SERVERS,
        |run| Box::pin(postgresql_killed(run)),
    ),
    Fault::long(
        "sqlite-busy",
        "Another program holds the write lock of the store for seconds, and then that of the queue",
        Kind::EMBEDDED,
        |run| Box::pin(sqlite_busy(run, Lease::Kept)),
    ),
    Fault::long(
        "sqlite-busy-past-the-lease",
        "Another program holds the write lock for so long that the process has to give up its runs",
        Kind::EMBEDDED,
        |run| Box::pin(sqlite_busy(run, Lease::Lost)),
    ),
    Fault::long(
        "disk-full",
        "The disk of the data folder is full for seconds under load",
        Kind::EMBEDDED,
        |run| Box::pin(disk_full(run)),
    ),
];

const SETTLED_WITHIN: Duration = Duration::from_mins(4);
/// The number of times that PostgreSQL is killed.
const KILLS: usize = 4;
/// The size of the disk that is filled.
const DISK_SIZE: &str = "64m";

/// What becomes of the runs of a process while its database is away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lease {
    /// The process goes on with its runs. No attempt is spent.
    Kept,
    /// The process gives its runs up. Nobody knows what became of a request that was under way.
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

    /// Checks the promises beyond those of the ledger.
    async fn check(self, world: &World, verdict: &mut Verdict) -> anyhow::Result<()> {
        if self == Self::Kept {
            demand_no_attempt_spent(world, verdict).await?;
        }
        Ok(())
    }
}

async fn postgresql_down(run: Run, lease: Lease) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, Plan { settings: vec![lease.setting()], ..Plan::default() }).await?;
    let load = world.load(Load::default());
    sleep(random_time(&mut dice, 1000, 3000)).await;
    world.servers().kill(Server::Postgresql).await?;
    let back = Instant::now() + random_time(&mut dice, 4000, 9000);
    let mut wrong = Vec::new();
    while Instant::now() < back {
        let call = Call::phone(&mut dice, &world.simulators);
        let status = world.send(&call).await;
        if status != Some(200) {
            wrong.push(format!("call {} was answered {status:?}", call.id));
        }
        sleep(Duration::from_millis(200)).await;
    }
    world.servers().start().await?;
    sleep(Duration::from_secs(2)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &lease.allowed()).await?;
    // Every call has to be accepted, because ingest puts it into the queue and needs no database for that.
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
        sleep(random_time(&mut dice, 500, 2500)).await;
        world.servers().kill(Server::Postgresql).await?;
        world.servers().start().await?;
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    demand_no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

/// Holds the write locks for longer than Debrief waits for them.
async fn sqlite_busy(run: Run, lease: Lease) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let folder = run.folder.join("data");
    let plan = Plan { settings: vec![data_in(&folder)?, lease.setting()], ..Plan::default() };
    let world = World::start(&run, plan).await?;
    let load = world.load(Load::default());
    for file in ["debrief.db", "queue.db"] {
        sleep(random_time(&mut dice, 500, 1500)).await;
        hold_lock(&folder.join(file), random_time(&mut dice, 6000, 8000)).await?;
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &lease.allowed()).await?;
    lease.check(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

/// Opens a SQLite file as another program does.
async fn open(file: &Path) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(30));
    options.connect().await.with_context(|| format!("open {}", file.display()))
}

/// Moves the write-ahead log into the file, and cuts the log to nothing.
async fn truncate_log(file: &Path) -> anyhow::Result<()> {
    let mut other = open(file).await?;
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut other).await.context("cut the log")?;
    Ok(())
}

/// Takes the write lock of a SQLite file and holds it for this time.
async fn hold_lock(file: &Path, time: Duration) -> anyhow::Result<()> {
    let mut other = open(file).await?;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.context("take the lock")?;
    sleep(time).await;
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
    sleep(random_time(&mut dice, 1000, 3000)).await;
    let full_until = Instant::now() + random_time(&mut dice, 5000, 8000);
    let mut answers = Answers::default();
    let mut was_degraded = false;
    // The space in the logs could still be written to.
    for file in ["debrief.db", "queue.db"] {
        truncate_log(&folder.join(file)).await?;
    }
    let mut filler = disk.fill().await?;
    for number in 0_u64.. {
        if Instant::now() > full_until {
            break;
        }
        // The space that others free is taken at once.
        filler.fill().await?;
        let call = match number % 2 {
            0 => Call::meeting(&mut dice),
            _ => Call::phone(&mut dice, &world.simulators),
        };
        answers.send(&world, &call).await;
        was_degraded |= world.get("/health").await.is_ok_and(|health| health["status"] == "degraded");
        sleep(Duration::from_millis(200)).await;
    }
    filler.remove()?;
    world
        .wait("the process to be healthy again", Duration::from_secs(30), async |world| {
            world.get("/health").await.ok().filter(|health| health["status"] == "healthy")
        })
        .await?;
    sleep(Duration::from_secs(2)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    let Answers { accepted, answered_503, wrong } = answers;
    verdict.broken.extend(wrong);
    verdict.demand(was_degraded, "nothing said that the disk is full");
    verdict.demand(answered_503 > 0, format!("the disk was full, and all of {accepted} calls were accepted"));
    demand_no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    drop(disk);
    Ok(verdict)
}

/// Returns the setting of a data folder.
fn data_in(folder: &Path) -> anyhow::Result<(&'static str, String)> {
    std::fs::create_dir_all(folder).context("make a data folder")?;
    Ok(("DEBRIEF_DATA_DIR", folder.to_str().context("read the name of the data folder")?.to_owned()))
}

/// A small file system in memory, which is unmounted when this is dropped.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts the disk. Only root may do this.
    async fn mount(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).context("make a place for a disk")?;
        let mounted = tokio::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={DISK_SIZE}"), "tmpfs"])
            .arg(path)
            .output()
            .await
            .context("run mount")?;
        ensure!(mounted.status.success(), "cannot mount: {}", String::from_utf8_lossy(&mounted.stderr));
        Ok(Self { path: path.to_owned() })
    }

    /// Fills the disk, so that no byte is free.
    async fn fill(&self) -> anyhow::Result<Filler> {
        let path = self.path.join("filler");
        let file = tokio::fs::File::create(&path).await.context("make a file to fill the disk")?;
        let mut filler = Filler { path, file };
        filler.fill().await?;
        Ok(filler)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let done = std::process::Command::new("umount").arg("--lazy").arg(&self.path).status();
        if !done.is_ok_and(|status| status.success()) {
            tracing::warn!(path = %self.path.display(), "the disk could not be unmounted");
        }
    }
}

/// The file that takes all the space.
struct Filler {
    path: PathBuf,
    file: tokio::fs::File,
}

impl Filler {
    /// Takes all the space that is free.
    async fn fill(&mut self) -> anyhow::Result<()> {
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
        std::fs::remove_file(&self.path).context("remove the file that fills the disk")
    }
}
