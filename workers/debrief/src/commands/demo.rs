//! `debrief demo`: sample calls through the whole pipeline, with providers simulated on loopback.
//!
//! Everything a newcomer sees here is what production does: the samples come in over HTTP, the stages
//! run, and the providers answer from what they are sent. Only the providers are not the real ones.

mod samples;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use domain::call::{Call, CallStatus, WorkspaceId};
use platform::config::Values;
use platform::telemetry;
use simulators::{Options, Simulators};
use store::{EffectState, Store};
use tokio::time::Instant;

use super::print;
use super::run::{Running, StopSignal};
use crate::deployment::StartError;
use crate::outcome::{Ended, FAILED};
use crate::roles::Role;
use samples::{Sample, samples};

/// Quick, so that the recording that is gone is given up within the demo.
const RETRY_SCHEDULE: &str = "200ms,1s,2s";
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(crate) async fn demo(once: bool) -> Ended {
    let folder = tempfile::tempdir().context("make a folder for the demo")?;
    let simulators = Simulators::start(&Options::default()).await?;
    let values = settings(&simulators, folder.path())?;
    let telemetry = telemetry::start(&values)?;
    let stop = StopSignal::listen()?;
    let running = Running::start(values, &Role::all()).await?;
    let address = format!("http://{}", running.address);
    say!("Debrief runs at {address}, with simulated providers. Five sample calls go in …\n");
    let samples = samples(&simulators);
    for sample in &samples {
        sample.send(&address).await?;
    }
    let as_expected = show(&running.deployment().store, &samples).await?;
    say!("\nLook at   {address}/docs              the API, to try out");
    say!("          {address}/api/calls/history  every call, as JSON");
    say!(
        "          {}/_control/received  what reached Slack",
        simulators.of(&simulators::slack::PROVIDER).url("")
    );
    if !once {
        say!("\nIt serves on until you press Ctrl-C.");
        stop.given().await;
    }
    running.stop().await;
    simulators.stop().await;
    telemetry.end();
    Ok(if as_expected || !once { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Returns the settings of an embedded deployment whose providers are the simulators.
fn settings(simulators: &Simulators, folder: &std::path::Path) -> Result<Values, StartError> {
    let folder = folder.to_str().context("the temporary folder has a name that is not text")?;
    let port = if std::net::TcpListener::bind(("127.0.0.1", 8000)).is_ok() { "8000" } else { "0" };
    let providers = simulators.settings();
    let providers = providers.iter().map(|(name, value)| (*name, value.as_str()));
    Ok(Values::of(providers.chain([
        ("DEBRIEF_DATA_DIR", folder),
        ("PORT", port),
        ("DEBRIEF_RETRY_SCHEDULE", RETRY_SCHEDULE),
        ("RUST_LOG", "off"),
        ("SLACK_RATE", "20/s"),
        ("SUPPORT_NUMBER", "+442079460100"),
    ])))
}

/// Waits for every sample to end and prints how; whether each ended as it should.
async fn show(store: &Store, samples: &[Sample]) -> anyhow::Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    let mut rows = Vec::new();
    let mut as_expected = true;
    for sample in samples {
        let call = ended(store, sample, deadline).await?;
        let row = row(store, sample, call.as_ref()).await?;
        as_expected &= row.1;
        rows.push(row.0);
    }
    print::table(["sample", "what should happen", "status", "summary or reason", "slack", "crm"], rows);
    Ok(as_expected)
}

async fn ended(store: &Store, sample: &Sample, deadline: Instant) -> anyhow::Result<Option<Call>> {
    loop {
        let call = store.call_by_external_id(WorkspaceId::DEFAULT, &sample.external_id).await?;
        let open = call.as_ref().is_none_or(|call| {
            matches!(call.status, CallStatus::Queued | CallStatus::Processing | CallStatus::Waiting)
        });
        if !open || Instant::now() > deadline {
            return Ok(call);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn row(store: &Store, sample: &Sample, call: Option<&Call>) -> anyhow::Result<([String; 6], bool)> {
    let shown = |status: &str, text: &str, slack: usize, crm: usize| {
        [
            sample.name.to_owned(),
            sample.should.to_owned(),
            status.to_owned(),
            shorten(text),
            slack.to_string(),
            crm.to_string(),
        ]
    };
    let Some(call) = call else { return Ok((shown("unknown", "", 0, 0), false)) };
    let runs = store.runs(call.workspace, call.id).await?;
    let code = runs.iter().find(|run| run.state == "dead").and_then(|run| run.error_code.clone());
    let summary = store.analysis(call.workspace, call.id).await?.map(|analysis| analysis.summary);
    let effects = store.effects_of(call.workspace, call.id).await?;
    let confirmed = |slack: bool| {
        effects
            .iter()
            .filter(|effect| effect.state == EffectState::Confirmed.name() && effect.target != "assemblyai")
            .filter(|effect| (effect.target == "slack") == slack)
            .count()
    };
    let (posts, records) = (confirmed(true), confirmed(false));
    let as_expected =
        call.status == sample.status && code.as_deref() == sample.error_code && posts == sample.posts;
    let text = summary.or(code).unwrap_or_default();
    Ok((shown(call.status.name(), &text, posts, records), as_expected))
}

fn shorten(text: &str) -> String {
    const CHARS: usize = 60;
    if text.chars().count() <= CHARS {
        return text.to_owned();
    }
    let cut: String = text.chars().take(CHARS).collect();
    format!("{} …", cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words))
}
