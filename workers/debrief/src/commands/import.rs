//! `debrief import`: brings in files and folders, and waits until the calls that they contain have ended.
//!
//! The content of a file decides what it is. Names and e-mail addresses decide which files belong together. The
//! functions that read uploads also read these files, so an import refuses what an upload refuses, in the same words.
//! The events go through the intake to the outbox of the store, and the keeper of a `run` publishes them from there.
//!
//! With `--zoom` the calls are the meetings that Zoom has recorded, and with `--watch` the files that are put into a
//! folder.

mod arrivals;
mod classify;
mod files;
mod pairing;
mod wait;
mod watch;
mod words;
mod zoom;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use chrono::NaiveDate;
use chrono_tz::Tz;
use indicatif::{ProgressBar, ProgressStyle};
use platform::config::{ConfigError, Installation, Values};
use platform::telemetry;
use serde::Serialize;

use self::arrivals::Importer;
use self::pairing::{File, Item, Plan, Remark, What};
use self::wait::Pending;
use super::print;
use super::run::Running;
use crate::deployment::{self, Deployment, StartError};
use crate::outcome::{Ended, FAILED};
use crate::roles::Role;

#[derive(clap::Args)]
pub(crate) struct Import {
    #[arg(required_unless_present_any = ["zoom", "watch"], value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The lead that belongs to a single session file
    #[arg(long, value_name = "FILE")]
    pub(crate) lead: Option<PathBuf>,
    /// Bring in the meetings that Zoom has recorded; again: go on where it stopped
    #[arg(long, requires = "from", conflicts_with_all = ["paths", "lead", "watch", "kind"])]
    pub(crate) zoom: bool,
    /// The first day of the meetings, such as 2026-01-31
    #[arg(long, value_name = "DATE", requires = "zoom")]
    pub(crate) from: Option<NaiveDate>,
    /// The last day of the meetings; without it, today
    #[arg(long, value_name = "DATE", requires = "zoom")]
    pub(crate) to: Option<NaiveDate>,
    /// Bring in every file that is put into this folder, until you stop it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["paths", "lead", "dry_run"])]
    pub(crate) watch: Option<PathBuf>,
    /// What the files are
    #[arg(long, value_enum, default_value_t = ImportKind::Auto)]
    pub(crate) kind: ImportKind,
    /// Only say what would be brought in
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print only the last line, as JSON
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

pub(crate) async fn import(values: Values, workspace: &str, import: Import) -> Ended {
    // A progress bar and log lines disturb each other on one terminal, so there are logs only where the user asked
    // for them.
    let telemetry = values.text("RUST_LOG").map(|_| telemetry::start(&values)).transpose()?;
    let report = if import.zoom {
        zoom::backfill(values, workspace, &import).await?
    } else if let Some(folder) = &import.watch {
        watch::watch(values, workspace, &import, folder).await?
    } else {
        files_once(values, workspace, &import).await?
    };
    if let Some(telemetry) = telemetry {
        telemetry.end();
    }
    report.end()
}

/// Brings in the files that the user named.
async fn files_once(values: Values, workspace: &str, import: &Import) -> Result<Report, StartError> {
    let plan = plan(import, Installation::read(&values)?.timezone)?;
    let mut report = Report::new(import, plan.items.len(), plan.failures.len());
    for note in plan.notes.iter().chain(&plan.repeated) {
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
        let work = async |importer: &Importer| send_and_wait(importer, &plan, &mut report).await;
        with_importer(values, workspace, work).await?;
    }
    Ok(report)
}

/// Decides which calls the files are. Nothing is brought in yet.
fn plan(import: &Import, zone: Tz) -> Result<Plan, ConfigError> {
    let (there, missing): (Vec<PathBuf>, Vec<PathBuf>) =
        import.paths.iter().cloned().partition(|path| path.exists());
    let (paths, unreadable) = files::below(&there);
    let found = paths.into_iter().map(|path| {
        let found = classify::classify(&path, import.kind, &zone);
        File { path, found }
    });
    let same_words = |one: &Path, other: &Path| words::are_same(one, other, zone);
    let mut plan = pairing::plan(found.collect(), import.kind, &same_words);
    plan.failures.extend(unreadable);
    plan.failures.extend(missing.iter().map(|path| {
        let is_link = path.symlink_metadata().is_ok();
        Remark::new(path, if is_link { "the link leads nowhere" } else { "there is no such file or folder" })
    }));
    if let Some(path) = &import.lead {
        give_lead(&mut plan, path)?;
    }
    nothing_of(&mut plan, &there);
    Ok(plan)
}

/// What the user named and of which nothing is brought in is a failure. In a folder, files of other kinds are usual, so
/// they are only remarked.
fn nothing_of(plan: &mut Plan, named: &[PathBuf]) {
    let (files, folders): (Vec<&PathBuf>, Vec<&PathBuf>) = named.iter().partition(|path| !path.is_dir());
    let notes = std::mem::take(&mut plan.notes);
    let (named, others): (Vec<Remark>, Vec<Remark>) =
        notes.into_iter().partition(|note| files.contains(&&note.path));
    plan.failures.extend(named);
    plan.notes = others;
    for folder in folders {
        let used = plan.items.iter().flat_map(Item::files).any(|path| path.starts_with(folder));
        let said = plan.failures.iter().any(|failure| failure.path.starts_with(folder));
        if !used && !said {
            let why = "there is no session, meeting, transcript or recording in the folder";
            plan.failures.push(Remark::new(folder, why));
        }
    }
}

/// Gives the lead that the user named to the one session, whatever the session says about leads.
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

/// Does `work` with what brings calls in. Where no `run` is at work, this process runs the roles itself.
async fn with_importer(
    values: Values,
    workspace: &str,
    work: impl AsyncFnOnce(&Importer) -> Result<(), StartError>,
) -> Result<(), StartError> {
    let alone = values.text("AMQP_URL").is_none() && !deployment::is_running(&values)?;
    if alone {
        let running = start_roles(values.clone()).await?;
        let done = work_here(&values, workspace, running.deployment(), work).await;
        running.stop().await;
        done
    } else {
        let (store, workspace) = deployment::open_workspace(&values, workspace).await?;
        let sealer = deployment::sealer(&values, &store).await?;
        let blobs = deployment::open_blobs(&values, &Installation::read(&values)?)?;
        let importer = Importer::new(&values, workspace, store.clone(), blobs, sealer)?;
        let done = work(&importer).await;
        store.close().await;
        done
    }
}

/// Does `work` in a process that runs the roles itself.
async fn work_here(
    values: &Values,
    workspace: &str,
    here: &Deployment,
    work: impl AsyncFnOnce(&Importer) -> Result<(), StartError>,
) -> Result<(), StartError> {
    let workspace = deployment::find_workspace(&here.store, workspace).await?;
    let importer =
        Importer::new(values, workspace, here.store.clone(), here.blobs.clone(), here.sealer.clone())?;
    work(&importer).await?;
    // A call can be known from an earlier import, and then it looks ended before its new event leaves the outbox.
    wait::for_outbox(&here.store).await;
    Ok(())
}

/// Starts every role that is needed to process a call. The listener takes any free port, because nobody sends it
/// requests.
async fn start_roles(mut values: Values) -> Result<Running, StartError> {
    values.set("PORT", "0");
    values.set("DEBRIEF_BIND", "127.0.0.1");
    let mut roles = Role::all();
    roles.retain(|role| matches!(role, Role::Keeper | Role::Stage(_)));
    Running::start(values, &roles).await
}

async fn send_and_wait(importer: &Importer, plan: &Plan, report: &mut Report) -> Result<(), StartError> {
    let mut pending = Vec::new();
    report.begin("bringing in");
    for item in &plan.items {
        match importer.bring_in(item).await {
            Ok(sent) => pending.push(Pending::new(item.path.clone(), sent)),
            Err(not_taken) => report.failed(&item.path, &not_taken.why),
        }
        report.bar.inc(1);
    }
    report.begin("waiting for their calls");
    report.bar.inc(plan.items.len().saturating_sub(pending.len()) as u64);
    wait_for(importer, pending, report).await
}

/// Waits until the calls have ended, and counts how.
async fn wait_for(importer: &Importer, pending: Vec<Pending>, report: &mut Report) -> Result<(), StartError> {
    wait::until_ended(importer.store(), importer.workspace(), pending, |path, ended| {
        report.ended(path, ended);
        report.bar.inc(1);
    })
    .await
}

/// Says what a call is, and which files belong to it.
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
    /// The number of calls that were found, plus the number of files that should be calls but cannot be read.
    total: usize,
}

