//! A value that is found out once for all who ask for it at the same time, and that is given again for a while.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

pub(crate) struct Kept<T> {
    /// The value, and until when it is given again.
    last: Mutex<Option<(T, Instant)>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { last: Mutex::default() }
    }
}

impl<T: Copy> Kept<T> {
    /// The value that is kept. Where there is none, or it is too old, `find` finds it out and says for how long it may be
    /// given again. A request that comes meanwhile waits for it and takes its result.
    pub(crate) async fn or_find<F>(&self, find: F) -> T
    where
        F: AsyncFnOnce() -> (T, Duration),
    {
        let mut last = self.last.lock().await;
        if let Some((value, until)) = *last
            && Instant::now() < until
        {
            return value;
        }
        let (value, age) = find().await;
        *last = Some((value, Instant::now() + age));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_value_is_found_out_once_and_again_when_it_is_too_old() {
        let kept = Kept::default();
        let find = async |value| {
            kept.or_find(async || {
                tokio::time::sleep(Duration::from_secs(1)).await;
                (value, Duration::from_secs(20))
            })
            .await
        };
        // Whoever asks while it is found out takes what is found.
        assert_eq!(tokio::join!(find(1), find(2)), (1, 1));
        tokio::time::advance(Duration::from_millis(19_900)).await;
        assert_eq!(find(3).await, 1);
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(find(4).await, 4);
    }
}
