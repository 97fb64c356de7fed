//! What the broker asks the one task to do that has the file.

use tokio::sync::oneshot;

use super::queues::Row;
use crate::broker::BrokerError;

pub(super) type Reply<T> = oneshot::Sender<Result<T, BrokerError>>;

/// What the writer is asked to do. `place` is the place of a queue in [`Queues`](super::queues::Queues).
pub(super) enum Operation {
    Publish {
        queues: Vec<usize>,
        row: Row,
        reply: Reply<()>,
    },
    Remove {
        id: i64,
    },
    /// Moves a message to the dead queue.
    Bury {
        id: i64,
        row: Row,
        reply: Reply<()>,
    },
    /// Reads more messages of a queue into memory.
    Read {
        place: usize,
    },
    Purge {
        place: usize,
        reply: Reply<u64>,
    },
    Close {
        reply: Reply<()>,
    },
}
