//! A call is spoken into a stream while its sender, the connections to the provider of speech and the processes that hear
//! it are killed at any moment.
//!
//! The sender goes on from the byte that was acknowledged last, as every sender of a stream does. Two listeners collect the
//! events by their numbers: one asks for them again and again, and one is a client of Socket.IO. In the end no event is
//! missing or doubled, the recording is what was sent, byte for byte, and everything that was said stands once in the
//! transcript.

mod killing;
mod listener;
mod sender;
mod sound;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use load_tests::harness::http::Connection;
use load_tests::harness::ledger::Verdict;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::fault::Fault;
use crate::run::{Kind, Run};
use crate::world::{Plan, World};
use killing::{Killer, audio_ms, plan};
use sender::Sender;

/// Everything has ended after this time.
const ENDS_WITHIN: Duration = Duration::from_mins(3);
const SESSION: &str = "spoken";

pub(crate) const FAULTS: &[Fault] = &[
    Fault::fast(
        "live-kills",
        "Six times the sender of a stream, its connection to the provider of speech or a process that hears it is \
         killed at any moment",
        Kind::BOTH,
        |run| Box::pin(spoken(run, 6)),
    ),
    Fault::long(
        "many-live-kills",
        "A hundred times the sender of a stream, its connection to the provider of speech or a process that hears it is \
         killed at any moment",
        Kind::BOTH,
        |run| Box::pin(spoken(run, 100)),
    ),
];

async fn spoken(run: Run, kills: usize) -> anyhow::Result<Verdict> {
    let settings = vec![("LIVE_SPEECH", "deepgram".to_owned())];
    let world_plan = Plan { processes: vec![("live", 2)], settings, ..Plan::default() };
    let mut world = World::start(&run, world_plan).await?;
    let mut dice = run.dice();
    let names: Vec<String> = match world.kind() {
        Kind::Embedded => world.names(),
        Kind::Servers => vec!["live".into(), "live-2".into()],
    };
    let doors = names.iter().map(|name| Ok(world.find(name)?.address)).collect::<anyhow::Result<Vec<_>>>()?;
    let plan = plan(&mut dice, kills);
    let sound = sound::speech(&mut dice, audio_ms(&plan));
    let call = begin(&doors).await?;
    let audio = Arc::new(sound.bytes);
    let (sender, strings) = Sender::new(doors.clone(), Arc::clone(&audio), StdRng::seed_from_u64(run.seed));
    let sending = tokio::spawn(sender.send());
    let is_over = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(listener::ask(doors.clone(), Arc::clone(&is_over)));
    let listening = tokio::spawn(listener::listen(doors, Arc::clone(&is_over)));
    let mut sent = 0;
    let mut killer = Killer { names: &names, strings, dice };
    let killed = killer.kill_all(&mut world, plan).await;
    if killed.is_ok() || sending.is_finished() {
        sent = joined(sending).await.context("send the audio")?;
    }
    killed?;
    world
        .wait("the call to be done", ENDS_WITHIN, async |world| {
            let shown = world.get(&format!("/api/calls/{call}")).await.ok()?;
            ["completed", "failed"].contains(&shown["status"].as_str()?).then_some(())
        })
        .await?;
    let last = world
        .wait("the last event", ENDS_WITHIN, async |world| {
            let events = all_events(world).await.ok()?;
            let is_last = |event: &Value| {
                let status = &event["data"]["status"];
                event["type"] == "call_status" && (status == "completed" || status == "failed")
            };
            events.iter().any(is_last).then(|| events.last()?["seq"].as_i64())?
        })
        .await?;
    is_over.store(true, Ordering::Release);
    let mut verdict = Verdict { accepted: 1, done: 1, ..Verdict::default() };
    let events = joined(asking).await.context("ask for the events")?;
    check_numbers(&mut verdict, "who asks", &events, last);
    check_turns(&mut verdict, &events);
    let heard = joined(listening).await.context("listen with Socket.IO")?;
    check_numbers(&mut verdict, "who listens with Socket.IO", &heard, last);
    let recording = world.bytes(&format!("/api/calls/{call}/recording")).await?;
    verdict.demand(
        recording.get(44..) == audio.get(..sent),
        format!(
            "the recording has {} bytes of sound, and {sent} were sent",
            recording.len().saturating_sub(44)
        ),
    );
    let transcript = world.get(&format!("/api/calls/{call}/transcript.json")).await?;
    let sent_ms = sound::ms(sent);
    let said: Vec<(u64, u64)> = sound.said.into_iter().filter(|(_, end)| *end <= sent_ms).collect();
    ensure!(!said.is_empty(), "nothing was said");
    check_words(&mut verdict, &transcript, &said);
    world.finish().await?;
    Ok(verdict)
}

