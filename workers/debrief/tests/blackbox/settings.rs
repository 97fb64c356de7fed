//! The settings of a deployment under test: the addresses of its providers and of its own servers.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::inputs::word;
use crate::proxy::Proxy;

/// The parts that only a deployment on servers has.
pub(crate) struct Servers {
    pub(crate) database: String,
    pub(crate) name: String,
    pub(crate) postgres: Proxy,
    pub(crate) rabbitmq: Proxy,
}

/// Settings in which every provider is a simulator, and in which waits are short.
pub(crate) fn settings(providers: &HashMap<String, String>) -> HashMap<String, String> {
    let simulated =
        simulators::PROVIDERS.iter().flat_map(|provider| provider.settings(&providers[provider.name]));
    let own = [
        ("DEBRIEF_RETRY_SCHEDULE", "200ms,500ms,1s".to_owned()),
        ("DEBRIEF_LEASE", "3s".to_owned()),
        ("SLACK_RATE", "50/s".to_owned()),
        ("SUPPORT_NUMBER", "+12025550100".to_owned()),
    ];
    simulated.chain(own).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Gives the deployment its own database and queue prefix. The connections go through proxies, so that a test can cut
/// them.
pub(crate) async fn servers(settings: &mut HashMap<String, String>) -> Servers {
    #[expect(clippy::disallowed_methods, reason = "the environment tells the tests where their servers are")]
    let server = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with `make test`"))
    };
    let database = server("DEBRIEF_TEST_DATABASE_URL");
    let name = format!("debrief_test_{}", word());
    let mut connection = PgConnection::connect(&database).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    let through = async |address: &str, default_port: u16| {
        let mut url = url::Url::parse(address).unwrap();
        let host = url.host_str().unwrap().to_owned();
        let proxy = Proxy::to(format!("{host}:{}", url.port().unwrap_or(default_port))).await;
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(proxy.address.port())).unwrap();
        (proxy, url)
    };
    let (postgres, mut database_url) = through(&database, 5432).await;
    database_url.set_path(&name);
    let (rabbitmq, amqp_url) = through(&server("DEBRIEF_TEST_AMQP_URL"), 5672).await;
    settings.insert("DATABASE_URL".into(), database_url.to_string());
    settings.insert("AMQP_URL".into(), amqp_url.to_string());
    settings.insert("REDIS_URL".into(), server("DEBRIEF_TEST_REDIS_URL"));
    settings.insert("DEBRIEF_QUEUE_PREFIX".into(), format!("test-{}", word()));
    Servers { database, name, postgres, rabbitmq }
}
