//! Adds the facts of calls up to sums of days, and the days up to sums of months.
//!
//! A sum of a day is all its rows together. A fact is added once, by a row of its own or together with others, and then
//! counts as rolled. When it changes, a trigger adds a row that takes it out again, and it is added later with its new
//! values. So nobody waits for a row that somebody else changes, and the sum is right at any time.

use std::time::Duration;

use super::call_sums::{of_fact, sum_columns, summed};
use super::{Result, Store, Tx, execute, query, read_planned};
use domain::call::WorkspaceId;
use domain::period::{date_of, date_of_number, month_of, number_of};

const MERGED_AT_ONCE: i64 = 20;
/// How long after its end a month is added up. Until then the calls of its last days still change.
const MONTH_AT_REST: Duration = Duration::from_hours(3 * 24);

/// Makes few rows of the many rows of a day or a month in `$table`. Only the rows that were removed are in the new ones. A row
/// that somebody adds meanwhile stays as it is.
macro_rules! merge_all {
    ($store:expr, $table:literal, $above:expr) => {{
        let mut tx = $store.begin_tx().await?;
        let spans = query!(
            fetch_all,
            (WorkspaceId, i64),
            tx,
            concat!(
                "SELECT workspace, day FROM ",
                $table,
                " WHERE NOT merged GROUP BY workspace, day HAVING COUNT(*) > $1 ORDER BY workspace, day LIMIT $2"
            ),
            $above,
            MERGED_AT_ONCE,
        )?;
        for (workspace, day) in &spans {
            match tx {
                Tx::Postgres(_) => {
                    execute!(
                        tx,
                        concat!(
                            "WITH gone AS (DELETE FROM ",
                            $table,
                            " WHERE workspace = $1 AND day = $2 RETURNING *) INSERT INTO ",
                            $table,
                            " (workspace, day, source, direction, agent, team, merged, calls, ",
                            sum_columns!(),
                            ") SELECT workspace, day, source, direction, agent, team, TRUE, ",
                            summed!(),
                            " FROM gone GROUP BY workspace, day, source, direction, agent, team HAVING SUM(calls) <> 0"
                        ),
                        *workspace,
                        *day,
                    )?;
                }
                Tx::Sqlite(_) => {
                    let (last,) = query!(
                        fetch_one,
                        (i64,),
                        tx,
                        concat!("SELECT COALESCE(MAX(id), 0) FROM ", $table, " WHERE workspace = $1 AND day = $2"),
                        *workspace,
                        *day,
                    )?;
                    execute!(
                        tx,
                        concat!(
                            "INSERT INTO ",
                            $table,
                            " (workspace, day, source, direction, agent, team, merged, calls, ",
                            sum_columns!(),
                            ") SELECT workspace, day, source, direction, agent, team, TRUE, ",
                            summed!(),
                            " FROM ",
                            $table,
                            " WHERE workspace = $1 AND day = $2 AND id <= $3
                             GROUP BY workspace, day, source, direction, agent, team HAVING SUM(calls) <> 0"
                        ),
                        *workspace,
                        *day,
                        last,
                    )?;
                    execute!(
                        tx,
                        concat!("DELETE FROM ", $table, " WHERE workspace = $1 AND day = $2 AND id <= $3"),
                        *workspace,
                        *day,
                        last,
                    )?;
                }
            }
        }
        tx.commit().await?;
        spans.len()
    }};
}

impl Store {
    /// How many calls the sums have, and the facts that are not in them yet. It reads as many rows as there are months, days and
    /// names. `None` while a walk looks for calls that have no facts.
    pub(super) async fn summed_calls(
        &self,
        workspace: WorkspaceId,
        source: Option<&str>,
    ) -> Result<Option<i64>> {
        let (calls, is_complete) = read_planned!(
            fetch_one,
            (i64, bool),
            self,
            "SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT),
                EXISTS (SELECT 1 FROM index_walk WHERE id = 1 AND ended_at IS NOT NULL)
             FROM (SELECT source, calls FROM call_months WHERE workspace = $1
                UNION ALL SELECT source, calls FROM call_days WHERE workspace = $1 AND NOT in_month
                UNION ALL SELECT source, 1 FROM call_facts WHERE workspace = $1 AND NOT rolled) AS counted
             WHERE (CAST($2 AS TEXT) IS NULL OR source = $2)",
            workspace,
            source,
        )?;
        Ok(is_complete.then_some(calls))
    }

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
        let days = merge_all!(self, "call_days", above);
        Ok(days + merge_all!(self, "call_months", above))
    }

    /// Adds the days of months that are over up to sums of these months. Returns how many months there were.
    pub async fn sum_up_months(&self) -> Result<usize> {
        let open = month_of(date_of(self.now().minus(MONTH_AT_REST), self.facts.zone)).0;
        let mut tx = self.begin_tx().await?;
        let oldest = query!(
            fetch_all,
            (WorkspaceId, i64),
            tx,
            "SELECT workspace, MIN(day) FROM call_days WHERE NOT in_month AND day < $1
             GROUP BY workspace ORDER BY workspace LIMIT $2",
            number_of(open),
            MERGED_AT_ONCE,
        )?;
        for (workspace, day) in &oldest {
            sum_up_month(&mut tx, *workspace, *day).await?;
        }
        tx.commit().await?;
        Ok(oldest.len())
    }
}

/// Adds the month of `day` up. Rows that come later are added the next time.
async fn sum_up_month(tx: &mut Tx, workspace: WorkspaceId, day: i64) -> Result<()> {
    let (first, last) = month_of(date_of_number(day));
    let (first, last) = (number_of(first), number_of(last));
    match tx {
        Tx::Postgres(_) => {
            execute!(
                *tx,
                concat!(
                    "WITH added AS (UPDATE call_days SET in_month = TRUE
                        WHERE workspace = $1 AND NOT in_month AND day >= $2 AND day <= $3 RETURNING *)
                     INSERT INTO call_months (workspace, day, source, direction, agent, team, calls, ",
                    sum_columns!(),
                    ") SELECT workspace, $2, source, direction, agent, team, ",
                    summed!(),
                    " FROM added GROUP BY workspace, source, direction, agent, team"
                ),
                workspace,
                first,
                last,
            )?;
        }
        Tx::Sqlite(_) => {
            execute!(
                *tx,
                concat!(
                    "INSERT INTO call_months (workspace, day, source, direction, agent, team, calls, ",
                    sum_columns!(),
                    ") SELECT workspace, $2, source, direction, agent, team, ",
                    summed!(),
                    " FROM call_days WHERE workspace = $1 AND NOT in_month AND day >= $2 AND day <= $3
                     GROUP BY workspace, source, direction, agent, team"
                ),
                workspace,
                first,
                last,
            )?;
            execute!(
                *tx,
                "UPDATE call_days SET in_month = TRUE
                 WHERE workspace = $1 AND NOT in_month AND day >= $2 AND day <= $3",
                workspace,
                first,
                last,
            )?;
        }
    }
    Ok(())
}
