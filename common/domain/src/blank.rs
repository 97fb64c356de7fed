//! Tells texts that show something from texts in which a reader would see nothing.

/// Whether a reader would see nothing in the text. Such a text is empty, or holds only spaces, control characters and
/// marks without width.
pub fn is_blank(text: &str) -> bool {
    let unseen = |c: char| matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}');
    text.chars().all(|c| c.is_whitespace() || c.is_control() || unseen(c))
}

/// Returns the text if it shows something.
pub fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !is_blank(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_nobody_sees_are_no_text() {
        for text in ["", "  ", " \u{200B}\n\u{0}", "\u{FEFF}"] {
            assert!(is_blank(text), "{text:?}");
        }
        assert!(!is_blank(" .\u{200B}"));
        assert_eq!(given(Some(&" \t".to_owned())), None);
        assert_eq!(given(Some(&"x".to_owned())), Some("x"));
    }
}
