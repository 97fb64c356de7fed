//! Text of strangers, made safe to show beside other text.
//!
//! Unicode has characters that change the direction of everything behind them. One in a name or in somebody's words
//! would turn round the line, or the page, in which it is shown.

use std::fmt::Write as _;

/// `text` without characters that only steer how text is shown: bidirectional controls, other control characters
/// (each becomes a space), zero-width spaces and the variation selectors of emoji. A joiner stays, because words of
/// some scripts need it.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| {
            !matches!(
                *c,
                '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            ) && !opens_embedding(*c)
                && !opens_isolate(*c)
                && !matches!(*c, '\u{202c}' | '\u{2069}')
        })
        .collect()
}

/// `text` with every change of direction that it begins also ended, so that it ends on its own line.
pub fn closed(text: String) -> String {
    let (mut embeddings, mut isolates) = (0_usize, 0_usize);
    for c in text.chars() {
        match c {
            '\u{202c}' => embeddings = embeddings.saturating_sub(1),
            '\u{2069}' => isolates = isolates.saturating_sub(1),
            c if opens_embedding(c) => embeddings += 1,
            c if opens_isolate(c) => isolates += 1,
            _ => {}
        }
    }
    let mut text = text;
    text.extend(std::iter::repeat_n('\u{202c}', embeddings));
    text.extend(std::iter::repeat_n('\u{2069}', isolates));
    text
}

/// Whether a terminal would obey the character, or whether it changes the order or the place of other characters.
/// The control characters of ASCII and of Latin-1 are among them: U+009B begins the same sequences as an escape.
pub fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{206f}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// `text` on one line, without characters that steer a terminal. Line breaks and tabs become spaces.
pub fn one_line(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        other => (!is_steering(other)).then_some(other),
    };
    text.chars().filter_map(shown).collect()
}

/// `text` with its lines and tabs, without any other character that steers a terminal.
pub fn lines(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_steering(*c)).collect()
}

/// A JSON document in which every character that steers a terminal is written as an escape of JSON. The document says
/// exactly the same. Such characters can stand only in its texts; the line breaks between them stay.
pub fn escaped_json(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for c in document.chars() {
        if c == '\n' || !is_steering(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                write!(escaped, "\\u{unit:04x}").ok();
            }
        }
    }
    escaped
}

/// `text` for a line of a log: every character that steers a terminal is written as an escape, so that it is still
/// known that it was there. A line break in it cannot begin a line that looks like a line of the log.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_steering(c) { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

fn opens_embedding(c: char) -> bool {
    matches!(c, '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}')
}

fn opens_isolate(c: char) -> bool {
    matches!(c, '\u{2066}'..='\u{2068}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_direction_ends_with_the_words_that_begin_it() {
        assert_eq!(closed("plain".into()), "plain");
        assert_eq!(closed("a \u{202e}txt.exe".into()), "a \u{202e}txt.exe\u{202c}");
        assert_eq!(closed("a \u{202e}b\u{202c}".into()), "a \u{202e}b\u{202c}");
        assert_eq!(closed("\u{2067}a\u{202b}b".into()), "\u{2067}a\u{202b}b\u{202c}\u{2069}");
        assert_eq!(closed("\u{202c}a".into()), "\u{202c}a");
    }

    const EVIL: &str = "a\u{1b}[2J\u{7}b\u{9b}31mc\r\nd\te\u{202e}f\u{2066}g\u{200f}h\u{7f}\u{85}\u{e0041}i";

    #[test]
    fn nothing_that_a_terminal_obeys_is_left_in_a_text_that_is_shown() {
        assert_eq!(one_line(EVIL), "a[2Jb31mc  d efghi");
        assert_eq!(lines(EVIL), "a[2Jb31mc\nd\tefghi");
        assert_eq!(
            escaped(EVIL),
            "a\\u{1b}[2J\\u{7}b\\u{9b}31mc\\r\\nd\\te\\u{202e}f\\u{2066}g\\u{200f}h\\u{7f}\\u{85}\\u{e0041}i"
        );
        let kept = "山田 क्\u{200d}ष é 🔥 \u{a0}x";
        for same in [one_line(kept), lines(kept), escaped(kept), escaped_json(kept)] {
            assert_eq!(same, kept);
        }
    }

    #[test]
    fn a_json_document_says_the_same_after_it_was_escaped() {
        let document = "{\n  \"words\": \"x\u{9b}\u{202e}\u{7f}\u{e0041}\"\n}".to_owned();
        let escaped = escaped_json(&document);
        assert_eq!(escaped, "{\n  \"words\": \"x\\u009b\\u202e\\u007f\\udb40\\udc41\"\n}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&escaped), read(&document));
    }

    #[test]
    fn only_what_can_be_seen_is_kept_of_a_name() {
        assert_eq!(visible("Ann\u{202e}\u{200b} Lee\u{7}"), "Ann Lee ");
        assert_eq!(visible("क्\u{200d}ष"), "क्\u{200d}ष");
    }
}
