//! What a period was like: sums of its calls in all, by day, agent, team, source and direction, beside the period before.

use std::collections::HashMap;

use super::call_sums::{Sums, of_fact, sum_columns, summed};
use super::{Db, Result, Store, read, read_planned};
use domain::call::WorkspaceId;
use domain::moment::Moment;
use domain::period::{Period, QUARTER_MICROS, Step, begin_of_day};
use domain::principal::Sees;

/// Topics are counted in the newest calls of a period. So a year costs no more than a week.
pub const TOPIC_CALLS: i64 = 10_000;
const MAX_TOPICS: usize = 20;

/// Which calls a dashboard is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub period: Period,
    pub agent: Option<String>,
    pub team: Option<String>,
    pub source: Option<String>,
    /// `incoming` or `outgoing`.
    pub direction: Option<String>,
}

/// What the calls of a scope were like.
#[derive(Clone, Debug, PartialEq)]
pub struct Dashboard {
    pub sums: Sums,
    /// The same for the period before.
    pub before: Sums,
    /// The steps of the period, in their order, each with its begin.
    pub trend: Vec<(Moment, Sums)>,
    /// Each list begins with whom most calls belong to. Calls without a name stand under `None`.
    pub agents: Vec<(Option<String>, Sums)>,
    pub teams: Vec<(Option<String>, Sums)>,
    pub sources: Vec<(Option<String>, Sums)>,
    pub directions: Vec<(Option<String>, Sums)>,
    /// The most frequent topics, each with the number of its calls among the newest `topic_calls`.
    pub topics: Vec<(String, i64)>,
    pub topic_calls: i64,
}

#[derive(sqlx::FromRow)]
struct StepRow {
    day: Option<i64>,
    quarter: Option<i64>,
    #[sqlx(flatten)]
    sums: Sums,
}

#[derive(sqlx::FromRow)]
struct GroupRow {
    agent: Option<String>,
    team: Option<String>,
    source: String,
    direction: Option<String>,
    #[sqlx(flatten)]
    sums: Sums,
}

/// The sums of a scope. `$1` is the workspace, `$2` and `$3` are the whole days, `$4` to `$7` are the ends of the period
/// that are no whole days, `$8` to `$11` are the agent, the team, the source and the direction, and `$12` and `$13` are the
/// days of the whole months. What is in a month is taken from the months there, and from the days elsewhere.
macro_rules! sums {
    ($keys:literal, $quarter:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $keys,
            summed!(),
            " FROM (SELECT day, CAST(NULL AS BIGINT) AS quarter, source, direction, agent, team, calls, ",
            sum_columns!(),
            " FROM call_months WHERE workspace = $1 AND day >= $12 AND day <= $13
             UNION ALL SELECT day, CAST(NULL AS BIGINT), source, direction, agent, team, calls, ",
            sum_columns!(),
            " FROM call_days WHERE workspace = $1 AND NOT in_month AND day >= $2 AND day <= $3
             UNION ALL SELECT day, CAST(NULL AS BIGINT), source, direction, agent, team, calls, ",
            sum_columns!(),
            " FROM call_days WHERE workspace = $1 AND in_month AND day >= $2 AND day < $12
             UNION ALL SELECT day, CAST(NULL AS BIGINT), source, direction, agent, team, calls, ",
            sum_columns!(),
            " FROM call_days WHERE workspace = $1 AND in_month AND day > $13 AND day <= $3
             UNION ALL SELECT day, CAST(NULL AS BIGINT), source, direction, agent, team, 1, ",
            of_fact!(),
            " FROM call_facts WHERE workspace = $1 AND NOT rolled AND day >= $2 AND day <= $3
             UNION ALL SELECT CAST(NULL AS BIGINT), ",
            $quarter,
            ", source, direction, agent, team, 1, ",
            of_fact!(),
            " FROM call_facts WHERE workspace = $1 AND at >= $4 AND at < $5
             UNION ALL SELECT CAST(NULL AS BIGINT), ",
            $quarter,
            ", source, direction, agent, team, 1, ",
            of_fact!(),
            " FROM call_facts WHERE workspace = $1 AND at >= $6 AND at < $7) AS counted
             WHERE (CAST($8 AS TEXT) IS NULL OR agent = $8) AND (CAST($9 AS TEXT) IS NULL OR team = $9)
                AND (CAST($10 AS TEXT) IS NULL OR source = $10) AND (CAST($11 AS TEXT) IS NULL OR direction = $11)",
            $end
        )
    };
}

/// Runs a statement of `sums!` with the values of a scope.
macro_rules! read_sums {
    ($how:ident, $row:ty, $store:expr, $sql:expr, $workspace:expr, $scope:expr, $period:expr) => {{
        let days = $store.counted_days($period);
        let months = counted_months(days.days, $period);
        read_planned!(
            $how,
            $row,
            $store,
            $sql,
            $workspace,
            days.days.0,
            days.days.1,
            days.before.0,
            days.before.1,
            days.after.0,
            days.after.1,
            $scope.agent.as_deref(),
            $scope.team.as_deref(),
            $scope.source.as_deref(),
            $scope.direction.as_deref(),
            months.0,
            months.1,
        )?
    }};
}

