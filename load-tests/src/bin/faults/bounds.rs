//! Work in hand is bounded: slow hosts do not hold the places of others, and large transcripts do not take memory without
//! an end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::ensure;
use load_tests::harness::ledger::{Allowed, Verdict};
use load_tests::harness::usage;
use serde_json::{Value, json};
use simulators::{PROVIDERS, Recording, Variant};
use tokio::time::sleep;

use crate::fault::Fault;
use crate::inputs::{Body, Call};
use crate::poison::program_with_memory_limit;
use crate::run::{Kind, Run};
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault::fast(
        "slow-recordings",
        "The host of some recordings sends one byte every ten seconds, and other calls come behind them",
        Kind::EMBEDDED,
        |run| Box::pin(slow_recordings(run)),
    ),
    Fault::long(
        "large-transcripts",
        "Meetings with large transcripts come together, and the process may have little memory",
        Kind::EMBEDDED,
        |run| Box::pin(large_transcripts(run)),
    ),
];

// ---------------------------------------------------------------- slow recordings

/// The number of recordings that come slowly: more than one host has places.
const SLOW: usize = 8;
/// How long the fetch of one of them may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(12);
/// How soon calls that do not need the slow host are completed. They need a second or two.
const DONE_WITHIN: Duration = Duration::from_secs(10);
const SETTLED_WITHIN: Duration = Duration::from_mins(2);

async fn slow_recordings(run: Run) -> anyhow::Result<Verdict> {
    let settings = vec![
        ("DEBRIEF_ALLOW_PRIVATE_FETCH", "true".to_owned()),
        ("DEBRIEF_FETCH_TIMEOUT", format!("{}s", FETCH_TIMEOUT.as_secs())),
        ("DEBRIEF_MAX_ATTEMPTS", "1".to_owned()),
    ];
    let world = World::start(&run, Plan { settings, ..Plan::default() }).await?;
    let mut dice = run.dice();
    for number in 0..SLOW {
        let recording = Recording::variant(Variant::Drip);
        let url = world.simulators.put_recording(&format!("slow-{number}.wav"), recording);
        let mut call = Call::phone(&mut dice, &world.simulators);
        if let Body::Webhook(body) = &mut call.body {
            body["recording_url"] = json!(url);
        }
        call.makes.clear();
        world.send_until_accepted(&call).await?;
    }
    let holds = |queues: &Value| {
        let stages = queues["items"].as_array().cloned().unwrap_or_default();
        let stage = stages.into_iter().find(|stage| stage["stage"] == "transcription").unwrap_or_default();
        (stage["running"].as_i64().unwrap_or_default(), stage["held"].as_array().cloned().unwrap_or_default())
    };
    let running = async |world: &World| holds(&world.get("/api/queues").await.ok()?).0.ge(&4).then_some(());
    world.wait("the slow recordings to be fetched", Duration::from_secs(20), running).await?;

    let meeting = Call::meeting(&mut dice);
    let mut honest = Call::phone(&mut dice, &world.simulators);
    if let Body::Webhook(body) = &mut honest.body {
        // Another name of the same machine is another host.
        let url = body["recording_url"].as_str().unwrap_or_default().replace("127.0.0.1", "localhost");
        body["recording_url"] = json!(url);
    }
    let sent = Instant::now();
    let mut broken = Vec::new();
    for call in [&meeting, &honest] {
        world.send_until_accepted(call).await?;
    }
    for (what, call) in
        [("a meeting with its transcript", &meeting), ("a recording of another host", &honest)]
    {
        let ended = world
            .wait(what, DONE_WITHIN.saturating_sub(sent.elapsed()), async |world| {
                is_completed(world, call).await
            })
            .await;
        match ended {
            Ok(()) => println!("  {what} was completed after {:.1} s", sent.elapsed().as_secs_f64()),
            Err(_) => broken.push(format!("{what} was not completed within {DONE_WITHIN:?}")),
        }
    }
    // A wait is shown when it has lasted for a second.
    let shown = async |world: &World| {
        let held = holds(&world.get("/api/queues").await.ok()?).1;
        held.iter().any(|place| place["waits_for"] == "127.0.0.1").then_some(())
    };
    if world.wait("the queues to show what the runs wait for", Duration::from_secs(5), shown).await.is_err() {
        broken.push("the queues do not show who waits for the slow host".to_owned());
    }
    if !broken.is_empty() {
        return Ok(Verdict { broken, ..Verdict::default() });
    }
    let verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing().dead()).await?;
    world.finish().await?;
    Ok(with_dead(verdict, SLOW))
}

async fn is_completed(world: &World, call: &Call) -> Option<()> {
    let history = world.get("/api/calls/history?limit=100&status=completed").await.ok()?;
    let calls = history["calls"].as_array()?;
    calls.iter().any(|found| found["external_id"] == call.id.as_str()).then_some(())
}

