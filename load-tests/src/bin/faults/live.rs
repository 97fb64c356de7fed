//! A call is spoken into a stream while its sender and the processes that hear it are killed at any moment.
//!
//! The sender goes on from the byte that was acknowledged last, as every sender of a stream does. A listener collects the
//! events by their numbers. In the end no event is missing or doubled, the recording is what was sent, byte for byte, and
//! everything that was said stands once in the transcript.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::{SinkExt as _, StreamExt as _};
use load_tests::harness::http::Connection;
use load_tests::harness::ledger::Verdict;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use simulators::{Utterance, recording_with};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::fault::Fault;
use crate::run::{Kind, Run};
use crate::world::{Plan, World};

/// Everything has ended after this time.
const ENDS_WITHIN: Duration = Duration::from_mins(3);
/// A sender connects again within this time.
const CONNECTS_WITHIN: Duration = Duration::from_mins(1);
/// The length of a message, and how much faster than it is spoken the audio is sent.
const MESSAGE_MS: u64 = 100;
const FASTER: u32 = 2;
const RATE: u64 = 16_000;
/// Each stretch of speech is as long as this, and so is the pause behind it, in milliseconds.
const SPEECH_MS: std::ops::Range<u64> = 900..2_500;
const PAUSE_MS: std::ops::Range<u64> = 900..1_800;
/// The time between two kills, in milliseconds.
const BETWEEN_KILLS_MS: std::ops::Range<u64> = 300..2_500;
const SESSION: &str = "spoken";

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "live-kills",
        "Four times the sender of a stream or a process that hears it is killed at any moment",
        Kind::BOTH,
        |run| Box::pin(spoken(run, 4)),
    ),
    Fault::long(
        "many-live-kills",
        "A hundred times the sender of a stream or a process that hears it is killed at any moment",
        Kind::BOTH,
        |run| Box::pin(spoken(run, 100)),
    ),
];

async fn spoken(run: Run, kills: u64) -> anyhow::Result<Verdict> {
    let plan = Plan {
        processes: vec![("live", 2)],
        settings: vec![("LIVE_SPEECH", "deepgram".to_owned())],
        ..Plan::default()
    };
    let mut world = World::start(&run, plan).await?;
    let mut dice = run.dice();
    let names: Vec<String> = match world.kind() {
        Kind::Embedded => world.names(),
        Kind::Servers => vec!["live".into(), "live-2".into()],
    };
    let doors = names.iter().map(|name| Ok(world.find(name)?.address)).collect::<anyhow::Result<Vec<_>>>()?;
    let (audio, said) = speech(&mut dice, kills);
    let call = begin(&doors).await?;
    let (cut, cuts) = watch::channel(());
    let audio = Arc::new(audio);
    let sending =
        tokio::spawn(send(doors.clone(), Arc::clone(&audio), cuts, StdRng::seed_from_u64(run.seed)));
    let is_over = Arc::new(AtomicBool::new(false));
    let listening = tokio::spawn(listen(doors.clone(), Arc::clone(&is_over)));
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(dice.random_range(BETWEEN_KILLS_MS))).await;
        if sending.is_finished() {
            break;
        }
        if dice.random_bool(0.5) {
            // Nobody listens when the sender has sent everything.
            cut.send(()).ok();
        } else if let Some(name) = names.choose(&mut dice) {
            world.kill(name).await?;
            tokio::time::sleep(Duration::from_millis(dice.random_range(0..600))).await;
            world.start_process(name).await?;
        }
    }
    joined(sending).await.context("send the audio")?;
    world
        .wait("the call to be done", ENDS_WITHIN, async |world| {
            let shown = world.get(&format!("/api/calls/{call}")).await.ok()?;
            ["completed", "failed"].contains(&shown["status"].as_str()?).then_some(())
        })
        .await?;
    let last = world
        .wait("the last event", ENDS_WITHIN, async |world| {
            let shown = world.get(&format!("/api/calls/{SESSION}/events?after=0")).await.ok()?;
            let is_final =
                |event: &Value| event["type"] == "summary_update" && event["data"]["is_final"] == true;
            shown["events"].as_array()?.iter().any(is_final).then(|| shown["last"].as_i64())?
        })
        .await;
    is_over.store(true, Ordering::Release);
    let events = joined(listening).await.context("listen to the events")?;
    let mut verdict = Verdict { accepted: 1, done: 1, ..Verdict::default() };
    check_events(&mut verdict, &events, last?);
    let recording = world.bytes(&format!("/api/calls/{call}/recording")).await?;
    verdict.demand(
        recording.get(44..) == Some(audio.as_slice()),
        format!(
            "the recording has {} bytes of sound, and {} were sent",
            recording.len().saturating_sub(44),
            audio.len()
        ),
    );
    let transcript = world.get(&format!("/api/calls/{call}/transcript.json")).await?;
    check_words(&mut verdict, &transcript, &said);
    world.finish().await?;
    Ok(verdict)
}

