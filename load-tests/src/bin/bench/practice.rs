//! The time that a trainee waits for the first sound of an answer, and how many meetings there can be at once.
//!
//! The model, the voice and the speech to text are simulated, and each takes a set time. What is left of the time that the
//! trainee waits is our own share of it, the network and the slowness of the simulators included.

mod one_by_one;
mod rooms;
mod trainee;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use futures::future::join_all;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use simulators::{deepgram, elevenlabs, openai};

use crate::bench::Bench;
use load_tests::harness::process::{Running, Settings};
use load_tests::harness::providers::Providers;
use load_tests::harness::report::verdict;
use load_tests::harness::usage;
use one_by_one::OneByOne;
use trainee::{Manners, Trainee};

/// Our own share of the time to the first sound.
const TARGET_MS: f64 = 50.0;
/// How many times sooner the first sound comes than without streaming.
const TARGET_RATIO: f64 = 3.0;
/// Turns that come before those that are measured.
const WARM_UP: usize = 3;
/// About how long it takes to say an answer.
const ANSWER: Duration = Duration::from_secs(20);
/// How long the process has nothing to do before its memory is looked at.
const QUIET: Duration = Duration::from_secs(3);

#[derive(Args)]
pub(crate) struct Practice {
    /// How many meetings there are at once
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=300))]
    meetings: u32,
    /// How many turns each of them has in which the trainee interrupts at the first sound
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    turns: u32,
    /// How many turns each of them has in which the trainee hears the answer to its end
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    heard: u32,
    /// How many turns a single meeting has, written and spoken
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    alone: u32,
    /// After how many milliseconds the simulated model begins to answer
    #[arg(long, default_value_t = 350)]
    model_ms: u64,
    /// How many milliseconds the simulated model takes for each sentence
    #[arg(long, default_value_t = 250)]
    sentence_ms: u64,
    /// After how many milliseconds the simulated voice gives its first sound
    #[arg(long, default_value_t = 150)]
    voice_ms: u64,
    /// How many times faster than it is played the simulated voice makes its sound
    #[arg(long, default_value_t = 8.0)]
    voice_speed: f64,
    /// After how many milliseconds the simulated speech to text answers
    #[arg(long, default_value_t = 300)]
    speech_ms: u64,
}

impl Practice {
    /// The time that the providers take until the first sound of an answer to something written.
    fn set(&self) -> Duration {
        Duration::from_millis(self.model_ms + self.sentence_ms + self.voice_ms)
    }

    fn args(&self) -> String {
        format!(
            "practice --meetings {} --turns {} --heard {} --alone {} --model-ms {} --sentence-ms {} --voice-ms {} \
             --voice-speed {} --speech-ms {}",
            self.meetings,
            self.turns,
            self.heard,
            self.alone,
            self.model_ms,
            self.sentence_ms,
            self.voice_ms,
            self.voice_speed,
            self.speech_ms
        )
    }
}

/// What a single meeting had.
struct Alone {
    written: Histogram<u64>,
    spoken: Histogram<u64>,
    one_by_one: Histogram<u64>,
}

/// What many meetings at once had.
struct Crowd {
    manners: Manners,
    waits: Histogram<u64>,
    took: Duration,
    errors: Vec<String>,
    /// The processor seconds that Debrief, the simulators and the load used.
    used: [f64; 3],
}

/// The memory of the process, in MB.
struct Memory {
    before: f64,
    open: f64,
    most: f64,
}

