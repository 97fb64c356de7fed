//! Processes that run stages, and their leases.
//!
//! A claim on a run belongs to an instance, so one statement renews all claims of a process.

use std::time::Duration;

use uuid::Uuid;

use super::{Result, Store, execute};
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
}
