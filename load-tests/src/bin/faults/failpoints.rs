//! Processes that die between two steps, at points compiled in for these runs (`common/platform/src/failpoint.rs`).
//!
//! Every process that can pass the point is started so that it dies there as by `kill -9`. Calls come in until
//! one has died; then all are started as usual, what was not accepted is sent again, and everything has to end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use load_tests::harness::ledger::{Allowed, Verdict};
use rand::rngs::StdRng;
use simulators::{self, Faults};

use crate::catalog::{Fault, Pace};
use crate::inputs::Call;
use crate::poison;
use crate::run::{Kind, Run};
use crate::servers::Server;
use crate::world::{Plan, World};

/// Until a process has died at its point.
const DIES_WITHIN: Duration = Duration::from_mins(1);
/// An effect that was under way is settled when nothing of its request can be on its way any more: its timeout and
/// half a minute, then two looks a quarter of a minute apart.
const ENDS_WITHIN: Duration = Duration::from_mins(3);
const STAGES: &[&str] = &["dedup", "transcription", "analysis", "crm", "slack"];

/// Where a process dies.
#[derive(Clone, Copy)]
struct Point {
    name: &'static str,
    /// The roles whose processes pass it.
    roles: &'static [&'static str],
    when: When,
}

/// What brings a process to its point.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Called,
    /// The broker does not answer while a call comes in.
    BrokerAway,
    /// A message comes that nobody can read.
    Unreadable,
    /// Slack does not answer, so that runs have to be done again later.
    SlackAway,
}

