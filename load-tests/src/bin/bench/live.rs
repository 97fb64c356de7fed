//! Calls while they are spoken: how soon a listener has the words and the advice, and what listeners cost who only wait.
//!
//! The provider of speech is a simulator that answers at once. So the times are our own share, with the way over loopback
//! to the simulator and back.

mod idle_listeners;
mod pieces;
mod streams;
mod times;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use load_tests::harness::amqp;
use load_tests::harness::http::Connection;
use load_tests::harness::process::{Running, Settings};
use load_tests::harness::providers::Providers;
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Servers, postgresql_version};
use load_tests::harness::{spoken, usage};
use serde_json::json;
use simulators::deepgram;

use crate::bench::Bench;
use crate::deployment::deployed;
use idle_listeners::Idle;
use pieces::Spoken;
use streams::Streamed;
use times::Times;

/// Words have to be at a listener so soon after their audio was acknowledged, and advice after somebody stopped to speak.
const TARGET_WORDS_MS: f64 = 20.0;
const TARGET_ADVICE_MS: f64 = 500.0;
const TARGET_IDLE_MB: f64 = 100.0;
const TARGET_IDLE_LISTENERS: u64 = 1_000;
/// How often the simulated provider is asked by a bare client.
const BARE_REQUESTS: u32 = 200;
/// Connections beside those of the calls and of their listeners.
const SPARE_CONNECTIONS: u64 = 500;

#[derive(Args)]
pub(crate) struct Live {
    /// The number of calls that are spoken at the same time, whose audio comes in pieces
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    sessions: u64,
    /// The number of calls that are spoken at the same time, whose audio comes in streams
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    streams: u64,
    /// The time for which the calls are spoken
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(8..))]
    seconds: u64,
    /// The number of listeners who only wait
    #[arg(long, default_value_t = TARGET_IDLE_LISTENERS, value_parser = clap::value_parser!(u64).range(1..))]
    listeners: u64,
    /// Measure no deployment on servers
    #[arg(long)]
    embedded: bool,
    #[command(flatten)]
    servers: Servers,
}

/// What was measured of one deployment.
struct Measured {
    deployment: &'static str,
    spoken: Spoken,
    streamed: Streamed,
    /// The processor seconds of Debrief, the simulators and the load while pieces came, and how long that took.
    used_s: [f64; 3],
    took: Duration,
}

pub(crate) async fn measure(bench: &Bench, how: &Live) -> anyhow::Result<()> {
    let mut all = Vec::new();
    let providers = Providers::start(Duration::ZERO).await?;
    let bare = bare(&providers).await.context("ask the simulated provider")?;
    let folder = tempfile::tempdir().context("make a data folder")?;
    let settings = settings(how, &providers, folder.path())?;
    let debrief = bench.program.run(&[], &settings, folder.path()).await?;
    all.push(measured(how, "embedded, one process", debrief, &providers).await?);
    let mut versions = Vec::new();
    if !how.embedded {
        versions.push(("RabbitMQ", amqp::version(&how.servers.amqp).await?));
        versions.push(("PostgreSQL", postgresql_version(&how.servers.database).await?));
        let on_servers = deployed(bench, &how.servers, async |here| {
            let debrief = here.run_with(&[], &settings).await?;
            measured(how, "RabbitMQ + PostgreSQL, one process", debrief, &providers).await
        });
        all.push(on_servers.await?);
    }
    let folder = tempfile::tempdir().context("make a data folder")?;
    let debrief = bench.program.run(&[], &settings, folder.path()).await?;
    let idle = idle_listeners::measure(debrief, how.listeners).await.context("measure idle listeners")?;
    let Live { sessions, streams, seconds, listeners, embedded, .. } = how;
    let embedded = if *embedded { " --embedded" } else { "" };
    let args = format!(
        "live --sessions {sessions} --streams {streams} --seconds {seconds} --listeners {listeners}{embedded}"
    );
    let versions: Vec<(&str, &str)> =
        versions.iter().map(|(name, version)| (*name, version.as_str())).collect();
    bench.report.section("live", &args, &versions, &text(how, &all, &bare, &idle)?)
}

