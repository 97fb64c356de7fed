//! Processes that run stages, and their leases.
//!
//! A claim on a run belongs to an instance, so one statement renews all claims of a process.

use std::time::Duration;

use uuid::Uuid;

use super::columns::bounded;
use super::{Result, Store, execute, read};
use domain::moment::Moment;

/// Names a process for as long as it keeps its lease. A process that lost its lease goes on under a new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InstanceId(pub Uuid);

impl InstanceId {
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for InstanceId {
    fn default() -> Self {
        Self::new()
    }
}

/// What a process is, as people recognise it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The name of its machine, its container or its pod.
    pub host: String,
    pub version: String,
    pub roles: Vec<String>,
}

/// A process of the deployment that has, or had, a lease. A process of an older version does not say what it is.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Instance {
    pub id: Uuid,
    pub host: String,
    pub version: String,
    /// The names of its roles, with blanks between them.
    pub roles: String,
    pub started_at: Moment,
    pub alive_until: Moment,
    /// How many runs it holds.
    pub runs: i64,
}

const MAX_HOST_CHARS: usize = 255;
/// How long a process is listed after its lease ran out.
const LISTED_AFTER_ITS_END: Duration = Duration::from_hours(24);

impl Store {
    /// Declares that `instance` is alive until `lease` from now. Returns that moment.
    pub async fn renew_instance(&self, instance: InstanceId, lease: Duration) -> Result<Moment> {
        self.sync_clock().await?;
        let now = self.now();
        let until = now.plus(lease);
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "INSERT INTO instances (id, started_at, alive_until) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until",
            instance.0,
            now,
            until,
        )?;
        tx.commit().await?;
        Ok(until)
    }

    /// Makes the runs wait again that an instance of this process held when it lost its lease or was asked to stop.
    /// Runs that somebody has taken over are left alone. The process has not died, so no run counts a crash,
    /// and no attempt is spent.
    pub async fn release_runs(&self, instance: InstanceId) -> Result<u64> {
        let mut tx = self.one_statement().await?;
        let released = execute!(
            tx,
            "UPDATE stage_runs SET state = 'waiting', owner = NULL, attempts = attempts - 1, not_before = $2, wake_at = $2
             WHERE owner = $1 AND state = 'running'",
            instance.0,
            self.now(),
        )?;
        tx.commit().await?;
        Ok(released)
    }

    /// Ends an instance. Others can take over at once what it still holds.
    pub async fn end_instance(&self, instance: InstanceId) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(tx, "DELETE FROM instances WHERE id = $1", instance.0)?;
        tx.commit().await
    }

    /// Ends every instance. Only the process that owns an embedded store may call this, at its start: whoever held
    /// a run there before is gone.
    pub async fn end_all_instances(&self) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(tx, "DELETE FROM instances")?;
        tx.commit().await
    }

    /// Says what the process is that has this lease.
    pub async fn describe_instance(&self, instance: InstanceId, process: &Process) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE instances SET host = $2, version = $3, roles = $4 WHERE id = $1",
            instance.0,
            bounded(&process.host, MAX_HOST_CHARS),
            bounded(&process.version, MAX_HOST_CHARS),
            process.roles.join(" "),
        )?;
        tx.commit().await
    }

    /// The processes of the deployment, the oldest first. One that ended without a word is listed for a day.
    pub async fn instances(&self) -> Result<Vec<Instance>> {
        Ok(read!(
            fetch_all,
            Instance,
            self,
            "SELECT id, host, version, roles, started_at, alive_until, (
                SELECT COUNT(*) FROM stage_runs WHERE owner = instances.id AND state = 'running') AS runs
             FROM instances WHERE alive_until > $1 ORDER BY started_at, id",
            self.now().minus(LISTED_AFTER_ITS_END),
        )?)
    }

    /// Removes the processes whose lease ran out more than a day ago. Their runs were taken over long ago.
    pub async fn forget_ended_instances(&self) -> Result<u64> {
        let mut tx = self.one_statement().await?;
        let forgotten = execute!(
            tx,
            "DELETE FROM instances WHERE alive_until <= $1",
            self.now().minus(LISTED_AFTER_ITS_END),
        )?;
        tx.commit().await?;
        Ok(forgotten)
    }
}
