//! Tends what is derived from calls so that they can be found and counted.
//!
//! A call is indexed in the transaction that changes it, so nothing waits for this. What is done here: calls that were
//! there before the index are added to it, and the facts of calls are added up to sums of days and of months.

use std::time::Duration;

use store::{Store, Walk};

/// The pause after a step when there is more to do. So whoever works beside it has most of the database.
const SHORT_PAUSE: Duration = Duration::from_millis(100);
const LONG_PAUSE: Duration = Duration::from_secs(30);
/// How many facts are added up at once.
const FACTS: i64 = 2000;
/// A fact that changed a moment ago will probably change again: a call is taken in, transcribed and analyzed within
/// minutes.
const UNCHANGED: Duration = Duration::from_mins(5);
/// A day or a month to which more rows were added than this is merged.
const MERGED_ABOVE: i64 = 50;

/// Tends the index for ever.
pub(crate) async fn tend(store: &Store) {
    loop {
        let pause = match step(store).await {
            Ok(true) => SHORT_PAUSE,
            Ok(false) => LONG_PAUSE,
            Err(error) => {
                tracing::warn!(%error, "failed to tend the index of calls");
                LONG_PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Does a little. Returns whether there is more to do.
async fn step(store: &Store) -> store::Result<bool> {
    let walk = store.catch_up_index().await?;
    let rolled = store.roll_up_facts(FACTS, UNCHANGED).await?;
    let merged = store.merge_sums(MERGED_ABOVE).await?;
    let months = store.sum_up_months().await?;
    let is_full = i64::try_from(rolled).is_ok_and(|rolled| rolled == FACTS);
    Ok(walk == Walk::GoesOn || is_full || merged > 0 || months > 0)
}
