//! Finds calls by their words. The newest call comes first.
//!
//! An order by relevance would have to look at every call that matches, and a frequent word is in most calls. The newest
//! calls come straight from an index.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::sqlite::SqliteConnection;
use sqlx::types::Json;
use sqlx::{Executor as _, SqlitePool};

use super::call_status::{call_columns, shown_status};
use super::calls::CallRow;
use super::connections::Connections;
use super::kept_corrections::{KeptCorrections, corrections_columns};
use super::{Db, Result, Store, StoreError, in_time, read};
use domain::analysis::Analysis;
use domain::call::{Call, CallId, WorkspaceId};
use domain::moment::Moment;
use domain::principal::Sees;
use domain::search::{Excerpt, Phrase, Query, excerpt};
use domain::transcript::Transcript;

/// How long a search may take. Nobody can bring the database down by searching.
const SEARCH_PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_SQL: &str = "SET LOCAL statement_timeout = '2s'";
/// How many instructions of SQLite run between two looks at the clock.
const LOOK_EVERY: i32 = 20_000;
/// The longest transcript, as JSON, in which moments are looked for. A call with a longer one is found without moments.
const MAX_TRANSCRIPT_BYTES: i64 = 4 * 1024 * 1024;
const MAX_MOMENTS: usize = 5;
const SNIPPET_CHARS: usize = 200;
const MOMENT_CHARS: usize = 300;
/// How many calls are read at once, to show what was found in them.
const READ_AT_ONCE: usize = 4;

/// What is looked for, in which time, and how many calls at most. Both ends of the time belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    pub query: Query,
    pub from: Option<Moment>,
    pub to: Option<Moment>,
    pub limit: usize,
}

/// A call that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundCall {
    pub call: Call,
    /// A piece of what was said or written about the call, with what was found in it.
    pub snippet: Excerpt,
    pub moments: Vec<FoundMoment>,
}

/// A segment of the transcript in which something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundMoment {
    pub segment: u32,
    pub start_ms: Option<i64>,
    pub speaker: String,
    pub text: Excerpt,
}

#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The search was stopped, because it took longer than a search may.
    #[error("the search took longer than {} s and was stopped", SEARCH_PATIENCE.as_secs())]
    TooSlow,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for SearchError {
    fn from(error: sqlx::Error) -> Self {
        // PostgreSQL says so when a statement is cancelled, and SQLite when it is interrupted.
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            Some("57014" | "9") => Self::TooSlow,
            _ => Self::Store(error.into()),
        }
    }
}

/// What one search asks the database for.
struct Wanted<'a> {
    workspace: WorkspaceId,
    words: String,
    from: Moment,
    to: Moment,
    agent: Option<&'a str>,
}

#[derive(sqlx::FromRow)]
struct ShownRow {
    #[sqlx(flatten)]
    call: CallRow,
    transcript: Option<Json<Transcript>>,
    analysis: Option<Json<Analysis>>,
    #[sqlx(flatten)]
    kept: KeptCorrections,
}

macro_rules! shown {
    ($size:literal) => {
        concat!(
            "SELECT shown.*, CASE WHEN ",
            $size,
            " <= $3 THEN transcript END AS transcript, analysis, ",
            corrections_columns!(),
            " FROM (SELECT ",
            call_columns!(),
            " FROM calls WHERE workspace = $1 AND id = $2) AS shown
                LEFT JOIN transcripts ON transcripts.call_id = shown.id
                LEFT JOIN speaker_corrections ON speaker_corrections.call_id = shown.id
                LEFT JOIN analyses ON analyses.call_id = shown.id"
        )
    };
}

