//! How long callers wait for RabbitMQ.

use std::time::Duration;

/// How long a caller waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How much of that time a caller waits for a connection.
pub(super) const CONNECTING: Duration = Duration::from_secs(5);
/// How long a publish waits for a connection that is being made again.
pub(super) const RECONNECTING: Duration = Duration::from_millis(500);
