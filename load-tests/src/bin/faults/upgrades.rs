//! A deployment is updated to this version of Debrief while it works, and rolled back to an older one.

use std::time::Duration;

use anyhow::ensure;
use load_tests::harness::ledger::{Allowed, Verdict};
use simulators::Options;
use tokio::time::sleep;

use crate::fault::Fault;
use crate::inspection::demand_one_attempt;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::world::{Plan, World};

const ENDS_WITHIN: Duration = Duration::from_mins(3);
/// The time for which two roles of different versions work beside each other.
const SIDE_BY_SIDE: Duration = Duration::from_secs(1);
/// The time for which all processes are of one version.
const TOGETHER: Duration = Duration::from_secs(3);

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "updated",
        "Every process of an older version is replaced by this version, one after the other, under load",
        Kind::BOTH,
        |run| Box::pin(updated(run, Way::Forwards)),
    )
    .that_begins_with_an_older_version(),
    Fault::long(
        "updated-and-rolled-back",
        "Every process of an older version is replaced by this version, then by the older one, and by this one again, \
         under load",
        Kind::SERVERS,
        |run| Box::pin(updated(run, Way::ThereAndBack)),
    )
    .that_begins_with_an_older_version(),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Forwards,
    ThereAndBack,
}

async fn updated(run: Run, way: Way) -> anyhow::Result<Verdict> {
    let (older, newer) = (run.older()?.to_owned(), run.program.clone());
    // No process dies here. With a long lease a busy machine does not make it look as if one had.
    let plan = Plan {
        settings: vec![("DEBRIEF_LEASE", "15s".to_owned())],
        simulators: Options { takes_retired_models: true, ..Options::default() },
        ..Plan::default()
    };
    let mut world = World::start(&Run { program: older.clone(), ..run }, plan).await?;
    let senders = world.load(Load { per_second: 3.0, ..Load::default() });
    sleep(TOGETHER).await;
    world.run.program.clone_from(&newer);
    if world.kind() == Kind::Servers {
        // The processes of the older version go on meanwhile.
        let (code, output) = world.command(&["migrate"]).await?;
        ensure!(code == Some(0), "debrief migrate: {code:?}\n{output}");
    }
    replace_each(&mut world).await?;
    if way == Way::ThereAndBack {
        for program in [&older, &newer] {
            sleep(TOGETHER).await;
            world.run.program.clone_from(program);
            replace_each(&mut world).await?;
        }
    }
    sleep(TOGETHER).await;
    senders.stop().await?;
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    demand_one_attempt(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

/// Ends each process and starts the program of the world in its place.
async fn replace_each(world: &mut World) -> anyhow::Result<()> {
    for name in world.names() {
        world.restart(&name).await?;
        sleep(SIDE_BY_SIDE).await;
    }
    Ok(())
}
