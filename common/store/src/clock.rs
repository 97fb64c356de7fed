//! The store's clock, read without asking the store.
//!
//! Processes on several machines must agree on what is due and whose lease is over, and somebody can set the wall
//! clock of a machine. So a process asks the database for its time now and then. Between two such readings, the
//! monotonic clock of the machine counts on from the last one.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use domain::moment::Moment;

/// A reading that takes longer than this is not used.
const SLOW: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub(super) struct Clock(Arc<RwLock<(Instant, Moment)>>);

impl Clock {
    pub(super) fn new(store_time: Moment) -> Self {
        Self(Arc::new(RwLock::new((Instant::now(), store_time))))
    }

    pub(super) fn now(&self) -> Moment {
        let (read_at, time) = *self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        time.plus(read_at.elapsed())
    }

    /// Takes a new reading of the database's clock. `took` is the time from the question to the answer.
    ///
    /// The database read its clock at some moment between the two. If that time was long, the reading is less exact
    /// than what the machine has counted.
    pub(super) fn set(&self, store_time: Moment, took: Duration) {
        if took > SLOW {
            return;
        }
        let read_at = Instant::now();
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
            (read_at, store_time.plus(took / 2));
    }
}
