//! The list of calls as people filter it, in pages that begin behind a call, and the values that a filter can have.
//!
//! A call stands at the time when it began, as in the sums of a dashboard. So a number of a dashboard and the list behind it
//! are about the same calls.

use super::call_status::{call_columns, shown_status};
use super::calls::CallRow;
use super::{Result, Store, read};
use domain::analysis::Tone;
use domain::call::{Call, CallId, CallStatus, Direction, WorkspaceId};
use domain::moment::Moment;
use domain::principal::Sees;

/// Which calls a list shows. Every field that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    pub status: Option<CallStatus>,
    pub source: Option<String>,
    pub agent: Option<String>,
    pub team: Option<String>,
    pub direction: Option<Direction>,
    /// The tone of the customer.
    pub tone: Option<Tone>,
    /// A topic of the analysis, letter for letter.
    pub topic: Option<String>,
    /// Calls that began then or later.
    pub from: Option<Moment>,
    /// Calls that began then or earlier.
    pub to: Option<Moment>,
    pub min_duration_ms: Option<i64>,
    pub max_duration_ms: Option<i64>,
}

/// The last call of a page. The next page begins behind it, also when calls came in or went away meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    pub began_at: Moment,
    pub call: CallId,
}

/// A call of the list, with what is counted of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedCall {
    pub call: Call,
    pub began_at: Moment,
    pub duration_ms: Option<i64>,
    pub direction: Option<Direction>,
    pub tone: Option<Tone>,
}

impl ListedCall {
    pub fn place(&self) -> Behind {
        Behind { began_at: self.began_at, call: self.call.id }
    }
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    call: CallRow,
    began_at: Moment,
    duration_ms: Option<i64>,
    direction: Option<String>,
    tone: Option<String>,
}

impl TryFrom<ListedRow> for ListedCall {
    type Error = sqlx::Error;

    fn try_from(row: ListedRow) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self {
            call: row.call.try_into()?,
            began_at: row.began_at,
            duration_ms: row.duration_ms,
            direction: row.direction.and_then(|name| name.parse().ok()),
            tone: row.tone.and_then(|name| name.parse().ok()),
        })
    }
}

/// What a form can offer for its filters, from the newest calls that somebody may see, each in the order of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterValues {
    pub sources: Vec<String>,
    pub agents: Vec<String>,
    pub teams: Vec<String>,
    pub topics: Vec<String>,
}

