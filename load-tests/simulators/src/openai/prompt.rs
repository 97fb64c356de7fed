//! Finds the transcript in a prompt.
//!
//! Lines like `[12] Name: text` are the segments of the transcript. When there is no such line, lines like
//! `Name: text` are taken and numbered in their order.

use serde_json::Value;

/// The length of the longest name. What is longer is a sentence with a colon in it.
const MAX_NAME_CHARS: usize = 60;

/// One segment of the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) number: u64,
    pub(super) speaker: &'a str,
    pub(super) text: &'a str,
}

/// Returns the text of the user's messages. The instructions of the system are not part of the transcript.
pub(super) fn text_of(messages: &Value) -> String {
    let mut text = String::new();
    for message in messages.as_array().into_iter().flatten() {
        let is_instruction = matches!(message["role"].as_str(), Some("system" | "developer"));
        match &message["content"] {
            _ if is_instruction => {}
            Value::String(content) => text.push_str(content),
            parts => {
                parts.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).for_each(
                    |part| {
                        text.push_str(part);
                        text.push('\n');
                    },
                );
            }
        }
        text.push('\n');
    }
    text
}

/// Returns the segments of the transcript in a text.
pub(super) fn lines_of(text: &str) -> Vec<Line<'_>> {
    let numbered: Vec<Line<'_>> = text.lines().filter_map(numbered_line).collect();
    if !numbered.is_empty() {
        return numbered;
    }
    (0..)
        .zip(text.lines().filter_map(spoken_line))
        .map(|(number, (speaker, text))| Line { number, speaker, text })
        .collect()
}

/// Reads a line like `[12] Name: text`.
fn numbered_line(line: &str) -> Option<Line<'_>> {
    let (number, rest) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    let number = number.trim().parse().ok()?;
    let (speaker, text) = spoken_line(rest).unwrap_or(("", rest.trim()));
    Some(Line { number, speaker, text })
}

/// Reads a line like `Name: text`.
fn spoken_line(line: &str) -> Option<(&str, &str)> {
    let (speaker, text) = line.split_once(": ")?;
    // A role or a time may stand in brackets after the name.
    let name = speaker.split_once(" (").map_or(speaker, |(name, _)| name).trim();
    let is_name = !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && !name.contains(['{', '"']);
    is_name.then_some((name, text.trim()))
}

/// Splits a text into its sentences, each with its last mark.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let end = rest
            .char_indices()
            .zip(rest.chars().skip(1).map(Some).chain([None]))
            .find(|((_, c), after)| matches!(c, '.' | '?' | '!') && after.is_none_or(char::is_whitespace))
            .map_or(rest.len(), |((at, c), _)| at + c.len_utf8());
        let sentence;
        (sentence, rest) = rest.split_at(end);
        (!sentence.is_empty()).then_some(sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbered_lines_are_the_transcript_when_there_are_any() {
        let text = "Analyse: this.\n[3] Ada (customer): Hi: there.\n[4] Bo: Yes.\nThanks: bye.";
        let lines = lines_of(text);
        assert_eq!(lines[0], Line { number: 3, speaker: "Ada", text: "Hi: there." });
        assert_eq!((lines.len(), lines[1].number), (2, 4));
    }

    #[test]
    fn sentences_keep_their_marks_and_do_not_end_within_a_number() {
        let all: Vec<_> = sentences("It costs 3.50 a day. Really? Yes").collect();
        assert_eq!(all, ["It costs 3.50 a day.", "Really?", "Yes"]);
    }

    #[test]
    fn instructions_of_the_system_are_not_part_of_the_transcript() {
        let messages = serde_json::json!([
            { "role": "system", "content": "[1] No: one." },
            { "role": "user", "content": [{ "type": "text", "text": "[2] Some: body." }] },
        ]);
        assert_eq!(lines_of(&text_of(&messages)).len(), 1);
    }
}
