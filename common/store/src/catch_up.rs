//! Indexes the calls that are not in the index: those that were there before there was an index, and those that an older
//! program changed, which runs during an update or after it was taken back.
//!
//! The calls are walked through in small steps, by their ids. One process does a step at a time. A walk that has come to
//! its end begins again a day later. It only looks at calls that are in the index and up to date.

use std::time::Duration;

use uuid::Uuid;

use super::call_index::refresh;
use super::{Result, Store, Tx, execute, query};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// How many calls one step looks at, and how many of them it indexes.
const LOOKED_AT: i64 = 500;
const INDEXED: usize = 20;
const AGAIN_AFTER: Duration = Duration::from_hours(24);

/// How far the walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// There are more calls to look at.
    GoesOn,
    /// All calls were looked at, or another process does so now.
    Rests,
}

/// The next calls, and whether the index of each is out of date.
const NEXT_CALLS: &str = "SELECT calls.id, calls.workspace, calls.updated_at, CASE
        WHEN call_facts.call_id IS NULL OR call_facts.zone <> $3 THEN TRUE
        WHEN transcripts.created_at > made_at OR analyses.created_at > made_at
            OR speaker_corrections.updated_at > made_at THEN TRUE
        ELSE FALSE END AS stale
     FROM (SELECT id, workspace, updated_at FROM calls WHERE id > $1 ORDER BY id LIMIT $2) AS calls
        LEFT JOIN call_facts ON call_facts.call_id = calls.id
        LEFT JOIN transcripts ON transcripts.call_id = calls.id
        LEFT JOIN analyses ON analyses.call_id = calls.id
        LEFT JOIN speaker_corrections ON speaker_corrections.call_id = calls.id
     ORDER BY calls.id";

impl Store {
    /// Does one step of the walk.
    pub async fn catch_up_index(&self) -> Result<Walk> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let sql = match tx {
            Tx::Postgres(_) => "SELECT after, ended_at FROM index_walk WHERE id = 1 FOR UPDATE SKIP LOCKED",
            Tx::Sqlite(_) => "SELECT after, ended_at FROM index_walk WHERE id = 1",
        };
        let row = query!(fetch_optional, (Option<Uuid>, Option<Moment>), tx, sql)?;
        let rests = |ended_at: &Moment| *ended_at > now.minus(AGAIN_AFTER);
        let after = match row {
            Some((_, Some(ended_at))) if !rests(&ended_at) => None,
            Some((after, None)) => after,
            _ => {
                tx.roll_back().await?;
                return Ok(Walk::Rests);
            }
        };
        let zone = self.facts.zone.name();
        let after = after.unwrap_or_default();
        let next =
            query!(fetch_all, (CallId, WorkspaceId, Moment, bool), tx, NEXT_CALLS, after, LOOKED_AT, zone)?;
        let looked_at_all = i64::try_from(next.len()).unwrap_or(LOOKED_AT) < LOOKED_AT;
        let (mut last, mut indexed) = (after, 0);
        let mut cut_off = false;
        for (call, workspace, changed_at, stale) in next {
            if stale && indexed == INDEXED {
                cut_off = true;
                break;
            }
            if stale {
                refresh(&mut tx, &self.facts, call, now).await?;
                note_known(&mut tx, call, workspace, changed_at).await?;
                indexed += 1;
            }
            last = call.0;
        }
        let ended_at = (looked_at_all && !cut_off).then_some(now);
        execute!(tx, "UPDATE index_walk SET after = $1, ended_at = $2 WHERE id = 1", last, ended_at)?;
        tx.commit().await?;
        Ok(if ended_at.is_some() { Walk::Rests } else { Walk::GoesOn })
    }
}

/// A call that was there before has not changed since. It belongs to the changes all the same, so that whoever reads them
/// from the beginning sees every call.
async fn note_known(tx: &mut Tx, call: CallId, workspace: WorkspaceId, changed_at: Moment) -> Result<()> {
    execute!(
        *tx,
        "INSERT INTO call_changes (call_id, workspace, changed_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        call,
        workspace,
        changed_at,
    )?;
    Ok(())
}
