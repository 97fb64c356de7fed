//! What is derived from a call so that it can be found and counted: its words, its facts and its topics.
//!
//! It is made again in the transaction that changes the call, its transcript or its analysis. So a search and a sum never
//! lag behind what a call's page shows.

use std::fmt::Write as _;

use sqlx::types::Json;

use super::columns::{bounded, storable};
use super::kept_corrections::{KeptCorrections, corrections_columns};
use super::{Result, Store, Tx, execute, query};
use domain::analysis::Analysis;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::call_facts::{CallFacts, FactRules, ReadFacts};
use domain::moment::Moment;
use domain::search::{Document, Header, Part};
use domain::transcript::Transcript;

/// A word that nobody can look for. It stands between two texts, so that no phrase is found across them.
const BETWEEN_TEXTS: &str = "\u{b6}";
/// PostgreSQL keeps no higher place than this.
const LAST_PLACE: usize = 16_383;

/// A call, as far as it is indexed.
pub(super) struct Indexed<'a> {
    pub(super) call: CallId,
    pub(super) workspace: WorkspaceId,
    pub(super) source: &'a str,
    pub(super) external_id: &'a str,
    pub(super) kind: CallKind,
    pub(super) details: &'a CallDetails,
    pub(super) received_at: Moment,
}

#[derive(sqlx::FromRow)]
struct IndexedRow {
    workspace: WorkspaceId,
    source: String,
    external_id: String,
    kind: String,
    details: Json<CallDetails>,
    received_at: Moment,
    transcript: Option<Json<Transcript>>,
    analysis: Option<Json<Analysis>>,
    #[sqlx(flatten)]
    kept: KeptCorrections,
}

macro_rules! select_indexed {
    ($lock:literal) => {
        concat!(
            "SELECT calls.workspace, source, external_id, kind, details, received_at, transcript, analysis, ",
            corrections_columns!(),
            " FROM calls LEFT JOIN transcripts ON transcripts.call_id = calls.id
                LEFT JOIN speaker_corrections ON speaker_corrections.call_id = calls.id
                LEFT JOIN analyses ON analyses.call_id = calls.id
             WHERE calls.id = $1",
            $lock
        )
    };
}

/// Makes the index of a call again from what the store holds. Locks the call's row, as everybody does who changes what
/// belongs to a call.
pub(super) async fn refresh(tx: &mut Tx, rules: &FactRules, call: CallId, now: Moment) -> Result<()> {
    let sql = match tx {
        Tx::Postgres(_) => select_indexed!(" FOR UPDATE OF calls"),
        Tx::Sqlite(_) => select_indexed!(""),
    };
    let Some(row) = query!(fetch_optional, IndexedRow, *tx, sql, call)? else { return Ok(()) };
    let kind = row
        .kind
        .parse()
        .map_err(|_| sqlx::Error::Decode(format!("`{}` is no kind of call", row.kind).into()))?;
    let corrections = row.kept.all();
    let transcript = row.transcript.map(|Json(transcript)| corrections.of_transcript(transcript));
    let analysis = row.analysis.map(|Json(analysis)| corrections.of_analysis(analysis));
    let indexed = Indexed {
        call,
        workspace: row.workspace,
        source: &row.source,
        external_id: &row.external_id,
        kind,
        details: &row.details.0,
        received_at: row.received_at,
    };
    write(
        tx,
        rules,
        &indexed,
        Results { transcript: transcript.as_ref(), analysis: analysis.as_ref() },
        Known::Yes,
        now,
    )
    .await
}

/// Makes the index of a call that has just arrived, of which nothing else is there yet.
pub(super) async fn begin(tx: &mut Tx, rules: &FactRules, call: &Indexed<'_>, now: Moment) -> Result<()> {
    write(tx, rules, call, Results::default(), Known::No, now).await
}

/// What the stages made of a call so far.
#[derive(Clone, Copy, Default)]
struct Results<'a> {
    transcript: Option<&'a Transcript>,
    analysis: Option<&'a Analysis>,
}

/// Whether the call may be in the index already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

