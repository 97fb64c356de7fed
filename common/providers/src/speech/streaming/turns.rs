//! The turns of a stream over all of its connections: each has one number until it is over, its times only go forward, and
//! nothing is told twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::protocol::{Utterance, Word};
use super::voices::{KnownVoice, Voices};

/// How long the better version of a turn that is over is waited for.
const BETTER_WITHIN: Duration = Duration::from_secs(1);
/// When nobody speaks, and nothing new was heard of a turn for so long, the provider is asked to end it.
const ASK_AFTER: Duration = Duration::from_millis(1_500);
/// When it does not end then, its words so far are its last.
const END_AFTER: Duration = Duration::from_millis(1_500);

/// What was said in a turn. The times are those of the stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// The turn's number in the stream. It stays the same until the turn is over.
    pub number: u64,
    pub text: String,
    pub start_ms: i64,
    pub end_ms: i64,
    pub confidence: Option<f64>,
    /// The name of the voice, where several people speak in the channel.
    pub speaker: Option<String>,
    pub language: Option<String>,
}

/// A turn that is spoken.
struct Open {
    turn: Turn,
    heard_at: Instant,
    /// The turn is over, and only its better version is waited for.
    is_ending: bool,
    /// When the provider was asked to end it.
    asked_at: Option<Instant>,
}

#[derive(Default)]
pub(super) struct Turns {
    voices: Voices,
    /// The time of the stream at which the connection's time is 0.
    offset_ms: i64,
    /// What was said before this time was told before this connection.
    fresh_from_ms: i64,
    /// The turns of this connection that are spoken, and those that are over.
    open: BTreeMap<i64, Open>,
    over: BTreeSet<i64>,
    /// The numbers of turns that were spoken when the last connection broke. Their words come again.
    carried: VecDeque<u64>,
    next: u64,
    last_end_ms: i64,
}

/// What to do about a turn that the provider does not end.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Overdue {
    /// The provider is to be asked to end the turn.
    pub(super) ask: bool,
    /// The turns whose words so far are the last ones.
    pub(super) over: Vec<Turn>,
}

/// What a final utterance is.
#[derive(Debug, PartialEq)]
pub(super) enum Last {
    Turn(Turn),
    /// The turn with this number has no words after all.
    TakenBack(u64),
    /// It was told before.
    Nothing,
}

impl Turns {
    pub(super) fn new(covered_ms: i64, known: Vec<KnownVoice>) -> Self {
        Self { voices: Voices::knowing(known), last_end_ms: covered_ms, ..Self::default() }
    }

    /// A new connection begins, whose first sample is at `offset_ms`. What was said before `fresh_from_ms` is known.
    pub(super) fn reconnected(&mut self, offset_ms: i64, fresh_from_ms: i64) {
        let open = std::mem::take(&mut self.open);
        self.carried.extend(open.into_values().map(|open| open.turn.number));
        self.over.clear();
        self.voices.reconnected();
        self.offset_ms = offset_ms;
        self.fresh_from_ms = fresh_from_ms;
    }

    pub(super) fn is_any_open(&self) -> bool {
        !self.open.is_empty() || !self.carried.is_empty()
    }

    /// The words of a turn so far. `None` where they are not to be told.
    pub(super) fn partial(&mut self, spoken: Utterance, is_ending: bool, now: Instant) -> Option<Turn> {
        let id = spoken.turn;
        if self.over.contains(&id) {
            return None;
        }
        let turn = self.turn(spoken)?;
        let asked_at = self.open.get(&id).and_then(|open| open.asked_at);
        self.open.insert(id, Open { turn: turn.clone(), heard_at: now, is_ending, asked_at });
        Some(turn)
    }

    /// The last words of a turn.
    pub(super) fn last(&mut self, spoken: Utterance) -> Last {
        let id = spoken.turn;
        if !self.over.insert(id) {
            return Last::Nothing;
        }
        let known = self.open.get(&id).map(|open| open.turn.number);
        let turn = self.turn(spoken);
        self.open.remove(&id);
        if let Some(turn) = turn {
            Last::Turn(self.told(turn))
        } else {
            known.map_or(Last::Nothing, Last::TakenBack)
        }
    }

