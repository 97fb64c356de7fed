//! How much a listener has heard of what was sent.
//!
//! Sound is sent faster than it is played. So when somebody interrupts, most of what was sent was never heard, and only what was
//! played counts as said. Here time is an argument, in milliseconds from any moment on.

/// What was sent to a listener who plays it as it comes.
#[derive(Debug, Default)]
pub(super) struct Playback {
    lines: Vec<Line>,
    /// When the listener has played all of it.
    ends_at: i64,
}

#[derive(Debug)]
struct Line {
    text: String,
    /// How long the line takes, as long as nobody knows better.
    estimated_ms: i64,
    /// The begin and the length of each piece of its sound.
    pieces: Vec<(i64, i64)>,
    /// Whether all of its sound was sent.
    is_whole: bool,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Played {
    pub(super) text: String,
    pub(super) ms: i64,
}

impl Playback {
    /// A new line follows. It is shown before it is heard.
    pub(super) fn begin(&mut self, text: &str, estimated_ms: i64) {
        self.lines.push(Line { text: text.to_owned(), estimated_ms, pieces: Vec::new(), is_whole: false });
    }

    /// So much sound of the line was sent at `now`. It is played behind what is still to be played.
    pub(super) fn sent(&mut self, now: i64, ms: i64) {
        let start = now.max(self.ends_at);
        self.ends_at = start + ms;
        if let Some(line) = self.lines.last_mut() {
            line.pieces.push((start, ms));
        }
    }

    /// The sound of the line is complete. A line without any sound counts as heard as soon as it was shown.
    pub(super) fn end_line(&mut self) {
        if let Some(line) = self.lines.last_mut() {
            line.is_whole = true;
        }
    }

    /// How much sound is still to be played.
    pub(super) fn left(&self, now: i64) -> i64 {
        (self.ends_at - now).max(0)
    }

    /// What was heard until `now`. A listener who says how much she has `played` knows it better than the clock.
    pub(super) fn heard(&self, now: i64, played: Option<i64>) -> Played {
        let all: i64 = self.lines.iter().map(Line::sent_ms).sum();
        let by_clock: i64 = self
            .lines
            .iter()
            .flat_map(|line| &line.pieces)
            .map(|(start, ms)| (now - start).clamp(0, *ms))
            .sum();
        let ms = played.map_or(by_clock, |played| played.clamp(0, all));
        let (mut left, mut heard) = (ms, Vec::new());
        for line in &self.lines {
            let sent = line.sent_ms();
            if line.is_whole && left >= sent {
                heard.push(line.text.clone());
                left -= sent;
                continue;
            }
            heard.push(line.begin_of(left));
            break;
        }
        heard.retain(|text| !text.is_empty());
        Played { text: heard.join(" "), ms }
    }
}

impl Line {
    fn sent_ms(&self) -> i64 {
        self.pieces.iter().map(|(_, ms)| ms).sum()
    }

    /// The words that fit into the first `ms` of the line.
    fn begin_of(&self, ms: i64) -> String {
        let sent = self.sent_ms();
        let length = if self.is_whole { sent } else { sent.max(self.estimated_ms) };
        let words: Vec<&str> = self.text.split_whitespace().collect();
        let count = i64::try_from(words.len()).unwrap_or(i64::MAX);
        let heard = count.saturating_mul(ms).checked_div(length).unwrap_or(0);
        words[..usize::try_from(heard).unwrap_or(0).min(words.len())].join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two lines of two seconds each, which were sent within a moment at 1,000.
    fn two_lines() -> Playback {
        let mut playback = Playback::default();
        for text in ["one two three four", "five six seven eight"] {
            playback.begin(text, 9_999);
            for _ in 0..4 {
                playback.sent(1_000, 500);
            }
            playback.end_line();
        }
        playback
    }

    #[test]
    fn only_what_was_played_was_heard_although_all_was_sent() {
        let playback = two_lines();
        let heard = |now| playback.heard(now, None).text;
        assert_eq!(heard(1_000), "");
        assert_eq!(heard(1_999), "one");
        assert_eq!(heard(2_000), "one two");
        assert_eq!(heard(3_000), "one two three four");
        assert_eq!(heard(4_500), "one two three four five six seven");
        assert_eq!(heard(60_000), "one two three four five six seven eight");
        assert_eq!((playback.left(2_000), playback.left(6_000)), (3_000, 0));
    }

    #[test]
    fn sound_that_comes_late_leaves_a_gap_in_which_nothing_is_heard() {
        let mut playback = Playback::default();
        playback.begin("one two", 1_000);
        playback.sent(0, 500);
        playback.sent(5_000, 500);
        playback.end_line();
        assert_eq!(playback.heard(4_000, None), Played { text: "one".into(), ms: 500 });
        assert_eq!(playback.heard(5_500, None), Played { text: "one two".into(), ms: 1_000 });
    }

    #[test]
    fn a_line_whose_sound_still_comes_is_as_long_as_its_words() {
        let mut playback = Playback::default();
        playback.begin("one two three four", 2_000);
        playback.sent(0, 400);
        assert_eq!(playback.heard(400, None).text, "", "a fifth of four words is none");
        playback.sent(400, 600);
        assert_eq!(playback.heard(1_000, None).text, "one two");
    }

    #[test]
    fn what_the_listener_says_wins_over_the_clock_and_is_never_more_than_was_sent() {
        let playback = two_lines();
        assert_eq!(playback.heard(60_000, Some(1_000)), Played { text: "one two".into(), ms: 1_000 });
        assert_eq!(playback.heard(1_000, Some(i64::MAX)).ms, 4_000);
        assert_eq!(playback.heard(60_000, Some(-5)).text, "");
    }

    #[test]
    fn without_sound_a_line_is_heard_when_it_is_shown() {
        let mut playback = Playback::default();
        playback.begin("one two", 1_000);
        playback.end_line();
        assert_eq!(playback.heard(0, None), Played { text: "one two".into(), ms: 0 });
        assert_eq!(Playback::default().heard(7, None).text, "");
    }
}
