//! What a simulator remembers: the requests that arrived, and how often each thing was made.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::state::lock;

/// The number of requests that are remembered. The oldest are forgotten first.
const MAX_RECEIVED: usize = 200_000;
/// The memory that all remembered requests may take together.
const MAX_RECEIVED_BYTES: usize = 256 * 1024 * 1024;
/// The number of things that are counted under their own keys.
const MAX_KEYS: usize = 1_000_000;
/// The key of everything that comes after the last key that is counted.
const BEYOND: &str = "(beyond the limit)";

/// How often each thing was made: by the kind of thing (`post`, `contact`, …), and then by its natural key.
pub type Effects = BTreeMap<String, BTreeMap<String, u64>>;

/// One request that arrived.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    /// The place of the request in the order of arrival, from 1.
    pub number: u64,
    pub at: DateTime<Utc>,
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    /// The names are in lower case. The values of a repeated header are joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// JSON is parsed, other text is a string. A body that is neither, that was streamed or that is longer than 64 KiB
    /// is null.
    pub body: Value,
    pub body_bytes: u64,
}

/// A request as it is kept.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    /// `None` when the body was streamed or is too long to keep.
    pub(crate) body: Option<Bytes>,
    /// The length so far: it still grows while a streamed body arrives.
    pub(crate) body_bytes: Arc<AtomicU64>,
}

impl Entry {
    /// Returns roughly the memory that the entry takes.
    fn weight(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        256 + headers + self.body.as_ref().map_or(0, Bytes::len)
    }

    fn view(&self, number: u64, at: DateTime<Utc>) -> Received {
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|known| *known = format!("{known}, {value}"))
                .or_insert_with(|| value.into_owned());
        }
        let body = self.body.as_deref().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap_or_else(|_| match std::str::from_utf8(body) {
            Ok(text) if !text.is_empty() => Value::from(text),
            _ => Value::Null,
        });
        Received {
            number,
            at,
            method: self.method.to_string(),
            path: self.uri.path().to_owned(),
            query: self.uri.query().map(str::to_owned),
            headers,
            body,
            body_bytes: self.body_bytes.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Default)]
struct Requests {
    /// Each request with its number and the time of its arrival, oldest first.
    entries: VecDeque<(u64, DateTime<Utc>, Entry)>,
    total: u64,
    weight: usize,
}

#[derive(Debug, Default)]
struct Counts {
    effects: Effects,
    keys: usize,
}

/// The record of one simulator.
#[derive(Debug, Default)]
pub(crate) struct Record {
    requests: Mutex<Requests>,
    counts: Mutex<Counts>,
}

impl Record {
    /// Adds a request that has just arrived.
    pub(crate) fn add(&self, entry: Entry) {
        let mut requests = lock(&self.requests);
        requests.total += 1;
        requests.weight += entry.weight();
        let number = requests.total;
        requests.entries.push_back((number, Utc::now(), entry));
        while requests.entries.len() > MAX_RECEIVED || requests.weight > MAX_RECEIVED_BYTES {
            let Some((_, _, oldest)) = requests.entries.pop_front() else { break };
            requests.weight -= oldest.weight();
        }
    }

    /// Returns the number of requests that have arrived, those that were forgotten included.
    pub(crate) fn total(&self) -> u64 {
        lock(&self.requests).total
    }

    /// Returns the requests that arrived after the one with this number, oldest first.
    pub(crate) fn received(&self, after: u64) -> Vec<Received> {
        let requests = lock(&self.requests);
        let later = requests.entries.iter().filter(|(number, _, _)| *number > after);
        later.map(|(number, at, entry)| entry.view(*number, *at)).collect()
    }

    /// Forgets the requests. What was made stays counted.
    pub(crate) fn forget_received(&self) {
        let mut requests = lock(&self.requests);
        requests.entries.clear();
        requests.weight = 0;
    }

    /// Counts that a thing of this `kind` was made.
    pub(crate) fn made(&self, kind: &str, key: &str) {
        let mut counts = lock(&self.counts);
        let Counts { effects, keys } = &mut *counts;
        let by_key = effects.entry(kind.to_owned()).or_default();
        if let Some(count) = by_key.get_mut(key) {
            *count += 1;
        } else {
            let key = if *keys < MAX_KEYS { key } else { BEYOND };
            *keys += 1;
            *by_key.entry(key.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn effects(&self) -> Effects {
        lock(&self.counts).effects.clone()
    }
}
