//! `debrief import --zoom`: brings in the meetings that Zoom has recorded.
//!
//! The meetings of every user are listed month by month, and each is brought in as soon as it is on the list. Nothing
//! is noted about how far this came: the store knows which recordings it has. So an import that was stopped is simply
//! begun again, and the meetings that are there are not brought in twice.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::anyhow;
use chrono::{Days, Months, NaiveDate, Utc};
use domain::call::CallId;
use domain::fault::Fault;
use domain::moment::in_words;
use domain::refusal::Refusal;
use ingest::sources::zoom;
use platform::config::{ConfigError, Values};
use providers::Slots;
use providers::meetings::zoom::api::Page;
use providers::meetings::zoom::{Api, NAME, Zoom};
use queue_topology::intake::Arrival;
use serde_json::Value;
use tokio::time::sleep;

use super::arrivals::{Importer, Sent};
use super::wait::Pending;
use super::{Import, Report, with_importer};
use crate::commands::run::StopSignal;
use crate::deployment::StartError;

/// How often a list is asked for that failed for a reason that can pass.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(2);
/// A longer wait is not waited for: the import ends and says when to begin again.
const MAX_WAIT: Duration = Duration::from_mins(10);
/// The user who the app belongs to, where the app may not list users.
const MYSELF: &str = "me";

pub(super) async fn backfill(values: Values, workspace: &str, import: &Import) -> Result<Report, StartError> {
    let (from, to) = days(import, Utc::now().date_naive())?;
    let slots = Slots::of_this_process();
    let api = Zoom::from_values(&values, &slots)?.and_then(|zoom| zoom.api);
    let api = api.ok_or_else(|| {
        ConfigError::new(
            "ZOOM_ACCOUNT_ID",
            "is needed to list recordings, with ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET",
        )
    })?;
    let mut report = Report::new(import, 0, 0);
    let months = months(from, to);
    let work = async |importer: &Importer| {
        let mut backfill = Backfill {
            api: &api,
            importer,
            report: &mut report,
            dry_run: import.dry_run,
            pending: Vec::new(),
        };
        let mut interrupted = pin!(StopSignal::listen()?.given());
        let stopped = tokio::select! {
            done = backfill.all(&months) => {
                done?;
                false
            }
            () = &mut interrupted => true,
        };
        let pending = std::mem::take(&mut backfill.pending);
        if stopped {
            for call in pending {
                report.failed(&call.path, "was brought in, but not waited for: you interrupted");
            }
            return Ok(());
        }
        report.bar.set_length(pending.len() as u64);
        report.begin("waiting for their calls");
        super::wait_for(importer, pending, &mut report).await
    };
    with_importer(values, workspace, work).await?;
    Ok(report)
}

/// The first and the last day of the import.
fn days(import: &Import, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), ConfigError> {
    let to = import.to.unwrap_or(today);
    let from = import.from.ok_or_else(|| ConfigError::new("--from", "is missing"))?;
    if from > to {
        return Err(ConfigError::new("--from", format!("{from} is later than {to}")));
    }
    Ok((from, to))
}

/// The time from one day to another in parts of a month at most, the earliest first.
fn months(from: NaiveDate, to: NaiveDate) -> Vec<(NaiveDate, NaiveDate)> {
    let mut months = Vec::new();
    let mut first = from;
    while first <= to {
        let next = first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        let last = next.checked_sub_days(Days::new(1)).unwrap_or(first).clamp(first, to);
        months.push((first, last));
        match last.succ_opt() {
            Some(following) => first = following,
            None => break,
        }
    }
    months
}

struct Backfill<'a> {
    api: &'a Api,
    importer: &'a Importer,
    report: &'a mut Report,
    dry_run: bool,
    pending: Vec<Pending>,
}

