//! Keeps how much work there was, minute by minute, so that people see what has changed and since when.

use std::time::Duration;

use domain::moment::Moment;

use crate::engine::Engine;
use crate::work;

/// The pause between two looks. Several processes look, and the first one in a minute writes.
const EVERY: Duration = Duration::from_mins(1);

/// Keeps what there is now, and once more in each minute, for ever.
pub(crate) async fn keep(engine: &Engine) {
    loop {
        if let Err(error) = keep_once(engine).await {
            tracing::debug!(%error, "failed to keep how much work waits");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn keep_once(engine: &Engine) -> store::Result<()> {
    let work = work::look(&engine.store, Some(&*engine.broker)).await?;
    let at: Moment = work.at;
    let samples: Vec<_> = work.stages.iter().map(|stage| stage.sample(at)).collect();
    engine.store.keep_queue_samples(at, &samples).await?;
    engine.store.forget_ended_instances().await?;
    Ok(())
}
