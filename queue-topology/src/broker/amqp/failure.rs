//! What a failure of the AMQP client means for whoever called the broker.

use lapin::ErrorKind;

use crate::broker::BrokerError;

/// The broker's error for a failure of lapin's. `name` is the object that the caller asked for.
pub(super) fn failed(error: &lapin::Error, name: &str) -> BrokerError {
    match error.kind() {
        ErrorKind::ProtocolError(said) => match said.get_id() {
            404 => BrokerError::Missing(name.to_owned()),
            // 320: an operator closes the connections. 541: the node is going down.
            320 | 541 => BrokerError::Disconnected,
            _ => BrokerError::Refused(format!("use `{name}`: {}", said.get_message())),
        },
        ErrorKind::SerialisationError(_) | ErrorKind::ChannelsLimitReached => {
            BrokerError::Refused(format!("use `{name}`: {error}"))
        }
        _ => BrokerError::Disconnected,
    }
}
