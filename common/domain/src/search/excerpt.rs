//! A short piece of a long text, around what was found in it.

/// A piece of a text, and what of it to mark. The places count characters, because each language counts bytes in its
/// own way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    pub text: String,
    /// The start and the end of each marked piece, in characters of `text`.
    pub marks: Vec<(usize, usize)>,
}

/// About `max` characters of `text` around the first of `places`, which are in bytes. Where something is left out, an
/// ellipsis stands.
pub fn excerpt(text: &str, places: &[(usize, usize)], max: usize) -> Excerpt {
    let first = places.first().map_or(0, |(start, _)| *start);
    let from = if text.chars().count() <= max { 0 } else { back(text, first, max / 3) };
    let to = text[from..].char_indices().nth(max).map_or(text.len(), |(at, _)| from + at);
    let to = if to < text.len() { last_blank(text, from.max(first), to) } else { to };
    let before = if from > 0 { "… " } else { "" };
    let after = if to < text.len() { " …" } else { "" };
    let lead = before.chars().count();
    let within = places.iter().filter(|(start, end)| *start >= from && *end <= to);
    let marks = within.map(|(start, end)| {
        let start_chars = lead + text[from..*start].chars().count();
        (start_chars, start_chars + text[*start..*end].chars().count())
    });
    let marks = marks.collect();
    Excerpt { text: format!("{before}{}{after}", &text[from..to]), marks }
}

/// The start of the word that stands at most `chars` characters before `at`.
fn back(text: &str, at: usize, chars: usize) -> usize {
    let from = text[..at].char_indices().rev().nth(chars).map_or(0, |(start, _)| start);
    if from == 0 {
        return 0;
    }
    let blank = text[from..at].find(char::is_whitespace).map(|found| from + found);
    blank.map_or(from, |blank| at.min(blank + text[blank..].chars().next().map_or(1, char::len_utf8)))
}

/// The last blank between two places, or the second place where there is none.
fn last_blank(text: &str, from: usize, to: usize) -> usize {
    text[from..to].rfind(char::is_whitespace).map_or(to, |at| from + at).max(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Query;

    fn around(text: &str, query: &str, max: usize) -> (String, Vec<String>) {
        let (places, _) = Query::read(query).unwrap().find(text);
        let Excerpt { text, marks } = excerpt(text, &places, max);
        let chars: Vec<char> = text.chars().collect();
        let marked = marks.iter().map(|(start, end)| chars[*start..*end].iter().collect()).collect();
        (text, marked)
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let (text, marked) = around("Ich möchte die Rückerstattung.", "ruckerstattung", 80);
        assert_eq!(
            (text.as_str(), marked),
            ("Ich möchte die Rückerstattung.", vec!["Rückerstattung".to_owned()])
        );
    }

    #[test]
    fn a_long_text_is_cut_at_blanks_around_what_was_found() {
        let long = format!("{} the refund came {}", "früher ".repeat(50), "später ".repeat(50));
        let (text, marked) = around(&long, "refund", 40);
        assert!(text.starts_with("… früher") && text.ends_with("später …"), "{text}");
        assert!(text.chars().count() < 50, "{text}");
        assert_eq!(marked, ["refund"]);
    }

    #[test]
    fn a_text_without_blanks_is_cut_between_characters() {
        let (text, marked) = around(&format!("{}返金{}", "東".repeat(200), "京".repeat(200)), "返金", 40);
        assert!(text.chars().count() <= 44, "{text}");
        assert_eq!(marked, ["返金"]);
    }
}
