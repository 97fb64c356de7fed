//! The status of a call, which is derived from its runs.

use super::{Result, Tx, execute};
use domain::call::CallId;
use domain::moment::Moment;

/// The statement that derives the status of the call `$1` at the time `$2`. `$also` sets other columns with it.
///
/// The run that works on a live call counts only while the call is spoken. Once the whole call went into the pipeline, the
/// run merely watches how the pipeline does.
macro_rules! status {
    ($also:literal) => {
        concat!("UPDATE calls SET ", $also, "updated_at = $2, status = (
            SELECT CASE
                WHEN COUNT(*) = 0 THEN 'no_recording'
                WHEN COUNT(*) FILTER (WHERE state IN ('waiting', 'running')) > 0 THEN
                    CASE WHEN COUNT(*) FILTER (WHERE NOT (state = 'waiting' AND attempts = 0 AND stage <> 'live')) = 0
                        THEN 'queued'
                    ELSE 'processing' END
                WHEN COUNT(*) FILTER (WHERE state = 'dead') > 0 THEN 'failed'
                WHEN COUNT(*) FILTER (WHERE state = 'parked') > 0 THEN 'waiting'
                ELSE CASE WHEN nothing_made = 'no_recording' THEN 'no_recording' ELSE 'completed' END
            END FROM stage_runs WHERE stage_runs.call_id = calls.id
                AND (stage <> 'live' OR (calls.generation = 0 AND state <> 'done')))
         WHERE id = $1")
    };
}
pub(super) use status;

/// The status that people see. The column `status` of a filtered call is `no_recording`, because a program before this
/// one knows no other word for it.
macro_rules! shown_status {
    () => {
        "CASE WHEN nothing_made = 'filtered' AND status = 'no_recording' THEN 'filtered' ELSE status END"
    };
}
pub(super) use shown_status;

/// The columns of a call.
macro_rules! call_columns {
    () => {
        concat!(
            "id, workspace, source, external_id, kind, ",
            shown_status!(),
            " AS status, generation, details, received_at, updated_at, nothing_made"
        )
    };
}
pub(super) use call_columns;

/// Derives the call's status from its runs. The transaction must have locked the call's row already: otherwise
/// two stages that end at the same time would each miss the end of the other.
pub(super) async fn refresh_status(tx: &mut Tx, call: CallId, now: Moment) -> Result<()> {
    execute!(*tx, status!(""), call, now)?;
    Ok(())
}
