//! What a run does while the store does not answer: it asks again, and spends no attempt.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The time between two tries to reach a store that does not answer.
pub(crate) const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Repeats a call to the store until the store answers. Whoever drops the future stops asking.
pub(crate) async fn until_stored<T, F>(mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = store::Result<T>>,
{
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                tracing::warn!(%error, "the store does not answer; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

/// Repeats a call to the store until the store answers. Returns nothing if the process has to stop while the store
/// does not answer; a call that is under way comes to its end.
pub(crate) async fn until_stored_or_stopped<T, F>(
    stopping: &CancellationToken,
    mut ask: impl FnMut() -> F,
) -> Option<T>
where
    F: Future<Output = store::Result<T>>,
{
    loop {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(error) => {
                tracing::warn!(%error, "the store does not answer; trying again");
                stopping.run_until_cancelled(tokio::time::sleep(STORE_PAUSE)).await?;
            }
        }
    }
}