impl Point {
    const fn of(name: &'static str, roles: &'static [&'static str]) -> Self {
        Self { name, roles, when: When::Called }
    }

    const fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    /// What dying there may lead to, beside a delay.
    fn allowed(self) -> Allowed {
        match self.name {
            // The provider has the job and we do not know of it; it cannot be asked, and a job that nobody uses
            // costs less than a call without a transcript.
            "sent:assemblyai" | "confirm.commit" => Allowed::nothing().resubmitted(1),
            // Nobody can ask this destination: a person decides.
            "intent.committed:call_data" | "send:call_data" | "sent:call_data" => {
                Allowed::nothing().unknown()
            }
            _ => Allowed::nothing(),
        }
    }
}

type Play = fn(Run) -> LocalBoxFuture<'static, anyhow::Result<Verdict>>;

const fn long(name: &'static str, about: &'static str, kinds: &'static [Kind], play: Play) -> Fault {
    Fault { name, about, kinds, pace: Pace::Long, play }
}

const fn fast(name: &'static str, about: &'static str, kinds: &'static [Kind], play: Play) -> Fault {
    Fault { name, about, kinds, pace: Pace::Fast, play }
}

pub(crate) const FAULTS: &[Fault] = &[
    fast(
        "killed-after-an-upload-is-stored",
        "The upload is a file, and no event says so",
        Kind::BOTH,
        |run| died(run, Point::of("ingest.stored", &["ingest"])).boxed_local(),
    ),
    long(
        "killed-before-an-event-is-published",
        "The webhook is read, and nothing is on disk",
        Kind::BOTH,
        |run| died(run, Point::of("ingest.publish", &["ingest"])).boxed_local(),
    ),
    fast(
        "killed-before-a-webhook-is-answered",
        "The event is published, and its sender was not told",
        Kind::BOTH,
        |run| died(run, Point::of("ingest.confirmed", &["ingest"])).boxed_local(),
    ),
    long(
        "killed-before-the-outbox",
        "The broker has not confirmed, and the outbox does not have the event yet",
        &[Kind::Servers],
        |run| died(run, Point::of("ingest.keep", &["ingest"]).when(When::BrokerAway)).boxed_local(),
    ),
    long(
        "killed-after-the-outbox",
        "The outbox has the event, and its sender was not told",
        &[Kind::Servers],
        |run| died(run, Point::of("ingest.kept", &["ingest"]).when(When::BrokerAway)).boxed_local(),
    ),
    fast(
        "killed-while-the-outbox-is-relayed",
        "The event is published, and still in the outbox",
        &[Kind::Servers],
        |run| died(run, Point::of("relayed", STAGES).when(When::BrokerAway)).boxed_local(),
    ),
    long("killed-before-dedup-commits", "The event is taken in by nobody", Kind::BOTH, |run| {
        died(run, Point::of("take_in.commit", &["dedup"])).boxed_local()
    }),
    fast(
        "killed-after-dedup-commits",
        "The call is accepted, and nobody was told to go on",
        Kind::BOTH,
        |run| died(run, Point::of("take_in.committed", &["dedup"])).boxed_local(),
    ),
    long(
        "killed-after-a-run-is-taken",
        "The run belongs to a process that has done nothing for it",
        Kind::BOTH,
        |run| died(run, Point::of("begun:analysis", &["analysis"])).boxed_local(),
    ),
    long("killed-before-an-intent-commits", "Nothing was sent", Kind::BOTH, |run| {
        died(run, Point::of("intent.commit:slack", &["slack"])).boxed_local()
    }),
    long(
        "killed-before-the-request-to-assemblyai",
        "The intent is on record, and the job was not submitted",
        Kind::BOTH,
        |run| died(run, Point::of("send:assemblyai", &["transcription"])).boxed_local(),
    ),
    long(
        "killed-after-the-answer-of-assemblyai",
        "The job was submitted, and nobody knows its id",
        Kind::BOTH,
        |run| died(run, Point::of("sent:assemblyai", &["transcription"])).boxed_local(),
    ),
    long(
        "killed-before-the-request-to-slack",
        "The intent is on record, and the message was not posted",
        Kind::BOTH,
        |run| died(run, Point::of("send:slack", &["slack"])).boxed_local(),
    ),
    long(
        "killed-after-the-answer-of-slack",
        "The message was posted, and only Slack knows",
        Kind::BOTH,
        |run| died(run, Point::of("sent:slack", &["slack"])).boxed_local(),
    ),
    long(
        "killed-before-the-request-to-salesforce",
        "The intent is on record, and the contact was not made",
        Kind::BOTH,
        |run| died(run, Point::of("send:salesforce", &["crm"])).boxed_local(),
    ),
    long(
        "killed-after-the-answer-of-salesforce",
        "The contact was made, and only Salesforce knows",
        Kind::BOTH,
        |run| died(run, Point::of("sent:salesforce", &["crm"])).boxed_local(),
    ),
    long(
        "killed-before-the-request-to-the-call-data-api",
        "The intent is on record, and the call was not sent",
        Kind::BOTH,
        |run| died(run, Point::of("send:call_data", &["crm"])).boxed_local(),
    ),
    long(
        "killed-after-the-answer-of-the-call-data-api",
        "The call was sent, and nobody can ask for it",
        Kind::BOTH,
        |run| died(run, Point::of("sent:call_data", &["crm"])).boxed_local(),
    ),
    long(
        "killed-before-a-confirmation-commits",
        "The job's id is known, and not on record",
        Kind::BOTH,
        |run| died(run, Point::of("confirm.commit", &["transcription"])).boxed_local(),
    ),
    fast(
        "killed-after-a-confirmation-commits",
        "The job's id is on record, and its run is not",
        Kind::BOTH,
        |run| died(run, Point::of("confirm.committed", &["transcription"])).boxed_local(),
    ),
    long("killed-after-the-work", "The results are in memory only", Kind::BOTH, |run| {
        died(run, Point::of("handled", &["analysis"])).boxed_local()
    }),
    long(
        "killed-before-a-run-commits",
        "The results are in a transaction that was not committed",
        Kind::BOTH,
        |run| died(run, Point::of("settle.commit:analysis", &["analysis"])).boxed_local(),
    ),
    fast("killed-after-a-run-commits", "The run is done, and nobody was told", Kind::BOTH, |run| {
        died(run, Point::of("settle.committed:analysis", &["analysis"])).boxed_local()
    }),
    long("killed-before-the-publish", "The run is done, and nobody was told", Kind::BOTH, |run| {
        died(run, Point::of("publish", &["transcription"])).boxed_local()
    }),
    long(
        "killed-after-the-publish",
        "The next stage was told, and the message stands still unacknowledged",
        Kind::BOTH,
        |run| died(run, Point::of("published", &["transcription"])).boxed_local(),
    ),
    long("killed-before-the-ack", "The message comes again, and has nothing to do", Kind::BOTH, |run| {
        died(run, Point::of("ack:slack", &["slack"])).boxed_local()
    }),
    long("killed-after-the-ack", "The ack may be lost on its way", Kind::BOTH, |run| {
        died(run, Point::of("acked:slack", &["slack"])).boxed_local()
    }),
    long(
        "killed-while-runs-are-woken",
        "Runs that are due were taken to be woken, and nobody was told",
        Kind::BOTH,
        |run| died(run, Point::of("due.taken", STAGES).when(When::SlackAway)).boxed_local(),
    ),
    long(
        "killed-while-a-dead-message-is-recorded",
        "The record is made, and the message is still in the dead queue",
        &[Kind::Servers],
        |run| died(run, Point::of("buried", STAGES).when(When::Unreadable)).boxed_local(),
    ),
];

async fn died(run: Run, point: Point) -> anyhow::Result<Verdict> {
    let mut world = World::start(&run, Plan::default()).await?;
    let names: BTreeSet<String> = point.roles.iter().map(|role| world.process(role)).collect();
    let setting = format!("{}=return", point.name);
    for name in &names {
        let ended = world.terminate(name).await?;
        ensure!(ended.success(), "`{name}` ended: {ended}");
        world.start_process_with(name, &[("FAILPOINTS", &setting)]).await?;
    }
    match point.when {
        When::BrokerAway => world.servers().freeze(Server::Rabbitmq).await?,
        When::Unreadable => poison::publish(&world, &[("analysis", b"{\"not\": \"an event")]).await?,
        When::SlackAway => {
            let fault = simulators::Fault::status(503);
            world.simulators.slack.set_faults(Faults::always(fault));
        }
        When::Called => {}
    }
    let mut dice = run.dice();
    let mut refused = Vec::new();
    let sent = send_until_one_died(&mut world, &names, point, &mut dice, &mut refused).await;
    if point.when == When::BrokerAway {
        world.servers().thaw(Server::Rabbitmq).await?;
    }
    world.simulators.slack.set_faults(Faults::default());
    let died = sent?;
    for name in &names {
        if world.is_running(name) {
            world.kill(name).await?;
        }
        world.start_process(name).await?;
    }
    for call in &refused {
        accepted(&world, call).await?;
    }
    // Life goes on.
    accepted(&world, &Call::phone(&mut dice, &world.simulators)).await?;
    let mut verdict = world.settled(ENDS_WITHIN, &point.allowed()).await?;
    verdict.demand(
        died.iter().any(|name| world.log(name).contains(&format!("failpoint {}: kill", point.name))),
        format!("no process died at `{}`", point.name),
    );
    world.finish().await?;
    Ok(verdict)
}

/// The processes that have died. What was not accepted goes to `refused`.
async fn send_until_one_died(
    world: &mut World,
    names: &BTreeSet<String>,
    point: Point,
    dice: &mut StdRng,
    refused: &mut Vec<Call>,
) -> anyhow::Result<Vec<String>> {
    let deadline = Instant::now() + DIES_WITHIN;
    let mut away = point.when == When::BrokerAway;
    for round in 0_u32.. {
        let call = match round % 2 {
            0 => Call::meeting(dice),
            _ => Call::phone(dice, &world.simulators),
        };
        let status = world.send(&call).await;
        if !status.is_some_and(|status| (200..300).contains(&status)) {
            refused.push(call);
        }
        if away && point.name == "relayed" {
            world.servers().thaw(Server::Rabbitmq).await?;
            away = false;
        }
        let look_until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < look_until {
            let died: Vec<String> = names.iter().filter(|name| !world.is_running(name)).cloned().collect();
            if !died.is_empty() {
                return Ok(died);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ensure!(
            Instant::now() < deadline,
            "no process came to `{}`: was debrief built with `--features failpoints`?",
            point.name
        );
    }
    unreachable!("it tries until the deadline")
}

/// Sends a call until it is accepted, as a provider does.
pub(crate) async fn accepted(world: &World, call: &Call) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let status = world.send(call).await;
        if status.is_some_and(|status| (200..300).contains(&status)) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "call {} is not accepted: {status:?}", call.id);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
