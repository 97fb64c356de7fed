//! `/queues`: how much work there is at each stage, now and over time, what holds the places of the workers, and why runs
//! wait.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::get;
use chrono_tz::Tz;
use domain::call::WorkspaceId;
use domain::moment::{Moment, in_words};
use queue_topology::broker;
use queue_topology::work::{self, StageWork};
use store::{ProviderTrouble, QueueSampleRow, RunningRun, SampleSpan};
use web::ReadInstallation;

use crate::chart::{self, Line};
use crate::sections::Section;
use crate::texts::{FrameTexts, QueueTexts, fill};
use crate::{Answer, Console, Fields, Visitor, show};

/// How many causes are shown, the newest first.
const SHOWN_TROUBLES: i64 = 30;

#[derive(Template)]
#[template(path = "queues/queues.html")]
struct Queues {
    texts: &'static QueueTexts,
    broker: &'static str,
    broker_name: &'static str,
    rejected: Option<u64>,
    stages: Vec<Stage>,
    span: Span,
    charts: Vec<String>,
    held: Vec<Held>,
    troubles: Vec<Trouble>,
}

struct Stage {
    name: &'static str,
    due: i64,
    oldest: String,
    later: i64,
    running: i64,
    parked: i64,
    dead: i64,
    messages: Option<u64>,
    bulk: u64,
    consumers: Option<u32>,
}

struct Held {
    stage: String,
    /// Absent where the call belongs to another workspace.
    call: Option<String>,
    since: String,
    how_long: String,
    waits_for: Option<String>,
}

struct Trouble {
    stage: String,
    state: String,
    destination: String,
    code: String,
    text: String,
    runs: i64,
    last: String,
}

/// How much of the history is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Hour,
    Day,
    Week,
}

impl Span {
    const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|span| span.name() == name).unwrap_or(Self::Day)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    fn title(self, texts: &QueueTexts) -> &'static str {
        match self {
            Self::Hour => texts.hour,
            Self::Day => texts.day,
            Self::Week => texts.week,
        }
    }

    fn samples(self) -> SampleSpan {
        if self == Self::Hour { SampleSpan::Minute } else { SampleSpan::TenMinutes }
    }

    /// How long the whole picture is, and one place of it.
    fn lengths(self) -> (Duration, Duration) {
        match self {
            Self::Hour => (Duration::from_hours(1), Duration::from_mins(1)),
            Self::Day => (Duration::from_hours(24), Duration::from_mins(10)),
            Self::Week => (Duration::from_hours(7 * 24), Duration::from_hours(1)),
        }
    }
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/queues", get(show_page))
}

