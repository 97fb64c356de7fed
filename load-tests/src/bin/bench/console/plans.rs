//! Writes how PostgreSQL carries the queries of the console out.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::calls::WORKSPACE;

/// The queries in their essence. Their values are those of the measurement.
const QUERIES: [(&str, &str); 6] = [
    (
        "The first page of the list",
        "SELECT id, details FROM calls WHERE workspace = '{w}' ORDER BY received_at DESC, id LIMIT 50",
    ),
    (
        "The list of one agent",
        "SELECT id, details FROM calls WHERE workspace = '{w}' AND agent = 'Dana Ortiz' ORDER BY received_at DESC, id LIMIT 50",
    ),
    (
        "A search for a frequent word",
        "SELECT call_id FROM call_search WHERE workspace = '{w}' AND words @@ '''invoice'''::tsquery ORDER BY at DESC LIMIT 20",
    ),
    (
        "A search for words side by side",
        "SELECT call_id FROM call_search WHERE workspace = '{w}' AND words @@ '''broken'' <-> ''headset'''::tsquery
            ORDER BY at DESC LIMIT 20",
    ),
    (
        "The sums of a year by day",
        "SELECT day, SUM(calls), SUM(duration_ms) FROM call_days WHERE workspace = '{w}' GROUP BY day",
    ),
    (
        "The sums of a year by month",
        "SELECT day, SUM(calls), SUM(duration_ms) FROM call_months WHERE workspace = '{w}' GROUP BY day",
    ),
];

pub(super) async fn write(address: &str, calls: u64, file: &Path) -> anyhow::Result<()> {
    let mut database = PgConnection::connect(address).await.context("connect to PostgreSQL")?;
    let mut text = format!(
        "# How the queries of the console are carried out\n\n`make bench ARGS=\"console\"` wrote this page, on PostgreSQL with \
         {calls} calls. A list, a search and a dashboard read as many rows as they show, or as there are days and agents, and \
         not as many as there are calls.\n"
    );
    for (name, sql) in QUERIES {
        let sql = sql.replace("{w}", &WORKSPACE.to_string());
        let explain = format!("EXPLAIN (ANALYZE, BUFFERS) {sql}");
        let plan: Vec<(String,)> =
            sqlx::query_as(AssertSqlSafe(explain)).fetch_all(&mut database).await.context("explain")?;
        let plan: Vec<String> = plan.into_iter().map(|(line,)| line).collect();
        let _infallible = write!(text, "\n## {name}\n\n```\n{sql}\n\n{}\n```\n", plan.join("\n"));
    }
    database.close().await.context("close the connection")?;
    std::fs::write(file, text).with_context(|| format!("write {}", file.display()))
}