impl Backfill<'_> {
    async fn all(&mut self, months: &[(NaiveDate, NaiveDate)]) -> Result<(), StartError> {
        let users = match again(&self.report.bar, async || self.api.users().await).await {
            Ok(users) => users,
            // Without the scope for it, the meetings of one user can still be listed.
            Err(refusal) if refusal.text.contains("no scope") || refusal.fault == Fault::Permanent => {
                self.report.say(&format!("only one user's meetings are brought in: {refusal}"));
                vec![MYSELF.to_owned()]
            }
            Err(refusal) => return Err(failed(&refusal)),
        };
        self.report.bar.set_length((users.len() * months.len()) as u64);
        self.report.begin("bringing in");
        for user in &users {
            for (from, to) in months {
                self.month(user, *from, *to).await?;
                self.report.bar.inc(1);
            }
        }
        Ok(())
    }

    async fn month(&mut self, user: &str, from: NaiveDate, to: NaiveDate) -> Result<(), StartError> {
        let mut next: Option<String> = None;
        loop {
            let asked = again(&self.report.bar, async || {
                self.api.recorded_meetings(user, from, to, next.as_deref()).await
            });
            let Page { entries, next: following } = match asked.await {
                Ok(page) => page,
                Err(refusal) if refusal.fault == Fault::Permanent => {
                    self.report.counts.total += 1;
                    let what = format!("the recordings of a user from {from} to {to}");
                    self.report.failed(Path::new(&what), &refusal.to_string());
                    return Ok(());
                }
                Err(refusal) => return Err(failed(&refusal)),
            };
            for meeting in entries {
                self.meeting(meeting).await?;
            }
            if following.is_none() || following == next {
                return Ok(());
            }
            next = following;
        }
    }

    async fn meeting(&mut self, meeting: Value) -> Result<(), StartError> {
        let name = PathBuf::from(name(&meeting));
        let timezone = self.importer.timezone();
        let arrivals = match zoom::arrivals(meeting.clone(), None, timezone) {
            Ok(arrivals) => arrivals,
            Err(problem) => {
                self.report.counts.total += 1;
                self.report.failed(&name, &problem.detail);
                return Ok(());
            }
        };
        let digests = digests(&arrivals);
        if digests.is_empty() {
            self.report
                .say(&format!("{}: left out: it has neither a recording nor a transcript", name.display()));
            return Ok(());
        }
        self.report.counts.total += 1;
        let Some(first) = arrivals.first() else { return Ok(()) };
        let call = CallId::derive(self.importer.workspace(), &first.source, &first.external_id);
        let there = self.is_there(call, &digests).await?;
        if self.dry_run {
            let state = if there { "is there already" } else { "would be brought in" };
            self.report.say(&format!("{}: {state}", name.display()));
            return Ok(());
        }
        if !there {
            for nth in 0..arrivals.len() {
                let made = |timezone| {
                    // What was made from the same meeting before has as many parts now.
                    zoom::arrivals(meeting.clone(), None, timezone).map(|mut all| all.swap_remove(nth))
                };
                if let Err(why) = self.importer.bring_in_made(made).await {
                    self.report.failed(&name, &why);
                    return Ok(());
                }
            }
        }
        self.pending.push(Pending::new(name, Sent { call, digests }));
        self.report.bar.set_message(format!("bringing in, {} meetings", self.pending.len()));
        Ok(())
    }

    /// Whether the store has everything of a meeting.
    async fn is_there(&self, call: CallId, digests: &[String]) -> Result<bool, StartError> {
        let known = self.importer.store().materials(self.importer.workspace(), call).await;
        let known = known.map_err(|error| anyhow!(error).context("look for what was brought in before"))?;
        Ok(digests.iter().all(|digest| known.iter().any(|known| known.material.digest == *digest)))
    }
}

fn digests(arrivals: &[Arrival]) -> Vec<String> {
    arrivals
        .iter()
        .flat_map(|arrival| &arrival.materials)
        .map(queue_topology::intake::NewMaterial::digest)
        .collect()
}

/// How a meeting is named in what the user reads. Its topic can be anything, and is not needed.
fn name(meeting: &Value) -> String {
    let text = |name: &str| meeting[name].as_str().unwrap_or("?");
    format!("{NAME} {} of {}", text("uuid"), text("start_time"))
}

fn failed(refusal: &Refusal) -> StartError {
    let again = match refusal.fault {
        Fault::Throttled(wait) => {
            format!("; begin again in {}, and it goes on where it stopped", in_words(wait))
        }
        _ => "; begin again, and it goes on where it stopped".to_owned(),
    };
    StartError::Other(anyhow!("{refusal}{again}"))
}

/// Asks again while the reason can pass, and waits as long as Zoom asks us to.
async fn again<T>(
    bar: &indicatif::ProgressBar,
    mut ask: impl AsyncFnMut() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut tries = 1;
    loop {
        let refusal = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusal,
        };
        let wait = match refusal.fault {
            Fault::Throttled(wait) if wait <= MAX_WAIT => wait,
            Fault::Transient if tries < TRIES => PAUSE * tries,
            Fault::Unavailable if refusal.code.name() == "zoom_unreachable" && tries < TRIES => PAUSE * tries,
            _ => return Err(refusal),
        };
        tries += 1;
        bar.set_message(format!("Zoom asks us to wait {}", in_words(wait)));
        sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_time_is_listed_month_by_month_with_no_day_twice_and_none_left_out() {
        let months = months(day("2026-01-31"), day("2026-04-02"));
        let mut next = day("2026-01-31");
        for (from, to) in &months {
            assert_eq!(*from, next);
            assert!((*to - *from).num_days() < 31, "{from} to {to}");
            next = to.succ_opt().unwrap();
        }
        assert_eq!(next, day("2026-04-03"));
        assert_eq!(
            super::months(day("2026-03-04"), day("2026-03-04")),
            [(day("2026-03-04"), day("2026-03-04"))]
        );
    }
}
