//! Shows that a process is there that runs no stage, for example one that only listens. It claims nothing, so nothing
//! hangs on its lease.

use std::time::Duration;

use store::{InstanceId, Process, Store};
use tokio_util::sync::CancellationToken;

/// Renews the row of this process each time that a third of `length` has passed, until `shutdown`. Then it removes the row.
pub async fn keep(store: Store, process: Process, length: Duration, shutdown: CancellationToken) {
    let instance = InstanceId::new();
    loop {
        let shown = async {
            store.renew_instance(instance, length).await?;
            store.describe_instance(instance, &process).await
        };
        if let Err(error) = shown.await {
            tracing::debug!(%error, "failed to show that this process is there");
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(length / 3)).await.is_none() {
            break;
        }
    }
    if let Err(error) = store.end_instance(instance).await {
        tracing::debug!(%error, "failed to say that this process has ended; its lease runs out by itself");
    }
}
