//! How Slack keeps the text of a message: `&`, `<` and `>` are escaped, and what is escaped already stays as it is.
//! Links and mentions in angle brackets stay too.

/// The entities that Slack knows.
const ENTITIES: [&str; 3] = ["&amp;", "&lt;", "&gt;"];

/// The text as Slack keeps it. Doing this twice changes nothing.
pub(super) fn escaped(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>']) {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let whole = ENTITIES.iter().find(|entity| rest.starts_with(**entity)).map(|entity| entity.len());
        let (length, shown) = match whole.or_else(|| control_sequence(rest)) {
            Some(length) => (length, &rest[..length]),
            None => match rest.as_bytes()[0] {
                b'&' => (1, "&amp;"),
                b'<' => (1, "&lt;"),
                _ => (1, "&gt;"),
            },
        };
        kept.push_str(shown);
        rest = &rest[length..];
    }
    kept.push_str(rest);
    kept
}

/// The length of a link or a mention with which the text begins, such as `<https://example.com|here>` or `<@U012AB3CD>`.
fn control_sequence(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('<')?;
    let end = inside.find(['<', '>', '\n']).filter(|end| inside[*end..].starts_with('>'))?;
    let inside = &inside[..end];
    let is_link = ["http://", "https://", "mailto:", "tel:"].iter().any(|scheme| inside.starts_with(scheme));
    let is_mention = inside.starts_with(['@', '#', '!']) && inside.len() > 1;
    (is_link || is_mention).then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_escaped_once() {
        for (sent, kept) in [
            ("a & b < c > d", "a &amp; b &lt; c &gt; d"),
            ("a &amp; b &lt;c&gt;", "a &amp; b &lt;c&gt;"),
            ("AT&T &copy; &", "AT&amp;T &amp;copy; &amp;"),
            (
                "<https://example.com?a=1&b=2|here> & <@U01>",
                "<https://example.com?a=1&b=2|here> &amp; <@U01>",
            ),
            ("<!here> <b>bold</b>", "<!here> &lt;b&gt;bold&lt;/b&gt;"),
            ("1 < 2\n> quote", "1 &lt; 2\n&gt; quote"),
            ("ü<", "ü&lt;"),
        ] {
            assert_eq!(escaped(sent), kept);
            assert_eq!(escaped(kept), kept);
        }
    }
}
