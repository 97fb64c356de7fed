//! One of three nodes of RabbitMQ is killed, stopped or parted from the others under load. Every queue is on all three, so
//! two of them can go on.

use std::sync::Arc;
use std::time::Duration;

use load_tests::harness::ledger::{Allowed, Verdict};
use rand::RngExt as _;
use tokio::time::sleep;

use crate::broker::plan;
use crate::fault::Fault;
use crate::run::{Kind, Run, random_time};
use crate::senders::Load;
use crate::servers::Node;
use crate::world::World;

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "node-killed",
        "Three times one of three nodes of RabbitMQ is killed and started again, under load",
        Kind::SERVERS,
        |run| Box::pin(on_a_cluster(run, How::Killed)),
    ),
    Fault::long(
        "node-stopped",
        "Three times one of three nodes of RabbitMQ answers nothing for 15 seconds and keeps its connections, under load",
        Kind::SERVERS,
        |run| Box::pin(on_a_cluster(run, How::Stopped)),
    ),
    Fault::long(
        "node-cut-off",
        "Three times one of three nodes of RabbitMQ is parted from the others for 15 seconds, under load",
        Kind::SERVERS,
        |run| Box::pin(on_a_cluster(run, How::CutOff)),
    ),
];

/// It is low, because three brokers share the cores with Debrief, and all of them write every message.
const LOAD: Load = Load { per_second: 1.0, connections: 2, meeting_each: 3 };
/// On a busy machine a node needs a minute to start, and calls arrive all the time.
const SETTLED_WITHIN: Duration = Duration::from_mins(8);
const NODES: usize = 3;
const TIMES: usize = 3;
/// Longer than the other nodes need to notice it and to elect new leaders.
const AWAY: Duration = Duration::from_secs(15);

#[derive(Clone, Copy)]
enum How {
    Killed,
    Stopped,
    CutOff,
}

async fn on_a_cluster(run: Run, how: How) -> anyhow::Result<Verdict> {
    let cluster = Arc::new(run.servers.cluster(NODES));
    let played = under_load(Run { servers: cluster.clone(), ..run }, how).await;
    cluster.stop().await?;
    played
}

async fn under_load(run: Run, how: How) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    for _ in 0..TIMES {
        sleep(random_time(&mut dice, 1000, 3000)).await;
        let node = Node(dice.random_range(1..=NODES));
        let servers = world.servers();
        match how {
            How::Killed => {
                servers.signal_node(node, "KILL").await?;
                sleep(random_time(&mut dice, 1000, 5000)).await;
            }
            How::Stopped => {
                servers.signal_node(node, "STOP").await?;
                sleep(AWAY).await;
                servers.signal_node(node, "CONT").await?;
            }
            How::CutOff => {
                servers.cut_off(node).await?;
                sleep(AWAY).await;
                servers.join(node).await?;
            }
        }
        // All nodes are up again before the next one breaks: two of three are needed.
        servers.start().await?;
    }
    sleep(Duration::from_secs(2)).await;
    load.stop().await?;
    let verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    world.finish().await?;
    Ok(verdict)
}