/// Audio in which somebody speaks again and again, as little-endian samples, and when they speak.
fn speech(dice: &mut StdRng, kills: u64) -> (Vec<u8>, Vec<(u64, u64)>) {
    // There is enough of it for all kills.
    let wanted_ms = 6_000 + kills * u64::from(FASTER) * BETWEEN_KILLS_MS.end / 2;
    let (mut at, mut said) = (500, Vec::new());
    while at < wanted_ms {
        let end = at + dice.random_range(SPEECH_MS);
        said.push((at, end));
        at = end + dice.random_range(PAUSE_MS);
    }
    let utterance = |(start, end): &(u64, u64)| Utterance {
        speaker: "somebody".to_owned(),
        start: *start,
        end: *end,
        text: "Something is said.".to_owned(),
    };
    let dialogue: Vec<Utterance> = said.iter().map(utterance).collect();
    let file = recording_with(&dialogue);
    let data = file.windows(4).rposition(|name| name == b"data").unwrap_or(0) + 8;
    // The file has 8 bits and 8 kHz. Each sample stands twice, which makes 16 kHz.
    let samples = file[data..].iter().flat_map(|byte| {
        let sample = (i16::from(*byte) - 128) * 256;
        [sample, sample]
    });
    let mut audio: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    audio.extend(vec![0; 2 * usize::try_from(RATE).unwrap_or(16_000)]);
    (audio, said)
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

/// Sends all audio to whoever takes it, from the byte on that was acknowledged, and ends the session.
async fn send(
    doors: Vec<SocketAddr>,
    audio: Arc<Vec<u8>>,
    mut cuts: watch::Receiver<()>,
    mut dice: StdRng,
) -> anyhow::Result<()> {
    let mut acknowledged = 0;
    let mut since = Instant::now();
    loop {
        ensure!(since.elapsed() < CONNECTS_WITHIN, "nobody takes the audio behind byte {acknowledged}");
        let door = doors.choose(&mut dice).context("there is a door")?;
        cuts.mark_unchanged();
        let before = acknowledged;
        if send_once(*door, &audio, &mut acknowledged, &mut cuts).await {
            return Ok(());
        }
        if acknowledged > before {
            since = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends over one connection, until it breaks or is cut. Returns whether the session has ended.
async fn send_once(
    door: SocketAddr,
    audio: &[u8],
    acknowledged: &mut u64,
    cuts: &mut watch::Receiver<()>,
) -> bool {
    let mut socket = match connect_async(format!("ws://{door}/api/calls/{SESSION}/stream")).await {
        Ok((socket, _)) => socket,
        // The connection broke after the end was taken, and before it was confirmed.
        Err(tungstenite::Error::Http(answer)) => {
            return answer.status() == 409 && *acknowledged == audio.len() as u64;
        }
        Err(_) => return false,
    };
    let resume_from = *acknowledged;
    let start = json!({"type": "start", "encoding": "pcm_s16le", "sample_rate": RATE, "channels": 1,
        "resume_from": resume_from});
    if socket.send(Message::text(start.to_string())).await.is_err() {
        return false;
    }
    let message = usize::try_from(RATE * 2 * MESSAGE_MS / 1_000).unwrap_or(3_200);
    let mut tick = tokio::time::interval(Duration::from_millis(MESSAGE_MS) / FASTER);
    let mut sent: Option<usize> = None;
    let mut has_ended = false;
    loop {
        tokio::select! {
            // The connection breaks without a word.
            _ = cuts.changed() => return false,
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    let heard: Value = serde_json::from_str(&text).unwrap_or_default();
                    if heard["type"] == "ack" {
                        *acknowledged = heard["bytes"].as_u64().unwrap_or(*acknowledged);
                        // What is on disk and was not known to be is skipped there.
                        sent = sent.or(usize::try_from(resume_from).ok());
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    return has_ended && frame.is_some_and(|frame| u16::from(frame.code) == 1000);
                }
                Some(Ok(_)) => {}
                _ => return false,
            },
            _ = tick.tick() => {
                let Some(from) = sent else { continue };
                let to = (from + message).min(audio.len());
                if from < to {
                    if socket.send(Message::binary(audio[from..to].to_vec())).await.is_err() {
                        return false;
                    }
                    sent = Some(to);
                } else if !has_ended && *acknowledged == audio.len() as u64 {
                    has_ended = true;
                    if socket.send(Message::text(json!({"type": "end"}).to_string())).await.is_err() {
                        return false;
                    }
                }
            }
        }
    }
}

/// Asks for the events after the number that it has, of whoever answers.
async fn listen(doors: Vec<SocketAddr>, is_over: Arc<AtomicBool>) -> anyhow::Result<Vec<Value>> {
    let mut events: Vec<Value> = Vec::new();
    let mut nth = 0;
    loop {
        // What is there when everything is over is asked for once more.
        let was_over = is_over.load(Ordering::Acquire);
        let after = events.last().map_or(0, |event| event["seq"].as_i64().unwrap_or(0));
        nth += 1;
        let path = format!("/api/calls/{SESSION}/events?after={after}&wait=1");
        let asked = async {
            let mut connection = Connection::open(doors[nth % doors.len()]).await.ok()?;
            let answer = connection.get(&path).await.ok().filter(|answer| answer.status == 200)?;
            serde_json::from_slice::<Value>(&answer.body).ok()
        };
        match tokio::time::timeout(Duration::from_secs(5), asked).await.ok().flatten() {
            Some(answer) => {
                let new = answer["events"].as_array().cloned().unwrap_or_default();
                if was_over && new.is_empty() {
                    return Ok(events);
                }
                events.extend(new);
            }
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn check_events(verdict: &mut Verdict, events: &[Value], last: i64) {
    let numbers: Vec<i64> = events.iter().filter_map(|event| event["seq"].as_i64()).collect();
    verdict.demand(
        numbers == (1..=last).collect::<Vec<i64>>(),
        format!("of {last} events the listener got {}: {numbers:?}", numbers.len()),
    );
    // What is not final is replaced by the final words of the same turn, or taken back.
    let mut open: BTreeMap<i64, bool> = BTreeMap::new();
    for data in events.iter().filter(|event| event["type"] == "transcript_update").map(|event| &event["data"])
    {
        let Some(turn) = data["turn"].as_i64() else { continue };
        let is_final = data["is_final"] == true;
        verdict.demand(open.get(&turn) != Some(&true) || !is_final, format!("turn {turn} is final twice"));
        open.insert(turn, is_final);
    }
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
