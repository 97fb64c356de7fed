//! Listeners who wait, because nobody speaks in their sessions.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use load_tests::harness::process::Running;
use load_tests::harness::socket_io::SocketIo;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::begin;

/// How many sessions there are.
pub(super) const SESSIONS: u64 = 20;
/// The time for which the process is left alone before it is measured, and for which it is measured.
pub(super) const QUIET: Duration = Duration::from_secs(10);
const CONNECT_AT_ONCE: usize = 16;
const TOLD_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Idle {
    pub(super) listeners: u64,
    pub(super) before: Used,
    pub(super) with: Used,
}

pub(super) struct Used {
    pub(super) memory_mb: f64,
    pub(super) processor_ms: f64,
}

pub(super) async fn measure(debrief: Running, listeners: u64) -> anyhow::Result<Idle> {
    let address = debrief.address;
    let name = |nth: u64| format!("idle-{}", nth % SESSIONS);
    for nth in 0..SESSIONS {
        begin(address, &name(nth)).await?;
    }
    let before = used(&debrief).await?;
    let sockets: Vec<SocketIo> = stream::iter(0..listeners)
        .map(async |nth| {
            let mut socket = SocketIo::connect(address).await?;
            socket.join(&name(nth), None).await?;
            anyhow::Ok(socket)
        })
        .buffer_unordered(CONNECT_AT_ONCE)
        .try_collect()
        .await
        .context("connect the listeners")?;
    let (told, mut hears) = watch::channel(0_u64);
    let mut listening = JoinSet::new();
    for mut socket in sockets {
        let told = told.clone();
        // A listener answers the pings of the server until it is dropped.
        listening.spawn(async move {
            let ended = loop {
                match socket.next().await {
                    Ok((kind, data)) if kind == "call_status" && data["status"] == "ended" => {
                        told.send_modify(|count| *count += 1);
                    }
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            Err::<(), _>(ended)
        });
    }
    let with = used(&debrief).await?;
    if let Some(ended) = listening.try_join_next() {
        ended.context("a listener panicked")?.context("a listener was put out")?;
    }
    // They were there all the time: each of them hears that its session ends.
    for nth in 0..SESSIONS {
        let mut connection = begin(address, &name(nth)).await?;
        let answer = connection.post_json(&format!("/api/calls/{}/end", name(nth)), "{}").await?;
        ensure!(answer.status == 200, "a session does not end: {}", answer.status);
    }
    let all_told = tokio::time::timeout(TOLD_WITHIN, hears.wait_for(|count| *count == listeners)).await;
    let count = *told.borrow();
    all_told.with_context(|| format!("{count} of {listeners} listeners were told"))?.context("listen")?;
    drop(listening);
    debrief.stop().await?;
    Ok(Idle { listeners, before, with })
}

/// Leaves the process alone, and measures what it uses then.
async fn used(debrief: &Running) -> anyhow::Result<Used> {
    tokio::time::sleep(QUIET).await;
    let before = debrief.processor_s()?;
    tokio::time::sleep(QUIET).await;
    let processor_ms = (debrief.processor_s()? - before) * 1_000.0;
    Ok(Used { memory_mb: debrief.memory_mb("VmRSS")?, processor_ms })
}
