//! Keeps a role running. A role that ended is started again after a pause, and the pause grows while the role keeps
//! ending.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between two starts. It is short, so that work goes on soon after a server came back.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// After a role ran this long, the next pause is the shortest one again.
const WELL: Duration = Duration::from_mins(1);

/// Runs `role` again and again until `shutdown`.
pub(crate) async fn supervise<F, E>(name: &str, shutdown: &CancellationToken, mut role: impl FnMut() -> F)
where
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let started = Instant::now();
        let ended = role().await;
        if shutdown.is_cancelled() {
            return;
        }
        match ended {
            Ok(()) => tracing::warn!(role = name, "the role ended; starting it again"),
            Err(error) => tracing::warn!(role = name, %error, ?pause, "the role failed; starting it again"),
        }
        if started.elapsed() > WELL {
            pause = FIRST_PAUSE;
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_role_that_fails_is_started_again_and_ever_more_slowly() {
        let shutdown = CancellationToken::new();
        let begun = Instant::now();
        let mut starts = Vec::new();
        supervise("test", &shutdown, || {
            starts.push(begun.elapsed());
            if starts.len() == 4 {
                shutdown.cancel();
            }
            std::future::ready(Err::<(), _>("no"))
        })
        .await;
        assert_eq!(starts, [0, 200, 600, 1400].map(Duration::from_millis));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_started_again_once_the_process_stops() {
        let shutdown = CancellationToken::new();
        let mut starts = 0;
        supervise("test", &shutdown, || {
            starts += 1;
            shutdown.cancel();
            std::future::ready(Ok::<(), String>(()))
        })
        .await;
        assert_eq!(starts, 1);
    }
}
