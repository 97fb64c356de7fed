//! Providers take a request and do not answer it: they reset the connection, or stop in the middle of the answer.
//!
//! Debrief asks the providers that can be asked: Salesforce, and Slack when it posts as a bot. An effect at a provider
//! that cannot be asked, which is an incoming webhook of Slack or the call-data API, is shown as unknown. It is not sent
//! again until a person says what became of it.

use std::time::Duration;

use anyhow::Context as _;
use load_tests::harness::ledger::{Allowed, Verdict};
use simulators::{Faults, assemblyai, call_data, openai, salesforce, slack};

use crate::fault::Fault;
use crate::inputs::Call;
use crate::inspection::{resolve, unknown_effects};
use crate::run::{Kind, Run};
use crate::world::{Plan, SlackAccess, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "reset-after-accepting",
        "Every provider takes a request and resets the connection; Debrief posts to Slack through a \
         webhook",
        Kind::BOTH,
        |run| Box::pin(unanswered(run, Failure::Reset, SlackAccess::Webhook)),
    ),
    Fault::long(
        "reset-after-accepting-from-a-bot",
        "Every provider takes a request and resets the connection; Debrief posts to Slack as a bot",
        Kind::BOTH,
        |run| Box::pin(unanswered(run, Failure::Reset, SlackAccess::Bot)),
    ),
    Fault::long(
        "body-stalls",
        "Every provider takes a request and stops in the middle of its answer",
        Kind::BOTH,
        |run| Box::pin(unanswered(run, Failure::Stall, SlackAccess::Webhook)),
    ),
];

/// Debrief looks for a contact half a minute after the request has timed out, which takes a minute.
const SETTLED_WITHIN: Duration = Duration::from_mins(4);

/// What a provider does after it has taken a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    Reset,
    Stall,
}

async fn unanswered(run: Run, failure: Failure, access: SlackAccess) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, Plan { slack: access, ..Plan::default() }).await?;
    let all = &world.simulators;
    let fault = simulators::Fault {
        accept_then_reset: failure == Failure::Reset,
        stall: failure == Failure::Stall,
        ..simulators::Fault::default()
    };
    let posts = if access == SlackAccess::Bot { "/api/chat.postMessage" } else { "/services/" };
    for (provider, path, times) in [
        (&assemblyai::PROVIDER, "/v2/transcript", 1),
        (&openai::PROVIDER, "/chat/completions", 1),
        // The phone call and the meeting have one post each.
        (&slack::PROVIDER, posts, 2),
        (&salesforce::PROVIDER, "/sobjects/Contact", 1),
        (&call_data::PROVIDER, "/call-data", 1),
    ] {
        let fault = simulators::Fault { path: Some(path.to_owned()), ..fault.clone() };
        all.of(provider).set_faults(Faults::next(std::iter::repeat_n(fault, times)));
    }
    for call in [Call::phone(&mut dice, all), Call::meeting(&mut dice)] {
        world.send(&call).await.context("the call was not answered")?;
    }
    // Nobody can ask the transcription provider, and a job that nobody uses costs less than a call without a transcript.
    let allowed = Allowed::nothing().resubmitted(1);
    let before = world.settled(SETTLED_WITHIN, &allowed.clone().unknown()).await?;
    let expected: &[&str] = match access {
        SlackAccess::Webhook => &["call_data", "slack", "slack"],
        SlackAccess::Bot => &["call_data"],
    };
    // Debrief asks the other providers when the requests can no longer arrive.
    let unknown = world
        .wait(&format!("only {expected:?} to be unknown"), SETTLED_WITHIN, async |world| {
            let unknown = unknown_effects(world).await.ok()?;
            let mut targets: Vec<&str> = unknown.iter().map(|effect| effect.target.as_str()).collect();
            targets.sort_unstable();
            (targets == expected).then_some(unknown)
        })
        .await?;
    // The providers have taken all of these requests.
    resolve(&world, &unknown, "--sent").await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &allowed).await?;
    verdict.unknown = before.unknown;
    verdict.broken.extend(before.broken);
    world.finish().await?;
    Ok(verdict)
}
