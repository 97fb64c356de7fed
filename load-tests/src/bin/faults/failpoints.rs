//! Processes die between two given steps, at points that are compiled in for these runs
//! (`common/platform/src/failpoint.rs`).
//!
//! Every process that can come to the point is started in such a way that it dies there, as after `kill -9`. Calls come
//! in until a process has died. Then all processes are started as usual, the calls that were not accepted are sent again,
//! and every call has to end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::ensure;
use load_tests::harness::ledger::{Allowed, Verdict};
use rand::rngs::StdRng;
use simulators::{Faults, slack};

use crate::fault::Fault;
use crate::inputs::Call;
use crate::messages;
use crate::run::{Kind, Run};
use crate::servers::Server;
use crate::world::{Plan, World};

/// The time within which a process has to die at its point.
const DIES_WITHIN: Duration = Duration::from_mins(1);
/// The time within which everything has to end. Debrief settles an effect that was under way only when its request can no
/// longer arrive: after its timeout and half a minute, and then with two questions a quarter of a minute apart.
const ENDS_WITHIN: Duration = Duration::from_mins(3);
const STAGES: &[&str] = &["dedup", "transcription", "analysis", "crm", "slack"];

/// Where a process dies.
#[derive(Clone, Copy)]
struct Point {
    name: &'static str,
    /// The roles whose processes come to the point.
    roles: &'static [&'static str],
    when: Occasion,
}

/// What brings a process to its point.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// A call comes in.
    Call,
    /// A call comes in while the broker does not answer.
    CallWithoutBroker,
    /// A message comes in that nobody can read.
    UnreadableMessage,
    /// A call comes in while Slack fails, so that its run has to be done again later.
    CallWithoutSlack,
}

impl Point {
    const fn of(name: &'static str, roles: &'static [&'static str]) -> Self {
        Self { name, roles, when: Occasion::Call }
    }

    const fn when(self, when: Occasion) -> Self {
        Self { when, ..self }
    }

    /// Returns what a death at the point may lead to beside a delay.
    fn allowed(self) -> Allowed {
        match self.name {
            // The provider has the job, and Debrief does not know it. Nobody can ask the provider, and a job that
            // nobody uses costs less than a call without a transcript.
            "sent:assemblyai" | "confirm.commit" => Allowed::nothing().resubmitted(1),
            // Nobody can ask this destination, so a person decides.
            "intent.committed:call_data" | "send:call_data" | "sent:call_data" => {
                Allowed::nothing().unknown()
            }
            _ => Allowed::nothing(),
        }
    }
}

pub(crate) const FAULTS: &[Fault] = &[
    Fault::fast(
        "killed-after-an-upload-is-stored",
        "A process dies when an upload is stored as a file, before an event says so",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("ingest.stored", &["ingest"]))),
    ),
    Fault::long(
        "killed-before-an-event-is-published",
        "A process dies when a webhook is read, before anything is on disk",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("ingest.publish", &["ingest"]))),
    ),
    Fault::fast(
        "killed-before-a-webhook-is-answered",
        "A process dies when an event is published, before the sender has its answer",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("ingest.confirmed", &["ingest"]))),
    ),
    Fault::long(
        "killed-before-the-outbox",
        "A process dies when the broker has not confirmed an event, before the event is in the outbox",
        Kind::SERVERS,
        |run| {
            Box::pin(killed_at(run, Point::of("ingest.keep", &["ingest"]).when(Occasion::CallWithoutBroker)))
        },
    ),
    Fault::long(
        "killed-after-the-outbox",
        "A process dies when an event is in the outbox, before the sender has its answer",
        Kind::SERVERS,
        |run| {
            Box::pin(killed_at(run, Point::of("ingest.kept", &["ingest"]).when(Occasion::CallWithoutBroker)))
        },
    ),
    Fault::fast(
        "killed-while-the-outbox-is-relayed",
        "A process dies when an event of the outbox is published, before it is removed from the outbox",
        Kind::SERVERS,
        |run| Box::pin(killed_at(run, Point::of("relayed", STAGES).when(Occasion::CallWithoutBroker))),
    ),
    Fault::long(
        "killed-before-dedup-commits",
        "A process dies in dedup, before anything about the event is committed",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("take_in.commit", &["dedup"]))),
    ),
    Fault::fast(
        "killed-after-dedup-commits",
        "A process dies when dedup has accepted a call, before the next stage has its message",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("take_in.committed", &["dedup"]))),
    ),
    Fault::long(
        "killed-after-a-run-is-taken",
        "A process dies when it has taken a run, before it has done anything for it",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("begun:analysis", &["analysis"]))),
    ),
    Fault::long(
        "killed-before-an-intent-commits",
        "A process dies before it records its intent, and so before it sends anything",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("intent.commit:slack", &["slack"]))),
    ),
    Fault::long(
        "killed-before-the-request-to-assemblyai",
        "A process dies when its intent is recorded, before the job is submitted",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("send:assemblyai", &["transcription"]))),
    ),
    Fault::long(
        "killed-after-the-answer-of-assemblyai",
        "A process dies when the job is submitted, before its id is recorded",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("sent:assemblyai", &["transcription"]))),
    ),
    Fault::long(
        "killed-before-the-request-to-slack",
        "A process dies when its intent is recorded, before the message is posted",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("send:slack", &["slack"]))),
    ),
    Fault::long(
        "killed-after-the-answer-of-slack",
        "A process dies when the message is posted, and only Slack knows of it",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("sent:slack", &["slack"]))),
    ),
    Fault::long(
        "killed-before-the-request-to-salesforce",
        "A process dies when its intent is recorded, before the contact is made",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("send:salesforce", &["crm"]))),
    ),
    Fault::long(
        "killed-after-the-answer-of-salesforce",
        "A process dies when the contact is made, and only Salesforce knows of it",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("sent:salesforce", &["crm"]))),
    ),
    Fault::long(
        "killed-before-the-request-to-the-call-data-api",
        "A process dies when its intent is recorded, before the call is sent",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("send:call_data", &["crm"]))),
    ),
    Fault::long(
        "killed-after-the-answer-of-the-call-data-api",
        "A process dies when the call is sent, and nobody can ask the API for it",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("sent:call_data", &["crm"]))),
    ),
    Fault::long(
        "killed-before-a-confirmation-commits",
        "A process dies when it knows the id of the job, before the id is recorded",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("confirm.commit", &["transcription"]))),
    ),
    Fault::fast(
        "killed-after-a-confirmation-commits",
        "A process dies when the id of the job is recorded, before its run is",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("confirm.committed", &["transcription"]))),
    ),
    Fault::long(
        "killed-after-the-work",
        "A process dies when the results of a run are in its memory only",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("handled", &["analysis"]))),
    ),
    Fault::long(
        "killed-before-a-run-commits",
        "A process dies when the results are in a transaction that is not committed yet",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("settle.commit:analysis", &["analysis"]))),
    ),
    Fault::fast(
        "killed-after-a-run-commits",
        "A process dies when a run is done, before the next stage has its message",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("settle.committed:analysis", &["analysis"]))),
    ),
    Fault::long(
        "killed-before-the-publish",
        "A process dies when a run is done, right before it publishes the next message",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("publish", &["transcription"]))),
    ),
    Fault::long(
        "killed-after-the-publish",
        "A process dies when the next message is published, before its own message is acknowledged",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("published", &["transcription"]))),
    ),
    Fault::long(
        "killed-before-the-ack",
        "A process dies right before it acknowledges a message, which comes again with nothing to do",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("ack:slack", &["slack"]))),
    ),
    Fault::long(
        "killed-after-the-ack",
        "A process dies right after it acknowledges a message, and the acknowledgement may be lost",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("acked:slack", &["slack"]))),
    ),
    Fault::long(
        "killed-while-runs-are-woken",
        "A process dies when it has taken the runs that are due, before it has woken them",
        Kind::BOTH,
        |run| Box::pin(killed_at(run, Point::of("due.taken", STAGES).when(Occasion::CallWithoutSlack))),
    ),
    Fault::long(
        "killed-while-a-dead-message-is-recorded",
        "A process dies when a dead message is recorded, before it leaves the dead queue",
        Kind::SERVERS,
        |run| Box::pin(killed_at(run, Point::of("buried", STAGES).when(Occasion::UnreadableMessage))),
    ),
];

