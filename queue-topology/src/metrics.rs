//! The metrics of a process that runs stages. `deploy/METRICS.md` lists their names, and what to do when one rises.
//!
//! Each process counts the runs that end in it. The keeper measures now and then how much work waits. That is the same
//! for every process of a deployment, so take the largest value and never the sum.

use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Gauge, Histogram};
use opentelemetry::{KeyValue, global};
use store::{EffectState, StageCounts};

use crate::engine::Engine;
use crate::table::{self, Lane};

/// The buckets for durations: from a supplied transcript, which is only parsed, to a model that needs minutes.
const SECONDS: [f64; 12] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

struct Instruments {
    runs: Counter<u64>,
    duration: Histogram<f64>,
    undecodable: Counter<u64>,
    depth: Gauge<u64>,
    consumers: Gauge<u64>,
    waiting: Gauge<i64>,
    oldest: Gauge<f64>,
    effects: Gauge<i64>,
    outbox: Gauge<i64>,
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
        depth: meter
            .u64_gauge("debrief_queue_depth")
            .with_description("Messages that nobody holds, by stage and lane")
            .build(),
        consumers: meter
            .u64_gauge("debrief_queue_consumers")
            .with_description("Consumers, by stage and lane")
            .build(),
        waiting: meter
            .i64_gauge("debrief_stage_runs")
            .with_description("Runs that are not done, by stage and state")
            .build(),
        oldest: meter
            .f64_gauge("debrief_oldest_due")
            .with_unit("s")
            .with_description("For how long the oldest run that is due has been due, by stage")
            .build(),
        effects: meter
            .i64_gauge("debrief_open_effects")
            .with_description("Effects that are not confirmed, by state")
            .build(),
        outbox: meter
            .i64_gauge("debrief_outbox_events")
            .with_description("Accepted events that the broker has not taken yet")
            .build(),
    }
});

/// Counts a run that ended, or that is tried again later.
pub(crate) fn run_ended(stage: &'static str, outcome: &'static str, took: Duration) {
    INSTRUMENTS.runs.add(1, &[KeyValue::new("stage", stage), KeyValue::new("outcome", outcome)]);
    INSTRUMENTS.duration.record(took.as_secs_f64(), &[KeyValue::new("stage", stage)]);
}

pub(crate) fn undecodable(stage: &'static str) {
    INSTRUMENTS.undecodable.add(1, &[KeyValue::new("stage", stage)]);
}

/// Measures how much work waits.
pub(crate) async fn observe(engine: &Engine) -> store::Result<()> {
    let counts = engine.store.stage_counts().await?;
    let now = engine.store.now();
    for queue in &table::ALL {
        let stage = || KeyValue::new("stage", queue.stage);
        let count = counts.iter().find(|count| count.stage == queue.stage);
        let number = |of: fn(&StageCounts) -> i64| count.map_or(0, of);
        let states: [(&'static str, i64); 5] = [
            ("due", number(|count| count.waiting_due)),
            ("later", number(|count| count.waiting_later)),
            ("running", number(|count| count.running)),
            ("parked", number(|count| count.parked)),
            ("dead", number(|count| count.dead)),
        ];
        for (state, runs) in states {
            INSTRUMENTS.waiting.record(runs, &[stage(), KeyValue::new("state", state)]);
        }
        let oldest = count.and_then(|count| count.oldest_due).map(|due| now.since(due)).unwrap_or_default();
        INSTRUMENTS.oldest.record(oldest.as_secs_f64(), &[stage()]);
        for lane in Lane::BOTH {
            // If the broker does not answer, `/health` says so, and no depth is recorded: an old one would be wrong.
            if let Ok(depth) = engine.broker.depth(queue.stage, lane).await {
                let labels = [stage(), KeyValue::new("lane", lane.name())];
                INSTRUMENTS.depth.record(depth.ready, &labels);
                INSTRUMENTS.consumers.record(u64::from(depth.consumers), &labels);
            }
        }
    }
    let open = engine.store.open_effect_counts().await?;
    for state in EffectState::ALL.iter().filter(|state| **state != EffectState::Confirmed) {
        let effects = open.iter().find(|(name, _)| name == state.name()).map_or(0, |(_, effects)| *effects);
        INSTRUMENTS.effects.record(effects, &[KeyValue::new("state", state.name())]);
    }
    INSTRUMENTS.outbox.record(engine.store.outbox_len().await?, &[]);
    Ok(())
}
