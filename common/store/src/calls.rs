//! Calls, and what arrived about them.

use std::cmp::Reverse;
use std::str::FromStr;

use sqlx::types::Json;
use uuid::Uuid;

use super::call_status::{call_columns, shown_status};
use super::{EffectName, Result, Store, read, read_planned};
use domain::call::{Call, CallDetails, CallId, CallStatus, WorkspaceId};
use domain::event::Material;
use domain::moment::Moment;
use domain::principal::Sees;

/// Material that arrived, with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMaterial {
    pub material: Material,
    pub received_at: Moment,
}

/// One piece of material that a delivery brought, or the delivery itself if it brought none.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DeliveredRow {
    pub event_id: Uuid,
    /// `recording`, `transcript` or `session`, or `announcement` if the delivery brought nothing from which a
    /// transcript can be made.
    pub kind: String,
    /// Empty for an announcement.
    pub digest: String,
    pub received_at: Moment,
}

/// Which calls a list shows. Every field that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    pub status: Option<CallStatus>,
    pub source: Option<String>,
    pub agent: Option<String>,
    pub from: Option<Moment>,
    pub to: Option<Moment>,
}

/// The condition of [`CallFilter`], for a query whose first values are the workspace and those of the filter.
macro_rules! matches_filter {
    () => {
        concat!(
            "workspace = $1 AND received_at >= $2 AND received_at <= $3 AND (CAST($4 AS TEXT) IS NULL OR ",
            shown_status!(),
            " = $4) AND (CAST($5 AS TEXT) IS NULL OR source = $5) AND (CAST($6 AS TEXT) IS NULL OR agent = $6)"
        )
    };
}

impl CallFilter {
    fn span(&self) -> (Moment, Moment) {
        let all = (Moment::from_micros(0), Moment::from_micros(253_402_300_799_000_000));
        (self.from.unwrap_or(all.0), self.to.unwrap_or(all.1))
    }

    /// Narrows the list to the calls that somebody may see. `None` where these are none at all.
    pub fn seen_by(self, sees: &Sees) -> Option<Self> {
        match sees.agent() {
            None => Some(self),
            Some(agent) if self.agent.as_deref().is_none_or(|asked| asked == agent) => {
                Some(Self { agent: Some(agent.to_owned()), ..self })
            }
            Some(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub offset: i64,
    pub limit: i64,
}

/// How many calls a workspace has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Stats {
    pub total: i64,
    pub completed: i64,
    pub failed: i64,
    /// Calls for which the effect that the caller named is confirmed.
    pub delivered: i64,
}

#[derive(sqlx::FromRow)]
pub(super) struct CallRow {
    id: CallId,
    workspace: WorkspaceId,
    source: String,
    external_id: String,
    kind: String,
    status: String,
    pub(super) generation: i64,
    pub(super) details: Json<CallDetails>,
    pub(super) received_at: Moment,
    updated_at: Moment,
    pub(super) nothing_made: Option<String>,
}

impl TryFrom<CallRow> for Call {
    type Error = sqlx::Error;

    fn try_from(row: CallRow) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self {
            kind: column(&row.kind, "kind of call")?,
            status: column(&row.status, "status of a call")?,
            id: row.id,
            workspace: row.workspace,
            source: row.source,
            external_id: row.external_id,
            generation: row.generation,
            details: row.details.0,
            received_at: row.received_at,
            updated_at: row.updated_at,
        })
    }
}

/// Reads a column whose text is the name of a value.
fn column<T: FromStr>(text: &str, what: &str) -> std::result::Result<T, sqlx::Error> {
    text.parse().map_err(|_| sqlx::Error::Decode(format!("`{text}` is no {what}").into()))
}

const SELECT_CALL: &str = concat!("SELECT ", call_columns!(), " FROM calls WHERE workspace = $1 AND id = $2");

impl Store {
    pub async fn call(&self, workspace: WorkspaceId, id: CallId) -> Result<Option<Call>> {
        let row = read!(fetch_optional, CallRow, self, SELECT_CALL, workspace, id)?;
        Ok(row.map(Call::try_from).transpose()?)
    }

