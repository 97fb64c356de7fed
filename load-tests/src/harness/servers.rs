//! RabbitMQ, PostgreSQL and Redis. A deployment gets a database and queues of its own on them, which are removed after
//! the run.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use super::process::Settings;

/// The time within which Redis has to remove what a long run has left behind.
const REDIS_WITHIN: Duration = Duration::from_secs(30);

/// The addresses of the servers, as `deploy/services.sh env` prints them.
#[derive(Args, Clone, Debug)]
pub struct Servers {
    #[arg(long, env = "DEBRIEF_TEST_AMQP_URL", hide_env_values = true, value_name = "URL")]
    pub amqp: String,
    #[arg(long, env = "DEBRIEF_TEST_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: String,
    #[arg(long, env = "DEBRIEF_TEST_REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub redis: String,
}

impl Servers {
    /// Returns the addresses as arguments of a command line.
    pub fn args(&self) -> Vec<String> {
        let Self { amqp, database, redis } = self;
        vec![format!("--amqp={amqp}"), format!("--database={database}"), format!("--redis={redis}")]
    }
}

/// What one deployment has on the servers. The caller has to remove the queues.
pub struct Place {
    servers: Servers,
    database: String,
    /// The prefix of its queues, and of its keys in Redis.
    pub prefix: String,
}

impl Place {
    /// Makes an empty database, and chooses a prefix.
    pub async fn make(servers: &Servers) -> anyhow::Result<Self> {
        let id = Uuid::new_v4().simple();
        let place = Self {
            servers: servers.clone(),
            database: format!("debrief_load_{id}"),
            prefix: format!("load-{id}"),
        };
        place.execute(format!("CREATE DATABASE {}", place.database)).await?;
        Ok(place)
    }

    /// Returns the settings with which Debrief uses this place.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        Ok(vec![
            ("AMQP_URL", self.servers.amqp.clone()),
            ("DATABASE_URL", self.database_url()?),
            ("REDIS_URL", self.servers.redis.clone()),
            ("DEBRIEF_QUEUE_PREFIX", self.prefix.clone()),
        ])
    }

    /// Returns the address of the database.
    pub fn database_url(&self) -> anyhow::Result<String> {
        let mut url: url::Url = self.servers.database.parse().context("read the address of PostgreSQL")?;
        url.set_path(&self.database);
        Ok(url.to_string())
    }

    /// Removes the database, and the keys of the deployment in Redis.
    pub async fn remove(self) -> anyhow::Result<()> {
        self.execute(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database)).await?;
        forget(&self.servers.redis, &self.prefix).await
    }

    async fn execute(&self, sql: String) -> anyhow::Result<()> {
        let mut connection =
            PgConnection::connect(&self.servers.database).await.context("connect to PostgreSQL")?;
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .context("make or drop the database of this run")?;
        Ok(())
    }
}

/// Empties the outbox of the deployment with this database, and returns the number of events in it. An event goes to the
/// outbox when the broker is short of memory or does not confirm in time.
pub async fn empty_outbox(database: &str) -> anyhow::Result<u64> {
    let mut database = PgConnection::connect(database).await.context("connect to the database")?;
    let removed =
        sqlx::query("DELETE FROM outbox").execute(&mut database).await.context("empty the outbox")?;
    Ok(removed.rows_affected())
}

/// Returns the version of PostgreSQL.
pub async fn postgresql_version(address: &str) -> anyhow::Result<String> {
    let mut database = PgConnection::connect(address).await.context("connect to PostgreSQL")?;
    sqlx::query_scalar("SHOW server_version")
        .fetch_one(&mut database)
        .await
        .context("ask PostgreSQL for its version")
}

/// Removes all keys with this prefix from Redis.
async fn forget(address: &str, prefix: &str) -> anyhow::Result<()> {
    const FORGET: &str = "local next = '0'
        repeat
            local found = redis.call('SCAN', next, 'MATCH', ARGV[1], 'COUNT', 1000)
            next = found[1]
            if #found[2] > 0 then redis.call('UNLINK', unpack(found[2])) end
        until next == '0'";
    let client = redis::Client::open(address).context("read the address of Redis")?;
    let mut redis = client.get_multiplexed_async_connection().await.context("connect to Redis")?;
    redis.set_response_timeout(REDIS_WITHIN);
    redis::Script::new(FORGET)
        .arg(format!("{prefix}:*"))
        .invoke_async::<()>(&mut redis)
        .await
        .context("remove the keys of this run")
}
