//! Counts turns by who made their words, and measures how soon a voice is heard.

use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

static TURNS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("debrief")
        .u64_counter("debrief_practice_turns")
        .with_description("Turns of practice meetings, by who made their words")
        .build()
});

static SILENT: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("debrief")
        .u64_counter("debrief_practice_silent_lines")
        .with_description("Sentences of practice meetings that no voice said although one is configured")
        .build()
});

static FIRST_SOUNDS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("debrief")
        .u64_counter("debrief_practice_first_sounds")
        .with_description("Answers of practice meetings that were heard")
        .build()
});

static WAITED: LazyLock<Counter<f64>> = LazyLock::new(|| {
    global::meter("debrief")
        .f64_counter("debrief_practice_first_sound")
        .with_unit("s")
        .with_description("How long it took from the salesperson's words to the first sound of the answers")
        .build()
});

/// Who makes words in a meeting.
const SOURCES: [&str; 3] = ["salesperson", "model", "built_in"];

/// Makes the counters appear, before the first turn.
pub(crate) fn declare() {
    for source in SOURCES {
        count(source, 0);
    }
    SILENT.add(0, &[]);
    FIRST_SOUNDS.add(0, &[]);
    WAITED.add(0.0, &[]);
}

pub(crate) fn silent_line() {
    SILENT.add(1, &[]);
}

pub(crate) fn first_sound(after: Duration) {
    FIRST_SOUNDS.add(1, &[]);
    WAITED.add(after.as_secs_f64(), &[]);
}

pub(crate) fn turn(source: &'static str) {
    count(source, 1);
}

fn count(source: &'static str, turns: u64) {
    TURNS.add(turns, &[KeyValue::new("source", source)]);
}
