//! Whether every accepted call is in the history afterwards, and has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use load_tests::harness::http::Connection;

const PAGE: usize = 1000;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The statuses of calls that have not ended.
const OPEN: [&str; 2] = ["queued", "processing"];

#[derive(Deserialize)]
struct Page {
    calls: Vec<ListedCall>,
    total: u64,
}

#[derive(Deserialize)]
struct ListedCall {
    external_id: String,
    status: String,
}

/// Reads the history until every one of the `accepted` calls is in it and has ended, or until nothing has changed for
/// `patience`. Returns the number of calls of each status. Those that are not in the history are counted as `missing`.
pub(crate) async fn statuses_once_ended(
    address: SocketAddr,
    key: Option<&str>,
    accepted: &BTreeSet<String>,
    since: &str,
    patience: Duration,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let (mut counts, mut changed) = (BTreeMap::new(), Instant::now());
    loop {
        let now = statuses(address, key, accepted, since).await?;
        let has_ended = now.keys().all(|status| status != "missing" && !OPEN.contains(&status.as_str()));
        if now != counts {
            (counts, changed) = (now, Instant::now());
        }
        if has_ended || changed.elapsed() > patience {
            return Ok(counts);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn statuses(
    address: SocketAddr,
    key: Option<&str>,
    accepted: &BTreeSet<String>,
    since: &str,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut connection = Connection::open(address).await.context("connect to Debrief")?.with_key(key);
    // The calls are kept by their ids, because a call that comes in between two pages shifts the second one.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for page in 1.. {
        let answer =
            connection.get(&format!("/api/calls/history?limit={PAGE}&page={page}&from={since}")).await?;
        ensure!(answer.status == 200, "the history answered {}", answer.status);
        let Page { calls, total } = serde_json::from_slice(&answer.body).context("read the history")?;
        let is_last = calls.len() < PAGE || (page * PAGE) as u64 >= total;
        let sent_here = calls.into_iter().filter(|call| accepted.contains(&call.external_id));
        known.extend(sent_here.map(|call| (call.external_id, call.status)));
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

/// Writes the numbers as `12 completed, 3 waiting`.
pub(crate) fn in_words(counts: &BTreeMap<String, u64>) -> String {
    let words: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
