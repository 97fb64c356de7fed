//! The list of calls in pages that begin behind a call, and the values that a filter can have.

use super::call_status::{call_columns, shown_status};
use super::calls::{CallFilter, CallRow};
use super::{Result, Store, read};
use domain::call::{Call, CallId, CallStatus, WorkspaceId};
use domain::moment::Moment;

/// The last call of a page. The next page begins behind it, also when calls came in or went away meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    pub received_at: Moment,
    pub call: CallId,
}

/// The sources and the agents of the newest calls of a workspace, each in the order of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterValues {
    pub sources: Vec<String>,
    pub agents: Vec<String>,
}

impl Store {
    /// At most `limit` calls that match, newest first, behind the call that `behind` names.
    pub async fn calls_behind(
        &self,
        workspace: WorkspaceId,
        filter: &CallFilter,
        behind: Option<Behind>,
        limit: i64,
    ) -> Result<Vec<Call>> {
        let from = filter.from.unwrap_or(Moment::from_micros(0));
        let to = filter.to.unwrap_or(Moment::from_micros(253_402_300_799_000_000));
        let start = behind.map_or(to, |behind| behind.received_at.min(to));
        let rows = read!(
            fetch_all,
            CallRow,
            self,
            concat!(
                "SELECT ",
                call_columns!(),
                " FROM calls WHERE workspace = $1 AND received_at >= $2 AND received_at <= $3
                AND ($4 IS NULL OR received_at < $4 OR id > $5)
                AND (CAST($6 AS TEXT) IS NULL OR ",
                shown_status!(),
                " = $6) AND (CAST($7 AS TEXT) IS NULL OR source = $7)
                AND (CAST($8 AS TEXT) IS NULL OR agent = $8)
             ORDER BY received_at DESC, id LIMIT $9"
            ),
            workspace,
            from,
            start,
            behind.map(|behind| behind.received_at),
            behind.map(|behind| behind.call),
            filter.status.map(CallStatus::name),
            filter.source.as_deref(),
            filter.agent.as_deref(),
            limit,
        )?;
        Ok(rows.into_iter().map(Call::try_from).collect::<std::result::Result<_, _>>()?)
    }

    /// The values that a form can offer for its filters, from the newest calls.
    pub async fn filter_values(&self, workspace: WorkspaceId) -> Result<FilterValues> {
        const NEWEST: i64 = 1000;
        let rows = read!(
            fetch_all,
            (String, Option<String>),
            self,
            "SELECT DISTINCT source, agent FROM (
                SELECT source, agent FROM calls WHERE workspace = $1 ORDER BY received_at DESC, id LIMIT $2
             ) AS newest ORDER BY source, agent",
            workspace,
            NEWEST,
        )?;
        let mut values = FilterValues::default();
        for (source, agent) in rows {
            values.sources.push(source);
            values.agents.extend(agent.filter(|agent| !agent.is_empty()));
        }
        for texts in [&mut values.sources, &mut values.agents] {
            texts.sort();
            texts.dedup();
        }
        Ok(values)
    }
}