pub(crate) async fn measure(bench: &Bench, how: &Practice) -> anyhow::Result<()> {
    let providers = Providers::start(Duration::ZERO).await?;
    for (provider, latency_ms) in [(&openai::PROVIDER, how.model_ms), (&deepgram::PROVIDER, how.speech_ms)] {
        providers.set_faults(provider, &json!({ "latency_ms": latency_ms })).await?;
    }
    providers.set_pace(&openai::PROVIDER, &json!({ "sentence_ms": how.sentence_ms })).await?;
    // The voice takes as long for a line of a connection as for one that is a request of its own.
    let pace = json!({ "first_sound_ms": how.voice_ms, "sound_speed": how.voice_speed });
    providers.set_pace(&elevenlabs::PROVIDER, &pace).await?;
    let mut settings: Settings =
        vec![("VOICE", "elevenlabs".to_owned()), ("LIVE_SPEECH", "deepgram".to_owned())];
    for provider in [&openai::PROVIDER, &elevenlabs::PROVIDER, &deepgram::PROVIDER] {
        settings.extend(providers.settings_of(provider)?);
    }
    let connected = connected(bench, how, &settings, &providers).await.context("talk over one connection")?;
    let folder = tempfile::tempdir().context("make a data folder")?;
    let debrief = bench.program.run(&[], &settings, folder.path()).await?;
    let meetings = rooms::meetings(debrief.address, usize::try_from(how.meetings)?).await?;
    let alone = alone(how, debrief.address, &providers).await.context("talk in one meeting")?;
    tokio::time::sleep(QUIET).await;
    let before = debrief.memory_mb("VmRSS")?;
    let mut trainees = Vec::with_capacity(meetings.len());
    for meeting in &meetings {
        trainees.push(Trainee::enter(debrief.address, meeting).await?);
    }
    tokio::time::sleep(QUIET).await;
    let open = debrief.memory_mb("VmRSS")?;
    let mut crowds = Vec::new();
    for (manners, turns) in [(Manners::Interrupts, how.turns), (Manners::Listens, how.heard)] {
        crowds.push(crowd(how, &debrief, &providers, &mut trainees, (manners, turns)).await?);
    }
    let memory = Memory { before, open, most: debrief.memory_mb("VmHWM")? };
    drop(trainees);
    debrief.stop().await?;
    let text = text(how, (&alone, &connected), &crowds, &memory)?;
    bench.report.section("practice", &how.args(), &[], &text)?;
    let errors: Vec<&str> = crowds.iter().flat_map(|crowd| &crowd.errors).map(String::as_str).collect();
    ensure!(errors.is_empty(), "{} turns failed; the first: {}", errors.len(), errors[0]);
    Ok(())
}

/// One meeting: first the trainee writes, then she speaks, and then the providers are asked one after the other.
async fn alone(how: &Practice, address: SocketAddr, providers: &Providers) -> anyhow::Result<Alone> {
    let meetings = rooms::meetings(address, 1).await?;
    let mut trainee = Trainee::enter(address, &meetings[0]).await?;
    let [mut written, mut spoken, mut one_by_one] = [histogram()?, histogram()?, histogram()?];
    let turns = usize::try_from(how.alone)?;
    for turn in 0..WARM_UP + turns {
        let wait = trainee.writes(Manners::Interrupts).await?;
        if turn >= WARM_UP {
            note(&mut written, wait)?;
        }
    }
    for turn in 0..WARM_UP + turns {
        let wait = trainee.speaks(Manners::Interrupts).await?;
        if turn >= WARM_UP {
            note(&mut spoken, wait)?;
        }
    }
    // They take some seconds each, and always the same.
    let turn = OneByOne::of_last_turn(providers).await?;
    for _ in 0..turns.min(10) {
        note(&mut one_by_one, turn.ask().await?)?;
    }
    Ok(Alone { written, spoken, one_by_one })
}

