//! The memory of the process that takes a recording of 2 GB from a URL to a blob, and from there to the transcription
//! provider.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use crate::bench::Bench;
use crate::deployment::deployed;
use load_tests::harness::amqp;
use load_tests::harness::http::Connection;
use load_tests::harness::process::{Running, Settings};
use load_tests::harness::providers::Providers;
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Servers, postgresql_version};
use load_tests::harness::webhook;
use simulators::{Utterance, assemblyai, recording_with};

const TARGET_MB: f64 = 100.0;
/// The time for the fetch, the upload and everything that follows.
const DONE_WITHIN: Duration = Duration::from_mins(10);

#[derive(Args)]
pub(crate) struct Large {
    /// The length of the recording. Debrief takes up to 2,147,483,648 bytes, and the provider up to 2,200,000,000
    #[arg(long, default_value_t = 2_000_000_000)]
    bytes: u64,
    #[command(flatten)]
    bucket: Bucket,
    #[command(flatten)]
    servers: Servers,
}

/// A bucket for the blobs. It must exist, and it is not emptied.
#[derive(Args)]
struct Bucket {
    /// Keep the blobs in this bucket, such as `s3://bucket/prefix`, and not in a folder
    #[arg(long, value_name = "URL", requires_all = ["endpoint", "key", "secret"])]
    blobs: Option<String>,
    #[arg(long, env = "AWS_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,
    #[arg(long, env = "AWS_ACCESS_KEY_ID", hide_env_values = true)]
    key: Option<String>,
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    secret: Option<String>,
}

impl Bucket {
    fn settings(&self) -> Settings {
        let Self { blobs, endpoint, key, secret } = self;
        let all = [
            ("BLOB_URL", blobs),
            ("AWS_ENDPOINT", endpoint),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }

    /// Where the recording is kept, for the report.
    fn place(&self) -> &'static str {
        if self.blobs.is_some() { "a blob in a bucket of S3" } else { "a blob on disk (synced)" }
    }
}

/// What one deployment needed for the recording.
struct Carried {
    what: &'static str,
    before_mb: f64,
    most_mb: f64,
    took: Duration,
}

pub(crate) async fn measure(bench: &Bench, how: &Large) -> anyhow::Result<()> {
    let postgresql = postgresql_version(&how.servers.database).await?;
    let rabbitmq = amqp::version(&how.servers.amqp).await?;
    let providers = Providers::start(Duration::ZERO).await?;
    let settings = [providers.settings()?, how.bucket.settings()].concat();
    let apart = deployed(bench, &how.servers, async |here| {
        let others =
            here.run_with(&["ingest", "dedup", "analysis", "crm", "slack", "api"], &settings).await?;
        let worker = here.run_with(&["transcription"], &settings).await?;
        let what = "`debrief run --role transcription`, on RabbitMQ and PostgreSQL";
        let carried = carry(what, how, &providers, &others, &worker).await?;
        worker.stop().await?;
        others.stop().await?;
        Ok(carried)
    });
    let apart = apart.await?;
    let folder = tempfile::tempdir().context("make a data folder")?;
    let debrief = bench.program.run(&[], &settings, folder.path()).await?;
    let embedded = carry("`debrief run`, embedded", how, &providers, &debrief, &debrief).await?;
    debrief.stop().await?;
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    let (section, args) = match &how.bucket.blobs {
        None => ("large", format!("large --bytes {}", how.bytes)),
        Some(url) => ("large-s3", format!("large --bytes {} --blobs {url}", how.bytes)),
    };
    bench.report.section(section, &args, &versions, &text(how, &[apart, embedded])?)
}

/// Sends one webhook and waits until its call is completed. `worker` is the process that fetches and uploads.
async fn carry(
    what: &'static str,
    how: &Large,
    providers: &Providers,
    front: &Running,
    worker: &Running,
) -> anyhow::Result<Carried> {
    let id = Uuid::new_v4();
    let dialogue = [
        ("agent", "Hello, how can I help you?"),
        ("customer", "I would like to know when my order arrives."),
    ];
    let utterance = |(nth, (speaker, text)): (u64, (&str, &str))| Utterance {
        speaker: speaker.to_owned(),
        start: nth * 5000,
        end: nth * 5000 + 4000,
        text: text.to_owned(),
    };
    let dialogue: Vec<Utterance> = (0..).zip(dialogue).map(utterance).collect();
    let variant = format!("long:{}", how.bytes);
    let url = providers.put_recording(&id.to_string(), &variant, &recording_with(&dialogue)).await?;
    let before_mb = worker.memory_mb("VmHWM")?;
    let start = Instant::now();
    let body = json!({ "call_id": id, "recording_url": url }).to_string();
    let answer = Connection::open(front.address).await?.post_json(webhook::PATH, &body).await?;
    ensure!(answer.status == 200, "the webhook was answered {}", answer.status);
    while webhook::calls(front.address, Some("completed")).await? == 0 {
        let failed = webhook::calls(front.address, Some("failed")).await?;
        ensure!(failed == 0 && start.elapsed() < DONE_WITHIN, "the call is not completed ({failed} failed)");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = start.elapsed();
    let uploads = providers.received(&assemblyai::PROVIDER).await?;
    let uploaded = uploads.iter().rfind(|request| request["path"] == "/v2/upload");
    let uploaded = uploaded.and_then(|request| request["body_bytes"].as_u64());
    ensure!(
        uploaded == Some(how.bytes),
        "the recording has {} bytes, and {} reached the provider",
        how.bytes,
        uploaded.unwrap_or_default()
    );
    let most_mb = worker.memory_mb("VmHWM")?;
    println!("{what}: {most_mb:.1} MB, {:.0} s", took.as_secs_f64());
    Ok(Carried { what, before_mb, most_mb, took })
}

fn text(how: &Large, all: &[Carried]) -> anyhow::Result<String> {
    let mut text = format!(
        "One recording of {} bytes goes from a URL to {}, and from there to the provider. Every byte arrived \
         there, and then the call was completed.\n\n\
         | | memory before | at most (VmHWM) | time from the webhook to the completed call |\n|---|---|---|---|\n",
        how.bytes,
        how.bucket.place()
    );
    for Carried { what, before_mb, most_mb, took } in all {
        writeln!(text, "| {what} | {before_mb:.1} MB | {most_mb:.1} MB | {:.0} s |", took.as_secs_f64())?;
    }
    let most = all.iter().map(|carried| carried.most_mb).fold(0.0, f64::max);
    writeln!(
        text,
        "\nThe memory stays under {TARGET_MB:.0} MB: {}, with {most:.1} MB at most.",
        verdict(most < TARGET_MB)
    )?;
    if how.bucket.blobs.is_some() {
        writeln!(
            text,
            "\nThe server of the bucket is that of `AWS_ENDPOINT`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, and the \
             bucket has to exist."
        )?;
    }
    Ok(text)
}
