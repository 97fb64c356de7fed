//! Providers that take a request and do not say so: they reset the connection, or stall in their answer.
//!
//! Who can be asked is asked: Salesforce, and Slack by a bot's token. Who cannot is shown as unknown, and
//! nothing is sent again until a person says what became of it: an incoming webhook, and the call-data API.

use std::time::Duration;

use anyhow::Context as _;
use load_tests::harness::ledger::{Allowed, Verdict};
use simulators::Options;
use simulators::{self, Faults};

use crate::catalog::{Fault, Pace};
use crate::inputs::Call;
use crate::providers::six_ports;
use crate::run::{Kind, Run};
use crate::shown;
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "reset-after-accepting",
        about: "Every provider takes a request and resets the connection; Slack is an incoming webhook",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| Box::pin(unanswered(run, How::Reset, Door::Webhook)),
    },
    Fault {
        name: "reset-after-accepting-from-a-bot",
        about: "Every provider takes a request and resets the connection; Slack knows us by a bot's token",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| Box::pin(unanswered(run, How::Reset, Door::Bot)),
    },
    Fault {
        name: "body-stalls",
        about: "Every provider takes a request and stops in the middle of its answer",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| Box::pin(unanswered(run, How::Stall, Door::Webhook)),
    },
];

/// A contact is asked for no sooner than half a minute after its minute is over.
const SETTLED_WITHIN: Duration = Duration::from_mins(4);

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Reset,
    Stall,
}

/// How Slack is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Webhook,
    Bot,
}

async fn unanswered(run: Run, how: How, door: Door) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let base_port = six_ports(&mut dice)?;
    let settings = match door {
        Door::Bot => Vec::new(),
        // Slack is the third simulator.
        Door::Webhook => vec![
            ("SLACK_BOT_TOKEN", String::new()),
            ("SLACK_WEBHOOK_URL", format!("http://127.0.0.1:{}/services/T/B/x", base_port + 2)),
        ],
    };
    let simulators = Options { base_port: Some(base_port), ..Options::default() };
    let world = World::start(&run, Plan { settings, simulators, ..Plan::default() }).await?;
    let all = &world.simulators;
    let fault = simulators::Fault {
        accept_then_reset: how == How::Reset,
        stall: how == How::Stall,
        ..simulators::Fault::default()
    };
    let posts = if door == Door::Bot { "/api/chat.postMessage" } else { "/services/" };
    for (simulator, path, times) in [
        (&all.assemblyai, "/v2/transcript", 1),
        (&all.openai, "/chat/completions", 1),
        // The phone call's and the meeting's.
        (&all.slack, posts, 2),
        (&all.salesforce, "/sobjects/Contact", 1),
        (&all.call_data, "/call-data", 1),
    ] {
        let fault = simulators::Fault { path: Some(path.to_owned()), ..fault.clone() };
        simulator.set_faults(Faults::next(std::iter::repeat_n(fault, times)));
    }
    for call in [Call::phone(&mut dice, all), Call::meeting(&mut dice)] {
        world.send(&call).await.context("the call was not answered")?;
    }
    // The transcription provider cannot be asked, and a job that nobody knows of costs less than a call
    // without a transcript.
    let allowed = Allowed::nothing().resubmitted(1);
    let before = world.settled(SETTLED_WITHIN, &allowed.clone().unknown()).await?;
    let expected: &[&str] = match door {
        Door::Webhook => &["call_data", "slack", "slack"],
        Door::Bot => &["call_data"],
    };
    // The others are asked when nothing can be on its way any more.
    let doubts = world
        .wait(&format!("only {expected:?} to be in doubt"), SETTLED_WITHIN, async |world| {
            let doubts = shown::doubts(world).await.ok()?;
            let mut targets: Vec<&str> = doubts.iter().map(|doubt| doubt.target.as_str()).collect();
            targets.sort_unstable();
            (targets == expected).then_some(doubts)
        })
        .await?;
    // All of them were taken.
    shown::resolve(&world, &doubts, "--sent").await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &allowed).await?;
    verdict.unknown = before.unknown;
    verdict.broken.extend(before.broken);
    world.finish().await?;
    Ok(verdict)
}