/// The settings with which Debrief hears through the simulator, and has advice for every turn.
fn settings(how: &Live, providers: &Providers, folder: &Path) -> anyhow::Result<Settings> {
    let trackers = folder.join("trackers.json");
    // The simulator says one of these words in every turn.
    std::fs::write(&trackers, json!({"speech": ["recording", "somebody"]}).to_string())
        .context("write the trackers")?;
    let connections = how.sessions * 2 + how.streams * 2 + how.listeners + SPARE_CONNECTIONS;
    let mut settings = providers.settings_of(&deepgram::PROVIDER)?;
    settings.push(("TRACKERS_FILE", trackers.to_str().context("name the trackers")?.to_owned()));
    settings.push(("DEBRIEF_MAX_CONNECTIONS", connections.to_string()));
    Ok(settings)
}

async fn measured(
    how: &Live,
    deployment: &'static str,
    debrief: Running,
    providers: &Providers,
) -> anyhow::Result<Measured> {
    let used = || -> anyhow::Result<[f64; 3]> {
        let load = usage::processor_s(std::process::id())?;
        Ok([debrief.processor_s()?, usage::processor_s(providers.id()?)?, load])
    };
    let (before, start) = (used()?, Instant::now());
    let spoken = pieces::measure(debrief.address, how.sessions, how.seconds).await;
    let spoken = spoken.with_context(|| format!("send pieces: {deployment}"))?;
    let (after, took) = (used()?, start.elapsed());
    let streamed = streams::measure(debrief.address, how.streams, how.seconds).await;
    let streamed = streamed.with_context(|| format!("send streams: {deployment}"))?;
    debrief.stop().await?;
    let used_s = [0, 1, 2].map(|who| after[who] - before[who]);
    println!("{deployment}: {}", spoken.words.line("words"));
    Ok(Measured { deployment, spoken, streamed, used_s, took })
}

/// How long the simulated provider takes for a turn, asked by a bare client.
async fn bare(providers: &Providers) -> anyhow::Result<Times> {
    let turn = spoken::wav(&spoken::samples(&[(200, 2_700)], 2_900));
    let mut connection = Connection::open(providers.address(&deepgram::PROVIDER)?)
        .await
        .context("connect to the simulator")?
        .with_key(Some("key"));
    let mut times = Times::default();
    for _ in 0..BARE_REQUESTS {
        let asked = Instant::now();
        let answer = connection.post("/v1/listen?model=nova-3", "audio/wav", &turn).await?;
        ensure!(answer.status == 200, "the simulator answered {}", answer.status);
        times.note(asked.elapsed());
    }
    Ok(times)
}

/// Begins a session.
async fn begin(address: SocketAddr, session: &str) -> anyhow::Result<Connection> {
    let mut connection = Connection::open(address).await.context("connect to Debrief")?;
    let body = json!({"session_id": session}).to_string();
    let answer = connection.post_json("/api/calls/start", &body).await?;
    ensure!(answer.status == 200, "a session does not begin: {}", String::from_utf8_lossy(&answer.body));
    Ok(connection)
}

