//! The cache that many processes share. Whatever goes wrong with Redis, the answer is as if the key were
//! absent, and limits are kept within the process until it is back.

mod seen;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{AsyncCommands as _, Client, RedisResult, Script};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use seen::Seen;

use super::{Cache, Memory, Slot};
use crate::config::ConfigError;

/// A cache that takes longer saves nothing.
const TIMEOUT: Duration = Duration::from_millis(100);
/// After a failure Redis is left alone for this long, so that not every call waits for the timeout.
const REST: Duration = Duration::from_secs(1);

/// The generic cell rate algorithm, by Redis's own clock. Answers whether the slot is taken, and the wait
/// in microseconds. `%.0f` because Lua would round a number of 16 digits.
const SLOT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local every, patience = tonumber(ARGV[1]), tonumber(ARGV[2])
local next = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = next - now
if wait > patience then return {0, wait} end
redis.call('SET', KEYS[1], string.format('%.0f', next + every), 'PX', math.ceil((wait + every) / 1000) + 1000)
return {1, wait}
";

pub struct Redis {
    connection: ConnectionManager,
    health: Arc<Health>,
    prefix: String,
    seen: Seen,
    slot: Script,
    fallback: Memory,
}

impl Redis {
    /// Connects when it is first used, and again whenever it has to. Must be called within a runtime.
    /// `prefix` keeps several installations on one server apart.
    pub fn new(url: &str, prefix: &str) -> Result<Self, ConfigError> {
        let failed = |_| ConfigError::new("REDIS_URL", "not an address such as redis://localhost:6379/0");
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(TIMEOUT))
            .set_connection_timeout(Some(TIMEOUT * 10))
            .set_number_of_retries(1);
        let client = Client::open(url).map_err(failed)?;
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(failed)?;
        let health = Arc::new(Health::default());
        Ok(Self {
            seen: Seen::start(connection.clone(), Arc::clone(&health)),
            connection,
            health,
            prefix: prefix.to_owned(),
            slot: Script::new(SLOT),
            fallback: Memory::default(),
        })
    }

    /// Whether it answers: for a check. What uses the cache goes on without.
    pub async fn ping(&self) -> RedisResult<()> {
        self.connection.clone().ping().await
    }

    fn key(&self, kind: &str, key: &str) -> String {
        format!("{}:{kind}:{key}", self.prefix)
    }
}

/// Whether Redis is worth asking.
#[derive(Default)]
struct Health {
    resting_until: Mutex<Option<Instant>>,
}

impl Health {
    /// `None` when Redis failed, is too slow, or did so a moment ago.
    async fn ask<T>(&self, question: impl Future<Output = RedisResult<T>>) -> Option<T> {
        if self.resting().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let problem = match tokio::time::timeout(TIMEOUT, question).await {
            Ok(Ok(answer)) => {
                self.rest(None);
                return Some(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        if self.resting().is_none() {
            tracing::warn!(%problem, "failed to use Redis; going on without");
        }
        self.rest(Some(Instant::now() + REST));
        None
    }

    fn resting(&self) -> Option<Instant> {
        *self.resting_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rest(&self, until: Option<Instant>) {
        *self.resting_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Cache for Redis {
    fn remember<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, bool> {
        self.seen.remember(self.key("seen", key), ttl).boxed()
    }

    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, ()> {
        async move {
            let mut connection = self.connection.clone();
            self.health.ask::<()>(connection.del(self.key("seen", key))).await.unwrap_or_default();
        }
        .boxed()
    }

    fn slot<'a>(&'a self, key: &'a str, every: Duration, patience: Duration) -> BoxFuture<'a, Slot> {
        async move {
            let mut connection = self.connection.clone();
            let mut call = self.slot.key(self.key("slot", key));
            call.arg(micros(every)).arg(micros(patience));
            match self.health.ask(call.invoke_async::<(bool, u64)>(&mut connection)).await {
                Some((true, wait)) => Slot::Yours(Duration::from_micros(wait)),
                Some((false, wait)) => Slot::Later(Duration::from_micros(wait)),
                None => self.fallback.slot(key, every, patience).await,
            }
        }
        .boxed()
    }
}

/// Bounded, so that Lua's numbers stay exact.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).min(365 * 24 * 3600 * 1_000_000)
}
