//! The pattern behind `LIKE`: `%` stands for any text, and `_` for one character. A backslash before them takes that
//! meaning away.

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Char(char),
    AnyChar,
    AnyText,
}

impl Pattern {
    /// Adds a character of the pattern. One that is escaped stands for itself.
    pub(super) fn push(&mut self, c: char, is_escaped: bool) {
        match c {
            '%' if !is_escaped => self.0.push(Part::AnyText),
            '_' if !is_escaped => self.0.push(Part::AnyChar),
            c => self.0.extend(c.to_lowercase().map(Part::Char)),
        }
    }

    /// Whether the whole of `text` is like this pattern, without regard to case.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.to_lowercase().chars().collect();
        // `reached[n]`: the parts so far match the first n characters.
        let mut reached = vec![false; text.len() + 1];
        reached[0] = true;
        for part in &self.0 {
            let mut next = vec![false; text.len() + 1];
            for at in 0..=text.len() {
                next[at] = match part {
                    Part::AnyText => reached[at] || (at > 0 && next[at - 1]),
                    Part::AnyChar => at > 0 && reached[at - 1],
                    Part::Char(c) => at > 0 && reached[at - 1] && text[at - 1] == *c,
                };
            }
            reached = next;
        }
        reached[text.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_like_its_pattern() {
        for (pattern, text, is_like) in [
            ("", "", true),
            ("%", "", true),
            ("%", "anything", true),
            ("a%c", "ABBC", true),
            ("a%c", "abcd", false),
            ("%b%", "abc", true),
            ("_", "", false),
            ("_b_", "abc", true),
            ("%a%a%", "a", false),
            ("abc", "abc ", false),
        ] {
            let mut read = Pattern::default();
            pattern.chars().for_each(|c| read.push(c, false));
            assert_eq!(read.matches(text), is_like, "{pattern} and {text}");
        }
        let mut literal = Pattern::default();
        literal.push('%', true);
        assert!(literal.matches("%") && !literal.matches("x"));
    }
}