fn text(how: &Live, all: &[Measured], bare: &Times, idle: &Idle) -> anyhow::Result<String> {
    let mut text = format!(
        "The provider of speech is simulated, answers at once and is a process of its own: a bare client has its answer for \
         a turn after {:.1} ms (p50) or {:.1} ms (p99). The times below contain this. The load and its listeners share the \
         processor with Debrief, and their own delay is in the times, too. All roles are in one process.\n\n\
         **Pieces.** {} calls are spoken at the same time for {} s. Each sends a piece of {} s of telephone sound as soon as it \
         was spoken: a turn, and the pause that ends it. Each has a listener (Socket.IO over a WebSocket). A time begins when \
         the sender has the acknowledgement, and ends when the listener has the event. It contains everything that happens \
         between: the run of the session is woken and takes its row, the piece is read, decoded and searched for speech, the \
         turn is cut and stored, the provider is asked under an entry in the ledger, its answer is stored, the event is stored, \
         read and sent. The advice (`real_time_insights`) comes from our own rules.\n\n\
         | pieces | turns | time | p50 | p99 | longest |\n|---|---|---|---|---|---|\n",
        bare.ms(0.5),
        bare.ms(0.99),
        how.sessions,
        how.seconds,
        pieces::PIECE_MS / 1_000,
    );
    for Measured { deployment, spoken, .. } in all {
        let Spoken { acknowledged, words, advice, .. } = spoken;
        for (what, times) in [
            ("request to its acknowledgement", acknowledged),
            ("acknowledgement to `transcript_update`", words),
            ("acknowledgement to `real_time_insights`", advice),
        ] {
            writeln!(text, "| {deployment} | {} | {what} | {} |", times.count(), times.cells())?;
        }
    }
    writeln!(text)?;
    for Measured { deployment, spoken, used_s: [debrief, simulators, load], took, .. } in all {
        let took = took.as_secs_f64();
        writeln!(
            text,
            "- {deployment}: {:.1} turns in a second. In {took:.0} s Debrief used {debrief:.1} s of the processor, the \
             simulators {simulators:.1} s and the load {load:.1} s. {} turns had no advice of their own.",
            f64::from(spoken.turns) / took,
            spoken.without_advice
        )?;
    }
    write!(
        text,
        "\n**Streams.** {} calls are spoken at the same time, each in messages of {} ms over a WebSocket, as a telephone \
         provider sends them. The simulated provider ends a turn when it has heard a pause of {} ms. The first time begins \
         when the message with the last sound of the turn was sent. The second one begins that pause later, so it is without \
         the time of the provider.\n\n\
         | streams | turns | time | p50 | p99 | longest |\n|---|---|---|---|---|---|\n",
        how.streams,
        streams::MESSAGE_MS,
        streams::PAUSE_MS,
    )?;
    for Measured { deployment, streamed, .. } in all {
        let Streamed { words, advice, words_after_pause, advice_after_pause } = streamed;
        for (what, times) in [
            ("end of speech to the final `transcript_update`", words),
            ("the same without the provider's pause", words_after_pause),
            ("end of speech to `real_time_insights`", advice),
            ("the same without the provider's pause", advice_after_pause),
        ] {
            writeln!(text, "| {deployment} | {} | {what} | {} |", times.count(), times.cells())?;
        }
    }
    write!(
        text,
        "\n**Listeners who wait.** {} clients of Socket.IO, each with a WebSocket of its own, listen to {} sessions in which \
         nobody speaks. The process is embedded and has all roles.\n\n\
         | | memory (VmRSS) | processor time in {} s |\n|---|---|---|\n\
         | without listeners | {:.1} MB | {:.0} ms |\n| with {} listeners | {:.1} MB | {:.0} ms |\n\n",
        idle.listeners,
        idle_listeners::SESSIONS,
        idle_listeners::QUIET.as_secs(),
        idle.before.memory_mb,
        idle.before.processor_ms,
        idle.listeners,
        idle.with.memory_mb,
        idle.with.processor_ms,
    )?;
    let worst = |of: fn(&Measured) -> &Times| all.iter().map(|one| of(one).ms(0.99)).fold(0.0, f64::max);
    let words = worst(|one| &one.spoken.words);
    let advice = worst(|one| &one.streamed.advice_after_pause);
    writeln!(
        text,
        "With {} calls, the words of a piece are at a listener within {TARGET_WORDS_MS:.0} ms after the acknowledgement (p99): \
         {}, with {words:.1} ms at most.\nAdvice by our own rules is there within {TARGET_ADVICE_MS:.0} ms after the end of \
         speech and the pause that the provider waits for (p99): {}, with {advice:.1} ms at most.\n{TARGET_IDLE_LISTENERS} \
         listeners who wait need less than {TARGET_IDLE_MB:.0} MB together with the process: {}, with {:.1} MB for {}.",
        how.sessions,
        verdict(words < TARGET_WORDS_MS),
        verdict(advice < TARGET_ADVICE_MS),
        verdict(idle.listeners >= TARGET_IDLE_LISTENERS && idle.with.memory_mb < TARGET_IDLE_MB),
        idle.with.memory_mb,
        idle.listeners,
    )?;
    Ok(text)
}
