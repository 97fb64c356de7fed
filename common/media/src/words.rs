//! Text on one line, as both the readers and the writers of transcripts need it.

/// The words of `text` on one line, with single spaces between them.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    append(&mut line, text);
    line
}

/// Adds the words of `text` to `line`, with single spaces between all of them.
pub(crate) fn append(line: &mut String, text: &str) {
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
}
