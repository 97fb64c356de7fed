//! `debrief blobs copy`: copies the blobs from one place to another, for a deployment that moves.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::Context as _;
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use platform::blobs::{self, AT_ONCE, Blobs, BucketSettings, Copied, UPLOAD_BYTES};
use platform::config::{ConfigError, Values};

use super::print;
use crate::deployment::StartError;
use crate::outcome::{Ended, FAILED};

#[derive(Default)]
struct Counts {
    copied: u64,
    copied_bytes: u64,
    there: u64,
    failed: u64,
}

pub(crate) async fn copy(values: &Values, from: &str, to: &str, verify: bool) -> Ended {
    if !from.starts_with("s3://") && !Path::new(from).is_dir() {
        return Err(ConfigError::new("FROM", format!("there is no folder `{from}`")).into());
    }
    let (source, target) = (open(values, "FROM", from)?, open(values, "TO", to)?);
    // The bar is drawn on standard error, and only where that is a terminal.
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} blobs, {elapsed} {msg}") {
        bar.set_style(style);
    }
    let counts = Mutex::new(Counts::default());
    let report = |key: &str, bytes: u64, copied: Result<Copied, _>| {
        let Ok(mut counts) = counts.lock() else { return };
        match copied {
            Ok(Copied::Sent) => {
                counts.copied += 1;
                counts.copied_bytes += bytes;
                bar.set_message(format!("{} copied", DecimalBytes(counts.copied_bytes)));
            }
            Ok(Copied::There) => counts.there += 1,
            Err(why) => {
                counts.failed += 1;
                bar.suspend(|| say!("{}: {why}", print::visible(key)));
            }
        }
        bar.inc(1);
    };
    let listed = blobs::copy(&source, &target, verify, report).await;
    bar.finish_and_clear();
    let Counts { copied, copied_bytes, there, failed } = counts.into_inner().unwrap_or_default();
    say!("{copied} copied ({copied_bytes} bytes), {there} there already, {failed} failed");
    listed.with_context(|| format!("list the blobs in `{from}`"))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Opens the folder or the bucket that an argument names. The account of a bucket is in the configuration.
fn open(values: &Values, argument: &str, place: &str) -> Result<Blobs, StartError> {
    if !place.starts_with("s3://") {
        return Ok(Blobs::local(Path::new(place)).with_context(|| format!("open the folder `{place}`"))?);
    }
    let bucket = BucketSettings::read(values, place).map_err(|error| match error.name.as_str() {
        "BLOB_URL" => ConfigError::new(argument, error.problem),
        _ => error,
    })?;
    Ok(Blobs::bucket(bucket, AT_ONCE as u64 * UPLOAD_BYTES).context("open the bucket")?)
}
