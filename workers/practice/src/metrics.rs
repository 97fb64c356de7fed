//! Counts turns, by who made their words.

use std::sync::LazyLock;

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

static TURNS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("debrief")
        .u64_counter("debrief_practice_turns")
        .with_description("Turns of practice meetings, by who made their words")
        .build()
});

/// Who makes words in a meeting.
const SOURCES: [&str; 3] = ["salesperson", "model", "built_in"];

/// Makes the counters appear, before the first turn.
pub(crate) fn declare() {
    for source in SOURCES {
        count(source, 0);
    }
}

pub(crate) fn turn(source: &'static str) {
    count(source, 1);
}

fn count(source: &'static str, turns: u64) {
    TURNS.add(turns, &[KeyValue::new("source", source)]);
}