async fn killed_at(run: Run, point: Point) -> anyhow::Result<Verdict> {
    let mut world = World::start(&run, Plan::default()).await?;
    let names: BTreeSet<String> = point.roles.iter().map(|role| world.process(role)).collect();
    let setting = format!("{}=return", point.name);
    for name in &names {
        let ended = world.terminate(name).await?;
        ensure!(ended.success(), "`{name}` ended: {ended}");
        world.start_process_with(name, &[("FAILPOINTS", &setting)]).await?;
    }
    match point.when {
        Occasion::CallWithoutBroker => world.servers().freeze(Server::Rabbitmq).await?,
        Occasion::UnreadableMessage => {
            messages::publish(&world, &[("analysis", b"{\"not\": \"an event")]).await?;
        }
        Occasion::CallWithoutSlack => {
            let fault = simulators::Fault::status(503);
            world.simulators.of(&slack::PROVIDER).set_faults(Faults::always(fault));
        }
        Occasion::Call => {}
    }
    let mut dice = run.dice();
    let mut not_accepted = Vec::new();
    let sent = send_until_one_died(&mut world, &names, point, &mut dice, &mut not_accepted).await;
    if point.when == Occasion::CallWithoutBroker {
        world.servers().thaw(Server::Rabbitmq).await?;
    }
    world.simulators.of(&slack::PROVIDER).set_faults(Faults::default());
    let died = sent?;
    for name in &names {
        if world.is_running(name) {
            world.kill(name).await?;
        }
        world.start_process(name).await?;
    }
    for call in &not_accepted {
        world.send_until_accepted(call).await?;
    }
    // A new call is taken, too.
    world.send_until_accepted(&Call::phone(&mut dice, &world.simulators)).await?;
    let mut verdict = world.settled(ENDS_WITHIN, &point.allowed()).await?;
    verdict.demand(
        died.iter().any(|name| world.log(name).contains(&format!("failpoint {}: kill", point.name))),
        format!("no process died at `{}`", point.name),
    );
    world.finish().await?;
    Ok(verdict)
}

/// Sends calls until a process has died, and returns the names of those that have. Adds each call that was not accepted to
/// `not_accepted`.
async fn send_until_one_died(
    world: &mut World,
    names: &BTreeSet<String>,
    point: Point,
    dice: &mut StdRng,
    not_accepted: &mut Vec<Call>,
) -> anyhow::Result<Vec<String>> {
    let deadline = Instant::now() + DIES_WITHIN;
    let mut is_broker_frozen = point.when == Occasion::CallWithoutBroker;
    for round in 0_u32.. {
        let call = match round % 2 {
            0 => Call::meeting(dice),
            _ => Call::phone(dice, &world.simulators),
        };
        let status = world.send(&call).await;
        if !status.is_some_and(|status| (200..300).contains(&status)) {
            not_accepted.push(call);
        }
        if is_broker_frozen && point.name == "relayed" {
            world.servers().thaw(Server::Rabbitmq).await?;
            is_broker_frozen = false;
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