    /// The call that has this id at its source. If several sources used the same id, it is the newest call.
    pub async fn call_by_external_id(
        &self,
        workspace: WorkspaceId,
        external_id: &str,
    ) -> Result<Option<Call>> {
        // The query does not sort: with an ORDER BY on the time, SQLite would look through all calls by time
        // instead of finding these few by their id.
        let rows = read!(
            fetch_all,
            CallRow,
            self,
            concat!("SELECT ", call_columns!(), " FROM calls WHERE workspace = $1 AND external_id = $2"),
            workspace,
            external_id,
        )?;
        let newest = rows.into_iter().max_by_key(|row| (row.received_at, Reverse(row.id.0)));
        Ok(newest.map(Call::try_from).transpose()?)
    }

    /// The material from which a transcript of the call can be made, oldest first.
    pub async fn materials(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<StoredMaterial>> {
        let rows = read!(
            fetch_all,
            (Json<Material>, Moment),
            self,
            "SELECT material, received_at FROM materials
             WHERE workspace = $1 AND call_id = $2 AND kind <> 'announcement' ORDER BY received_at, event_id, position",
            workspace,
            call,
        )?;
        Ok(rows
            .into_iter()
            .map(|(Json(material), received_at)| StoredMaterial { material, received_at })
            .collect())
    }

    /// Everything that arrived about a call, announcements included, oldest first.
    pub async fn deliveries(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<DeliveredRow>> {
        Ok(read!(
            fetch_all,
            DeliveredRow,
            self,
            "SELECT event_id, kind, digest, received_at FROM materials
             WHERE workspace = $1 AND call_id = $2 ORDER BY received_at, event_id, position",
            workspace,
            call,
        )?)
    }

    /// One page of the calls that match, newest first, and how many match in all.
    pub async fn calls(
        &self,
        workspace: WorkspaceId,
        filter: &CallFilter,
        page: Page,
    ) -> Result<(Vec<Call>, i64)> {
        tokio::try_join!(self.page_of_calls(workspace, filter, page), self.count_calls(workspace, filter))
    }

    /// One page of the calls that match, newest first. Without the count it takes as long as the page has calls.
    pub async fn page_of_calls(
        &self,
        workspace: WorkspaceId,
        filter: &CallFilter,
        page: Page,
    ) -> Result<Vec<Call>> {
        let (from, to) = filter.span();
        let rows = read_planned!(
            fetch_all,
            CallRow,
            self,
            concat!(
                "SELECT ",
                call_columns!(),
                " FROM calls WHERE ",
                matches_filter!(),
                " ORDER BY received_at DESC, id LIMIT $7 OFFSET $8"
            ),
            workspace,
            from,
            to,
            filter.status.map(CallStatus::name),
            filter.source.as_deref(),
            filter.agent.as_deref(),
            page.limit,
            page.offset,
        )?;
        Ok(rows.into_iter().map(Call::try_from).collect::<std::result::Result<_, _>>()?)
    }

    async fn count_calls(&self, workspace: WorkspaceId, filter: &CallFilter) -> Result<i64> {
        if let CallFilter { status: None, source, agent: None, from: None, to: None } = filter
            && let Some(total) = self.summed_calls(workspace, source.as_deref()).await?
        {
            return Ok(total);
        }
        let (from, to) = filter.span();
        let (total,) = read_planned!(
            fetch_one,
            (i64,),
            self,
            concat!("SELECT COUNT(*) FROM calls WHERE ", matches_filter!()),
            workspace,
            from,
            to,
            filter.status.map(CallStatus::name),
            filter.source.as_deref(),
            filter.agent.as_deref(),
        )?;
        Ok(total)
    }

    /// Counts the calls of a workspace. `delivery` names the effect by which a call counts as delivered.
    pub async fn stats(&self, workspace: WorkspaceId, delivery: EffectName<'_>) -> Result<Stats> {
        Ok(read!(
            fetch_one,
            Stats,
            self,
            "SELECT COUNT(*) AS total,
                COUNT(*) FILTER (WHERE status = 'completed') AS completed,
                COUNT(*) FILTER (WHERE status = 'failed') AS failed,
                (SELECT COUNT(*) FROM effects WHERE workspace = $1 AND target = $2 AND object = $3
                    AND state = 'confirmed') AS delivered
             FROM calls WHERE workspace = $1",
            workspace,
            delivery.target,
            delivery.object,
        )?)
    }
}