/// Reports to the user: a line for each thing that went wrong, and the counts at the end.
struct Report {
    json: bool,
    bar: ProgressBar,
    counts: Counts,
}

impl Report {
    /// `items` calls were found, and `failures` that cannot be brought in.
    fn new(import: &Import, items: usize, failures: usize) -> Self {
        // The bar is drawn on standard error, and only where that is a terminal.
        let bar = if import.dry_run { ProgressBar::hidden() } else { ProgressBar::new(items as u64) };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        let counts = Counts { success: 0, failed: 0, total: items + failures };
        Self { json: import.json, bar, counts }
    }

    fn begin(&self, what: &'static str) {
        self.bar.set_position(0);
        self.bar.set_message(what);
    }

    /// Prints a line, without the control characters of a file's name, which a terminal would obey. With `--json` it
    /// goes to standard error, because only the counts may stand on standard output.
    fn say(&self, line: &str) {
        let line = print::visible(line);
        self.bar.suspend(|| if self.json { complain!("{line}") } else { say!("{line}") });
    }

    fn note(&self, note: &Remark) {
        self.say(&format!("{}: left out: {}", note.path.display(), note.why));
    }

    fn ended(&mut self, path: &Path, ended: Result<(), String>) {
        match ended {
            Ok(()) => self.counts.success += 1,
            Err(why) => self.failed(path, &why),
        }
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