fn with_dead(mut verdict: Verdict, expected: usize) -> Verdict {
    let dead = verdict.dead;
    verdict.demand(
        dead == expected as u64,
        format!("{dead} calls are dead, and {expected} recordings came too slowly"),
    );
    verdict
}

// ---------------------------------------------------------------- large transcripts

const MEETINGS: u32 = 20;
const TRANSCRIPT_BYTES: usize = 3_000_000;
/// The address space that the process may have. Its threads and the arenas of its allocator reserve more than half of it
/// and use little of that.
const ADDRESS_SPACE_BYTES: u64 = 3 << 30;
/// The bound of the work in hand. A few of the transcripts have room in it.
const MAX_MEMORY: &str = "100MB";
/// The memory that the process may take at most: the program itself, the work in hand, and what the allocator keeps.
const MOST_MB: f64 = 400.0;
const ALL_DONE_WITHIN: Duration = Duration::from_mins(40);
/// The number of deaths after which the fault is given up.
const MAX_DEATHS: u32 = 3;

async fn large_transcripts(mut run: Run) -> anyhow::Result<Verdict> {
    run.program = program_with_memory_limit(&run, ADDRESS_SPACE_BYTES)?;
    // What is measured is our own work, so there are no providers, and the built-in analyzer reads the transcripts.
    let names = PROVIDERS.iter().flat_map(|provider| provider.settings("http://127.0.0.1:1"));
    let mut settings: Vec<(&'static str, String)> = names.map(|(name, _)| (name, String::new())).collect();
    settings.extend(["SLACK_BOT_TOKEN", "SLACK_CHANNEL"].map(|name| (name, String::new())));
    settings.push(("DEBRIEF_MAX_MEMORY", MAX_MEMORY.to_owned()));
    let mut world = World::start(&run, Plan { settings, ..Plan::default() }).await?;
    let name = world.process("transcription");
    for number in 0..MEETINGS {
        world.send_until_accepted(&large_meeting(number)).await?;
    }
    let (began, mut deaths, mut most_mb) = (Instant::now(), 0, 0.0_f64);
    loop {
        if !world.is_running(&name) {
            deaths += 1;
            println!("  the process died after {:.0} s", began.elapsed().as_secs_f64());
            if deaths == MAX_DEATHS {
                let broken = vec![format!("the process died {deaths} times, with {most_mb:.0} MB at most")];
                return Ok(Verdict { broken, ..Verdict::default() });
            }
            world.start_process(&name).await?;
        }
        if let Ok(memory) = usage::memory_mb(world.find(&name)?.id()?, "VmHWM") {
            most_mb = most_mb.max(memory);
        }
        let done = world.get("/api/calls/history?limit=1&status=completed").await;
        if done.is_ok_and(|done| done["total"] == MEETINGS) {
            break;
        }
        ensure!(began.elapsed() < ALL_DONE_WITHIN, "the meetings are not completed");
        sleep(Duration::from_millis(200)).await;
    }
    println!(
        "  {MEETINGS} transcripts of {} MB: {most_mb:.0} MB at most (VmHWM), {deaths} deaths, {:.0} s",
        TRANSCRIPT_BYTES / 1_000_000,
        began.elapsed().as_secs_f64()
    );
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.demand(deaths == 0, format!("the process died {deaths} times"));
    verdict
        .demand(most_mb <= MOST_MB, format!("the process took {most_mb:.0} MB, more than {MOST_MB:.0} MB"));
    world.finish().await?;
    Ok(verdict)
}

/// A meeting with so long a transcript. It makes nothing at any provider. It is in German, because the analyzer looks for
/// more in English, which takes minutes in a debug build.
fn large_meeting(number: u32) -> Call {
    let id = format!("large-{number}==");
    let meeting = json!({"uuid": id, "id": 84_100_000_001_u64, "topic": "Planning", "type": 2, "duration": 20,
        "start_time": "2026-02-03T10:00:00Z",
        "participants": [{"name": "Priya Raman", "role": "Host"}, {"name": "Tom Baker", "role": "Participant"}]});
    let mut transcript = String::from("WEBVTT\n\n");
    for cue in 0.. {
        if transcript.len() >= TRANSCRIPT_BYTES {
            break;
        }
        let (minutes, seconds) = (cue / 12, cue % 12 * 5);
        let name = ["Priya Raman", "Tom Baker"][cue % 2];
        let _infallible = write!(
            transcript,
            "{:02}:{:02}:{seconds:02}.000 --> {:02}:{:02}:{:02}.000\n{name}: Das ist Satz {cue} von Besprechung {number}, und er sagt, \
             was Kestrel Freight an dem Vertrag ändern will, den wir im letzten Frühjahr unterschrieben haben.\n\n",
            minutes / 60,
            minutes % 60,
            minutes / 60,
            minutes % 60,
            seconds + 4,
        );
    }
    Call { id, body: Body::Meeting(meeting, transcript), makes: Vec::new() }
}
