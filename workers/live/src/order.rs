//! Decides which pieces of a session can be heard now. Pieces come in any order. A gap waits for its piece, but not for
//! ever: then it is named, and the call goes on.

use std::time::Duration;

use domain::moment::Moment;
use serde::{Deserialize, Serialize};

/// Pieces that did not come in time, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gap {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// A piece that came in and was not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) sequence: i64,
    pub(crate) received_at: Moment,
}

/// What can be heard now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// How many of the waiting pieces can be heard, from the first on.
    pub(crate) pieces: usize,
    /// The gaps that are given up.
    pub(crate) gaps: Vec<Gap>,
    /// The piece that is expected after these.
    pub(crate) next: i64,
    /// How long to wait for the piece of a gap.
    pub(crate) wait: Option<Duration>,
}

/// `waiting` has the order of its sequence, and `next` is the piece that is expected. A piece before it comes too late for
/// its place, and is heard at once.
pub(crate) fn ready(waiting: &[Waiting], next: i64, now: Moment, gap_for: Duration) -> Ready {
    let mut ready = Ready { next, ..Ready::default() };
    for (at, piece) in waiting.iter().enumerate() {
        if piece.sequence > ready.next {
            // The gap began when the first piece behind it came.
            let behind = waiting[at..].iter().map(|piece| piece.received_at).min().unwrap_or(now);
            let waited = now.since(behind);
            if waited < gap_for {
                ready.wait = Some(gap_for.saturating_sub(waited));
                return ready;
            }
            ready.gaps.push(Gap { from: ready.next, to: piece.sequence - 1 });
        }
        ready.next = ready.next.max(piece.sequence + 1);
        ready.pieces += 1;
    }
    ready
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(10);

    fn waiting(pieces: &[(i64, i64)]) -> Vec<Waiting> {
        let piece = |(sequence, second): &(i64, i64)| Waiting {
            sequence: *sequence,
            received_at: Moment::from_micros(second * 1_000_000),
        };
        pieces.iter().map(piece).collect()
    }

    fn at(second: i64) -> Moment {
        Moment::from_micros(second * 1_000_000)
    }

    #[test]
    fn pieces_are_heard_in_their_order_and_a_gap_waits() {
        let ready = ready(&waiting(&[(0, 1), (1, 3), (3, 2)]), 0, at(5), GAP);
        assert_eq!((ready.pieces, ready.next), (2, 2));
        assert_eq!(ready.wait, Some(Duration::from_secs(7)), "it counts from the first piece behind the gap");
    }

    #[test]
    fn a_gap_that_is_not_filled_in_time_is_named_and_the_call_goes_on() {
        let ready = ready(&waiting(&[(4, 2), (5, 30)]), 2, at(12), GAP);
        assert_eq!(ready.gaps, [Gap { from: 2, to: 3 }]);
        assert_eq!((ready.pieces, ready.next, ready.wait), (2, 6, None));
    }

    #[test]
    fn a_piece_that_comes_too_late_for_its_place_is_heard_at_once() {
        let ready = ready(&waiting(&[(2, 40), (6, 41)]), 6, at(41), GAP);
        assert_eq!((ready.pieces, ready.next), (2, 7));
        assert!(ready.gaps.is_empty());
    }
}