/// One meeting in a process of its own, in which the lines of an answer go to the voice over one connection.
async fn connected(
    bench: &Bench,
    how: &Practice,
    settings: &Settings,
    providers: &Providers,
) -> anyhow::Result<Histogram<u64>> {
    let mut settings = settings.clone();
    settings.push(("ELEVENLABS_VOICE_SOCKET", "true".to_owned()));
    let folder = tempfile::tempdir().context("make a data folder")?;
    let debrief = bench.program.run(&[], &settings, folder.path()).await?;
    let meetings = rooms::meetings(debrief.address, 1).await?;
    let mut trainee = Trainee::enter(debrief.address, &meetings[0]).await?;
    let mut waits = histogram()?;
    for turn in 0..WARM_UP + usize::try_from(how.alone)? {
        let wait = trainee.writes(Manners::Interrupts).await?;
        if turn >= WARM_UP {
            note(&mut waits, wait)?;
        }
    }
    drop(trainee);
    debrief.stop().await?;
    let asked = providers.received(&elevenlabs::PROVIDER).await?;
    let is_connection = |one: &Value| one["path"].as_str().is_some_and(|path| path.contains("/stream-input"));
    ensure!(
        !asked.is_empty() && asked.iter().all(is_connection),
        "the voice was asked in another way than over a connection"
    );
    Ok(waits)
}

/// All meetings at once. They begin one after the other within the time that a turn takes, as trainees do who do not know of each
/// other.
async fn crowd(
    how: &Practice,
    debrief: &Running,
    providers: &Providers,
    trainees: &mut [Trainee],
    (manners, turns): (Manners, u32),
) -> anyhow::Result<Crowd> {
    let used = || -> anyhow::Result<[f64; 3]> {
        let simulators = usage::processor_s(providers.id()?)?;
        Ok([debrief.processor_s()?, simulators, usage::processor_s(std::process::id())?])
    };
    let (before, begun) = (used()?, Instant::now());
    let within = match manners {
        Manners::Interrupts => how.set(),
        Manners::Listens => ANSWER,
    };
    let apart = within / how.meetings;
    let talks = (0..).zip(trainees).map(async |(nth, trainee)| {
        tokio::time::sleep(apart * nth).await;
        let mut waits = Vec::new();
        for _ in 0..turns {
            match trainee.writes(manners).await {
                Ok(wait) => waits.push(wait),
                Err(error) => return (waits, Some(format!("{error:#}"))),
            }
        }
        (waits, None)
    });
    let talks = join_all(talks).await;
    let (took, after) = (begun.elapsed(), used()?);
    let (mut waits, mut errors) = (histogram()?, Vec::new());
    for (of_meeting, error) in talks {
        for wait in of_meeting {
            note(&mut waits, wait)?;
        }
        errors.extend(error);
    }
    let used = [0, 1, 2].map(|who| after[who] - before[who]);
    let crowd = Crowd { manners, waits, took, errors, used };
    println!("{manners:?}: {:.1} turns/s, {} errors", crowd.per_second(), crowd.errors.len());
    Ok(crowd)
}

impl Crowd {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn turns(&self) -> f64 {
        self.waits.len() as f64
    }

    fn per_second(&self) -> f64 {
        self.turns() / self.took.as_secs_f64()
    }

    /// The share of the processors that was used, in percent.
    fn busy(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u32::try_from(cores).unwrap_or(u32::MAX);
        self.used.iter().sum::<f64>() * 100.0 / (self.took.as_secs_f64() * f64::from(cores))
    }
}

fn histogram() -> anyhow::Result<Histogram<u64>> {
    Histogram::new(3).context("make a histogram")
}

fn note(into: &mut Histogram<u64>, wait: Duration) -> anyhow::Result<()> {
    into.record(u64::try_from(wait.as_micros())?.max(1)).context("note a time")
}

/// The time below which this share of the waits lies, in milliseconds.
fn ms(waits: &Histogram<u64>, quantile: f64) -> f64 {
    Duration::from_micros(waits.value_at_quantile(quantile)).as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "some hundred milliseconds")]