impl Store {
    /// What the calls of `scope` were like that `sees` lets somebody see.
    pub async fn dashboard(&self, workspace: WorkspaceId, scope: &Scope, sees: &Sees) -> Result<Dashboard> {
        let mut scope = scope.clone();
        if let Some(agent) = sees.agent() {
            scope.agent = Some(agent.to_owned());
        }
        let period = &scope.period;
        let by_time = match &self.db {
            Db::Postgres(_) => sums!(
                "day, quarter, ",
                "CAST(FLOOR(EXTRACT(EPOCH FROM at) / 900) AS BIGINT)",
                " GROUP BY day, quarter"
            ),
            Db::Sqlite { .. } => sums!("day, quarter, ", "at / 900000000", " GROUP BY day, quarter"),
        };
        let steps = read_sums!(fetch_all, StepRow, self, by_time, workspace, scope, period);
        let by_name = sums!(
            "agent, team, source, direction, ",
            "CAST(NULL AS BIGINT)",
            " GROUP BY agent, team, source, direction"
        );
        let groups = read_sums!(fetch_all, GroupRow, self, by_name, workspace, scope, period);
        let in_all = sums!("", "CAST(NULL AS BIGINT)", " HAVING COUNT(*) > 0");
        let before = read_sums!(fetch_optional, Sums, self, in_all, workspace, scope, &period.before());
        let (topics, topic_calls) = self.topics(workspace, &scope).await?;
        let mut sums = Sums::default();
        for row in &steps {
            sums += row.sums;
        }
        Ok(Dashboard {
            sums,
            before: before.unwrap_or_default(),
            trend: trend(period, &steps),
            agents: by(&groups, |group| group.agent.as_deref()),
            teams: by(&groups, |group| group.team.as_deref()),
            sources: by(&groups, |group| Some(&group.source)),
            directions: by(&groups, |group| group.direction.as_deref()),
            topics,
            topic_calls,
        })
    }

    /// The days whose sums can be taken. The sums are of days in the zone of the installation, so a period of another zone
    /// has none.
    fn counted_days(&self, period: &Period) -> domain::period::WholeDays {
        let days = period.whole_days();
        if period.zone == self.facts.zone || days.days.0 > days.days.1 {
            return days;
        }
        let ends = (period.to, period.to);
        domain::period::WholeDays { days: (1, 0), before: (period.from, period.to), after: ends }
    }

    /// The most frequent topics of the newest calls, and how many calls these were.
    async fn topics(&self, workspace: WorkspaceId, scope: &Scope) -> Result<(Vec<(String, i64)>, i64)> {
        let rows = read!(
            fetch_all,
            (String,),
            self,
            "SELECT topics FROM call_facts WHERE workspace = $1 AND at >= $2 AND at < $3 AND analyzer IS NOT NULL
                AND (CAST($4 AS TEXT) IS NULL OR agent = $4) AND (CAST($5 AS TEXT) IS NULL OR team = $5)
                AND (CAST($6 AS TEXT) IS NULL OR source = $6) AND (CAST($7 AS TEXT) IS NULL OR direction = $7)
             ORDER BY at DESC LIMIT $8",
            workspace,
            scope.period.from,
            scope.period.to,
            scope.agent.as_deref(),
            scope.team.as_deref(),
            scope.source.as_deref(),
            scope.direction.as_deref(),
            TOPIC_CALLS,
        )?;
        let mut counts: HashMap<&str, i64> = HashMap::new();
        for topic in rows.iter().flat_map(|(topics,)| topics.lines()) {
            *counts.entry(topic).or_default() += 1;
        }
        let mut topics: Vec<_> = counts.into_iter().map(|(topic, calls)| (topic.to_owned(), calls)).collect();
        topics.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        topics.truncate(MAX_TOPICS);
        Ok((topics, i64::try_from(rows.len()).unwrap_or(TOPIC_CALLS)))
    }
}

/// The days of the months whose sums can be taken. A chart that shows less than months needs the days. Where there is no such
/// month, every day is before the first of them.
fn counted_months(days: (i64, i64), period: &Period) -> (i64, i64) {
    let months = Period::whole_months(days);
    if period.step() == Step::Month && months.0 <= months.1 { months } else { (days.1 + 1, days.1) }
}

/// The sums of each step of the period.
fn trend(period: &Period, rows: &[StepRow]) -> Vec<(Moment, Sums)> {
    let steps = period.steps();
    let begins = &steps[..steps.len() - 1];
    let mut trend: Vec<(Moment, Sums)> = begins.iter().map(|begin| (*begin, Sums::default())).collect();
    for row in rows {
        let at = match (row.day, row.quarter) {
            (Some(day), _) => begin_of_day(day, period.zone),
            (None, Some(quarter)) => Moment::from_micros(quarter * QUARTER_MICROS),
            (None, None) => period.from,
        };
        let step = begins.partition_point(|begin| *begin <= at).saturating_sub(1);
        if let Some((_, sums)) = trend.get_mut(step) {
            *sums += row.sums;
        }
    }
    trend
}

fn by<'a>(
    groups: &'a [GroupRow],
    name: impl Fn(&'a GroupRow) -> Option<&'a str>,
) -> Vec<(Option<String>, Sums)> {
    let mut all: HashMap<Option<&str>, Sums> = HashMap::new();
    for group in groups {
        *all.entry(name(group)).or_default() += group.sums;
    }
    let mut all: Vec<_> = all.into_iter().filter(|(_, sums)| sums.calls > 0).collect();
    all.sort_by(|one, other| other.1.calls.cmp(&one.1.calls).then_with(|| one.0.cmp(&other.0)));
    all.into_iter().map(|(name, sums)| (name.map(str::to_owned), sums)).collect()
}