async fn write(
    tx: &mut Tx,
    rules: &FactRules,
    call: &Indexed<'_>,
    Results { transcript, analysis }: Results<'_>,
    known: Known,
    now: Moment,
) -> Result<()> {
    let said_ms = transcript.and_then(Transcript::duration_ms);
    let facts = CallFacts::of(call.kind, call.details, call.received_at, analysis, said_ms, rules);
    write_facts(tx, rules, call, &facts, analysis, now).await?;
    write_topics(tx, call, &facts).await?;
    let header =
        Header { id: call.call, source: call.source, external_id: call.external_id, details: call.details };
    let document = Document::of(header, transcript, analysis);
    match tx {
        Tx::Postgres(_) => write_words(tx, call, facts.at, &document, known).await,
        Tx::Sqlite(_) => write_words_embedded(tx, call, facts.at, &document, known).await,
    }
}

async fn write_facts(
    tx: &mut Tx,
    rules: &FactRules,
    call: &Indexed<'_>,
    facts: &CallFacts,
    analysis: Option<&Analysis>,
    now: Moment,
) -> Result<()> {
    let name = |value: Option<&serde_json::Value>| value.and_then(|value| value.as_str().map(str::to_owned));
    // The names of the values are those of the analysis in the API.
    let read = analysis.and_then(|analysis| {
        serde_json::to_value((
            analysis.sentiment,
            analysis.tone,
            analysis.category,
            analysis.resolution,
            analysis.priority,
        ))
        .ok()
    });
    let named = |place: usize| name(read.as_ref().and_then(|read| read.get(place)));
    let reading = facts.reading.as_ref();
    let metrics = analysis.map(|analysis| &analysis.metrics);
    let topics = reading.map(|reading| reading.topics.join("\n")).unwrap_or_default();
    execute!(
        *tx,
        "INSERT INTO call_facts (call_id, workspace, at, day, zone, source, kind, direction, agent, team, duration_ms,
            analyzer, sentiment, tone, category, resolution, priority, agent_talk_ms, customer_talk_ms, silence_ms,
            interruptions, words, questions, topics, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
            $24, $25)
         ON CONFLICT (call_id) DO UPDATE SET at = excluded.at, day = excluded.day, zone = excluded.zone,
            source = excluded.source, kind = excluded.kind, direction = excluded.direction, agent = excluded.agent,
            team = excluded.team, duration_ms = excluded.duration_ms, analyzer = excluded.analyzer,
            sentiment = excluded.sentiment, tone = excluded.tone, category = excluded.category,
            resolution = excluded.resolution, priority = excluded.priority, agent_talk_ms = excluded.agent_talk_ms,
            customer_talk_ms = excluded.customer_talk_ms, silence_ms = excluded.silence_ms,
            interruptions = excluded.interruptions, words = excluded.words, questions = excluded.questions,
            topics = excluded.topics, made_at = excluded.made_at, rolled = FALSE",
        call.call,
        call.workspace,
        facts.at,
        facts.day,
        rules.zone.name(),
        call.source,
        call.kind.name(),
        facts.direction,
        facts.agent.as_deref().map(|text| bounded(text, 200)),
        facts.team.as_deref().map(|text| bounded(text, 200)),
        facts.duration_ms,
        reading.map(|reading| bounded(&reading.analyzer, 200)),
        named(0),
        named(1),
        named(2),
        named(3),
        named(4),
        reading.and_then(|reading| reading.agent_talk_ms),
        reading.and_then(|reading| reading.customer_talk_ms),
        metrics.map(|metrics| metrics.silence_ms),
        metrics.map(|metrics| i64::from(metrics.interruptions)),
        metrics.map(|metrics| i64::from(metrics.words)),
        metrics.map(|metrics| i64::from(metrics.questions)),
        bounded(&topics, 4000),
        now,
    )?;
    Ok(())
}

