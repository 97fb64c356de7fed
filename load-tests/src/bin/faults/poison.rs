//! Messages that cannot be read, and calls that panic a stage or eat the memory of its process. They end as dead,
//! seen and with a reason; their neighbours notice nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::FutureExt as _;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use load_tests::harness::ledger::{Allowed, Verdict};
use serde_json::{Value, json};
use simulators::Faults;
use uuid::Uuid;

use crate::catalog::{Fault, Pace};
use crate::failpoints::accepted;
use crate::inputs::Call;
use crate::processes::stages;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::world::{Plan, World};

const ENDS_WITHIN: Duration = Duration::from_mins(3);
/// What a process may take: enough to work with, and little enough for the machine to bear.
const MEMORY_BYTES: u64 = 3 << 30;
/// Whoever starts it again would give up after so many.
const MAX_DEATHS: u32 = 10;

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "unreadable-messages",
        about: "Messages that are no JSON, no event, or of a version that nobody knows, among others",
        kinds: &[Kind::Servers],
        pace: Pace::Fast,
        play: |run| unreadable(run).boxed_local(),
    },
    Fault {
        name: "panicking-stage",
        about: "A stage panics whenever it works on one call, among others",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| poisoned(run, Poison::Panics).boxed_local(),
    },
    Fault {
        name: "memory-eating-stage",
        about: "A stage takes all the memory of its process whenever it works on one call, among others",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| poisoned(run, Poison::Eats).boxed_local(),
    },
];

// ---------------------------------------------------------------- messages

/// Puts messages into the queues of stages, as nobody of ours would.
pub(crate) async fn publish(world: &World, messages: &[(&str, &[u8])]) -> anyhow::Result<()> {
    let properties = ConnectionProperties::default().with_connection_name("faults".into());
    let address = &world.addresses()?.amqp;
    let connection = Connection::connect(address, properties).await.context("connect to RabbitMQ")?;
    let channel = connection.create_channel().await.context("open a channel")?;
    channel.confirm_select(ConfirmSelectOptions::default()).await.context("ask for confirms")?;
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    for (stage, body) in messages {
        let queue = format!("{}.{stage}", world.prefix()?);
        let to = queue.as_str().into();
        let sent = channel.basic_publish("".into(), to, options, body, BasicProperties::default()).await;
        let confirmed = sent.context("publish")?.await.context("wait for a confirm")?;
        ensure!(matches!(confirmed, Confirmation::Ack(None)), "`{queue}` did not take a message");
    }
    connection.close(200, "done".into()).await.context("close the connection")
}

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
    let queues = ["dedup", "transcription", "analysis", "crm", "slack"];
    let messages: Vec<(&str, &[u8])> =
        queues.iter().flat_map(|queue| bodies.iter().map(|body| (*queue, body.as_slice()))).collect();
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
    for queue in queues {
        let of_it = letters.iter().filter(|letter| letter["stage"] == queue).count();
        verdict.demand(
            of_it == bodies.len(),
            format!("{of_it} of {} messages are listed as `{queue}`'s", bodies.len()),
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
    Panics,
    Eats,
}

async fn poisoned(mut run: Run, poison: Poison) -> anyhow::Result<Verdict> {
    if poison == Poison::Eats {
        run.program = limited(&run)?;
    }
    let mut world = World::start(&run, Plan::default()).await?;
    let mut dice = run.dice();
    let call = Call::phone(&mut dice, &world.simulators);
    let action = if poison == Poison::Panics { "panic(the stage is poisoned)" } else { "return(eat)" };
    let point = format!("handle:{}={action}", debriefs_id(&call.id));
    let name = world.process("analysis");
    world.terminate(&name).await?;
    world.start_process_with(&name, &[("FAILPOINTS", &point)]).await?;
    // So that neighbours are in its hands when the stage comes to the poisoned call.
    for simulator in [&world.simulators.assemblyai, &world.simulators.openai, &world.simulators.slack] {
        simulator.set_faults(Faults { latency_ms: 300, ..Faults::default() });
    }
    let senders = world.load(Load { per_second: 4.0, ..Load::default() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    accepted(&world, &call).await?;
    let mut deaths = 0;
    let until = Instant::now() + ENDS_WITHIN;
    while !is_dead(&world, &call.id).await {
        if !world.is_running(&name) {
            deaths += 1;
            ensure!(deaths < MAX_DEATHS, "one call has killed its process {deaths} times");
            // It may die again before it is ready.
            world.launch_process(&name, &[("FAILPOINTS", &point)])?;
        }
        ensure!(Instant::now() < until, "the poisoned call does not die");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.until_ready(&name, true).await?;
    senders.stop().await?;
    // A process that dies with neighbours in its hands leaves theirs open, as any kill does.
    let allowed = Allowed::nothing().dead().unknown().resubmitted(4 * u64::from(deaths));
    let mut verdict = world.settled(ENDS_WITHIN, &allowed).await?;
    verdict.demand(verdict.dead == 1, format!("{} calls are dead, and one is poisoned", verdict.dead));
    let expected = if poison == Poison::Panics { 0 } else { 3 };
    verdict.demand(deaths == expected, format!("the process died {deaths} times, not {expected}"));
    let code = if poison == Poison::Panics { "panicked" } else { "poison" };
    let stages = stages(&world, &call.id).await?;
    let of = stages
        .iter()
        .find(|stage| stage["state"] == "dead")
        .map_or(&Value::Null, |stage| &stage["error_code"]);
    verdict.demand(*of == code, format!("the poisoned call died of {of}, not of `{code}`"));
    world.finish().await?;
    Ok(verdict)
}

async fn is_dead(world: &World, call: &str) -> bool {
    world.get(&format!("/call/{call}")).await.is_ok_and(|call| call["status"] == "failed")
}

/// Debrief's own id of a call that Exotel announced: a hash of workspace, source and the source's id.
fn debriefs_id(call: &str) -> Uuid {
    const DEFAULT_WORKSPACE: Uuid = Uuid::from_u128(0x6465_6272_6965_6600_8000_0000_0000_0001);
    let source = Uuid::new_v5(&DEFAULT_WORKSPACE, b"exotel");
    Uuid::new_v5(&source, call.as_bytes())
}

/// A program that runs debrief with a limit on its memory.
fn limited(run: &Run) -> anyhow::Result<PathBuf> {
    let path = run.folder.join("debrief-with-a-limit");
    let script = format!("#!/bin/sh\nexec prlimit --as={MEMORY_BYTES} {} \"$@\"\n", run.program.display());
    std::fs::write(&path, script).context("write the program with a limit")?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).context("make it a program")?;
    Ok(path)
}
