//! The metrics of a process that runs stages. `deploy/METRICS.md` lists their names, and what to do when one rises.
//!
//! Each process counts the runs that end in it. A counter that may rise later is there from the start with the value 0,
//! because Prometheus sees no increase when a counter first appears with the value 1. How much work waits is measured by
//! [`waiting`].

pub(crate) mod waiting;

use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};

/// The buckets for durations: from a supplied transcript, which is only parsed, to a model that needs minutes.
const SECONDS: [f64; 12] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// How a run can end, or stop until it is tried again.
const OUTCOMES: [&str; 5] = ["done", "later", "retry", "parked", "dead"];

struct Instruments {
    runs: Counter<u64>,
    duration: Histogram<f64>,
    undecodable: Counter<u64>,
    intake: Counter<u64>,
}

static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter = global::meter("debrief");
    Instruments {
        runs: meter
            .u64_counter("debrief_runs")
            .with_description("Runs that ended, by stage and outcome")
            .build(),
        duration: meter
            .f64_histogram("debrief_run_duration")
            .with_unit("s")
            .with_boundaries(SECONDS.to_vec())
            .with_description("How long a run was worked on, by stage")
            .build(),
        undecodable: meter
            .u64_counter("debrief_undecodable_messages")
            .with_description("Messages that could not be read, by stage")
            .build(),
        intake: meter
            .u64_counter("debrief_intake_events")
            .with_description("Events that came in, by where they were put")
            .build(),
    }
});

/// Makes the counters of a worker appear with the value 0.
pub(crate) fn declare_stage(stage: &'static str) {
    for outcome in OUTCOMES {
        INSTRUMENTS.runs.add(0, &[KeyValue::new("stage", stage), KeyValue::new("outcome", outcome)]);
    }
    INSTRUMENTS.undecodable.add(0, &[KeyValue::new("stage", stage)]);
}

/// Counts a run that ended, or that is tried again later.
pub(crate) fn run_ended(stage: &'static str, outcome: &'static str, took: Duration) {
    debug_assert!(OUTCOMES.contains(&outcome), "`{outcome}` does not start at 0");
    INSTRUMENTS.runs.add(1, &[KeyValue::new("stage", stage), KeyValue::new("outcome", outcome)]);
    INSTRUMENTS.duration.record(took.as_secs_f64(), &[KeyValue::new("stage", stage)]);
}

pub(crate) fn undecodable(stage: &'static str) {
    INSTRUMENTS.undecodable.add(1, &[KeyValue::new("stage", stage)]);
}

/// Where an event that came in was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutInto {
    Broker,
    Outbox,
    /// It was kept nowhere, and its sender was told to send it again.
    Nothing,
}

impl PutInto {
    const ALL: [Self; 3] = [Self::Broker, Self::Outbox, Self::Nothing];

    fn label(self) -> KeyValue {
        let name = match self {
            Self::Broker => "broker",
            Self::Outbox => "outbox",
            Self::Nothing => "nothing",
        };
        KeyValue::new("put_into", name)
    }
}

/// Makes the counters of the intake appear with the value 0.
pub(crate) fn declare_intake() {
    for place in PutInto::ALL {
        INSTRUMENTS.intake.add(0, &[place.label()]);
    }
}

pub(crate) fn event_came_in(place: PutInto) {
    INSTRUMENTS.intake.add(1, &[place.label()]);
}
