//! Providers ask Debrief to wait, fail, are down, or refuse the credentials.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use load_tests::harness::ledger::{Allowed, Verdict};
use load_tests::harness::wire::Wire;
use rand::rngs::StdRng;
use simulators::{
    Faults, Options, Received, Simulator, Simulators, assemblyai, call_data, openai, salesforce, slack,
};
use tokio::time::sleep;

use crate::fault::Fault;
use crate::inputs::Call;
use crate::inspection::{demand_no_attempt_spent, parked_runs, resolve, unknown_effects};
use crate::run::{Kind, Run, random_time};
use crate::senders::Load;
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault::fast(
        "retry-after-in-seconds",
        "Every provider answers 429 once and says in how many seconds to come back",
        Kind::BOTH,
        |run| Box::pin(throttled(run, RetryAfter::Seconds)),
    ),
    Fault::long(
        "retry-after-as-a-date",
        "Every provider answers 429 once and says at which time to come back",
        Kind::BOTH,
        |run| Box::pin(throttled(run, RetryAfter::Date)),
    ),
    Fault::long(
        "retry-after-garbage",
        "Every provider answers 429 once with a Retry-After header that makes no sense",
        Kind::EMBEDDED,
        |run| Box::pin(throttled(run, RetryAfter::Garbage)),
    ),
    Fault::long(
        "storm-of-500",
        "Every provider answers 500 to everything for seconds under load",
        Kind::BOTH,
        |run| Box::pin(storm(run)),
    ),
    Fault::long(
        "transcription-down",
        "The transcription provider refuses connections for a while",
        Kind::BOTH,
        |run| Box::pin(transcription_down(run)),
    ),
    Fault::long(
        "transcription-refuses-credentials",
        "The transcription provider refuses the key until somebody mends it",
        Kind::BOTH,
        |run| Box::pin(credentials_refused(run)),
    ),
];

const SETTLED_WITHIN: Duration = Duration::from_mins(3);
const PARKED_WITHIN: Duration = Duration::from_secs(30);
/// The number of calls that wait for the transcription provider.
const CALLS: u64 = 8;

// ---------------------------------------------------------------- 429

/// How a provider says when to come back.
#[derive(Clone, Copy)]
enum RetryAfter {
    Seconds,
    Date,
    Garbage,
}

/// The time that a provider asks for.
const SECONDS: u32 = 3;

impl RetryAfter {
    fn fault(self) -> simulators::Fault {
        let fault = simulators::Fault::status(429);
        match self {
            Self::Seconds => simulators::Fault { retry_after: Some(SECONDS.to_string()), ..fault },
            Self::Date => simulators::Fault { retry_after_date_s: Some(SECONDS), ..fault },
            Self::Garbage => simulators::Fault { retry_after: Some("a little later".to_owned()), ..fault },
        }
    }

    /// Returns the shortest time between the refusal and the next attempt.
    fn shortest_wait(self) -> TimeDelta {
        TimeDelta::seconds(match self {
            Self::Seconds => SECONDS.into(),
            // A date has only whole seconds.
            Self::Date => i64::from(SECONDS) - 1,
            // When the provider names no time, each worker waits for a time of its own. This is the shortest of them.
            Self::Garbage => 10,
        })
    }
}

async fn throttled(run: Run, retry_after: RetryAfter) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, Plan::default()).await?;
    let all = &world.simulators;
    let refusing = [
        (all.of(&assemblyai::PROVIDER), "/v2/transcript"),
        (all.of(&openai::PROVIDER), "/chat/completions"),
        (all.of(&slack::PROVIDER), "/api/chat.postMessage"),
        (all.of(&salesforce::PROVIDER), "/sobjects/Contact"),
        (all.of(&call_data::PROVIDER), "/call-data"),
    ];
    for (simulator, path) in refusing {
        let fault = simulators::Fault { path: Some(path.to_owned()), ..retry_after.fault() };
        simulator.set_faults(Faults::next([fault]));
    }
    for call in [Call::phone(&mut dice, all), Call::meeting(&mut dice)] {
        world.send(&call).await.context("the call was not answered")?;
    }
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    for (simulator, path) in refusing {
        let name = simulator.provider.name;
        match first_two(simulator, path) {
            None => verdict.add_broken(format!("{name} was not asked again")),
            Some((refused, again)) => verdict.demand(
                again - refused >= retry_after.shortest_wait(),
                format!(
                    "{name} was asked again {} ms after it asked to wait",
                    (again - refused).num_milliseconds()
                ),
            ),
        }
    }
    demand_no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

/// Returns the times of the first request to `path` and of the next one for the same thing.
fn first_two(simulator: &Simulator, path: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let received = simulator.received();
    let mut posts = received.iter().filter(|request| request.method == "POST" && request.path.contains(path));
    let first = posts.next()?;
    // The audio of a recording is uploaded again, and so the address in the second request is another one.
    let is_same = |other: &&Received| path == "/v2/transcript" || other.body == first.body;
    Some((first.at, posts.find(is_same)?.at))
}

