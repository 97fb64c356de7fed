//! Cuts a message with a long transcript into parts. It cuts between turns where that is possible.
//!
//! Slack advises at most 4,000 characters, and truncates a message above 40,000. But Slack may break a message above
//! 4,000 characters into several messages, in the middle of a code block, and `chat.update` refuses such a message.
//! So we cut the message ourselves, at places that suit a reader. Each part closes its code block, and every word is
//! in exactly one part.

use crate::escape::{escape, weight};

/// The longest part, in Unicode characters after escaping. It is 4,000 less a margin for the symbols of our own
/// template, because each of them counts as two if Slack counts UTF-16 units.
pub const MAX_CHARS: usize = 3_900;

/// The text between the head and the first line of the code block, and the text between its last line and the tail.
const OPEN: &str = "\n```\n";
const CLOSE: &str = "\n```";
/// A turn that is longer than a whole part starts in the current part if this share of the current part is free.
const WORTH_STARTING: usize = 4;

/// A message before it is cut. `head`, `tail` and `call` are escaped, and together they are well below the limit.
pub(crate) struct Whole {
    /// Everything above the transcript.
    pub(crate) head: String,
    /// One line for each turn. The lines are defused and not yet escaped.
    pub(crate) turns: Vec<String>,
    /// The text that follows the transcript.
    pub(crate) tail: String,
    /// The name of the call in the parts that follow.
    pub(crate) call: String,
}

impl Whole {
    /// Cuts the message into parts of at most `max` Unicode characters each. A message that fits is one part.
    pub(crate) fn split(&self, max: usize) -> Vec<String> {
        let around = |head: &str, below: usize| chars(head) + chars(OPEN) + chars(CLOSE) + 2 + below;
        let tail = chars(&self.tail);
        let room = max.saturating_sub(around(&self.head, tail));
        if let [body] = pack(&self.turns, room, room).as_slice() {
            return vec![format!("{}{OPEN}{body}{CLOSE}\n\n{}", self.head, self.tail)];
        }
        // Every part leaves room for the longest possible part number and for the tail, so that the tail never stands
        // alone in a part.
        let below = tail.max(chars(&note(usize::MAX, usize::MAX)));
        let first = max.saturating_sub(around(&self.head, below));
        let later = max.saturating_sub(around(&self.title(usize::MAX, usize::MAX), below));
        let bodies = pack(&self.turns, first, later);
        let total = bodies.len();
        let part = |(number, body): (usize, &String)| {
            let head = if number == 1 { self.head.clone() } else { self.title(number, total) };
            let tail = if number == total { self.tail.clone() } else { note(number, total) };
            format!("{head}{OPEN}{body}{CLOSE}\n\n{tail}")
        };
        (1..).zip(&bodies).map(part).collect()
    }

    fn title(&self, number: usize, total: usize) -> String {
        format!("📝 *Full Transcription* of `{}`, part {number} of {total}:", self.call)
    }
}

