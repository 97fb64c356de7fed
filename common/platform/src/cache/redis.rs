//! The cache that many processes share. While Redis does not work, every key seems to be absent, and each process
//! keeps the rate limits by itself.

mod health;
mod known_keys;

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{AsyncCommands as _, Client, RedisResult, Script};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use health::{Health, TIMEOUT};
use known_keys::KnownKeys;

use super::{Cache, Memory, Slot};
use crate::config::ConfigError;

/// Takes a slot by the generic cell rate algorithm and by Redis's own clock. It returns whether the slot was taken,
/// and the wait in microseconds. The number is written with `%.0f`, because Lua would otherwise round a number of 16
/// digits.
const SLOT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local every, max_wait = tonumber(ARGV[1]), tonumber(ARGV[2])
local next = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = next - now
if wait > max_wait then return {0, wait} end
redis.call('SET', KEYS[1], string.format('%.0f', next + every), 'PX', math.ceil((wait + every) / 1000) + 1000)
return {1, wait}
";

pub struct Redis {
    connection: ConnectionManager,
    health: Arc<Health>,
    prefix: String,
    known_keys: KnownKeys,
    slot: Script,
    /// Keeps the rate limits while Redis does not work.
    fallback: Memory,
}

impl Redis {
    /// The connection is made at the first use, and made again after it broke. This must be called within a
    /// runtime. `prefix` keeps the keys of several installations on one server apart.
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
            known_keys: KnownKeys::start(connection.clone(), Arc::clone(&health)),
            connection,
            health,
            prefix: prefix.to_owned(),
            slot: Script::new(SLOT),
            fallback: Memory::default(),
        })
    }

    /// Asks whether Redis answers. Only a check needs this: everything else goes on without Redis.
    pub async fn ping(&self) -> RedisResult<()> {
        self.connection.clone().ping().await
    }

    fn key(&self, kind: &str, key: &str) -> String {
        format!("{}:{kind}:{key}", self.prefix)
    }
}

impl Cache for Redis {
    fn remember<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, bool> {
        self.known_keys.remember(self.key("seen", key), ttl).boxed()
    }

    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, ()> {
        async move {
            let mut connection = self.connection.clone();
            self.health.run::<()>(connection.del(self.key("seen", key))).await.unwrap_or_default();
        }
        .boxed()
    }

    fn slot<'a>(&'a self, key: &'a str, every: Duration, max_wait: Duration) -> BoxFuture<'a, Slot> {
        async move {
            let mut connection = self.connection.clone();
            let mut call = self.slot.key(self.key("slot", key));
            call.arg(micros(every)).arg(micros(max_wait));
            match self.health.run(call.invoke_async::<(bool, u64)>(&mut connection)).await {
                Some((true, wait)) => Slot::Granted(Duration::from_micros(wait)),
                Some((false, wait)) => Slot::TooFar(Duration::from_micros(wait)),
                None => self.fallback.slot(key, every, max_wait).await,
            }
        }
        .boxed()
    }
}

/// At most a year in microseconds: Lua calculates with such numbers exactly.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).min(365 * 24 * 3600 * 1_000_000)
}
