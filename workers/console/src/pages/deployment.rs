//! `/deployment`: which processes there are, what they run, and whether their leases hold.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use chrono_tz::Tz;
use domain::moment::Moment;
use platform::blobs;
use queue_topology::{broker, table};
use store::Instance;
use web::ReadInstallation;

use crate::sections::Section;
use crate::texts::{DeploymentTexts, FrameTexts, fill};
use crate::{Answer, Console, Visitor, show};

#[derive(Template)]
#[template(path = "deployment/deployment.html")]
struct Deployment {
    texts: &'static DeploymentTexts,
    kind: &'static str,
    broker: &'static str,
    broker_name: &'static str,
    recordings: String,
    zone: String,
    upload: String,
    processes: Vec<Process>,
    versions_differ: bool,
    /// Roles that nobody runs.
    missing: Vec<String>,
}

impl Deployment {
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
}

struct Process {
    host: String,
    version: String,
    roles: String,
    since: String,
    lease: String,
    is_alive: bool,
    runs: i64,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/deployment", get(show_page))
}

async fn show_page(visitor: Visitor<ReadInstallation>, State(console): State<Console>) -> Answer {
    let (texts, zone) = (DeploymentTexts::of(visitor.language), console.installation.timezone);
    let instances = visitor.store(console.store.instances().await)?;
    let now = console.store.now();
    let alive: Vec<_> = instances.iter().filter(|one| one.alive_until > now).collect();
    let versions: std::collections::BTreeSet<_> = alive.iter().map(|one| &*one.version).collect();
    let (broker, broker_name) = match console.broker.state() {
        broker::State::Up => ("connected", texts.connected),
        broker::State::Blocked => ("blocked", texts.blocked),
        broker::State::Disconnected => ("disconnected", texts.disconnected),
    };
    let content = Deployment {
        texts,
        kind: if console.store.is_embedded() { texts.embedded } else { texts.servers },
        broker,
        broker_name,
        recordings: recordings(&console, texts),
        zone: zone.to_string(),
        upload: format!("{} MB", console.installation.max_upload_bytes / 1_000_000),
        missing: missing(&alive, texts),
        versions_differ: versions.len() > 1,
        processes: instances.iter().map(|one| process(one, now, zone, texts)).collect(),
    };
    visitor.page(Section::Deployment, FrameTexts::of(visitor.language).deployment, &content)
}

/// Where recordings and transcripts are kept.
fn recordings(console: &Console, texts: &DeploymentTexts) -> String {
    match blobs::Settings::read(&console.values, console.installation.max_upload_bytes) {
        Ok(blobs::Settings::Bucket(bucket)) => bucket.to_string(),
        Ok(blobs::Settings::Folder) => texts.folder.to_owned(),
        // `run` refuses such a setting, so this process was started with another one.
        Err(problem) => problem.to_string(),
    }
}

fn process(one: &Instance, now: Moment, zone: Tz, texts: &DeploymentTexts) -> Process {
    let is_alive = one.alive_until > now;
    let or_unnamed = |text: &str| if text.is_empty() { texts.unnamed.to_owned() } else { text.to_owned() };
    let lease = if is_alive { texts.alive } else { texts.gone };
    Process {
        host: or_unnamed(&one.host),
        version: one.version.clone(),
        roles: one.roles.clone(),
        since: show::time(one.started_at, zone),
        lease: fill(lease, &[&show::time_of_day(one.alive_until, zone)]),
        is_alive,
        runs: one.runs,
    }
}

/// The stages that nobody runs. A process of an older version does not say what it runs, so nothing is missing then.
fn missing(alive: &[&Instance], texts: &DeploymentTexts) -> Vec<String> {
    if alive.iter().any(|one| one.roles.is_empty()) {
        return Vec::new();
    }
    let runs = |role: &str| alive.iter().any(|one| one.roles.split(' ').any(|name| name == role));
    // Nobody needs the role `score` where no scorecards are chosen.
    let stages = table::ALL.iter().map(|queue| queue.stage).filter(|stage| *stage != table::SCORE.spec.stage);
    stages.filter(|stage| !runs(stage)).map(|stage| fill(texts.nobody, &[stage])).collect()
}

#[cfg(test)]
mod tests {
    use store::InstanceId;

    use super::*;
    use crate::texts::Language;

    fn running(roles: &str) -> Instance {
        let now = Moment::from_micros(0);
        Instance {
            id: InstanceId::new().0,
            host: "worker-1".into(),
            version: "1.0.0".into(),
            roles: roles.into(),
            started_at: now,
            alive_until: now,
            runs: 0,
        }
    }

    #[test]
    fn a_stage_that_nobody_runs_is_named_unless_somebody_does_not_say_what_he_runs() {
        let texts = DeploymentTexts::of(Language::English);
        let (one, other, silent) =
            (running("api dedup transcription live"), running("analysis crm"), running(""));
        assert_eq!(missing(&[&one, &other], texts), ["Nobody runs the role slack."]);
        assert!(missing(&[&one, &silent], texts).is_empty());
    }
}