impl Store {
    /// Finds calls of a workspace that `sees` lets somebody see.
    pub async fn search(
        &self,
        workspace: WorkspaceId,
        search: &Search,
        sees: &Sees,
    ) -> std::result::Result<Vec<FoundCall>, SearchError> {
        let words = match &self.db {
            Db::Postgres(_) => tsquery(&search.query),
            Db::Sqlite { .. } => fts5(&search.query),
        };
        let wanted = Wanted {
            workspace,
            words,
            from: search.from.unwrap_or(Moment::from_micros(0)),
            to: search.to.unwrap_or(Moment::from_micros(253_402_300_799_000_000)),
            agent: sees.agent(),
        };
        let ids = self.found_ids(&wanted, search.limit).await?;
        let shown = futures::stream::iter(ids)
            .map(|id| self.shown(workspace, id, &search.query))
            .buffered(READ_AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(shown.into_iter().flatten().collect())
    }

    /// The ids of the calls, newest first. A long call has several parts, so there can be more rows than calls.
    async fn found_ids(
        &self,
        wanted: &Wanted<'_>,
        limit: usize,
    ) -> std::result::Result<Vec<CallId>, SearchError> {
        let mut ids = Vec::new();
        for times in [1, 4, 64] {
            let rows = i64::try_from(limit * times).unwrap_or(i64::MAX);
            let found = match &self.db {
                Db::Postgres(connections) => find(connections, wanted, rows).await?,
                Db::Sqlite { readers, .. } => find_embedded(readers, wanted, rows).await?,
            };
            let is_all = found.len() < limit * times;
            let mut seen = HashSet::new();
            ids = found.into_iter().filter(|id| seen.insert(*id)).collect();
            if is_all || ids.len() >= limit {
                break;
            }
        }
        ids.truncate(limit);
        Ok(ids)
    }

    /// A call with what was found in it. Nothing if it was removed meanwhile.
    async fn shown(&self, workspace: WorkspaceId, id: CallId, query: &Query) -> Result<Option<FoundCall>> {
        let sql = match &self.db {
            Db::Postgres(_) => shown!("CAST(pg_column_size(transcript) AS BIGINT) * 4"),
            Db::Sqlite { .. } => shown!("octet_length(transcript)"),
        };
        let row = read!(fetch_optional, ShownRow, self, sql, workspace, id, MAX_TRANSCRIPT_BYTES)?;
        let Some(row) = row else { return Ok(None) };
        let call = Call::try_from(row.call)?;
        let corrections = row.kept.all();
        let transcript = row.transcript.map(|Json(transcript)| corrections.of_transcript(transcript));
        let (best, moments) = moments(transcript.as_ref(), query);
        let analysis = row.analysis.map(|Json(analysis)| corrections.of_analysis(analysis));
        let snippet = best.unwrap_or_else(|| written(&call, analysis.as_ref(), query));
        Ok(Some(FoundCall { call, snippet, moments }))
    }
}

/// Asks PostgreSQL, in a transaction whose statements have a limit of their own.
async fn find(
    connections: &Connections,
    wanted: &Wanted<'_>,
    rows: i64,
) -> std::result::Result<Vec<CallId>, SearchError> {
    let found = in_time(async {
        let mut lent = connections.begin().await?;
        lent.execute(PATIENCE_SQL).await?;
        let found: Vec<(CallId,)> = sqlx::query_as(
            "SELECT call_id FROM call_search
             WHERE workspace = $1 AND words @@ CAST(CAST($2 AS TEXT) AS tsquery) AND at >= $3 AND at <= $4
                AND (CAST($5 AS TEXT) IS NULL
                    OR EXISTS (SELECT 1 FROM calls WHERE calls.id = call_search.call_id AND calls.agent = $5))
             ORDER BY at DESC LIMIT $6",
        )
        .bind(wanted.workspace)
        .bind(&wanted.words)
        .bind(wanted.from)
        .bind(wanted.to)
        .bind(wanted.agent)
        .bind(rows)
        .fetch_all(&mut *lent)
        .await?;
        lent.commit().await?;
        Ok(found)
    });
    Ok(found.await?.into_iter().map(|(id,)| id).collect())
}

/// Asks SQLite, which looks at the clock while it works.
async fn find_embedded(
    readers: &SqlitePool,
    wanted: &Wanted<'_>,
    rows: i64,
) -> std::result::Result<Vec<CallId>, SearchError> {
    let mut reader = readers.acquire().await?;
    let _limit = Limit::set(&mut reader).await?;
    let found: Vec<(CallId,)> = sqlx::query_as(
        "SELECT call_search.call_id FROM call_words JOIN call_search ON call_search.id = call_words.rowid
         WHERE call_words MATCH $2 AND call_words.rowid >= $3 AND call_words.rowid <= $4 AND workspace = $1
            AND ($5 IS NULL OR EXISTS (SELECT 1 FROM calls WHERE calls.id = call_search.call_id AND calls.agent = $5))
         ORDER BY call_words.rowid DESC LIMIT $6",
    )
    .bind(wanted.workspace)
    .bind(&wanted.words)
    .bind(wanted.from)
    .bind(wanted.to)
    .bind(wanted.agent)
    .bind(rows)
    .fetch_all(&mut *reader)
    .await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Limits the time of statements on a connection. The limit ends when this is dropped, also when the caller has gone.
struct Limit {
    is_set: Arc<AtomicBool>,
}

impl Limit {
    async fn set(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let is_set = Arc::new(AtomicBool::new(true));
        let limit = Self { is_set: Arc::clone(&is_set) };
        let ends = Instant::now() + SEARCH_PATIENCE;
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(LOOK_EVERY, move || {
            !is_set.load(Ordering::Relaxed) || Instant::now() < ends
        });
        Ok(limit)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        self.is_set.store(false, Ordering::Relaxed);
    }
}

/// The query in the words of PostgreSQL. A word holds letters, digits and marks only, so nothing has to be escaped.
fn tsquery(query: &Query) -> String {
    written_as(query, " & ", " | ", |phrase| {
        let end = if phrase.is_beginning { ":*" } else { "" };
        format!("('{}'{end})", phrase.words.join("' <-> '"))
    })
}

/// The query in the words of FTS5.
fn fts5(query: &Query) -> String {
    written_as(query, " AND ", " OR ", |phrase| {
        let end = if phrase.is_beginning { " *" } else { "" };
        format!("\"{}\"{end}", phrase.words.join(" "))
    })
}

fn written_as(query: &Query, and: &str, or: &str, phrase: impl Fn(&Phrase) -> String) -> String {
    let clauses = query.clauses().iter().map(|clause| {
        let phrases: Vec<String> = clause.iter().map(&phrase).collect();
        format!("({})", phrases.join(or))
    });
    clauses.collect::<Vec<_>>().join(and)
}

/// The segments in which most of the query is found, in the order of the call, and a piece of the best one.
fn moments(transcript: Option<&Transcript>, query: &Query) -> (Option<Excerpt>, Vec<FoundMoment>) {
    let segments = transcript.iter().flat_map(|transcript| &transcript.segments);
    let mut found: Vec<_> = segments
        .map(|segment| (segment, query.find(&segment.text)))
        .filter(|(_, (places, _))| !places.is_empty())
        .collect();
    // The order of the call stays among equals, because the sort is stable.
    found.sort_by_key(|(_, (_, clauses))| std::cmp::Reverse(*clauses));
    found.truncate(MAX_MOMENTS);
    let best = found.first().map(|(segment, (places, _))| excerpt(&segment.text, places, SNIPPET_CHARS));
    found.sort_by_key(|(segment, _)| segment.id);
    let moments = found.into_iter().map(|(segment, (places, _))| FoundMoment {
        segment: segment.id,
        start_ms: segment.start_ms,
        speaker: segment.label(),
        text: excerpt(&segment.text, &places, MOMENT_CHARS),
    });
    (best, moments.collect())
}

/// A piece of what is written about a call: its summary and what else its analysis says, or its names and numbers.
fn written(call: &Call, analysis: Option<&Analysis>, query: &Query) -> Excerpt {
    let summary = analysis.map(|analysis| analysis.summary.as_str()).unwrap_or_default();
    let others = analysis.iter().flat_map(|analysis| {
        let items = analysis.action_items.iter().map(|item| &item.text);
        analysis.concern.iter().chain(&analysis.key_points).chain(items).chain(&analysis.customer_requests)
    });
    let identity = identity(call);
    let texts = std::iter::once(summary).chain(others.map(String::as_str)).chain([identity.as_str()]);
    let best = texts
        .map(|text| (text, query.find(text)))
        .reduce(|best, next| if next.1.1 > best.1.1 { next } else { best });
    match best {
        Some((text, (places, 1..))) => excerpt(text, &places, SNIPPET_CHARS),
        _ if !summary.is_empty() => excerpt(summary, &[], SNIPPET_CHARS),
        _ => excerpt(&identity, &[], SNIPPET_CHARS),
    }
}

/// The names, numbers and ids of a call in one line.
fn identity(call: &Call) -> String {
    let details = &call.details;
    let own = [
        &details.topic,
        &details.agent_name,
        &details.from_number,
        &details.to_number,
        &details.department,
        &details.customer_segment,
        &details.agent_email,
    ];
    let people = details.participants.iter().flat_map(|who| [&who.name, &who.email, &who.phone]);
    let texts = own.into_iter().chain(people).flatten().map(String::as_str);
    let mut line: Vec<&str> = texts.chain([call.source.as_str(), call.external_id.as_str()]).collect();
    line.dedup();
    line.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_written_for_both_databases() {
        let query = Query::read("\"next friday\" refund* 020 7946 0123").unwrap();
        assert_eq!(
            tsquery(&query),
            "(('next' <-> 'friday')) & (('refund':*)) & (('2079460123':*) | ('020' <-> '7946' <-> '0123'))"
        );
        assert_eq!(
            fts5(&query),
            "(\"next friday\") AND (\"refund\" *) AND (\"2079460123\" * OR \"020 7946 0123\")"
        );
    }
}
