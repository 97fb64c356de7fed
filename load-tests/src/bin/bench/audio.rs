//! The memory and the processor time that a two-hour recording with two channels needs, beside ffmpeg that decodes and
//! resamples the same file.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use tokio::process::Command;

use crate::bench::Bench;
use load_tests::harness::report::verdict;
use load_tests::harness::usage;

/// How much memory the measurement of a recording may take at most.
const TARGET_MB: f64 = 100.0;
/// How fast decoding and resampling must be, as a share of the speed of ffmpeg.
const TARGET_SPEED: f64 = 0.5;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The formats, each with its name, the ending of its file and the options of ffmpeg that make it.
const FORMATS: [(&str, &str, &[&str]); 5] = [
    ("MP3, 44.1 kHz", "mp3", &["-ar", "44100", "-c:a", "libmp3lame", "-b:a", "128k"]),
    ("AAC in MP4, 44.1 kHz", "m4a", &["-ar", "44100", "-c:a", "aac", "-b:a", "128k"]),
    ("Opus in Ogg, 48 kHz", "ogg", &["-ar", "48000", "-c:a", "libopus", "-b:a", "48k"]),
    ("mu-law in WAV, 8 kHz", "wav", &["-ar", "8000", "-c:a", "pcm_mulaw"]),
    ("FLAC, 44.1 kHz", "flac", &["-ar", "44100", "-c:a", "flac"]),
];

#[derive(Args)]
pub(crate) struct Audio {
    /// The length of the recording in minutes
    #[arg(long, default_value_t = 120)]
    minutes: u32,
}

/// What a program took for a file.
struct Taken {
    processor_s: f64,
    most_mb: f64,
}

pub(crate) async fn measure(bench: &Bench, how: &Audio) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let mut text = format!(
        "A recording of {} minutes with two channels. The times are those of the processor, so they are times per core. \
         Decoding means that the file is decoded and brought to 16 kHz, which ffmpeg does with one thread too. Measuring \
         means all of it: speech, loudness, outline and notes.\n\n\
         | recording | ffmpeg decodes | Debrief decodes | share of ffmpeg's speed | Debrief measures | memory at most |\n\
         |---|---|---|---|---|---|\n",
        how.minutes
    );
    let length_s = f64::from(how.minutes) * 60.0;
    let (mut slowest, mut largest) = (f64::INFINITY, 0.0_f64);
    for (name, ending, options) in FORMATS {
        let path = folder.path().join(format!("recording.{ending}"));
        make(&path, how.minutes, options).await?;
        let path = path.to_str().context("name the recording")?;
        let arguments =
            ["-v", "error", "-threads", "1", "-i", path, "-ar", "16000", "-f", "s16le", "-y", "/dev/null"];
        let ffmpeg = run("ffmpeg", &arguments).await?;
        let debrief = bench.program.path().to_str().context("name the program")?;
        let decoded = run(debrief, &["audio", "--decode-only", path]).await?;
        let measured = run(debrief, &["audio", "--json", path]).await?;
        let share = ffmpeg.processor_s / decoded.processor_s;
        slowest = slowest.min(share);
        largest = largest.max(measured.most_mb);
        let times =
            |taken: &Taken| format!("{:.1} s ({:.0} x)", taken.processor_s, length_s / taken.processor_s);
        writeln!(
            text,
            "| {name} | {} | {} | {share:.2} | {} | {:.0} MB |",
            times(&ffmpeg),
            times(&decoded),
            times(&measured),
            measured.most_mb
        )?;
        println!("{name}: {share:.2} of the speed of ffmpeg, {:.0} MB", measured.most_mb);
        std::fs::remove_file(path).context("remove the recording")?;
    }
    writeln!(
        text,
        "\nThe memory stays under {TARGET_MB:.0} MB: {}, with {largest:.0} MB. Decoding has at least {TARGET_SPEED} of the \
         speed of ffmpeg: {}, with {slowest:.2}.",
        verdict(largest < TARGET_MB),
        verdict(slowest >= TARGET_SPEED)
    )?;
    bench.report.section("audio", &format!("audio --minutes {}", how.minutes), &[], &text)
}

/// Makes a recording: on each channel bursts of a tone that glides, above a little noise.
async fn make(path: &Path, minutes: u32, options: &[&str]) -> anyhow::Result<()> {
    let voice = |hertz: u32, every: u32| {
        format!(
            "0.3*sin(2*PI*{hertz}*t+8*sin(2*PI*3*t))*(lt(mod(t\\,{every})\\,{}))+0.003*(random(0)-0.5)",
            every / 2
        )
    };
    let source = format!("aevalsrc={}|{}:s=16000:d={}", voice(140, 10), voice(210, 14), minutes * 60);
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "lavfi", "-i", &source]).args(options).arg(path);
    let ended =
        command.stdin(Stdio::null()).status().await.context("start ffmpeg; it makes the recordings")?;
    ensure!(ended.success(), "ffmpeg made no recording: {ended}");
    Ok(())
}

/// Runs a program to its end, and returns what it took.
async fn run(program: &str, args: &[&str]) -> anyhow::Result<Taken> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let before = usage::ended_children_s(std::process::id())?;
    let mut child = command.spawn().with_context(|| format!("start {program}"))?;
    let id = child.id().context("look at the program")?;
    let mut most_mb = 0.0_f64;
    let ended = loop {
        if let Some(ended) = child.try_wait().context("wait for the program")? {
            break ended;
        }
        // A process that has just ended has no memory any more.
        most_mb = most_mb.max(usage::memory_mb(id, "VmHWM").unwrap_or_default());
        tokio::time::sleep(LOOK_EVERY).await;
    };
    ensure!(ended.success(), "{program} {}: {ended}", args.join(" "));
    Ok(Taken { processor_s: usage::ended_children_s(std::process::id())? - before, most_mb })
}