    /// Looks for turns that the provider does not end. `is_quiet` says whether nobody speaks.
    pub(super) fn overdue(&mut self, is_quiet: bool, now: Instant) -> Overdue {
        let mut overdue = Overdue::default();
        let mut over = Vec::new();
        for (id, open) in &mut self.open {
            let silent_for = now.duration_since(open.heard_at);
            let is_over = match open.asked_at {
                _ if open.is_ending => silent_for >= BETTER_WITHIN,
                Some(asked_at) => {
                    now.duration_since(asked_at) >= END_AFTER && silent_for >= END_AFTER && is_quiet
                }
                None => {
                    if is_quiet && silent_for >= ASK_AFTER {
                        open.asked_at = Some(now);
                        overdue.ask = true;
                    }
                    false
                }
            };
            if is_over {
                over.push(*id);
            }
        }
        for id in over {
            overdue.over.extend(self.close(id));
        }
        overdue
    }

    /// Everything is transcribed, so what is still open is over.
    pub(super) fn close_all(&mut self) -> Vec<Turn> {
        let ids: Vec<i64> = self.open.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.close(id)).collect()
    }

    /// The numbers of turns of which nothing more will be heard.
    pub(super) fn take_back(&mut self) -> Vec<u64> {
        let open = std::mem::take(&mut self.open);
        let open = open.into_values().map(|open| open.turn.number);
        std::mem::take(&mut self.carried).into_iter().chain(open).collect()
    }

    fn close(&mut self, id: i64) -> Option<Turn> {
        let open = self.open.remove(&id)?;
        self.over.insert(id);
        Some(self.told(open.turn))
    }

    /// Notes a turn that is told as final.
    fn told(&mut self, mut turn: Turn) -> Turn {
        // Another turn may have ended since this one was heard.
        turn.start_ms = turn.start_ms.max(self.last_end_ms);
        turn.end_ms = turn.end_ms.max(turn.start_ms);
        self.last_end_ms = turn.end_ms;
        if let Some(name) = &turn.speaker {
            self.voices.spoke(name, turn.start_ms, turn.end_ms);
        }
        turn
    }

    /// An utterance in the time of the stream. `None` where all of it was told before, or where it has no words.
    fn turn(&mut self, spoken: Utterance) -> Option<Turn> {
        let at = |ms: i64| ms + self.offset_ms;
        let (mut start_ms, end_ms) = (at(spoken.start_ms), at(spoken.end_ms));
        let mut text = spoken.text;
        if start_ms < self.fresh_from_ms {
            if let Some(label) = &spoken.speaker {
                self.voices.heard_again(label, start_ms, end_ms.min(self.fresh_from_ms));
            }
            // A word belongs to where its middle is.
            let is_fresh = |word: &&Word| at(i64::midpoint(word.start_ms, word.end_ms)) >= self.fresh_from_ms;
            if spoken.words.is_empty() {
                if end_ms <= self.fresh_from_ms {
                    return None;
                }
            } else if !spoken.words.iter().all(|word| is_fresh(&word)) {
                let fresh: Vec<&str> =
                    spoken.words.iter().filter(is_fresh).map(|word| word.text.as_str()).collect();
                text = fresh.join(" ");
            }
            start_ms = self.fresh_from_ms;
        }
        if text.is_empty() {
            return None;
        }
        let start_ms = start_ms.max(self.last_end_ms);
        let number = match self.open.get(&spoken.turn) {
            Some(open) => open.turn.number,
            None => self.carried.pop_front().unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            }),
        };
        Some(Turn {
            number,
            text,
            start_ms,
            end_ms: end_ms.max(start_ms),
            confidence: spoken.confidence,
            speaker: spoken.speaker.as_deref().map(|label| self.voices.name(label)),
            language: spoken.language,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(turn: i64, text: &str, start_ms: i64, end_ms: i64) -> Utterance {
        let count = i64::try_from(text.split(' ').count()).unwrap();
        let length = (end_ms - start_ms) / count;
        let word = |(nth, text): (i64, &str)| Word {
            text: text.into(),
            start_ms: start_ms + nth * length,
            end_ms: start_ms + (nth + 1) * length,
        };
        let words = (0..).zip(text.split(' ')).map(word).collect();
        Utterance { turn, text: text.into(), start_ms, end_ms, words, ..Utterance::default() }
    }

    fn last(turns: &mut Turns, of: Utterance) -> Turn {
        let Last::Turn(turn) = turns.last(of) else { panic!("it is no turn") };
        turn
    }

    #[test]
    fn a_partial_replaces_and_a_final_that_comes_twice_is_told_once() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let first = turns.partial(spoken(0, "hello", 0, 400), false, now).unwrap();
        let second = turns.partial(spoken(0, "hello there", 0, 800), false, now).unwrap();
        assert_eq!((first.number, second.number, second.text.as_str()), (0, 0, "hello there"));
        assert_eq!(last(&mut turns, spoken(0, "Hello there.", 0, 800)).number, 0);
        assert_eq!(turns.last(spoken(0, "Hello there!", 0, 800)), Last::Nothing);
        assert_eq!(turns.partial(spoken(0, "late", 0, 800), false, now), None);
        assert_eq!(last(&mut turns, spoken(1, "Bye.", 900, 1_200)).number, 1);
    }

    #[test]
    fn times_go_forward_over_connections_and_what_was_told_is_not_told_again() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let first = last(&mut turns, spoken(0, "One two.", 500, 2_000));
        assert_eq!((first.start_ms, first.end_ms), (500, 2_000));
        let open = turns.partial(spoken(1, "three", 2_500, 3_000), false, now).unwrap();
        // The connection breaks. The new one gets the audio from 1,000 ms on, and its times begin at 0.
        turns.reconnected(1_000, 2_000);
        assert!(turns.is_any_open());
        let again = turns.partial(spoken(0, "two. three four", 400, 3_100), false, now).unwrap();
        assert_eq!((again.number, again.text.as_str()), (open.number, "three four"));
        let told = last(&mut turns, spoken(0, "two. three four", 400, 3_100));
        assert_eq!((told.text.as_str(), told.start_ms, told.end_ms), ("three four", 2_000, 4_100));
        let early = last(&mut turns, spoken(1, "Five.", 2_900, 3_050));
        assert_eq!((early.start_ms, early.end_ms), (4_100, 4_100));
    }

    #[test]
    fn a_turn_that_the_provider_does_not_end_is_asked_for_and_then_ended() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.partial(spoken(0, "and then", 0, 800), false, now);
        let later = |ms: u64| now + Duration::from_millis(ms);
        assert_eq!(turns.overdue(false, later(9_000)), Overdue::default(), "somebody speaks");
        assert_eq!(turns.overdue(true, later(9_000)), Overdue { ask: true, over: Vec::new() });
        assert_eq!(turns.overdue(true, later(9_100)), Overdue::default());
        let ended = turns.overdue(true, later(10_600));
        assert_eq!(ended.over[0].text, "and then");
        assert_eq!(turns.last(spoken(0, "And then.", 0, 800)), Last::Nothing, "it comes too late");
    }

    #[test]
    fn a_better_version_that_never_comes_is_not_waited_for() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.partial(spoken(0, "hello", 0, 400), true, now);
        assert!(turns.overdue(false, now).over.is_empty());
        assert_eq!(turns.overdue(false, now + Duration::from_secs(1)).over.len(), 1);
    }

    #[test]
    fn a_turn_without_words_at_its_end_is_taken_back() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let told = turns.partial(spoken(0, "hm", 0, 400), false, now).unwrap();
        assert_eq!(turns.last(spoken(0, "", 0, 400)), Last::TakenBack(told.number));
        turns.partial(spoken(1, "so", 500, 700), false, now);
        turns.reconnected(0, 0);
        assert_eq!(turns.take_back(), [1]);
    }
}
