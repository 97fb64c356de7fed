//! Makes the words of other people harmless in Slack's markup, without changing how they look.
//!
//! Slack knows three control characters, `& < >`. Written as entities, they can neither mention anybody nor make a
//! link. Slack also finds some things by itself: `@channel` where names are linked, web addresses, and three
//! backticks, which end a code block. The parameter `parse` could turn this off, but an incoming webhook ignores it.
//! So these texts are broken by a space without width, and a reader sees the same words.

use domain::blank::is_blank;

/// ZERO WIDTH SPACE.
const BREAK: char = '\u{200B}';
/// The names that notify everybody when they stand behind an `@`.
const EVERYBODY: [&str; 4] = ["channel", "here", "everyone", "group"];
/// The longest field of a message after escaping, in characters. Ten fields and the id of the call still leave most
/// of a message to the transcript.
const MAX_FIELD: usize = 150;
/// The longest id after escaping, in characters. Every id of a webhook (255 characters) fits, unless most of it is
/// markup.
const MAX_ID: usize = 300;

/// Puts the text on one line, and breaks everything that Slack would act on. The caller still has to escape `& < >`.
pub(crate) fn defuse(text: &str) -> String {
    let text = one_line(text);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_dangerous(&out, c, &text[at..]) {
            out.push(BREAK);
        }
        out.push(c);
    }
    out
}

/// Whether the end of `before` and the start of `rest` together make something that Slack acts on. `c` is the first
/// character of `rest`.
fn is_dangerous(before: &str, c: char, rest: &str) -> bool {
    match c {
        '`' => before.ends_with("``"),
        '/' => before.ends_with(':'),
        '.' => ends_with(before, "www"),
        _ => before.ends_with('@') && EVERYBODY.iter().any(|name| starts_with(rest, name)),
    }
}

fn starts_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn ends_with(text: &str, word: &str) -> bool {
    let start = text.len().checked_sub(word.len());
    start.and_then(|start| text.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
}

/// Turns line breaks into spaces. Otherwise somebody's words could look like lines of our own message.
fn one_line(text: &str) -> String {
    let flat: String = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect();
    flat.trim().to_owned()
}

/// Breaks addresses without a scheme (`example.com`). Words outside the code block need this after [`defuse`].
pub(crate) fn unlink(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let joins =
            out.ends_with(char::is_alphanumeric) && chars.peek().is_some_and(|next| next.is_alphabetic());
        if c == '.' && joins {
            out.push(BREAK);
        }
        out.push(c);
    }
    out
}

/// Writes Slack's three control characters as entities.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// How many Unicode characters `c` takes after [`escape`].
pub(crate) fn weight(c: char) -> usize {
    match c {
        '&' => "&amp;".len(),
        '<' | '>' => "&lt;".len(),
        _ => 1,
    }
}

/// A value of the message, escaped and not too long. `None` where a reader would see nothing.
pub(crate) fn field(text: &str) -> Option<String> {
    let text = defuse(text);
    (!is_blank(&text)).then(|| bounded(&text, MAX_FIELD))
}

/// As [`field`], for a value that stands between backticks. So backticks are removed from it.
pub(crate) fn id(text: &str) -> Option<String> {
    let text = defuse(&text.replace('`', "'"));
    (!is_blank(&text)).then(|| bounded(&text, MAX_ID))
}

fn bounded(text: &str, max: usize) -> String {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += weight(*c);
        used > max
    });
    match end {
        Some((end, _)) => format!("{} ...", escape(&text[..end])),
        None => escape(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        text.replace(BREAK, "")
    }

    #[test]
    fn markup_is_shown_and_not_obeyed() {
        assert_eq!(escape(&defuse("<!channel> & <@U1>")), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
    }

    #[test]
    fn nobody_is_called_by_a_name_for_everybody_in_any_spelling() {
        for name in ["@channel", "@HERE", "@Everyone", "x@group"] {
            let safe = defuse(name);
            assert_ne!(safe, name);
            assert_eq!(seen(&safe), name);
        }
        assert_eq!(defuse("@dana.ortiz"), "@dana.ortiz");
    }

    #[test]
    fn three_backticks_never_stand_together_however_many_there_are() {
        for count in 1..12 {
            let text = "`".repeat(count);
            assert!(!defuse(&text).contains("```"), "{count}");
            assert_eq!(seen(&defuse(&text)), text);
        }
    }

    #[test]
    fn an_address_is_shown_and_not_linked() {
        assert!(!defuse("https://evil.example/x").contains("://"));
        assert!(!defuse("WWW.evil.example").contains("WWW."));
        assert!(!unlink("see evil.example now").contains("evil.example"));
        assert_eq!(unlink("It costs 3.50. Really."), "It costs 3.50. Really.");
    }

    #[test]
    fn a_line_break_in_a_value_cannot_start_a_line_of_ours() {
        assert_eq!(field("Dana\r\n*Status:*\u{2028}x").unwrap(), "Dana  *Status:* x");
    }

    #[test]
    fn a_value_that_shows_nothing_is_missing() {
        assert_eq!(field(" \u{200B}\n\u{0}"), None);
        assert_eq!(field(""), None);
    }

    #[test]
    fn a_value_is_bounded_without_cutting_an_entity() {
        let text = field(&"&".repeat(1_000)).unwrap();
        assert_eq!(text, format!("{} ...", "&amp;".repeat(30)));
        assert_eq!(id(&"x".repeat(255)).unwrap().len(), 255);
    }

    #[test]
    fn an_id_cannot_leave_its_backticks() {
        assert_eq!(id("a`b").unwrap(), "a'b");
    }
}