/// The last line of a part that is followed by another part.
fn note(number: usize, total: usize) -> String {
    format!("_Part {number} of {total}, continued below_")
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// Fills bodies with turns. The first body has at most `first` characters, and the others have at most `later`. An
/// empty turn becomes a blank line, unless a body begins or ends there.
pub(crate) fn pack(turns: &[String], first: usize, later: usize) -> Vec<String> {
    let (mut done, mut body, mut used) = (Vec::new(), String::new(), 0);
    for turn in turns {
        let mut rest = turn.as_str();
        if rest.is_empty() && used > 0 {
            body.push('\n');
            used += 1;
        }
        while !rest.is_empty() {
            let room = if done.is_empty() { first } else { later };
            let free = room.saturating_sub(used + usize::from(used > 0));
            let starts_next =
                used > 0 && !fits(rest, free) && (fits(rest, later) || free < room / WORTH_STARTING);
            if starts_next {
                done.push(body.trim_end_matches('\n').to_owned());
                body.clear();
                used = 0;
                continue;
            }
            let (piece, remaining) = cut(rest, free);
            if used > 0 {
                body.push('\n');
                used += 1;
            }
            body.push_str(&escape(piece));
            used += piece.chars().map(weight).sum::<usize>();
            rest = remaining;
        }
    }
    done.push(body.trim_end_matches('\n').to_owned());
    done
}

/// Whether `text` takes at most `max` characters after escaping.
fn fits(text: &str, max: usize) -> bool {
    end_of(text, max).is_none()
}

/// The position of the first character that does not fit into `max` any more.
fn end_of(text: &str, max: usize) -> Option<usize> {
    let mut used = 0;
    let over = |(_, c): &(usize, char)| {
        used += weight(*c);
        used > max
    };
    text.char_indices().find(over).map(|(at, _)| at)
}

/// Cuts off as much of `text` as fits into `max`, and returns it with the rest. The cut is at the end of a word where
/// that is possible. At least one character is taken, so that the caller's loop ends.
fn cut(text: &str, max: usize) -> (&str, &str) {
    let Some(end) = end_of(text, max) else { return (text, "") };
    let end = end.max(text.chars().next().map_or(0, char::len_utf8));
    let (piece, rest) = text.split_at(end);
    if rest.starts_with(char::is_whitespace) {
        return (piece, rest.trim_start());
    }
    match piece.trim_end().rfind(char::is_whitespace) {
        Some(space) if !piece[..space].trim().is_empty() => {
            (piece[..space].trim_end(), text[space..].trim_start())
        }
        _ => (piece, rest),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::escape::defuse;

    fn whole(turns: &[String]) -> Whole {
        Whole {
            head: "HEAD".into(),
            turns: turns.iter().map(|turn| defuse(turn)).collect(),
            tail: "TAIL".into(),
            call: "CALL-1".into(),
        }
    }

    /// The text of the code blocks, with the entities turned back into characters.
    fn transcript(parts: &[String]) -> String {
        let body = |part: &String| {
            let (_, rest) = part.split_once("```\n").unwrap();
            rest.split_once("\n```").unwrap().0.to_owned()
        };
        let all = parts.iter().map(body).collect::<Vec<_>>().join("\n");
        all.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }

    fn without_spaces(text: &str) -> String {
        text.chars().filter(|c| !c.is_whitespace()).collect()
    }

    #[test]
    fn a_text_that_just_fits_is_one_message() {
        let fixed = "HEAD\n```\n\n```\n\nTAIL".len();
        let parts = whole(&["x".repeat(400 - fixed)]).split(400);
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].len(), 400);
        assert_eq!(whole(&["x".repeat(401 - fixed)]).split(400).len(), 2);
    }

    #[test]
    fn a_long_transcript_is_cut_between_turns_and_its_parts_are_numbered() {
        let turns: Vec<_> = (0..30).map(|n| format!("Speaker A: sentence number {n} of the call.")).collect();
        let parts = whole(&turns).split(500);
        assert!(parts[0].starts_with("HEAD\n```\nSpeaker A: sentence number 0"), "{}", parts[0]);
        assert!(parts[1].starts_with("📝 *Full Transcription* of `CALL-1`, part 2 of"), "{}", parts[1]);
        assert!(parts[0].ends_with(&format!("_Part 1 of {}, continued below_", parts.len())));
        assert!(parts.last().unwrap().ends_with("```\n\nTAIL"));
        for line in turns {
            assert!(parts.iter().any(|part| part.contains(&format!("\n{line}\n"))), "{line} is in one piece");
        }
    }

    #[test]
    fn a_turn_longer_than_a_part_is_cut_between_words() {
        let parts = whole(&[format!("A: {}", "seventeen ".repeat(200))]).split(500);
        let text = transcript(&parts);
        assert!(text.split_whitespace().skip(1).all(|word| word == "seventeen"));
        assert_eq!(text.split_whitespace().count(), 201);
    }

    #[test]
    fn a_word_longer_than_a_part_is_cut_between_characters() {
        let parts = whole(&["é<".repeat(1_000)]).split(400);
        assert_eq!(transcript(&parts).replace('\n', ""), "é<".repeat(1_000));
    }

    proptest! {
        #[test]
        fn every_word_is_in_one_part_and_each_part_is_under_the_limit_with_its_block_closed(
            turns in prop::collection::vec("([a-c&<>`@é📞 ]{0,60}|(word |x){0,300})", 0..25),
            max in 300_usize..1_500,
        ) {
            let whole = whole(&turns);
            let parts = whole.split(max);
            for part in &parts {
                prop_assert!(part.chars().count() <= max);
                prop_assert_eq!(part.matches("```").count(), 2, "{}", part);
            }
            let said = whole.turns.concat();
            prop_assert_eq!(without_spaces(&transcript(&parts)), without_spaces(&said));
        }
    }
}