async fn show_page(
    visitor: Visitor<ReadInstallation>,
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Answer {
    let (texts, zone) = (QueueTexts::of(visitor.language), console.installation.timezone);
    let span = Span::named(Fields::parse(query.unwrap_or_default().as_bytes()).text("span"));
    let work = visitor.store(work::look(&console.store, Some(&*console.broker)).await)?;
    let since = work.at.minus(span.lengths().0);
    let samples = visitor.store(console.store.queue_samples(span.samples(), since).await)?;
    let troubles = visitor.store(console.store.troubles(visitor.workspace, SHOWN_TROUBLES).await)?;
    let held = work.stages.iter().flat_map(|stage| &stage.held);
    let (broker, broker_name) = match console.broker.state() {
        broker::State::Up => ("connected", texts.connected),
        broker::State::Blocked => ("blocked", texts.blocked),
        broker::State::Disconnected => ("disconnected", texts.disconnected),
    };
    let charts = if samples.is_empty() {
        Vec::new()
    } else {
        let of = |stage: &StageWork| picture(stage.stage, &samples, (since, work.at), (span, zone), texts);
        work.stages.iter().map(of).collect()
    };
    let content = Queues {
        texts,
        broker,
        broker_name,
        rejected: work.rejected.filter(|rejected| *rejected > 0),
        stages: work.stages.iter().map(|stage| row(stage, work.at)).collect(),
        span,
        charts,
        held: held.map(|run| place(run, visitor.workspace, work.at, zone)).collect(),
        troubles: troubles.into_iter().map(|trouble| reason(trouble, zone)).collect(),
    };
    visitor.page(Section::Queues, FrameTexts::of(visitor.language).queues, &content)
}

fn row(stage: &StageWork, now: Moment) -> Stage {
    Stage {
        name: stage.stage,
        due: stage.waiting_due,
        oldest: stage.oldest_due_for(now).map(in_words).unwrap_or_default(),
        later: stage.waiting_later,
        running: stage.running,
        parked: stage.parked,
        dead: stage.dead,
        messages: stage.depth(),
        bulk: stage.bulk.map_or(0, |bulk| bulk.ready),
        consumers: stage.consumers(),
    }
}

fn place(run: &RunningRun, workspace: WorkspaceId, now: Moment, zone: Tz) -> Held {
    Held {
        stage: run.stage.clone(),
        call: (run.workspace == workspace).then(|| run.call_id.to_string()),
        since: show::time(run.started_at, zone),
        how_long: in_words(now.since(run.started_at)),
        waits_for: run.waits_for.clone(),
    }
}

fn reason(trouble: ProviderTrouble, zone: Tz) -> Trouble {
    Trouble {
        stage: trouble.stage,
        state: trouble.state,
        destination: trouble.destination.unwrap_or_default(),
        code: trouble.code,
        text: trouble.text,
        runs: trouble.runs,
        last: show::time(trouble.last, zone),
    }
}

/// The picture of one stage: how many runs could start, and how many were parked.
fn picture(
    stage: &str,
    samples: &[QueueSampleRow],
    (since, now): (Moment, Moment),
    (span, zone): (Span, Tz),
    texts: &QueueTexts,
) -> String {
    let (whole, one) = span.lengths();
    let places = usize::try_from(whole.as_secs() / one.as_secs()).unwrap_or(1);
    let (mut due, mut parked) = (vec![None; places], vec![None; places]);
    let mut oldest = 0;
    for sample in samples.iter().filter(|sample| sample.stage == stage) {
        let place = sample.at.since(since).as_secs() / one.as_secs();
        let Ok(place) = usize::try_from(place) else { continue };
        if place < places {
            due[place] = due[place].max(Some(sample.due));
            parked[place] = parked[place].max(Some(sample.parked));
            oldest = oldest.max(sample.oldest_due_ms);
        }
    }
    let highest = |values: &[Option<i64>]| values.iter().flatten().max().copied().unwrap_or(0).to_string();
    let oldest = in_words(Duration::from_millis(u64::try_from(oldest).unwrap_or(0)));
    let label = fill(texts.chart, &[stage, &highest(&due), &highest(&parked), &oldest]);
    let lines = [Line { class: "due", values: &due }, Line { class: "parked", values: &parked }];
    chart::lines(&lines, &label, (&show::time(since, zone), &show::time(now, zone)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(minutes: u64, due: i64) -> QueueSampleRow {
        QueueSampleRow {
            stage: "slack".into(),
            at: Moment::from_micros(0).plus(Duration::from_mins(minutes)),
            depth: None,
            consumers: None,
            due,
            later: 0,
            running: 0,
            parked: 0,
            dead: 0,
            oldest_due_ms: due * 1000,
        }
    }

    #[test]
    fn the_hours_of_a_week_show_their_worst_ten_minutes() {
        let samples = [sample(0, 1), sample(10, 30), sample(20, 2), sample(7 * 24 * 60 - 1, 4)];
        let since = Moment::from_micros(0);
        let times = (since, since.plus(Duration::from_hours(7 * 24)));
        let texts = QueueTexts::of(crate::texts::Language::English);
        let svg = picture("slack", &samples, times, (Span::Week, Tz::UTC), texts);
        assert!(svg.contains("at most 30 could start, at most 0 were parked"), "{svg}");
        assert!(svg.contains("waited for up to 30 s"), "{svg}");
        assert!(svg.contains(">1970-01-01 00:00<") && svg.contains(">1970-01-08 00:00<"), "{svg}");
    }
}
