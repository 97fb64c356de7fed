//! The status of a call, which is derived from its runs.

use super::{Result, Tx, execute};
use domain::call::CallId;
use domain::moment::Moment;

/// The statement that derives the status of the call `$1` at the time `$2`. `$also` sets other columns with it.
macro_rules! status {
    ($also:literal) => {
        concat!("UPDATE calls SET ", $also, "updated_at = $2, status = (
            SELECT CASE
                WHEN COUNT(*) = 0 THEN 'no_recording'
                WHEN COUNT(*) FILTER (WHERE state IN ('waiting', 'running')) > 0 THEN
                    CASE WHEN COUNT(*) FILTER (WHERE NOT (state = 'waiting' AND attempts = 0)) = 0 THEN 'queued'
                    ELSE 'processing' END
                WHEN COUNT(*) FILTER (WHERE state = 'dead') > 0 THEN 'failed'
                WHEN COUNT(*) FILTER (WHERE state = 'parked') > 0 THEN 'waiting'
                ELSE 'completed'
            END FROM stage_runs WHERE stage_runs.call_id = calls.id)
         WHERE id = $1")
    };
}
pub(super) use status;

/// Derives the call's status from its runs. The transaction must have locked the call's row already: otherwise
/// two stages that end at the same time would each miss the end of the other.
pub(super) async fn refresh_status(tx: &mut Tx, call: CallId, now: Moment) -> Result<()> {
    execute!(*tx, status!(""), call, now)?;
    Ok(())
}
