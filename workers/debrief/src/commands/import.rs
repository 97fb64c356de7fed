//! `debrief import`: files and folders, brought in as ingest would, and their calls waited for.
//!
//! What a file is follows from its content, what belongs together from names and e-mail addresses. Everything
//! goes through ingest's own routes, within this process, so what HTTP refuses is refused here in the same
//! words; the events go to the store's outbox, from where whoever runs relays them.

mod classify;
mod files;
mod pairing;
mod upload;
mod wait;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use platform::blobs::Blobs;
use platform::config::{ConfigError, Installation, Values};
use platform::telemetry;
use serde::Serialize;

use self::classify::Zone;
use self::pairing::{File, Item, Plan, Said, What};
use self::upload::Door;
use self::wait::Pending;
use super::print;
use super::run::Running;
use crate::deployment::{self, StartError};
use crate::outcome::{Ended, FAILED};
use crate::roles::Role;

#[derive(clap::Args)]
pub(crate) struct Import {
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The lead that belongs to a single session file
    #[arg(long, value_name = "FILE")]
    pub(crate) lead: Option<PathBuf>,
    /// What the files are
    #[arg(long, value_enum, default_value_t = ImportKind::Auto)]
    pub(crate) kind: ImportKind,
    /// Say what would be brought in, and bring nothing in
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Only the last line, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ImportKind {
    Auto,
    Session,
    Meeting,
    Audio,
}

pub(crate) async fn import(values: Values, import: Import) -> Ended {
    // A progress bar and log lines share one terminal badly: logs only where they are asked for.
    let telemetry = values.text("RUST_LOG").map(|_| telemetry::start(&values)).transpose()?;
    let plan = plan(&import, &Installation::read(&values)?.timezone)?;
    let mut report = Report::new(&import, &plan);
    for note in &plan.notes {
        report.note(note);
    }
    for failure in &plan.failures {
        report.failed(&failure.path, &failure.why);
    }
    if import.dry_run {
        for item in &plan.items {
            report.say(&format!("{}: {}", item.path.display(), describe(item)));
        }
    } else if !plan.items.is_empty() {
        bring_in(values, &plan, &mut report).await?;
    }
    if let Some(telemetry) = telemetry {
        telemetry.end();
    }
    report.end()
}

/// What is there, and what of it belongs together. Nothing is sent yet.
fn plan(import: &Import, zone: &impl Zone) -> Result<Plan, ConfigError> {
    if let Some(path) = import.paths.iter().find(|path| !path.exists()) {
        return Err(ConfigError::new(path.display().to_string(), "there is no such file or folder"));
    }
    let (paths, unreadable) = files::below(&import.paths);
    let found = paths.into_iter().map(|path| {
        let found = classify::classify(&path, import.kind, zone);
        File { path, found }
    });
    let mut plan = pairing::plan(found.collect(), import.kind);
    plan.failures.extend(unreadable);
    if let Some(path) = &import.lead {
        give_lead(&mut plan, path)?;
    }
    Ok(plan)
}

/// The lead that the user named, whatever the session says of leads.
fn give_lead(plan: &mut Plan, path: &Path) -> Result<(), ConfigError> {
    let wrong = |problem: String| ConfigError::new("--lead", problem);
    classify::read_json(path).map_err(|problem| wrong(format!("`{}` {problem}", path.display())))?;
    let mut leads: Vec<_> = plan.items.iter_mut().filter_map(|item| item.what.lead_mut()).collect();
    match leads.as_mut_slice() {
        [lead] => **lead = Some(path.to_owned()),
        sessions => {
            return Err(wrong(format!("belongs to a single session; here are {}", sessions.len())));
        }
    }
    Ok(())
}

async fn bring_in(values: Values, plan: &Plan, report: &mut Report) -> Result<(), StartError> {
    let alone = values.text("AMQP_URL").is_none() && !deployment::is_running(&values)?;
    if alone {
        let running = start_roles(values.clone()).await?;
        let here = running.deployment();
        let door = Door::open(&values, here.store.clone(), here.blobs.clone(), here.sealer.clone())?;
        let done = send_and_wait(&door, plan, report).await;
        if done.is_ok() {
            // A call that was known already ends before its event is relayed.
            wait::for_outbox(&here.store).await;
        }
        running.stop().await;
        done
    } else {
        let store = deployment::open_store(&values).await?;
        let sealer = deployment::sealer(&values, &store).await?;
        let folder = deployment::data_folder(&values)?;
        let blobs = Blobs::local(&folder.join("blobs")).context("open the blobs")?;
        let door = Door::open(&values, store.clone(), blobs, sealer)?;
        let done = send_and_wait(&door, plan, report).await;
        store.close().await;
        done
    }
}

/// Everything that makes calls end, and no listener that others could find.
async fn start_roles(mut values: Values) -> Result<Running, StartError> {
    values.set("PORT", "0");
    values.set("DEBRIEF_BIND", "127.0.0.1");
    let mut roles = Role::all();
    roles.retain(|role| matches!(role, Role::Keeper | Role::Stage(_)));
    Running::start(values, &roles).await
}

async fn send_and_wait(door: &Door, plan: &Plan, report: &mut Report) -> Result<(), StartError> {
    let mut pending = Vec::new();
    report.begin("sending");
    for item in &plan.items {
        match door.send(item).await {
            Ok(sent) => pending.push(Pending::new(item.path.clone(), sent)),
            Err(why) => report.failed(&item.path, &why),
        }
        report.bar.inc(1);
    }
    report.begin("waiting for their calls");
    report.bar.inc(plan.items.len().saturating_sub(pending.len()) as u64);
    wait::until_ended(door.store(), pending, |path, ended| {
        match ended {
            Ok(()) => report.counts.success += 1,
            Err(why) => report.failed(path, &why),
        }
        report.bar.inc(1);
    })
    .await
}

/// What it is, and the files that go with it.
fn describe(item: &Item) -> String {
    let (kind, parts) = match &item.what {
        What::Session { lead } => ("session", vec![("lead", lead)]),
        What::Meeting { meeting, transcript, audio } => {
            ("meeting", vec![("data", meeting), ("transcript", transcript), ("recording", audio)])
        }
        What::Audio => ("recording", vec![]),
    };
    let others = parts.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
    let others = others.filter(|(_, path)| **path != item.path);
    others.fold(kind.to_owned(), |text, (name, path)| format!("{text}, {name} {}", path.display()))
}

#[derive(Serialize)]
struct Counts {
    success: usize,
    failed: usize,
    /// Of calls that were found, and files that are none although they are meant to be.
    total: usize,
}

/// What the user sees: a line for each thing that went wrong, and the counts at the end.
struct Report {
    json: bool,
    bar: ProgressBar,
    counts: Counts,
}

impl Report {
    fn new(import: &Import, plan: &Plan) -> Self {
        let items = plan.items.len();
        // It draws on standard error, and only where that is a terminal.
        let bar = if import.dry_run { ProgressBar::hidden() } else { ProgressBar::new(items as u64) };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        let counts = Counts { success: 0, failed: 0, total: items + plan.failures.len() };
        Self { json: import.json, bar, counts }
    }

    fn begin(&self, what: &'static str) {
        self.bar.set_position(0);
        self.bar.set_message(what);
    }

    /// With `--json` only the counts may stand on standard output. A terminal would obey the control characters of a
    /// file's name.
    fn say(&self, line: &str) {
        let line = print::visible(line);
        self.bar.suspend(|| if self.json { eprintln!("{line}") } else { say!("{line}") });
    }

    fn note(&self, note: &Said) {
        self.say(&format!("{}: left out: {}", note.path.display(), note.why));
    }

    fn failed(&mut self, path: &Path, why: &str) {
        self.counts.failed += 1;
        self.say(&format!("{}: {why}", path.display()));
    }

    fn end(self) -> Ended {
        self.bar.finish_and_clear();
        say!("{}", serde_json::to_string(&self.counts).context("print the counts")?);
        Ok(if self.counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}
