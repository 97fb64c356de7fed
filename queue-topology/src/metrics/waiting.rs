//! Measures how much work waits in the store and in the broker.
//!
//! The keeper measures now and then, and each scrape shows the last measurement. It is the same for every process of a
//! deployment, so take the largest value and never the sum. A process that cannot measure shows nothing after a while,
//! because an old number would look like a true one.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::metrics::AsyncInstrument;
use opentelemetry::{KeyValue, global};
use store::{Action, EffectState, StageCounts};

use crate::engine::Engine;
use crate::table::{self, Lane};

/// The pause between two measurements.
pub(crate) const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// How long a measurement is shown. It may be late, because a store that is busy answers slowly.
const SHOWN_FOR: Duration = Duration::from_secs(20);

/// One value, and the labels of its series.
type Point<T> = (T, Vec<KeyValue>);

/// What was measured at one time.
#[derive(Default)]
struct Measurement {
    depth: Vec<Point<u64>>,
    consumers: Vec<Point<u64>>,
    runs: Vec<Point<i64>>,
    oldest: Vec<Point<f64>>,
    effects: Vec<Point<i64>>,
    outbox: Vec<Point<i64>>,
    letters: Vec<Point<i64>>,
    changes: Vec<Point<i64>>,
}

/// The last measurement of this process, and its time.
static LAST: Mutex<Option<(Instant, Measurement)>> = Mutex::new(None);

fn last() -> MutexGuard<'static, Option<(Instant, Measurement)>> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows the points of the last measurement to a scrape, if it is not too old.
fn show<T: Copy>(instrument: &dyn AsyncInstrument<T>, points: fn(&Measurement) -> &[Point<T>]) {
    let last = last();
    let Some((at, measurement)) = last.as_ref() else { return };
    if is_shown(at.elapsed()) {
        for (value, labels) in points(measurement) {
            instrument.observe(*value, labels);
        }
    }
}

fn is_shown(age: Duration) -> bool {
    age <= SHOWN_FOR
}

/// Makes the gauges, once for a process.
fn make_gauges() {
    let meter = global::meter("debrief");
    meter
        .u64_observable_gauge("debrief_queue_depth")
        .with_description("Messages that nobody holds, by stage and lane")
        .with_callback(|gauge| show(gauge, |measured| &measured.depth))
        .build();
    meter
        .u64_observable_gauge("debrief_queue_consumers")
        .with_description("Consumers, by stage and lane")
        .with_callback(|gauge| show(gauge, |measured| &measured.consumers))
        .build();
    meter
        .i64_observable_gauge("debrief_stage_runs")
        .with_description("Runs that are not done, by stage and state")
        .with_callback(|gauge| show(gauge, |measured| &measured.runs))
        .build();
    meter
        .f64_observable_gauge("debrief_oldest_due")
        .with_unit("s")
        .with_description("For how long the oldest run that is due has been due, by stage")
        .with_callback(|gauge| show(gauge, |measured| &measured.oldest))
        .build();
    meter
        .i64_observable_gauge("debrief_open_effects")
        .with_description("Effects that are not confirmed, by state")
        .with_callback(|gauge| show(gauge, |measured| &measured.effects))
        .build();
    meter
        .i64_observable_gauge("debrief_outbox_events")
        .with_description("Accepted events that the broker has not taken yet")
        .with_callback(|gauge| show(gauge, |measured| &measured.outbox))
        .build();
    meter
        .i64_observable_gauge("debrief_dead_letters")
        .with_description("Dead letters that nobody has replayed, by stage")
        .with_callback(|gauge| show(gauge, |measured| &measured.letters))
        .build();
    meter
        .i64_observable_gauge("debrief_operator_changes")
        .with_description(
            "Calls, letters, effects and keys that people have changed since the installation, by action",
        )
        .with_callback(|gauge| show(gauge, |measured| &measured.changes))
        .build();
}

/// Measures how much work waits, and keeps it for the next scrapes.
pub(crate) async fn measure(engine: &Engine) -> store::Result<()> {
    static GAUGES: Once = Once::new();
    GAUGES.call_once(make_gauges);
    let mut measured = Measurement::default();
    measure_stages(engine, &mut measured).await?;
    let open = engine.store.open_effect_counts().await?;
    for state in EffectState::ALL.iter().filter(|state| **state != EffectState::Confirmed) {
        let labels = vec![KeyValue::new("state", state.name())];
        measured.effects.push((count_of(&open, state.name()), labels));
    }
    measured.outbox.push((engine.store.outbox_len().await?, Vec::new()));
    let letters = engine.store.open_letter_counts().await?;
    // A message that no stage has rejected was lost on the way to one.
    for stage in table::ALL.iter().map(|queue| queue.stage).chain(["unknown"]) {
        measured.letters.push((count_of(&letters, stage), vec![KeyValue::new("stage", stage)]));
    }
    let changes = engine.store.audited_changes().await?;
    for action in Action::ALL {
        let labels = vec![KeyValue::new("action", action.name())];
        measured.changes.push((count_of(&changes, action.name()), labels));
    }
    *last() = Some((Instant::now(), measured));
    Ok(())
}

async fn measure_stages(engine: &Engine, measured: &mut Measurement) -> store::Result<()> {
    let counts = engine.store.stage_counts().await?;
    let now = engine.store.now();
    for queue in &table::ALL {
        let stage = || KeyValue::new("stage", queue.stage);
        let count = counts.iter().find(|count| count.stage == queue.stage);
        let number = |of: fn(&StageCounts) -> i64| count.map_or(0, of);
        for (state, runs) in [
            ("due", number(|count| count.waiting_due)),
            ("later", number(|count| count.waiting_later)),
            ("running", number(|count| count.running)),
            ("parked", number(|count| count.parked)),
            ("dead", number(|count| count.dead)),
        ] {
            measured.runs.push((runs, vec![stage(), KeyValue::new("state", state)]));
        }
        let oldest = count.and_then(|count| count.oldest_due).map(|due| now.since(due)).unwrap_or_default();
        measured.oldest.push((oldest.as_secs_f64(), vec![stage()]));
        for lane in Lane::BOTH {
            // If the broker does not answer, `/health` says so, and no depth is shown.
            if let Ok(depth) = engine.broker.depth(queue.stage, lane).await {
                let labels = vec![stage(), KeyValue::new("lane", lane.name())];
                measured.depth.push((depth.ready, labels.clone()));
                measured.consumers.push((u64::from(depth.consumers), labels));
            }
        }
    }
    Ok(())
}

fn count_of(counts: &[(String, i64)], name: &str) -> i64 {
    counts.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_that_comes_late_is_still_shown_and_an_old_one_is_not() {
        assert!(is_shown(MEASURE_EVERY * 3));
        assert!(!is_shown(Duration::from_secs(21)));
    }
}
