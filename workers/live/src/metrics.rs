//! The metrics of live calls. `deploy/METRICS.md` lists them.

use std::sync::LazyLock;

use opentelemetry::metrics::{Counter, UpDownCounter};
use opentelemetry::{KeyValue, global};

struct Instruments {
    pieces: Counter<u64>,
    listeners: UpDownCounter<i64>,
    turns: Counter<u64>,
    streams: Counter<u64>,
}

static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter = global::meter("debrief");
    Instruments {
        pieces: meter
            .u64_counter("debrief_live_pieces")
            .with_description("Pieces of audio of live calls, by what became of them")
            .build(),
        listeners: meter
            .i64_up_down_counter("debrief_live_listeners")
            .with_description("Sockets, streams and requests that follow a live call")
            .build(),
        turns: meter
            .u64_counter("debrief_live_turns")
            .with_description("Turns of live calls, by whether their words are known")
            .build(),
        streams: meter
            .u64_counter("debrief_live_streams")
            .with_description("Channels of streams that are transcribed while they are spoken, and those that are not any more")
            .build(),
    }
});

/// What became of a piece.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece {
    Kept,
    Repeated,
    Refused,
}

impl Piece {
    fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Repeated => "repeated",
            Self::Refused => "refused",
        }
    }
}

/// What became of the transcription of a channel of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Begun,
    /// No provider goes on, so the rest is transcribed turn by turn.
    GivenUp,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::GivenUp => "given_up",
        }
    }
}

pub(crate) fn stream(stream: Stream) {
    INSTRUMENTS.streams.add(1, &[KeyValue::new("outcome", stream.name())]);
}

/// Makes the counters appear with the value 0.
pub(crate) fn declare() {
    for piece in [Piece::Kept, Piece::Repeated, Piece::Refused] {
        INSTRUMENTS.pieces.add(0, &[KeyValue::new("outcome", piece.name())]);
    }
    INSTRUMENTS.listeners.add(0, &[]);
    for stream in [Stream::Begun, Stream::GivenUp] {
        INSTRUMENTS.streams.add(0, &[KeyValue::new("outcome", stream.name())]);
    }
    for has_words in [true, false] {
        INSTRUMENTS.turns.add(0, &[outcome(has_words)]);
    }
}

pub(crate) fn piece(piece: Piece) {
    INSTRUMENTS.pieces.add(1, &[KeyValue::new("outcome", piece.name())]);
}

/// A turn is done.
pub(crate) fn turn(has_words: bool) {
    INSTRUMENTS.turns.add(1, &[outcome(has_words)]);
}

fn outcome(has_words: bool) -> KeyValue {
    KeyValue::new("outcome", if has_words { "transcribed" } else { "refused" })
}

/// Somebody who follows a call, until this is dropped.
pub(crate) struct Listener(());

impl Listener {
    pub(crate) fn new() -> Self {
        INSTRUMENTS.listeners.add(1, &[]);
        Self(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        INSTRUMENTS.listeners.add(-1, &[]);
    }
}
