//! Calls of which a restored back-up does not know the end.
//!
//! Between a back-up and its restore, the deployment went on. It may have done something for a call that the back-up
//! shows as unfinished, and the ledger of the back-up does not have it. So the first effect of such a call counts as
//! unknown: the destination is asked, and where nobody can be asked the policy for unknown effects decides.

use super::{Result, Store, execute};
use domain::call::CallId;
use domain::moment::Moment;

impl Store {
    /// Doubts every call with a run that is not done, and the calls of `others`, which the store may not know yet.
    /// `since` is the moment of the back-up. Returns how many calls were not doubted before.
    pub async fn doubt_unfinished_calls(&self, since: Moment, others: &[CallId]) -> Result<u64> {
        let mut tx = self.begin_tx().await?;
        let mut doubted = execute!(
            tx,
            "INSERT INTO doubted_calls (call_id, since)
             SELECT DISTINCT call_id, $1 FROM stage_runs WHERE state <> 'done' ON CONFLICT DO NOTHING",
            since,
        )?;
        for call in others {
            doubted += execute!(
                tx,
                "INSERT INTO doubted_calls (call_id, since) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                *call,
                since,
            )?;
        }
        tx.commit().await?;
        Ok(doubted)
    }
}
