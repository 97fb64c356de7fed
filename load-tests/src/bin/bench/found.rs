//! Whether everything that was accepted is there afterwards, and came to an end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use load_tests::harness::http::Connection;

const PAGE: usize = 1000;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Calls of these statuses have work before them.
const OPEN: [&str; 2] = ["queued", "processing"];

#[derive(Deserialize)]
struct Page {
    calls: Vec<Listed>,
    total: u64,
}

#[derive(Deserialize)]
struct Listed {
    external_id: String,
    status: String,
}

/// Reads the history until every one of `accepted` is in it and none of them has work before it, or nothing
/// has changed for `patience`. Returns how many there are of each status; `missing` counts those that are not there.
pub(crate) async fn found(
    address: SocketAddr,
    key: Option<&str>,
    accepted: &BTreeSet<String>,
    since: &str,
    patience: Duration,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let (mut counts, mut changed) = (BTreeMap::new(), Instant::now());
    loop {
        let now = counted(address, key, accepted, since).await?;
        let is_settled = now.keys().all(|status| status != "missing" && !OPEN.contains(&status.as_str()));
        if now != counts {
            (counts, changed) = (now, Instant::now());
        }
        if is_settled || changed.elapsed() > patience {
            return Ok(counts);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn counted(
    address: SocketAddr,
    key: Option<&str>,
    accepted: &BTreeSet<String>,
    since: &str,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut connection = Connection::open(address).await.context("connect to Debrief")?.with_key(key);
    // By id, since a page shifts when a call comes in between two of them.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for page in 1.. {
        let answer =
            connection.get(&format!("/api/calls/history?limit={PAGE}&page={page}&from={since}")).await?;
        ensure!(answer.status == 200, "the history answered {}", answer.status);
        let Page { calls, total } = serde_json::from_slice(&answer.body).context("read the history")?;
        let is_last = calls.len() < PAGE || (page * PAGE) as u64 >= total;
        let ours = calls.into_iter().filter(|call| accepted.contains(&call.external_id));
        known.extend(ours.map(|call| (call.external_id, call.status)));
        if is_last {
            break;
        }
    }
    let mut counts = BTreeMap::new();
    for id in accepted {
        let status = known.get(id).map_or("missing", String::as_str);
        *counts.entry(status.to_owned()).or_default() += 1;
    }
    Ok(counts)
}

/// `12 completed, 3 waiting`.
pub(crate) fn in_words(counts: &BTreeMap<String, u64>) -> String {
    let words: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
