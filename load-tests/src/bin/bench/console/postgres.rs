//! Fills PostgreSQL with calls, by COPY.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::Utc;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::calls::{self, AGENT_MS, CUSTOMER_MS, Call, SILENCE_MS, WORKSPACE};

/// How many calls one COPY writes.
const AT_ONCE: u64 = 10_000;
const ADDED_UP_WITHIN: Duration = Duration::from_hours(1);

/// What is copied: a table with its columns.
const TABLES: [&str; 6] = [
    "calls (id, workspace, source, external_id, kind, status, generation, details, agent, received_at, updated_at)",
    "transcripts (call_id, workspace, generation, transcript, created_at)",
    "analyses (call_id, workspace, generation, analysis, created_at)",
    "call_facts (call_id, workspace, at, day, zone, source, kind, direction, agent, team, duration_ms, analyzer, sentiment,
        tone, category, resolution, priority, agent_talk_ms, customer_talk_ms, silence_ms, interruptions, words, questions,
        topics, made_at)",
    "call_topics (call_id, topic, workspace, at)",
    "call_search (call_id, part, workspace, at, words)",
];

pub(super) async fn fill(address: &str, count: u64) -> anyhow::Result<()> {
    let mut database = PgConnection::connect(address).await.context("connect to PostgreSQL")?;
    // The index of words is made at the end, which is faster than one word after the other.
    database.execute("DROP INDEX call_search_words").await.context("drop the index of words")?;
    let now = Utc::now();
    let mut from = 0;
    while from < count {
        let to = (from + AT_ONCE).min(count);
        let mut rows: [String; 6] = Default::default();
        for number in from..to {
            write(&mut rows, &calls::call(number, now));
        }
        for (table, rows) in TABLES.iter().zip(&rows) {
            let mut copy =
                database.copy_in_raw(&format!("COPY {table} FROM STDIN")).await.context("begin a COPY")?;
            copy.send(rows.as_bytes()).await.context("send rows")?;
            copy.finish().await.with_context(|| format!("copy into {table}"))?;
        }
        from = to;
    }
    for sql in [
        "CREATE INDEX call_search_words ON call_search USING gin (words) WITH (gin_pending_list_limit = 1024)",
        "UPDATE index_walk SET ended_at = now()",
        "VACUUM ANALYZE",
    ] {
        database.execute(sql).await.with_context(|| sql.to_owned())?;
    }
    database.close().await.context("close the connection")
}

fn write(rows: &mut [String; 6], call: &Call) {
    let Call { id, source, external_id, at, agent, team, direction, duration_ms, tone, resolution, .. } =
        call;
    let at = at.to_rfc3339();
    let json = |value: &serde_json::Value| value.to_string().replace('\\', "\\\\");
    let sentiment = tone.to_lowercase();
    let day = calls::day(call.at);
    let topics = call.topics.join("\\n");
    let [table, transcripts, analyses, facts, topic_rows, search] = rows;
    let details = json(&call.details);
    line(
        table,
        &format!(
            "{id}\t{WORKSPACE}\t{source}\t{external_id}\tphone\tcompleted\t1\t{details}\t{agent}\t{at}\t{at}"
        ),
    );
    line(transcripts, &format!("{id}\t{WORKSPACE}\t1\t{}\t{at}", json(&call.transcript)));
    line(analyses, &format!("{id}\t{WORKSPACE}\t1\t{}\t{at}", json(&call.analysis)));
    line(
        facts,
        &format!(
            "{id}\t{WORKSPACE}\t{at}\t{day}\tUTC\t{source}\tphone\t{direction}\t{agent}\t{team}\t{duration_ms}\tbuiltin\t{sentiment}\t\
         {tone}\tbilling\t{resolution}\tlow\t{AGENT_MS}\t{CUSTOMER_MS}\t{SILENCE_MS}\t1\t144\t2\t{topics}\t{at}"
        ),
    );
    for topic in &call.topics {
        line(topic_rows, &format!("{id}\t{topic}\t{WORKSPACE}\t{at}"));
    }
    let mut words = String::new();
    let mut place = 0;
    for text in &call.texts {
        for word in text.split(' ') {
            place += 1;
            let _infallible = write!(words, "'{word}':{place} ");
        }
        place += 1;
    }
    line(search, &format!("{id}\t0\t{WORKSPACE}\t{at}\t{words}"));
}

fn line(rows: &mut String, text: &str) {
    rows.push_str(text);
    rows.push('\n');
}

/// Waits until Debrief has added all facts up.
pub(super) async fn until_added_up(address: &str) -> anyhow::Result<()> {
    let mut database = PgConnection::connect(address).await.context("connect to PostgreSQL")?;
    let begun = Instant::now();
    loop {
        let sql = "SELECT COUNT(*) FROM call_facts WHERE NOT rolled";
        let (left,): (i64,) =
            sqlx::query_as(sql).fetch_one(&mut database).await.context("count the facts")?;
        if left == 0 {
            break;
        }
        ensure!(begun.elapsed() < ADDED_UP_WITHIN, "{left} facts are not added up yet");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    database.execute("VACUUM ANALYZE").await.context("tidy the tables up")?;
    database.close().await.context("close the connection")
}
