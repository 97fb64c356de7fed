//! When something last changed that a page may show.

use super::{Result, Store, read};
use domain::moment::Moment;

impl Store {
    /// The time of the newest change of a call, a run or an effect, over all workspaces. It tells nobody what changed.
    pub async fn last_change(&self) -> Result<Option<Moment>> {
        let (last,) = read!(
            fetch_one,
            (Option<Moment>,),
            self,
            "SELECT MAX(at) FROM (
                SELECT MAX(updated_at) AS at FROM calls
                UNION ALL SELECT MAX(since) FROM stage_runs
                UNION ALL SELECT MAX(updated_at) FROM effects) AS changes",
        )?;
        Ok(last)
    }
}