/// Keeps the topics of an analyzed call. A call without an analysis never had one, so it has no topics to take away.
async fn write_topics(tx: &mut Tx, call: &Indexed<'_>, facts: &CallFacts) -> Result<()> {
    let Some(ReadFacts { topics, .. }) = &facts.reading else { return Ok(()) };
    execute!(*tx, "DELETE FROM call_topics WHERE call_id = $1", call.call)?;
    if topics.is_empty() {
        return Ok(());
    }
    let sql = match tx {
        Tx::Postgres(_) => {
            "INSERT INTO call_topics (call_id, workspace, at, topic)
             SELECT $1, $2, $3, value FROM jsonb_array_elements_text($4) AS topics (value) ON CONFLICT DO NOTHING"
        }
        Tx::Sqlite(_) => {
            "INSERT INTO call_topics (call_id, workspace, at, topic)
             SELECT $1, $2, $3, value FROM json_each($4) WHERE TRUE ON CONFLICT DO NOTHING"
        }
    };
    execute!(*tx, sql, call.call, call.workspace, facts.at, storable(topics))?;
    Ok(())
}

async fn write_words(
    tx: &mut Tx,
    call: &Indexed<'_>,
    at: Moment,
    document: &Document,
    known: Known,
) -> Result<()> {
    for (number, part) in (0_i64..).zip(&document.parts) {
        execute!(
            *tx,
            "INSERT INTO call_search (call_id, part, workspace, at, words)
             VALUES ($1, $2, $3, $4, CAST(CAST($5 AS TEXT) AS tsvector))
             ON CONFLICT (call_id, part) DO UPDATE SET at = excluded.at, words = excluded.words",
            call.call,
            number,
            call.workspace,
            at,
            tsvector(part),
        )?;
    }
    if known == Known::Yes {
        let parts = i64::try_from(document.parts.len()).unwrap_or(i64::MAX);
        execute!(*tx, "DELETE FROM call_search WHERE call_id = $1 AND part >= $2", call.call, parts)?;
    }
    Ok(())
}

/// The words of a part with their places, in the text form that PostgreSQL reads. A word holds letters, digits and marks
/// only, so nothing in it has to be escaped.
fn tsvector(part: &Part) -> String {
    let mut text = String::new();
    let mut place = 0;
    for words in &part.texts {
        for word in words {
            place += 1;
            let _infallible = write!(text, "'{word}':{} ", place.min(LAST_PLACE));
        }
        place += 1;
    }
    text
}

async fn write_words_embedded(
    tx: &mut Tx,
    call: &Indexed<'_>,
    at: Moment,
    document: &Document,
    known: Known,
) -> Result<()> {
    /// So many parts can have the same time.
    const SAME_TIME: i64 = 10_000_000;
    let earlier = match known {
        Known::Yes => {
            query!(fetch_all, (i64,), *tx, "SELECT id FROM call_search WHERE call_id = $1", call.call)?
        }
        Known::No => Vec::new(),
    };
    for (id,) in earlier {
        execute!(*tx, "DELETE FROM call_words WHERE rowid = $1", id)?;
        execute!(*tx, "DELETE FROM call_search WHERE id = $1", id)?;
    }
    for (number, part) in (0_i64..).zip(&document.parts) {
        let (id,) = query!(
            fetch_one,
            (i64,),
            *tx,
            "INSERT INTO call_search (id, call_id, part, workspace)
             SELECT COALESCE(MAX(id) + 1, $1), $3, $4, $5 FROM call_search WHERE id >= $1 AND id < $2 RETURNING id",
            at.micros(),
            at.micros().saturating_add(SAME_TIME),
            call.call,
            number,
            call.workspace,
        )?;
        let words = part.texts.iter().map(|words| words.join(" ")).collect::<Vec<_>>();
        let words = words.join(&format!(" {BETWEEN_TEXTS} "));
        execute!(*tx, "INSERT INTO call_words (rowid, words) VALUES ($1, $2)", id, words)?;
    }
    Ok(())
}

impl Store {
    /// The same store, which knows how the installation counts its calls.
    pub fn with_facts_by(self, rules: FactRules) -> Self {
        Self { facts: rules.into(), ..self }
    }
}
