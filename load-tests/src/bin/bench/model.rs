//! `bench model`: predicts what a number of calls in a day needs, from what was measured.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;

use load_tests::harness::model::{Assumptions, Measured, page};

/// The defaults are an example: each of them is a number that you know better.
#[derive(Args)]
pub(crate) struct Prediction {
    #[arg(long, default_value_t = 1_000_000.0)]
    calls_per_day: f64,
    /// How many times more calls come in at the busiest time than on average
    #[arg(long, default_value_t = 3.0)]
    peak: f64,
    /// The length of a call
    #[arg(long, default_value_t = 4.0)]
    minutes_of_audio: f64,
    /// The seconds that the fetch and the upload of a recording take
    #[arg(long, default_value_t = 3.0)]
    transfer_s: f64,
    /// The seconds for which the speech provider works on a recording
    #[arg(long, default_value_t = 30.0)]
    speech_s: f64,
    /// The seconds that the model takes for a call
    #[arg(long, default_value_t = 4.0)]
    model_s: f64,
    /// The seconds that the CRM takes for a call
    #[arg(long, default_value_t = 1.0)]
    crm_s: f64,
    /// The seconds that Slack takes for a call
    #[arg(long, default_value_t = 0.4)]
    slack_s: f64,
    /// The recordings on which the speech provider works at the same time
    #[arg(long, default_value_t = 200.0)]
    speech_jobs: f64,
    /// The requests that the model takes in a minute
    #[arg(long, default_value_t = 500.0)]
    model_per_minute: f64,
    #[arg(long, default_value_t = 1.0)]
    slack_channels: f64,
    /// The processors of the server with PostgreSQL
    #[arg(long, default_value_t = 4.0)]
    database_cores: f64,
    /// The tokens that the model reads for a call
    #[arg(long, default_value_t = 2500.0)]
    prompt_tokens: f64,
    /// The tokens that the model writes for a call
    #[arg(long, default_value_t = 500.0)]
    completion_tokens: f64,
    /// US dollars for a million tokens that the model reads
    #[arg(long, default_value_t = 1.0)]
    prompt_price: f64,
    /// US dollars for a million tokens that the model writes
    #[arg(long, default_value_t = 4.0)]
    completion_price: f64,
    /// US dollars for an hour of audio
    #[arg(long, default_value_t = 0.2)]
    audio_price: f64,
}

/// Prints the prediction.
pub(crate) fn predict(how: &Prediction, results: &Path) -> anyhow::Result<()> {
    let results = std::fs::read_to_string(results).context("read the results")?;
    let assumptions = Assumptions {
        calls_per_day: how.calls_per_day,
        peak: how.peak,
        minutes_of_audio: how.minutes_of_audio,
        transfer_s: how.transfer_s,
        speech_s: how.speech_s,
        model_s: how.model_s,
        crm_s: how.crm_s,
        slack_s: how.slack_s,
        speech_jobs: how.speech_jobs,
        model_per_minute: how.model_per_minute,
        slack_channels: how.slack_channels,
        database_cores: how.database_cores,
        prompt_tokens: how.prompt_tokens,
        completion_tokens: how.completion_tokens,
        prompt_price: how.prompt_price,
        completion_price: how.completion_price,
        audio_price: how.audio_price,
    };
    print!("{}", page(&assumptions, &Measured::read(&results)?)?);
    Ok(())
}
