//! Messages that cannot be read, and calls that make a stage panic or take all the memory of its process. They end with
//! a dead letter that gives the reason, and the other calls are completed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use load_tests::harness::ledger::{Allowed, Verdict};
use serde_json::{Value, json};
use simulators::{Faults, assemblyai, openai, slack};
use uuid::Uuid;

use crate::fault::Fault;
use crate::inputs::Call;
use crate::inspection::stages;
use crate::messages::publish;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::world::{Plan, World};

const ENDS_WITHIN: Duration = Duration::from_mins(3);
/// The memory that a process may take. It is enough to work with, and the machine has much more.
const MEMORY_BYTES: u64 = 3 << 30;
/// The number of deaths after which a supervisor would give the process up.
const MAX_DEATHS: u32 = 10;

pub(crate) const FAULTS: &[Fault] = &[
    Fault::fast(
        "unreadable-messages",
        "Among other messages come some that are not JSON, not an event, or of a version that nobody \
         knows",
        Kind::SERVERS,
        |run| Box::pin(unreadable(run)),
    ),
    Fault::long(
        "panicking-stage",
        "A stage panics whenever it works on one of the calls",
        Kind::BOTH,
        |run| Box::pin(poisoned(run, Poison::Panic)),
    ),
    Fault::long(
        "memory-eating-stage",
        "A stage takes all the memory of its process whenever it works on one of the calls",
        Kind::BOTH,
        |run| Box::pin(poisoned(run, Poison::Memory)),
    ),
];

// ---------------------------------------------------------------- messages

async fn unreadable(run: Run) -> anyhow::Result<Verdict> {
    let mut world = World::start(&run, Plan::default()).await?;
    let senders = world.load(Load { per_second: 5.0, ..Load::default() });
    let later_version = json!({
        "specversion": "1.0", "id": Uuid::from_u128(1), "source": "/debrief", "type": "call.transcribed.v9",
        "workspace": Uuid::from_u128(2), "call": Uuid::from_u128(3), "generation": 1,
        "time": "2026-11-20T09:31:07Z", "data": {"surprise": [1, 2, 3]},
    });
    let bodies: [Vec<u8>; 6] = [
        Vec::new(),
        b"{\"type\": ".to_vec(),
        b"[]".to_vec(),
        vec![0xff; 1000],
        format!("{{\"type\":\"{}\"}}", "x".repeat(300_000)).into_bytes(),
        later_version.to_string().into_bytes(),
    ];
    let stages = ["dedup", "transcription", "analysis", "crm", "slack"];
    let messages: Vec<(&str, &[u8])> =
        stages.iter().flat_map(|stage| bodies.iter().map(|body| (*stage, body.as_slice()))).collect();
    publish(&world, &messages).await?;
    let listed = world
        .wait("every unreadable message to be listed", Duration::from_mins(1), async |world| {
            let letters = world.get("/api/dead-letters?limit=200").await.ok()?;
            (letters["items"].as_array()?.len() >= messages.len()).then_some(letters)
        })
        .await?;
    senders.stop().await?;
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    let letters = listed["items"].as_array().cloned().unwrap_or_default();
    for stage in stages {
        let listed = letters.iter().filter(|letter| letter["stage"] == stage).count();
        verdict.demand(
            listed == bodies.len(),
            format!("{listed} of {} messages are listed under the stage `{stage}`", bodies.len()),
        );
    }
    for name in world.names() {
        verdict.demand(world.is_running(&name), format!("`{name}` has ended"));
    }
    world.finish().await?;
    Ok(verdict)
}

// ---------------------------------------------------------------- calls

#[derive(Clone, Copy, PartialEq, Eq)]
enum Poison {
    /// The stage panics.
    Panic,
    /// The stage takes all the memory of its process.
    Memory,
}

async fn poisoned(mut run: Run, poison: Poison) -> anyhow::Result<Verdict> {
    if poison == Poison::Memory {
        run.program = program_with_memory_limit(&run, MEMORY_BYTES)?;
    }
    let mut world = World::start(&run, Plan::default()).await?;
    let mut dice = run.dice();
    let call = Call::phone(&mut dice, &world.simulators);
    let action = if poison == Poison::Panic { "panic(the stage is poisoned)" } else { "return(eat)" };
    let point = format!("handle:{}={action}", id_at_debrief(&call.id));
    let name = world.process("analysis");
    world.terminate(&name).await?;
    world.start_process_with(&name, &[("FAILPOINTS", &point)]).await?;
    // The providers are slow, so that the process works on other calls too when it comes to the poisoned one.
    for provider in [&assemblyai::PROVIDER, &openai::PROVIDER, &slack::PROVIDER] {
        world.simulators.of(provider).set_faults(Faults { latency_ms: 300, ..Faults::default() });
    }
    let senders = world.load(Load { per_second: 4.0, ..Load::default() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.send_until_accepted(&call).await?;
    let mut deaths = 0;
    let until = Instant::now() + ENDS_WITHIN;
    while !is_dead(&world, &call.id).await {
        if !world.is_running(&name) {
            deaths += 1;
            ensure!(deaths < MAX_DEATHS, "one call has killed its process {deaths} times");
            // The process may die again before it is ready.
            world.launch_process(&name, &[("FAILPOINTS", &point)])?;
        }
        ensure!(Instant::now() < until, "the poisoned call does not die");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.until_ready(&name, true).await?;
    senders.stop().await?;
    // A process that dies while it works on other calls leaves their effects open, as after any kill.
    let allowed = Allowed::nothing().dead().unknown().resubmitted(4 * u64::from(deaths));
    let mut verdict = world.settled(ENDS_WITHIN, &allowed).await?;
    verdict.demand(verdict.dead == 1, format!("{} calls are dead, and one is poisoned", verdict.dead));
    let expected = if poison == Poison::Panic { 0 } else { 3 };
    verdict.demand(deaths == expected, format!("the process died {deaths} times, not {expected}"));
    let code = if poison == Poison::Panic { "panicked" } else { "poison" };
    let stages = stages(&world, &call.id).await?;
    let error = stages
        .iter()
        .find(|stage| stage["state"] == "dead")
        .map_or(&Value::Null, |stage| &stage["error_code"]);
    verdict.demand(*error == code, format!("the poisoned call died of {error}, not of `{code}`"));
    world.finish().await?;
    Ok(verdict)
}

async fn is_dead(world: &World, call: &str) -> bool {
    world.get(&format!("/call/{call}")).await.is_ok_and(|call| call["status"] == "failed")
}

/// Returns Debrief's own id of a call that Exotel announced: a hash of the workspace, the source and the source's id.
fn id_at_debrief(call: &str) -> Uuid {
    const DEFAULT_WORKSPACE: Uuid = Uuid::from_u128(0x6465_6272_6965_6600_8000_0000_0000_0001);
    let source = Uuid::new_v5(&DEFAULT_WORKSPACE, b"exotel");
    Uuid::new_v5(&source, call.as_bytes())
}

/// Makes a program that runs debrief with a limit on its address space.
pub(crate) fn program_with_memory_limit(run: &Run, bytes: u64) -> anyhow::Result<PathBuf> {
    let path = run.folder.join("debrief-with-a-limit");
    let script = format!("#!/bin/sh\nexec prlimit --as={bytes} {} \"$@\"\n", run.program.display());
    std::fs::write(&path, script).context("write the program with a limit")?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
        .context("make the program executable")?;
    Ok(path)
}
