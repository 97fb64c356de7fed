//! A step of the work on a session: what was heard, cut and transcribed, and what the listeners are told of it. All of it
//! is stored in one transaction, under the fence of the run. So a process that lost its run changes nothing.

use serde_json::Value;

use super::super::columns::storable;
use super::super::{Claim, Result, Store, execute};
use super::events::{self, NewLiveEvent};
use super::turns::{self, NewLiveTurn, SaidBy};
use super::{is_ours, lock_call};

/// What one step changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveStep {
    /// How far the work is now. `None` leaves it as it is.
    pub progress: Option<Value>,
    /// The pieces that were heard: their sequence, and their place in the order in which they were heard.
    pub positions: Vec<(i64, i64)>,
    pub turns: Vec<NewLiveTurn>,
    /// What was said in turns, by their number.
    pub words: Vec<(i64, Value)>,
    pub events: Vec<NewLiveEvent>,
    /// The whole call went into the pipeline.
    pub is_delivered: bool,
    /// The listeners are told the result of the pipeline.
    pub is_finished: bool,
}

impl Store {
    /// Stores a step. Returns the number of the last event, or nothing if somebody else works on the session now.
    pub async fn save_live_step(&self, claim: &Claim, step: &LiveStep) -> Result<Option<i64>> {
        let now = self.now();
        let (workspace, call) = (claim.run.workspace, claim.run.call);
        let mut tx = self.begin_tx().await?;
        lock_call(&mut tx, workspace, call).await?;
        if !is_ours(&mut tx, claim).await? {
            tx.roll_back().await?;
            return Ok(None);
        }
        let last = events::add(&mut tx, (workspace, call), &step.events, now).await?;
        if let Some(progress) = &step.progress {
            execute!(
                tx,
                "UPDATE live_sessions SET progress = $3 WHERE workspace = $1 AND call_id = $2",
                workspace,
                call,
                storable(progress),
            )?;
        }
        for (sequence, position) in &step.positions {
            execute!(
                tx,
                "UPDATE live_pieces SET position = $4 WHERE workspace = $1 AND call_id = $2 AND sequence = $3",
                workspace,
                call,
                *sequence,
                *position,
            )?;
        }
        for turn in &step.turns {
            turns::add(&mut tx, (workspace, call), turn, SaidBy::Run).await?;
        }
        for (number, words) in &step.words {
            execute!(
                tx,
                "UPDATE live_turns SET words = $4 WHERE workspace = $1 AND call_id = $2 AND number = $3",
                workspace,
                call,
                *number,
                storable(words),
            )?;
        }
        if step.is_delivered || step.is_finished {
            execute!(
                tx,
                "UPDATE live_sessions SET delivered_at = COALESCE(delivered_at, CASE WHEN $4 THEN $3 END),
                    finished_at = COALESCE(finished_at, CASE WHEN $5 THEN $3 END)
                 WHERE workspace = $1 AND call_id = $2",
                workspace,
                call,
                now,
                step.is_delivered,
                step.is_finished,
            )?;
        }
        platform::failpoint!("live.step.commit");
        tx.commit().await?;
        platform::failpoint!("live.step.committed");
        Ok(Some(last))
    }
}
