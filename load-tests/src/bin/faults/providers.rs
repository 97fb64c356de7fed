//! Providers that ask to wait, fail, are away, or refuse our credentials.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use load_tests::harness::ledger::{Allowed, Verdict};
use load_tests::harness::wire::Wire;
use rand::RngExt as _;
use simulators::Options;
use simulators::{self, Faults, Received, Simulator};
use tokio::time::sleep;

use crate::catalog::{Fault, Pace};
use crate::inputs::Call;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::shown;
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "retry-after-in-seconds",
        about: "Every provider answers 429 once and says in how many seconds to come back",
        kinds: Kind::BOTH,
        pace: Pace::Fast,
        play: |run| Box::pin(throttled(run, Wait::Seconds)),
    },
    Fault {
        name: "retry-after-as-a-date",
        about: "Every provider answers 429 once and says when to come back",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| Box::pin(throttled(run, Wait::Date)),
    },
    Fault {
        name: "retry-after-garbage",
        about: "Every provider answers 429 once with a Retry-After that means nothing",
        kinds: &[Kind::Embedded],
        pace: Pace::Long,
        play: |run| Box::pin(throttled(run, Wait::Garbage)),
    },
    Fault {
        name: "storm-of-500",
        about: "Every provider answers 500 to everything for seconds under load",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| Box::pin(storm(run)),
    },
    Fault {
        name: "transcription-down",
        about: "The transcription provider refuses connections for a while",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| Box::pin(transcription_down(run)),
    },
    Fault {
        name: "transcription-refuses-credentials",
        about: "The transcription provider refuses our key until somebody mends it",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| Box::pin(credentials_refused(run)),
    },
];

const SETTLED_WITHIN: Duration = Duration::from_mins(3);
const PARKED_WITHIN: Duration = Duration::from_secs(30);
/// Calls that wait for the transcription provider.
const CALLS: u64 = 8;

// ---------------------------------------------------------------- 429

#[derive(Clone, Copy)]
enum Wait {
    Seconds,
    Date,
    Garbage,
}

const SECONDS: u32 = 3;

impl Wait {
    fn fault(self) -> simulators::Fault {
        let fault = simulators::Fault::status(429);
        match self {
            Self::Seconds => simulators::Fault { retry_after: Some(SECONDS.to_string()), ..fault },
            Self::Date => simulators::Fault { retry_after_date_s: Some(SECONDS), ..fault },
            Self::Garbage => simulators::Fault { retry_after: Some("a little later".to_owned()), ..fault },
        }
    }

    /// Between the refusal and the next try, at least.
    fn at_least(self) -> TimeDelta {
        TimeDelta::seconds(match self {
            Self::Seconds => SECONDS.into(),
            // A date knows only whole seconds.
            Self::Date => i64::from(SECONDS) - 1,
            // As long as each worker waits where nobody says how long; the shortest of them.
            Self::Garbage => 10,
        })
    }
}

async fn throttled(run: Run, wait: Wait) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, Plan::default()).await?;
    let all = &world.simulators;
    let refusing = [
        (&all.assemblyai, "/v2/transcript"),
        (&all.openai, "/chat/completions"),
        (&all.slack, "/api/chat.postMessage"),
        (&all.salesforce, "/sobjects/Contact"),
        (&all.call_data, "/call-data"),
    ];
    for (simulator, path) in refusing {
        let fault = simulators::Fault { path: Some(path.to_owned()), ..wait.fault() };
        simulator.set_faults(Faults::next([fault]));
    }
    for call in [Call::phone(&mut dice, all), Call::meeting(&mut dice)] {
        world.send(&call).await.context("the call was not answered")?;
    }
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    for (simulator, path) in refusing {
        let name = simulator.provider.name();
        match first_two(simulator, path) {
            None => verdict.broke(format!("{name} was not asked again")),
            Some((refused, again)) => verdict.demand(
                again - refused >= wait.at_least(),
                format!(
                    "{name} was asked again {} ms after it asked to wait",
                    (again - refused).num_milliseconds()
                ),
            ),
        }
    }
    shown::no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

/// When the first request to `path` arrived, and the next one for the same thing.
fn first_two(simulator: &Simulator, path: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let received = simulator.received();
    let mut posts = received.iter().filter(|request| request.method == "POST" && request.path.contains(path));
    let first = posts.next()?;
    // Audio is uploaded anew, so that its address differs.
    let same = |other: &&Received| path == "/v2/transcript" || other.body == first.body;
    Some((first.at, posts.find(same)?.at))
}

// ---------------------------------------------------------------- 500