fn text(
    how: &Practice,
    (alone, connected): (&Alone, &Histogram<u64>),
    crowds: &[Crowd],
    memory: &Memory,
) -> anyhow::Result<String> {
    let Practice { meetings, model_ms, sentence_ms, voice_ms, voice_speed, speech_ms, .. } = how;
    let set_ms = how.set().as_millis() as f64;
    let mut text = format!(
        "One embedded process with all roles. The providers are simulated in one process: the model begins to answer after \
         {model_ms} ms and takes {sentence_ms} ms for each sentence, the voice gives its first sound after {voice_ms} ms and makes \
         sound {voice_speed} times faster than it is played, and the speech to text takes {speech_ms} ms. The wait is from the end of what \
         the trainee writes or says to the first sound on the WebSocket. Our own share is the wait without the time that is set for \
         the first sentence, its first sound and, where she speaks, the speech to text. Meetings at once begin within the time that \
         a turn takes.\n\n\
         | one meeting | turns | wait p50 | set | our share p50 | p99 | longest |\n|---|---|---|---|---|---|---|\n"
    );
    for (name, waits, set) in [
        ("the trainee writes", &alone.written, set_ms),
        ("she speaks", &alone.spoken, set_ms + *speech_ms as f64),
        ("she writes, and the voice gets all lines of an answer over one connection", connected, set_ms),
    ] {
        let share = |quantile: f64| ms(waits, quantile) - set;
        writeln!(
            text,
            "| {name} | {} | {:.0} ms | {set:.0} ms | {:.1} ms | {:.1} ms | {:.1} ms |",
            waits.len(),
            ms(waits, 0.5),
            share(0.5),
            share(0.99),
            share(1.0)
        )?;
    }
    let worst = ms(&alone.written, 0.99) - set_ms;
    let (streamed, whole) = (ms(&alone.written, 0.5), ms(&alone.one_by_one, 0.5));
    let ratio = whole / streamed;
    writeln!(
        text,
        "\nOur own share of what is written stays under {TARGET_MS:.0} ms: {}, with {worst:.1} ms (p99).\n\n\
         Without streaming, with the same requests to the same providers, the whole answer and then its whole sound take \
         {whole:.0} ms (p50 of {}). The first sound comes {ratio:.1} times sooner, and the target is {TARGET_RATIO:.0} times: {}.\n\n\
         | {meetings} meetings at once, the trainees write and | turns | turns in a second | our share p50 | p99 | longest | failed turns | \
         processor ms for a turn | processors busy |\n|---|---|---|---|---|---|---|---|---|",
        verdict(worst < TARGET_MS),
        alone.one_by_one.len(),
        verdict(ratio >= TARGET_RATIO),
    )?;
    for crowd in crowds {
        let share = |quantile: f64| ms(&crowd.waits, quantile) - set_ms;
        let name = match crowd.manners {
            Manners::Interrupts => "interrupt at the first sound",
            Manners::Listens => "hear each answer to its end",
        };
        let [debrief, simulators, load] = crowd.used.map(|seconds| seconds * 1000.0 / crowd.turns());
        writeln!(
            text,
            "| {name} | {} | {:.1} | {:.1} ms | {:.1} ms | {:.1} ms | {} | Debrief {debrief:.1}, simulators {simulators:.1}, load {load:.1} | \
             {:.0} % |",
            crowd.waits.len(),
            crowd.per_second(),
            share(0.5),
            share(0.99),
            share(1.0),
            crowd.errors.len(),
            crowd.busy()
        )?;
    }
    let errors: usize = crowds.iter().map(|crowd| crowd.errors.len()).sum();
    let each = |mb: f64| (mb - memory.before) * 1000.0 / f64::from(*meetings);
    writeln!(
        text,
        "\nNo turn fails: {}.\n\nBefore the {meetings} conversations were opened the process had {:.1} MB (VmRSS), with them {:.1} MB, and at most \
         {:.1} MB while they talked (VmHWM). So an open conversation takes {:.0} kB, and one in which somebody talks {:.0} kB.",
        verdict(errors == 0),
        memory.before,
        memory.open,
        memory.most,
        each(memory.open),
        each(memory.most)
    )?;
    Ok(text)
}
