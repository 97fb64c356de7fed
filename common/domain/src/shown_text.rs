//! Text of strangers, made safe to show beside other text.
//!
//! Unicode has characters that change the direction of everything behind them. One in a name or in somebody's words
//! would turn round the line, or the page, in which it is shown.

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

    #[test]
    fn only_what_can_be_seen_is_kept_of_a_name() {
        assert_eq!(visible("Ann\u{202e}\u{200b} Lee\u{7}"), "Ann Lee ");
        assert_eq!(visible("क्\u{200d}ष"), "क्\u{200d}ष");
    }
}