async fn storm(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    // It passes before any run has spent its attempts.
    let settings =
        vec![("DEBRIEF_RETRY_SCHEDULE", "1s,2s,4s".to_owned()), ("DEBRIEF_LEASE", "1m".to_owned())];
    let world = World::start(&run, Plan { settings, ..Plan::default() }).await?;
    let load = world.load(Load { per_second: 5.0, ..Load::default() });
    sleep(Duration::from_millis(dice.random_range(1500..3000))).await;
    let all = &world.simulators;
    let stormy = [&all.call_data, &all.slack, &all.salesforce, &all.openai, &all.assemblyai];
    for simulator in stormy {
        // Against the stream: some calls have to come to each of them while it fails.
        let before = simulator.received().len();
        simulator.set_faults(Faults::always(simulators::Fault::status(500)));
        let asked = async |_: &World| (simulator.received().len() > before).then_some(());
        world.wait("each provider to be asked", PARKED_WITHIN, asked).await?;
    }
    sleep(Duration::from_millis(dice.random_range(5000..9000))).await;
    for simulator in stormy {
        simulator.set_faults(Faults::default());
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    // A 500 says nothing about whether it took effect, and the call-data API cannot be asked.
    let mut before = world.settled(SETTLED_WITHIN, &Allowed::nothing().unknown()).await?;
    before.demand(before.unknown > 0, "no effect is in doubt after a storm of 500");
    // The others can, when nothing can be on its way any more.
    let doubts = world
        .wait("Slack and Salesforce to be asked", SETTLED_WITHIN, async |world| {
            let doubts = shown::doubts(world).await.ok()?;
            doubts.iter().all(|doubt| doubt.target == "call_data").then_some(doubts)
        })
        .await?;
    // None of them was taken.
    shown::resolve(&world, &doubts, "--resend").await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.unknown = before.unknown;
    verdict.broken.extend(before.broken);
    world.finish().await?;
    Ok(verdict)
}

// ---------------------------------------------------------------- away

async fn transcription_down(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let base_port = six_ports(&mut dice)?;
    let wire = Wire::to(&format!("127.0.0.1:{base_port}")).await?;
    let plan = Plan {
        settings: vec![("ASSEMBLYAI_BASE_URL", format!("http://{}", wire.address))],
        simulators: Options { base_port: Some(base_port), ..Options::default() },
        ..Plan::default()
    };
    let world = World::start(&run, plan).await?;
    wire.down();
    let mut wrong = send_some(&world, &mut dice).await;
    until_parked(&world).await?;
    sleep(Duration::from_millis(dice.random_range(2000..5000))).await;
    // Nobody else waits.
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
    shown::no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

async fn credentials_refused(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, Plan::default()).await?;
    let provider = &world.simulators.assemblyai;
    provider.set_faults(Faults::always(simulators::Fault::status(401)));
    let wrong = send_some(&world, &mut dice).await;
    until_parked(&world).await?;
    let before = provider.received().len();
    let probed_for = Duration::from_secs(6);
    sleep(probed_for).await;
    let probes = u64::try_from(provider.received().len() - before).unwrap_or(u64::MAX);
    provider.set_faults(Faults::default());
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.broken.extend(wrong);
    // The schedule's second delay lies between two probes, and one call probes for all.
    let (least, most) = (2, 6 * 2 + CALLS / 2);
    verdict.demand(
        (least..=most).contains(&probes),
        format!(
            "{CALLS} calls probed {probes} times in {probed_for:?}; one probes for all, every half second"
        ),
    );
    shown::no_attempt_spent(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

async fn send_some(world: &World, dice: &mut rand::rngs::StdRng) -> Vec<String> {
    let mut wrong = Vec::new();
    for _ in 0..CALLS {
        let call = Call::phone(dice, &world.simulators);
        let status = world.send(&call).await;
        if status != Some(200) {
            wrong.push(format!("{} was answered {status:?}", call.id));
        }
    }
    wrong
}

async fn until_parked(world: &World) -> anyhow::Result<()> {
    world
        .wait("every call to be parked", PARKED_WITHIN, async |world| {
            let parked = shown::parked(world).await.ok()?;
            (parked.get("transcription") == Some(&CALLS)).then_some(())
        })
        .await
}

/// The first of as many free ports in a row as there are simulators.
pub(crate) fn six_ports(dice: &mut rand::rngs::StdRng) -> anyhow::Result<u16> {
    let free = |port: u16| std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut tries = (0..100).map(|_| dice.random_range(10_000..30_000));
    tries.find(|first| (*first..*first + 6).all(free)).context("find free ports for the simulators")
}