/// A page of the list. `$at` is the table whose index gives the order, and `$first` is the filter that this index begins with.
/// With one statement for all filters, a rare topic would be looked for in all calls.
macro_rules! list {
    ($at:literal, $from:literal, $first:literal) => {
        concat!(
            "SELECT ",
            call_columns!(),
            ", began_at, duration_ms, direction, tone
             FROM calls JOIN (
                SELECT call_facts.call_id, ",
            $at,
            ".at AS began_at, duration_ms, direction, tone
                FROM ",
            $from,
            " WHERE ",
            $at,
            ".workspace = $1 AND ",
            $at,
            ".at >= $2 AND ",
            $at,
            ".at <= $3 AND ($4 IS NULL OR ",
            $at,
            ".at < $4 OR ",
            $at,
            ".call_id > $5)
                AND (CAST($6 AS TEXT) IS NULL OR source = $6) AND (CAST($7 AS TEXT) IS NULL OR agent = $7)
                AND (CAST($8 AS TEXT) IS NULL OR team = $8) AND (CAST($9 AS TEXT) IS NULL OR direction = $9)
                AND (CAST($10 AS TEXT) IS NULL OR tone = $10)
                AND (CAST($11 AS BIGINT) IS NULL OR duration_ms >= $11)
                AND (CAST($12 AS BIGINT) IS NULL OR duration_ms <= $12)
                AND ",
            $first,
            ") AS facts ON facts.call_id = calls.id
             WHERE (CAST($14 AS TEXT) IS NULL OR ",
            shown_status!(),
            " = $14) AND (CAST($15 AS TEXT) IS NULL OR agent = $15)
             ORDER BY began_at DESC, facts.call_id LIMIT $16"
        )
    };
}

const BY_TIME: &str = list!("call_facts", "call_facts", "CAST($13 AS TEXT) IS NULL");
const BY_AGENT: &str = list!("call_facts", "call_facts", "CAST($13 AS TEXT) IS NULL AND agent = $7");
const BY_TONE: &str = list!("call_facts", "call_facts", "CAST($13 AS TEXT) IS NULL AND tone = $10");
const BY_TOPIC: &str = list!(
    "call_topics",
    "call_topics JOIN call_facts ON call_facts.call_id = call_topics.call_id",
    "topic = $13"
);

impl Store {
    /// At most `limit` calls that match and that `sees` lets somebody see, the newest first, behind the call that `behind`
    /// names.
    pub async fn call_list(
        &self,
        workspace: WorkspaceId,
        filter: &ListFilter,
        sees: &Sees,
        behind: Option<Behind>,
        limit: i64,
    ) -> Result<Vec<ListedCall>> {
        let from = filter.from.unwrap_or(Moment::from_micros(0));
        let to = filter.to.unwrap_or(Moment::from_micros(253_402_300_799_000_000));
        let start = behind.map_or(to, |behind| behind.began_at.min(to));
        // Whoever sees only the calls of one agent asks for this agent, so that the index of the agent is used.
        let agent = filter.agent.as_deref().or(sees.agent());
        let sql = match (&filter.topic, agent, filter.tone) {
            (Some(_), _, _) => BY_TOPIC,
            (None, Some(_), _) => BY_AGENT,
            (None, None, Some(_)) => BY_TONE,
            (None, None, None) => BY_TIME,
        };
        let rows = read!(
            fetch_all,
            ListedRow,
            self,
            sql,
            workspace,
            from,
            start,
            behind.map(|behind| behind.began_at),
            behind.map(|behind| behind.call),
            filter.source.as_deref(),
            agent,
            filter.team.as_deref(),
            filter.direction.map(Direction::name),
            filter.tone.map(Tone::name),
            filter.min_duration_ms,
            filter.max_duration_ms,
            filter.topic.as_deref(),
            filter.status.map(CallStatus::name),
            sees.agent(),
            limit,
        )?;
        Ok(rows.into_iter().map(ListedCall::try_from).collect::<std::result::Result<_, _>>()?)
    }

    /// The values that a form can offer for its filters.
    pub async fn filter_values(&self, workspace: WorkspaceId, sees: &Sees) -> Result<FilterValues> {
        const NEWEST: i64 = 1000;
        let rows = read!(
            fetch_all,
            (String, Option<String>, Option<String>, String),
            self,
            "SELECT source, agent, team, topics FROM call_facts
             WHERE workspace = $1 AND (CAST($2 AS TEXT) IS NULL OR agent = $2) ORDER BY at DESC, call_id LIMIT $3",
            workspace,
            sees.agent(),
            NEWEST,
        )?;
        let mut values = FilterValues::default();
        for (source, agent, team, topics) in rows {
            values.sources.push(source);
            values.agents.extend(agent);
            values.teams.extend(team);
            values.topics.extend(topics.lines().map(str::to_owned));
        }
        for texts in [&mut values.sources, &mut values.agents, &mut values.teams, &mut values.topics] {
            texts.sort();
            texts.dedup();
        }
        Ok(values)
    }

    /// Whether calls that were there before an update are still being added to what is found and counted.
    pub async fn is_catching_up(&self) -> Result<bool> {
        let (ended_at,) =
            read!(fetch_one, (Option<Moment>,), self, "SELECT ended_at FROM index_walk WHERE id = 1")?;
        Ok(ended_at.is_none())
    }
}
