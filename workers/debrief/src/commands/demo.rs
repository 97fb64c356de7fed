//! `debrief demo`: sends sample calls through the whole pipeline, with providers that are simulated on this machine.
//!
//! A newcomer sees here what happens in production: the samples come in over HTTP, the stages run, and the providers
//! answer what they are sent. Only the providers are not real.

mod invitation;
mod rehearsed;
mod samples;
mod spoken;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use domain::call::{Call, CallStatus, Direction, WorkspaceId};
use domain::parties::SupportLines;
use domain::transcript::Segment;
use platform::config::Values;
use platform::telemetry;
use providers::speech;
use simulators::{Options, Simulators};
use store::{EffectState, SpeechOutcome, Store};
use tokio::time::Instant;

use super::print;
use super::run::{Running, StopSignal};
use crate::deployment::StartError;
use crate::outcome::{Ended, FAILED};
use crate::roles::Role;
use invitation::{Demo, INTRODUCTION};
use samples::{SUPPORT_NUMBER, Sample, samples};
use spoken::Ears;

/// The retry schedule of the demo. It is short, so that the call whose recording is gone is given up while the user
/// watches.
const RETRY_SCHEDULE: &str = "200ms,1s,2s";
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The settings of the user that have an effect beside `PORT`: those for watching the demo.
const TAKEN_OVER: [&str; 3] = ["DEBRIEF_METRICS_BIND", "OPENAI_PRICE_PROMPT", "OPENAI_PRICE_COMPLETION"];