/// Begins the session and returns the id of its call.
async fn begin(doors: &[SocketAddr]) -> anyhow::Result<String> {
    let mut connection = Connection::open(doors[0]).await.context("connect to Debrief")?;
    let answer =
        connection.post_json("/api/calls/start", &json!({"session_id": SESSION}).to_string()).await?;
    let body: Value = serde_json::from_slice(&answer.body).context("read the answer")?;
    ensure!(answer.status == 200, "the session does not begin: {body}");
    Ok(body["call_id"].as_str().context("find the id of the call")?.to_owned())
}

/// All events of the session, as they are stored.
async fn all_events(world: &World) -> anyhow::Result<Vec<Value>> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let after = events.last().and_then(|event| event["seq"].as_i64()).unwrap_or(0);
        let page = world.get(&format!("/api/calls/{SESSION}/events?after={after}")).await?;
        let page = page["events"].as_array().context("read the events")?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page.iter().cloned());
    }
}

/// Each event came once, and in its order.
fn check_numbers(verdict: &mut Verdict, who: &str, events: &[Value], last: i64) {
    let numbers: Vec<i64> = events.iter().filter_map(|event| event["seq"].as_i64()).collect();
    verdict.demand(
        numbers == (1..=last).collect::<Vec<i64>>(),
        format!("of {last} events, {who} got {}: {numbers:?}", numbers.len()),
    );
}

/// What is not final is replaced by the final words of the same turn, or taken back. Nothing comes of a turn after that.
fn check_turns(verdict: &mut Verdict, events: &[Value]) {
    let mut turns: BTreeMap<i64, bool> = BTreeMap::new();
    for data in events.iter().filter(|event| event["type"] == "transcript_update").map(|event| &event["data"])
    {
        let Some(turn) = data["turn"].as_i64() else { continue };
        let is_final = data["is_final"] == true;
        verdict.demand(turns.get(&turn) != Some(&true), format!("turn {turn} goes on after it was final"));
        turns.insert(turn, is_final);
    }
    let open: Vec<i64> = turns.into_iter().filter(|(_, is_final)| !is_final).map(|(turn, _)| turn).collect();
    verdict.demand(open.is_empty(), format!("these turns were never final: {open:?}"));
}

/// Everything that was said stands in the transcript, and nothing twice.
fn check_words(verdict: &mut Verdict, transcript: &Value, said: &[(u64, u64)]) {
    let times = |segment: &Value| Some((segment["start_ms"].as_u64()?, segment["end_ms"].as_u64()?));
    let segments: Vec<(u64, u64)> =
        transcript["segments"].as_array().into_iter().flatten().filter_map(times).collect();
    for (start, end) in said {
        let middle = u64::midpoint(*start, *end);
        let of_it = segments.iter().filter(|(from, to)| (*from..*to).contains(&middle)).count();
        verdict.demand(of_it == 1, format!("what was said from {start} to {end} ms stands {of_it} times"));
    }
    verdict.demand(
        segments.windows(2).all(|pair| pair[0].1 <= pair[1].0 + 400),
        format!("the times of the transcript go back: {segments:?}"),
    );
}

async fn joined<T>(task: JoinHandle<anyhow::Result<T>>) -> anyhow::Result<T> {
    task.await.context("the task ends")?
}
