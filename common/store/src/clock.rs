//! The store's clock, read without asking the store.
//!
//! Processes on several machines must agree on what is due and whose lease is over, and a wall clock can
//! be stepped. So the database is asked for its time now and then, and between two such readings the
//! monotonic clock of this machine counts on from there.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use domain::moment::Moment;

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

    /// Takes a new reading of the database's clock, which was asked for `took` ago.
    ///
    /// The reading was made somewhere on the way there and back. One that took long says less than
    /// counting on does.
    pub(super) fn set(&self, store_time: Moment, took: Duration) {
        if took > SLOW {
            return;
        }
        let read_at = Instant::now();
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
            (read_at, store_time.plus(took / 2));
    }
}