// ---------------------------------------------------------------- 500

async fn storm(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    // The storm passes before any run has spent all its attempts.
    let settings =
        vec![("DEBRIEF_RETRY_SCHEDULE", "1s,2s,4s".to_owned()), ("DEBRIEF_LEASE", "1m".to_owned())];
    let world = World::start(&run, Plan { settings, ..Plan::default() }).await?;
    let load = world.load(Load { per_second: 5.0, ..Load::default() });
    sleep(random_time(&mut dice, 1500, 3000)).await;
    let all = &world.simulators;
    // The last provider of the pipeline fails first, so that calls come to each of them while it fails.
    let stormy = [
        &call_data::PROVIDER,
        &slack::PROVIDER,
        &salesforce::PROVIDER,
        &openai::PROVIDER,
        &assemblyai::PROVIDER,
    ]
    .map(|provider| all.of(provider));
    for simulator in stormy {
        let before = simulator.received().len();
        simulator.set_faults(Faults::always(simulators::Fault::status(500)));
        let asked = async |_: &World| (simulator.received().len() > before).then_some(());
        world.wait("each provider to be asked", PARKED_WITHIN, asked).await?;
    }
    sleep(random_time(&mut dice, 5000, 9000)).await;
    for simulator in stormy {
        simulator.set_faults(Faults::default());
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    // An answer 500 does not say whether the request took effect, and nobody can ask the call-data API.
    let mut before = world.settled(SETTLED_WITHIN, &Allowed::nothing().unknown()).await?;
    before.demand(before.unknown > 0, "no effect is unknown after a storm of 500");
    // Debrief asks the other providers when the requests can no longer arrive.
    let unknown = world
        .wait("Slack and Salesforce to be asked", SETTLED_WITHIN, async |world| {
            let unknown = unknown_effects(world).await.ok()?;
            unknown.iter().all(|effect| effect.target == call_data::PROVIDER.name).then_some(unknown)
        })
        .await?;
    // No provider has taken these requests.
    resolve(&world, &unknown, "--resend").await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.unknown = before.unknown;
    verdict.broken.extend(before.broken);
    world.finish().await?;
    Ok(verdict)
}

// ---------------------------------------------------------------- down

async fn transcription_down(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let simulators = Arc::new(Simulators::start(&Options::default()).await?);
    let wire = Wire::to(&simulators.of(&assemblyai::PROVIDER).address.to_string()).await?;
    let settings = vec![("ASSEMBLYAI_BASE_URL", format!("http://{}", wire.address))];
    let world = World::start_beside(&run, Plan { settings, ..Plan::default() }, simulators).await?;
    wire.down();
    let mut wrong = send_calls(&world, &mut dice).await;
    until_parked(&world).await?;
    sleep(random_time(&mut dice, 2000, 5000)).await;
    // A call that needs no transcription does not wait.
    let other = Call::meeting(&mut dice);
    world.send(&other).await.context("a meeting was not answered")?;
    let path = "/api/calls/history?status=completed&limit=1";
    let done = world.wait("a meeting to be completed meanwhile", PARKED_WITHIN, async |world| {
        world.get(path).await.ok().filter(|history| history["total"] == 1)
    });
    if let Err(error) = done.await {
        wrong.push(format!("{error:#}"));
    }
    wire.mend();
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.broken.extend(wrong);
    demand_no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

async fn credentials_refused(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, Plan::default()).await?;
    let provider = world.simulators.of(&assemblyai::PROVIDER);
    provider.set_faults(Faults::always(simulators::Fault::status(401)));
    let wrong = send_calls(&world, &mut dice).await;
    until_parked(&world).await?;
    let before = provider.received().len();
    let probed_for = Duration::from_secs(6);
    sleep(probed_for).await;
    let probes = u64::try_from(provider.received().len() - before).unwrap_or(u64::MAX);
    provider.set_faults(Faults::default());
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.broken.extend(wrong);
    // One call probes for all, and the second delay of the schedule lies between two probes.
    let (least, most) = (2, 6 * 2 + CALLS / 2);
    verdict.demand(
        (least..=most).contains(&probes),
        format!(
            "{CALLS} calls probed {probes} times in {probed_for:?}: one should probe for all, every half second"
        ),
    );
    demand_no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

/// Sends the calls, and returns a text for each that was not accepted.
async fn send_calls(world: &World, dice: &mut StdRng) -> Vec<String> {
    let mut wrong = Vec::new();
    for _ in 0..CALLS {
        let call = Call::phone(dice, &world.simulators);
        let status = world.send(&call).await;
        if status != Some(200) {
            wrong.push(format!("call {} was answered {status:?}", call.id));
        }
    }
    wrong
}

async fn until_parked(world: &World) -> anyhow::Result<()> {
    world
        .wait("every call to be parked", PARKED_WITHIN, async |world| {
            let parked = parked_runs(world).await.ok()?;
            (parked.get("transcription") == Some(&CALLS)).then_some(())
        })
        .await
}
