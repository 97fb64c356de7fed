//! Fills an embedded store with calls.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::Utc;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::calls::{self, AGENT_MS, CUSTOMER_MS, Call, SILENCE_MS, WORKSPACE};

const AT_ONCE: u64 = 5000;
const ADDED_UP_WITHIN: Duration = Duration::from_mins(20);

pub(super) async fn fill(file: &Path, count: u64) -> anyhow::Result<()> {
    let mut store = SqliteConnectOptions::new().filename(file).connect().await.context("open the store")?;
    let now = Utc::now();
    for number in 0..count {
        if number % AT_ONCE == 0 {
            store.execute("BEGIN").await.context("begin")?;
        }
        write(&mut store, &calls::call(number, now)).await.context("write a call")?;
        if (number + 1) % AT_ONCE == 0 || number + 1 == count {
            store.execute("COMMIT").await.context("commit")?;
        }
    }
    let ended = format!("UPDATE index_walk SET ended_at = {}", now.timestamp_micros());
    store.execute(sqlx::AssertSqlSafe(ended)).await.context("end the walk")?;
    store.execute("ANALYZE").await.context("analyze")?;
    store.close().await.context("close the store")
}

async fn write(store: &mut SqliteConnection, call: &Call) -> sqlx::Result<()> {
    let at = call.at.timestamp_micros();
    sqlx::query(
        "INSERT INTO calls (id, workspace, source, external_id, kind, status, generation, details, agent, received_at,
            updated_at) VALUES ($1, $2, $3, $4, 'phone', 'completed', 1, $5, $6, $7, $7)",
    )
    .bind(call.id).bind(WORKSPACE).bind(call.source).bind(&call.external_id).bind(call.details.to_string())
    .bind(&call.agent).bind(at).execute(&mut *store).await?;
    sqlx::query("INSERT INTO transcripts (call_id, workspace, generation, transcript, created_at) VALUES ($1, $2, 1, $3, $4)")
        .bind(call.id).bind(WORKSPACE).bind(call.transcript.to_string()).bind(at).execute(&mut *store).await?;
    sqlx::query("INSERT INTO analyses (call_id, workspace, generation, analysis, created_at) VALUES ($1, $2, 1, $3, $4)")
        .bind(call.id).bind(WORKSPACE).bind(call.analysis.to_string()).bind(at).execute(&mut *store).await?;
    sqlx::query(
        "INSERT INTO call_facts (call_id, workspace, at, day, zone, source, kind, direction, agent, team, duration_ms,
            analyzer, sentiment, tone, category, resolution, priority, agent_talk_ms, customer_talk_ms, silence_ms,
            interruptions, words, questions, topics, made_at)
         VALUES ($1, $2, $3, $4, 'UTC', $5, 'phone', $6, $7, $8, $9, 'builtin', lower($10), $10, 'billing', $11, 'low', $12,
            $13, $14, 1, 144, 2, $15, $3)",
    )
    .bind(call.id).bind(WORKSPACE).bind(at).bind(calls::day(call.at)).bind(call.source).bind(call.direction)
    .bind(&call.agent).bind(call.team).bind(call.duration_ms).bind(call.tone).bind(call.resolution).bind(AGENT_MS)
    .bind(CUSTOMER_MS).bind(SILENCE_MS).bind(call.topics.join("\n")).execute(&mut *store).await?;
    for topic in &call.topics {
        sqlx::query("INSERT INTO call_topics (call_id, topic, workspace, at) VALUES ($1, $2, $3, $4)")
            .bind(call.id)
            .bind(topic)
            .bind(WORKSPACE)
            .bind(at)
            .execute(&mut *store)
            .await?;
    }
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO call_search (id, call_id, part, workspace)
         SELECT COALESCE(MAX(id) + 1, $1), $2, 0, $3 FROM call_search WHERE id >= $1 AND id < $1 + 10000000 RETURNING id",
    )
    .bind(at).bind(call.id).bind(WORKSPACE).fetch_one(&mut *store).await?;
    sqlx::query("INSERT INTO call_words (rowid, words) VALUES ($1, $2)")
        .bind(id)
        .bind(call.texts.join(" \u{b6} "))
        .execute(&mut *store)
        .await?;
    Ok(())
}

/// Waits until Debrief has added all facts up.
pub(super) async fn until_added_up(file: &Path) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut store = options.connect().await.context("open the store")?;
    let begun = Instant::now();
    loop {
        let sql = "SELECT COUNT(*) FROM call_facts WHERE NOT rolled";
        let (left,): (i64,) = sqlx::query_as(sql).fetch_one(&mut store).await.context("count the facts")?;
        if left == 0 {
            return store.close().await.context("close the store");
        }
        ensure!(begun.elapsed() < ADDED_UP_WITHIN, "{left} facts are not added up yet");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
