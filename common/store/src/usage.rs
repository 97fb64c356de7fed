//! What models and transcripts cost, in sums.

use std::str::FromStr as _;

use strum::{EnumString, IntoStaticStr, VariantNames};
use uuid::Uuid;

use super::{Db, Page, Result, Store, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// What one sum is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum UsageBy {
    /// A day in UTC.
    Day,
    Model,
    Call,
}

impl UsageBy {
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// The time of which the usage is summed. Both ends belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageTime {
    pub from: Option<Moment>,
    pub to: Option<Moment>,
}

/// What was used for one day, by one model or for one call.
#[derive(Clone, Debug, Default, PartialEq, sqlx::FromRow)]
pub struct UsageRow {
    /// The day as YYYY-MM-DD, the name of the model, or the id of the call. Empty in a sum of everything.
    pub name: String,
    /// How many analyses and transcripts were paid for.
    pub uses: i64,
    pub calls: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub audio_ms: i64,
    /// What is known of the cost. `None` where nothing is known.
    pub cost_usd: Option<f64>,
    /// How many of the uses have no known cost.
    pub unpriced: i64,
}

/// The sums, over rows of one workspace and time. `$1` is the workspace, and `$2` and `$3` are the bounds.
macro_rules! sums {
    ($name:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $name,
            " AS name, COUNT(*) AS uses, COUNT(DISTINCT call_id) AS calls,
                CAST(COALESCE(SUM(prompt_tokens), 0) AS BIGINT) AS prompt_tokens,
                CAST(COALESCE(SUM(completion_tokens), 0) AS BIGINT) AS completion_tokens,
                CAST(COALESCE(SUM(audio_ms), 0) AS BIGINT) AS audio_ms, SUM(cost_usd) AS cost_usd,
                COUNT(*) - COUNT(cost_usd) AS unpriced
             FROM usage WHERE workspace = $1 AND created_at >= $2 AND created_at <= $3",
            $end
        )
    };
}

/// The number of sums. `$1` to `$3` are the same.
macro_rules! count {
    ($name:literal) => {
        concat!(
            "SELECT COUNT(DISTINCT ",
            $name,
            ") FROM usage WHERE workspace = $1 AND created_at >= $2 AND created_at <= $3"
        )
    };
}

impl Store {
    /// One page of sums, and how many there are. Days come in their order, models by their names, and the calls that were
    /// paid for last come first.
    pub async fn usage(
        &self,
        workspace: WorkspaceId,
        by: UsageBy,
        time: UsageTime,
        page: Page,
    ) -> Result<(Vec<UsageRow>, i64)> {
        let (rows, total) = match (&self.db, by) {
            (_, UsageBy::Model) => {
                (sums!("model", " GROUP BY model ORDER BY model LIMIT $4 OFFSET $5"), count!("model"))
            }
            (Db::Postgres(_), UsageBy::Day) => (
                sums!(
                    "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
                    " GROUP BY 1 ORDER BY 1 LIMIT $4 OFFSET $5"
                ),
                count!("to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"),
            ),
            (Db::Sqlite { .. }, UsageBy::Day) => (
                sums!(
                    "strftime('%Y-%m-%d', created_at / 1000000, 'unixepoch')",
                    " GROUP BY 1 ORDER BY 1 LIMIT $4 OFFSET $5"
                ),
                count!("strftime('%Y-%m-%d', created_at / 1000000, 'unixepoch')"),
            ),
            (Db::Postgres(_), UsageBy::Call) => (
                sums!(
                    "CAST(call_id AS TEXT)",
                    " GROUP BY call_id ORDER BY MAX(created_at) DESC, call_id LIMIT $4 OFFSET $5"
                ),
                count!("call_id"),
            ),
            (Db::Sqlite { .. }, UsageBy::Call) => (
                sums!(
                    "lower(hex(call_id))",
                    " GROUP BY call_id ORDER BY MAX(created_at) DESC, call_id LIMIT $4 OFFSET $5"
                ),
                count!("call_id"),
            ),
        };
        let (from, to) = time.bounds();
        let mut rows = read!(fetch_all, UsageRow, self, rows, workspace, from, to, page.limit, page.offset)?;
        if by == UsageBy::Call {
            for row in &mut rows {
                if let Ok(id) = Uuid::from_str(&row.name) {
                    row.name = id.to_string();
                }
            }
        }
        let (total,) = read!(fetch_one, (i64,), self, total, workspace, from, to)?;
        Ok((rows, total))
    }

    /// The sum of everything.
    pub async fn usage_in_all(&self, workspace: WorkspaceId, time: UsageTime) -> Result<UsageRow> {
        let (from, to) = time.bounds();
        Ok(read!(fetch_one, UsageRow, self, sums!("''", ""), workspace, from, to)?)
    }
}

impl UsageTime {
    /// An open end is a time before or after every row. 9999 is the last year that both databases write.
    fn bounds(self) -> (Moment, Moment) {
        const LAST: i64 = 253_402_300_799_000_000;
        (self.from.unwrap_or(Moment::from_micros(0)), self.to.unwrap_or(Moment::from_micros(LAST)))
    }
}
