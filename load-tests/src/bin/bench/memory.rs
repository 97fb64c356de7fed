//! The memory that a process takes for each megabyte of a transcript, on the whole way through it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;

use crate::bench::Bench;
use crate::client::client;
use load_tests::harness::process::Settings;
use load_tests::harness::report::verdict;
use load_tests::harness::webhook;

/// The most memory that a transcript may take, as a multiple of its text.
const TARGET: f64 = 5.0;
const DONE_WITHIN: Duration = Duration::from_mins(20);

#[derive(Args)]
pub(crate) struct Memory {
    /// The length of each transcript, in MB (10⁶ bytes). Debrief takes up to 16 MiB
    #[arg(long, default_value_t = 15)]
    megabytes: u32,
    /// How many meetings come together in the last line of the table
    #[arg(long, default_value_t = 20)]
    meetings: u32,
    /// The bound of the work in hand in the last line of the table
    #[arg(long, default_value = "500MB")]
    bound: String,
}

/// What a number of transcripts took.
struct Taken {
    before_mb: f64,
    most_mb: f64,
    took: Duration,
}

pub(crate) async fn measure(bench: &Bench, how: &Memory) -> anyhow::Result<()> {
    let mut text = format!(
        "A meeting brings a WebVTT file of {} MB. Its transcript is read, stored and analyzed by the built-in analyzer, in one \
         embedded process without settings. The memory is the VmHWM of the process, and the megabytes of text are those of the \
         file.\n\n| meetings | `DEBRIEF_MAX_MEMORY` | memory before | at most | more for each MB of text | time |\n\
         |---|---|---|---|---|---|\n",
        how.megabytes
    );
    let mut each = 0.0;
    for (meetings, bound) in [(1, None), (how.meetings, Some(how.bound.as_str()))] {
        let taken = carry(bench, how, meetings, bound).await?;
        let Taken { before_mb, most_mb, took } = &taken;
        let text_mb = f64::from(meetings * how.megabytes);
        let more = (most_mb - before_mb) / text_mb;
        if meetings == 1 {
            each = more;
        }
        writeln!(
            text,
            "| {meetings} | {} | {before_mb:.0} MB | {most_mb:.0} MB | {more:.1} MB | {:.0} s |",
            bound.unwrap_or("default"),
            took.as_secs_f64()
        )?;
    }
    writeln!(
        text,
        "\nOne transcript takes at most {TARGET:.0} MB for each MB of text: {}, with {each:.1} MB.",
        verdict(each <= TARGET)
    )?;
    let args =
        format!("memory --megabytes {} --meetings {} --bound {}", how.megabytes, how.meetings, how.bound);
    bench.report.section("memory", &args, &[], &text)
}

async fn carry(bench: &Bench, how: &Memory, meetings: u32, bound: Option<&str>) -> anyhow::Result<Taken> {
    let folder = tempfile::tempdir().context("make a data folder")?;
    let settings: Settings =
        bound.map(|bound| ("DEBRIEF_MAX_MEMORY", bound.to_owned())).into_iter().collect();
    let debrief = bench.program.run(&[], &settings, folder.path()).await?;
    let before_mb = debrief.memory_mb("VmHWM")?;
    let client = client()?;
    let start = Instant::now();
    for number in 0..meetings {
        let meeting = json!({"uuid": format!("{number}=="), "topic": "Planning", "start_time": "2026-02-03T10:00:00Z",
            "participants": [{"name": "Priya Raman", "role": "Host"}, {"name": "Tom Baker", "role": "Participant"}]});
        let part = |text: String, name: &'static str| reqwest::multipart::Part::text(text).file_name(name);
        let form = reqwest::multipart::Form::new()
            .part("meeting", part(meeting.to_string(), "meeting.json"))
            .part("transcript", part(transcript(number, how.megabytes)?, "meeting.vtt"));
        let sent = client.post(format!("http://{}/api/meetings", debrief.address)).multipart(form).send();
        let status = sent.await.context("send a meeting")?.status();
        ensure!(status == 202, "a meeting was answered {status}");
    }
    while webhook::calls(debrief.address, Some("completed")).await? < u64::from(meetings) {
        let failed = webhook::calls(debrief.address, Some("failed")).await?;
        ensure!(
            failed == 0 && start.elapsed() < DONE_WITHIN,
            "the calls are not completed ({failed} failed)"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (took, most_mb) = (start.elapsed(), debrief.memory_mb("VmHWM")?);
    debrief.stop().await?;
    println!("{meetings} meetings: {most_mb:.0} MB, {:.0} s", took.as_secs_f64());
    Ok(Taken { before_mb, most_mb, took })
}

/// A WebVTT file in which two people speak in turn.
fn transcript(number: u32, megabytes: u32) -> anyhow::Result<String> {
    let bytes = usize::try_from(megabytes).context("count bytes")? * 1_000_000;
    let mut text = String::with_capacity(bytes + 300);
    text.push_str("WEBVTT\n\n");
    let mut cue = 0_u32;
    while text.len() < bytes {
        let (minutes, seconds) = (cue / 12, cue % 12 * 5);
        let name = if cue.is_multiple_of(2) { "Priya Raman" } else { "Tom Baker" };
        write!(
            text,
            "{:02}:{:02}:{seconds:02}.000 --> {:02}:{:02}:{:02}.000\n{name}: This is sentence {cue} of meeting {number}, and it \
             says what Kestrel Freight wants to change in the contract that we signed last spring.\n\n",
            minutes / 60,
            minutes % 60,
            minutes / 60,
            minutes % 60,
            seconds + 4,
        )?;
        cue += 1;
    }
    Ok(text)
}
