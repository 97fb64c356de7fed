//! The memory that the work in hand of a process may take.
//!
//! The number of runs is bounded, but the runs of large transcripts could still take more memory together than the process
//! may have. So each run says how large its text is before it loads the text, and waits while the others leave no room. A
//! text that alone needs more than there is room for is worked on alone. A run waits for room only once and before it has
//! any, so no two runs wait for each other. The runs get room in the order in which they asked.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes of memory a run takes for each byte of a transcript, at most. `make bench ARGS=memory` measures it.
pub(crate) const BYTES_PER_TEXT_BYTE: u64 = 8;
/// A text of this length or less takes so little that it is not counted.
pub(crate) const SMALL_TEXT_BYTES: u64 = 200_000;
/// What one permit of the semaphore stands for.
const UNIT: u64 = 64 * 1024;

/// The room that is left. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory {
    room: Arc<Semaphore>,
    units: u32,
}

/// Room for one run, until this is dropped.
#[derive(Debug)]
pub(crate) struct Room(
    #[expect(dead_code, reason = "what matters is when it is dropped")] OwnedSemaphorePermit,
);

impl Memory {
    /// Room for work that takes `bytes` of memory altogether.
    pub fn of(bytes: u64) -> Self {
        let units = u32::try_from((bytes / UNIT).max(1)).unwrap_or(u32::MAX);
        let permits = usize::try_from(units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(permits)), units }
    }

    /// Waits until there is room for the work on a text of this length. Returns nothing if the text is small, because
    /// small texts are not counted.
    pub(crate) async fn room_for(&self, text_bytes: u64) -> Option<Room> {
        if text_bytes <= SMALL_TEXT_BYTES {
            return None;
        }
        let units = text_bytes.saturating_mul(BYTES_PER_TEXT_BYTE).div_ceil(UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX).min(self.units);
        // This is always a permit, because nobody closes the semaphore.
        Arc::clone(&self.room).acquire_many_owned(units).await.ok().map(Room)
    }

    /// Whether the work on a text of this length would have to wait now.
    pub(crate) fn is_full_for(&self, text_bytes: u64) -> bool {
        let units = text_bytes.saturating_mul(BYTES_PER_TEXT_BYTE).div_ceil(UNIT);
        text_bytes > SMALL_TEXT_BYTES
            && (self.room.available_permits() as u64) < units.min(u64::from(self.units))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const MB: u64 = 1_000_000;

    #[tokio::test]
    async fn work_above_the_bound_waits_until_other_work_has_ended() {
        let memory = Memory::of(100 * MB);
        let first = memory.room_for(15 * MB).now_or_never().expect("room for the first");
        assert!(memory.is_full_for(15 * MB));
        let mut second = Box::pin(memory.room_for(15 * MB));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures::poll!(&mut second).is_ready());
    }

    #[tokio::test]
    async fn a_text_that_is_larger_than_the_bound_is_worked_on_alone() {
        let memory = Memory::of(10 * MB);
        let small = memory.room_for(MB).now_or_never().expect("room for a small one");
        let mut large = Box::pin(memory.room_for(1000 * MB));
        assert!(futures::poll!(&mut large).is_pending(), "it waits until it is alone");
        drop(small);
        let large = large.now_or_never().expect("it is alone");
        assert!(memory.room_for(MB).now_or_never().is_none(), "nobody else works beside it");
        drop(large);
        assert!(memory.room_for(MB).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_small_text_never_waits() {
        let memory = Memory::of(0);
        let _all = memory.room_for(MB).now_or_never().expect("one run always works");
        assert!(memory.room_for(SMALL_TEXT_BYTES).now_or_never().expect("it does not wait").is_none());
        assert!(!memory.is_full_for(SMALL_TEXT_BYTES));
    }

    #[test]
    fn an_enormous_bound_does_not_overflow() {
        assert_eq!(Memory::of(u64::MAX).units, u32::MAX);
    }
}
