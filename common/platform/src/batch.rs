//! Makes batches larger without waiting for a time.

/// Lets all other tasks run that are ready. A task that collects requests into a batch calls this after the first
/// request, and then finds in its channel the requests that the other tasks have sent.
///
/// It yields two times: once for the runtime to see what has arrived, and once for the tasks to handle it.
pub async fn let_ready_tasks_run() {
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}
