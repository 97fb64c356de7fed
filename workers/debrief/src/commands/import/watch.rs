//! `debrief import --watch DIR`: a drop folder. Whatever is put into it is brought in, and moved out of the way.
//!
//! A file that is still being written looks like a file. So a file is taken when it is the same at two looks in a row.
//! It stays where it is until its call has ended, and is then moved to `done/` or to `failed/`, where a text beside it
//! says why. A process that was killed in between finds the file at its next start and brings it in again, and that is
//! the same call, because the content of a file names its call.

mod folder;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use chrono_tz::Tz;
use platform::config::{ConfigError, Installation, Values};
use tokio::time::sleep;

use self::folder::{DropFolder, Found};
use super::arrivals::Importer;
use super::pairing::{File, Plan};
use super::wait::{Pending, Standing};
use super::{Import, ImportKind, Report, classify, pairing, with_importer, words};
use crate::commands::run::StopSignal;
use crate::deployment::StartError;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a file may lie alone that makes no call by itself, such as the data of a meeting without its transcript.
const OTHERS_WITHIN: Duration = Duration::from_mins(1);

pub(super) async fn watch(
    values: Values,
    workspace: &str,
    import: &Import,
    folder: &Path,
) -> Result<Report, StartError> {
    let zone = Installation::read(&values)?.timezone;
    let folder = DropFolder::open(folder, OTHERS_WITHIN)
        .map_err(|problem| ConfigError::new("--watch", format!("`{}` {problem}", folder.display())))?;
    let mut report = Report::new(import, 0, 0);
    // A folder has no end, so there is no bar to fill.
    report.bar.finish_and_clear();
    let work = async |importer: &Importer| {
        let mut stop = pin!(StopSignal::listen()?.given());
        let mut watch =
            Watch { folder, importer, report: &mut report, kind: import.kind, zone, pending: Vec::new() };
        watch.report.say(&format!("watching {}", watch.folder.path().display()));
        loop {
            watch.look().await?;
            // What was begun is ended in order. What has not ended is found again at the next start.
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = &mut stop => return Ok(()),
            }
        }
    };
    with_importer(values, workspace, work).await?;
    Ok(report)
}

struct Watch<'a> {
    folder: DropFolder,
    importer: &'a Importer,
    report: &'a mut Report,
    kind: ImportKind,
    zone: Tz,
    /// The calls that have not ended, with their files.
    pending: Vec<(Pending, Vec<PathBuf>)>,
}

impl Watch<'_> {
    async fn look(&mut self) -> Result<(), StartError> {
        let in_hand: Vec<PathBuf> = self.pending.iter().flat_map(|(_, files)| files.clone()).collect();
        let Found { ready, lonely } = self.folder.look(&in_hand).context("read the drop folder")?;
        if !ready.is_empty() {
            self.bring_in(ready, &lonely).await?;
        }
        self.move_ended().await
    }

    async fn bring_in(&mut self, ready: Vec<PathBuf>, lonely: &[PathBuf]) -> Result<(), StartError> {
        let plan = self.plan(ready);
        for failure in &plan.failures {
            self.fail(&[&failure.path], &failure.why)?;
        }
        for repeated in &plan.repeated {
            self.folder.done(&repeated.path, Some(&repeated.why)).context("move a file to `done`")?;
            self.report.say(&format!("{}: left out: {}", repeated.path.display(), repeated.why));
        }
        // A file that makes no call by itself may wait for another one.
        for note in plan.notes.iter().filter(|note| lonely.contains(&note.path)) {
            self.fail(&[&note.path], &note.why)?;
        }
        for item in &plan.items {
            match self.importer.bring_in(item).await {
                Ok(sent) => {
                    self.report.counts.total += 1;
                    let files = item.files().into_iter().map(Path::to_owned).collect();
                    self.pending.push((Pending::new(item.path.clone(), sent), files));
                }
                // The file stays where it is, and the next look takes it again.
                Err(not_taken) if not_taken.is_passing => {
                    self.report.say(&format!("{}: {}", item.path.display(), not_taken.why));
                }
                Err(not_taken) => self.fail(&item.files(), &not_taken.why)?,
            }
        }
        Ok(())
    }

    /// Decides which calls the files are.
    fn plan(&self, ready: Vec<PathBuf>) -> Plan {
        let found = ready.into_iter().map(|path| {
            let found = classify::classify(&path, self.kind, &self.zone);
            File { path, found }
        });
        let same_words = |one: &Path, other: &Path| words::are_same(one, other, self.zone);
        pairing::plan_apart(found.collect(), self.kind, &same_words, Some(self.folder.path()))
    }

    /// Moves files to `failed`, each with a text that says why.
    fn fail(&mut self, files: &[&Path], why: &str) -> Result<(), StartError> {
        if let Some(first) = files.first() {
            self.report.counts.total += 1;
            self.report.failed(first, why);
        }
        for file in files {
            self.folder.failed(file, why).context("move a file to `failed`")?;
        }
        Ok(())
    }

    /// Moves the files of the calls that have ended.
    async fn move_ended(&mut self) -> Result<(), StartError> {
        let (store, workspace) = (self.importer.store(), self.importer.workspace());
        let mut left = Vec::with_capacity(self.pending.len());
        for (mut call, files) in std::mem::take(&mut self.pending) {
            let ended = match call.look(store, workspace).await? {
                Standing::Going => {
                    left.push((call, files));
                    continue;
                }
                Standing::Ended(ended) => ended.map(|()| None),
                // The call goes on by itself, so its file need not stay here.
                Standing::Parked => Ok(Some(call.what_is_missing(store, workspace).await?)),
            };
            for file in &files {
                match &ended {
                    Ok(remark) => {
                        self.folder.done(file, remark.as_deref()).context("move a file to `done`")?;
                    }
                    Err(why) => self.folder.failed(file, why).context("move a file to `failed`")?,
                }
            }
            if let Ok(remark) = &ended {
                let remark = remark.as_deref().unwrap_or("done");
                self.report.say(&format!("{}: {remark}", call.path.display()));
            }
            self.report.ended(&call.path, ended.map(drop));
        }
        self.pending = left;
        Ok(())
    }
}
