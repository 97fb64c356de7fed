//! Reads how RabbitMQ's management API is reached.

use platform::config::{ConfigError, Values};
use queue_topology::management::Management;
use url::Url;

/// Absent where `RABBITMQ_MANAGEMENT_URL` is not set.
pub(crate) fn management(values: &Values) -> Result<Option<Management>, ConfigError> {
    const NAME: &str = "RABBITMQ_MANAGEMENT_URL";
    let Some(address) = values.secret(NAME) else { return Ok(None) };
    values.url(NAME, "")?;
    let management = Management::new(&address, &vhost(values));
    management.map(Some).map_err(|_| ConfigError::new(NAME, "not an http or https address"))
}

/// The virtual host that `AMQP_URL` names. Without a name it is RabbitMQ's default one, `/`.
pub(crate) fn vhost(values: &Values) -> String {
    let url = values.text("AMQP_URL").and_then(|text| Url::parse(&text).ok());
    let path = url.map(|url| url.path().trim_start_matches('/').replace("%2f", "/").replace("%2F", "/"));
    path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned())
}
