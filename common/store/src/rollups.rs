//! Adds the facts of calls up to sums of days.
//!
//! A sum of a day is all its rows together. A fact is added once, by a row of its own or together with others, and then
//! counts as rolled. When it changes, a trigger adds a row that takes it out again, and it is added later with its new
//! values. So nobody waits for a row that somebody else changes, and the sum is right at any time.

use std::time::Duration;

use super::call_sums::{of_fact, sum_columns, summed};
use super::{Result, Store, Tx, execute, query};
use domain::call::WorkspaceId;

const MERGED_AT_ONCE: i64 = 20;

impl Store {
    /// Adds up to `limit` facts to the sums of their days, which did not change for so long. Returns how many there were.
    pub async fn roll_up_facts(&self, limit: i64, unchanged: Duration) -> Result<u64> {
        let at_rest = self.now().minus(unchanged);
        let mut tx = self.begin_tx().await?;
        let rolled = match tx {
            Tx::Postgres(_) => {
                execute!(
                    tx,
                    concat!(
                        "WITH picked AS (SELECT call_id FROM call_facts WHERE NOT rolled AND made_at <= $1 LIMIT $2
                            FOR UPDATE SKIP LOCKED),
                         rolled AS (UPDATE call_facts SET rolled = TRUE FROM picked
                            WHERE call_facts.call_id = picked.call_id RETURNING call_facts.*),
                         added AS (INSERT INTO call_days (workspace, day, source, direction, agent, team, calls, ",
                        sum_columns!(),
                        ") SELECT workspace, day, source, direction, agent, team, ",
                        summed!(),
                        " FROM (SELECT workspace, day, source, direction, agent, team, 1 AS calls, ",
                        of_fact!(),
                        " FROM rolled) AS facts GROUP BY workspace, day, source, direction, agent, team)
                         SELECT 1 FROM rolled"
                    ),
                    at_rest,
                    limit,
                )?
            }
            Tx::Sqlite(_) => {
                execute!(
                    tx,
                    concat!(
                        "INSERT INTO call_days (workspace, day, source, direction, agent, team, calls, ",
                        sum_columns!(),
                        ") SELECT workspace, day, source, direction, agent, team, ",
                        summed!(),
                        " FROM (SELECT workspace, day, source, direction, agent, team, 1 AS calls, ",
                        of_fact!(),
                        " FROM call_facts WHERE call_id IN (SELECT call_id FROM call_facts
                            WHERE NOT rolled AND made_at <= $1 ORDER BY call_id LIMIT $2)) AS facts
                         GROUP BY workspace, day, source, direction, agent, team"
                    ),
                    at_rest,
                    limit,
                )?;
                execute!(
                    tx,
                    "UPDATE call_facts SET rolled = TRUE WHERE call_id IN (SELECT call_id FROM call_facts
                        WHERE NOT rolled AND made_at <= $1 ORDER BY call_id LIMIT $2)",
                    at_rest,
                    limit,
                )?
            }
        };
        tx.commit().await?;
        Ok(rolled)
    }

    /// Makes few rows of the many of a day, where more than `above` rows were added. Returns how many days were merged.
    pub async fn merge_sums(&self, above: i64) -> Result<usize> {
        let mut tx = self.begin_tx().await?;
        let days = query!(
            fetch_all,
            (WorkspaceId, i64),
            tx,
            "SELECT workspace, day FROM call_days WHERE NOT merged GROUP BY workspace, day HAVING COUNT(*) > $1
             ORDER BY workspace, day LIMIT $2",
            above,
            MERGED_AT_ONCE,
        )?;
        for (workspace, day) in &days {
            merge(&mut tx, *workspace, *day).await?;
        }
        tx.commit().await?;
        Ok(days.len())
    }
}

/// Only the rows that were removed are in the new ones. A row that somebody adds meanwhile stays as it is.
async fn merge(tx: &mut Tx, workspace: WorkspaceId, day: i64) -> Result<()> {
    match tx {
        Tx::Postgres(_) => {
            execute!(
                *tx,
                concat!(
                    "WITH gone AS (DELETE FROM call_days WHERE workspace = $1 AND day = $2 RETURNING *)
                     INSERT INTO call_days (workspace, day, source, direction, agent, team, merged, calls, ",
                    sum_columns!(),
                    ") SELECT workspace, day, source, direction, agent, team, TRUE, ",
                    summed!(),
                    " FROM gone GROUP BY workspace, day, source, direction, agent, team HAVING SUM(calls) <> 0"
                ),
                workspace,
                day,
            )?;
        }
        Tx::Sqlite(_) => {
            let (last,) = query!(
                fetch_one,
                (i64,),
                *tx,
                "SELECT COALESCE(MAX(id), 0) FROM call_days WHERE workspace = $1 AND day = $2",
                workspace,
                day,
            )?;
            execute!(
                *tx,
                concat!(
                    "INSERT INTO call_days (workspace, day, source, direction, agent, team, merged, calls, ",
                    sum_columns!(),
                    ") SELECT workspace, day, source, direction, agent, team, TRUE, ",
                    summed!(),
                    " FROM call_days WHERE workspace = $1 AND day = $2 AND id <= $3
                     GROUP BY workspace, day, source, direction, agent, team HAVING SUM(calls) <> 0"
                ),
                workspace,
                day,
                last,
            )?;
            execute!(
                *tx,
                "DELETE FROM call_days WHERE workspace = $1 AND day = $2 AND id <= $3",
                workspace,
                day,
                last,
            )?;
        }
    }
    Ok(())
}