/// Runs the demo. Of the settings in `given`, only `PORT` and those of [`TAKEN_OVER`] have an effect.
pub(crate) async fn demo(given: &Values, once: bool) -> Ended {
    let folder = tempfile::Builder::new().prefix("debrief-demo-").tempdir();
    let folder = folder.context("make a folder for the demo")?;
    let simulators = Simulators::start(&Options::default()).await?;
    let ears = Ears::open().await?;
    let mut settings = settings((&simulators, &ears), folder.path(), &port(given))?;
    settings.extend(TAKEN_OVER.iter().filter_map(|name| Some((*name, given.text(name)?))));
    let values = values(&settings);
    let telemetry = telemetry::start(&values)?;
    let stop = StopSignal::listen()?;
    let running = Running::start(values, &Role::all()).await?;
    let address = format!("http://{}", running.address);
    let port = running.address.port().to_string();
    settings.iter_mut().filter(|(name, _)| *name == "PORT").for_each(|(_, value)| value.clone_from(&port));
    say!("{INTRODUCTION}\n");
    say!("It runs at {address}. The sample calls go in …\n");
    let samples = samples(&simulators)?;
    for sample in &samples {
        sample.send(&address).await?;
    }
    rehearsed::hold(&address).await?;
    let deployment = running.deployment();
    let as_expected = show(&deployment.store, &deployment.installation.lines, &samples).await?;
    if !once {
        let config = invitation::write_settings(folder.path(), &settings)?;
        let demo = Demo {
            address: &address,
            slack: &simulators.of(&simulators::slack::PROVIDER).url(""),
            config: &config,
        };
        say!("\n{}", demo.invitation());
        tokio::select! {
            () = stop.given() => {}
            () = spoken::play_again_and_again(&address, &ears) => {}
        }
    }
    running.stop().await;
    simulators.stop().await;
    telemetry.end();
    Ok(if as_expected || !once { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// The port that the user set. Without one it is 8000, or any free port where 8000 is in use.
fn port(given: &Values) -> String {
    let is_free = || std::net::TcpListener::bind(("127.0.0.1", 8000)).is_ok();
    given.text("PORT").unwrap_or_else(|| if is_free() { "8000".to_owned() } else { "0".to_owned() })
}

/// Returns the settings of an embedded deployment whose providers are the simulators.
fn settings(
    (simulators, ears): (&Simulators, &Ears),
    folder: &Path,
    port: &str,
) -> Result<Vec<(&'static str, String)>, StartError> {
    let folder = folder.to_str().context("the temporary folder has a name that is not text")?;
    let mut settings = simulators.settings();
    settings.retain(|(name, _)| *name != "SPEECH");
    settings.extend([
        ("SPEECH", "assemblyai,deepgram,local".to_owned()),
        ("LIVE_SPEECH", "local".to_owned()),
        ("LOCAL_SPEECH_BASE_URL", ears.address.clone()),
        ("DEBRIEF_DATA_DIR", folder.to_owned()),
        ("PORT", port.to_owned()),
        ("DEBRIEF_RETRY_SCHEDULE", RETRY_SCHEDULE.to_owned()),
        ("RUST_LOG", "off".to_owned()),
        ("SLACK_RATE", "20/s".to_owned()),
        ("SUPPORT_NUMBER", SUPPORT_NUMBER.to_owned()),
    ]);
    Ok(settings)
}

fn values(settings: &[(&'static str, String)]) -> Values {
    Values::of(settings.iter().map(|(name, value)| (*name, value.as_str())))
}

/// Waits until every sample has ended, and prints how it ended. Returns whether every sample ended as it should.
async fn show(store: &Store, lines: &SupportLines, samples: &[Sample]) -> anyhow::Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    let mut rows = Vec::new();
    let mut as_expected = true;
    for sample in samples {
        let call = ended(store, sample, deadline).await?;
        let row = row(store, lines, sample, call.as_ref()).await?;
        as_expected &= row.1;
        rows.push(row.0);
    }
    let heads = ["sample", "what should happen", "status", "direction", "summary or reason", "slack", "crm"];
    print::table(heads, rows);
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

async fn row(
    store: &Store,
    lines: &SupportLines,
    sample: &Sample,
    call: Option<&Call>,
) -> anyhow::Result<([String; 7], bool)> {
    let direction = call.and_then(|call| lines.parties(call).known_direction);
    let shown = |status: &str, text: &str, slack: usize, crm: usize| {
        [
            sample.name.to_owned(),
            sample.should.to_owned(),
            status.to_owned(),
            direction.map_or("-", Direction::name).to_owned(),
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
            .filter(|effect| {
                effect.state == EffectState::Confirmed.name() && !speech::is_provider(&effect.target)
            })
            .filter(|effect| (effect.target == "slack") == slack)
            .count()
    };
    let (posts, records) = (confirmed(true), confirmed(false));
    let as_expected = call.status == sample.status
        && direction == sample.direction
        && code.as_deref() == sample.error_code
        && posts == sample.posts
        && is_transcribed_as_it_should(store, sample, call).await?;
    let text = summary.or(code).unwrap_or_default();
    Ok((shown(call.status.name(), &text, posts, records), as_expected))
}

/// Whether the transcript shows the speakers that it should show, and was made by whom it should be made.
async fn is_transcribed_as_it_should(store: &Store, sample: &Sample, call: &Call) -> anyhow::Result<bool> {
    let transcript = store.transcript(call.workspace, call.id).await?.unwrap_or_default();
    let shown: Vec<String> = transcript.segments.iter().map(Segment::label).collect();
    let attempts = store.speech_attempts(call.workspace, call.id).await?;
    let made_by = attempts.iter().find(|attempt| attempt.outcome == SpeechOutcome::Transcribed.name());
    let made_by = made_by.map(|attempt| attempt.provider.as_str());
    Ok(sample.speakers.iter().all(|name| shown.iter().any(|label| label == name))
        && sample.transcribed_by.is_none_or(|provider| made_by == Some(provider)))
}

fn shorten(text: &str) -> String {
    const CHARS: usize = 48;
    if text.chars().count() <= CHARS {
        return text.to_owned();
    }
    let cut: String = text.chars().take(CHARS).collect();
    format!("{} …", cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words))
}
