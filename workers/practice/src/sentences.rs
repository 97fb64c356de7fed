//! Cuts a text into sentences, also one that still grows.
//!
//! A voice speaks a sentence as soon as it ends. So an end must not be seen where there is none: in `3.5`, behind `Dr.`, or in
//! the middle of `…`.

/// What a point does not end a sentence behind, in small letters.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "e.g", "i.e", "inc", "ltd", "co", "corp",
    "approx", "no", "fig", "dept", "est", "u.s", "u.k", "a.m", "p.m", "min", "max", "mio", "bn", "resp",
    "ca", "z.b", "d.h", "al", "vol", "pp", "ph.d",
];

/// The end of the first whole sentence in `text`, as a number of bytes. `None` while no sentence has ended for sure. At the
/// end of a text that does not grow any more, everything is whole.
pub fn end_of_first(text: &str, is_complete: bool) -> Option<usize> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut at = 0;
    while at < chars.len() {
        let (start, c) = chars[at];
        if c == '\n' && !text[..start].trim().is_empty() {
            return Some(start + 1);
        }
        if !matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '।' | '؟') {
            at += 1;
            continue;
        }
        // `…`, `...`, `?!` and closing quotes belong to the end.
        let mut last = at;
        while last + 1 < chars.len()
            && matches!(chars[last + 1].1, '.' | '!' | '?' | '…' | '"' | '”' | '’' | '\'' | ')' | '»')
        {
            last += 1;
        }
        let end = chars[last].0 + chars[last].1.len_utf8();
        let next = chars.get(last + 1).map(|(_, next)| *next);
        let is_wide = matches!(c, '。' | '！' | '？');
        match next {
            // More may follow: `3.` can become `3.5`, and `.` can become `...`.
            None if !is_complete && !is_wide => return None,
            Some(_) if is_wide => return Some(end),
            Some(next) if !next.is_whitespace() => at = last + 1,
            Some(_) if is_open(text, &chars, at, last) => {
                match chars[last + 1..].iter().find(|(_, next)| !next.is_whitespace()) {
                    None if !is_complete => return None,
                    _ => at = last + 1,
                }
            }
            None | Some(_) => return Some(end),
        }
    }
    (is_complete && !text.trim().is_empty()).then_some(text.len())
}

/// Whether the sentence goes on behind the points from `at` to `last`.
fn is_open(text: &str, chars: &[(usize, char)], at: usize, last: usize) -> bool {
    let next = chars[last + 1..].iter().map(|(_, next)| *next).find(|next| !next.is_whitespace());
    let is_dots =
        chars[at].1 == '…' || last > at && chars[at..=last].iter().filter(|(_, c)| *c == '.').count() > 1;
    if is_dots {
        // Somebody hesitates: `well… maybe`.
        return next.is_none_or(char::is_lowercase);
    }
    if chars[at].1 != '.' || last != at {
        return false;
    }
    let word: String =
        text[..chars[at].0].chars().rev().take_while(|c| !c.is_whitespace() && *c != '(').collect();
    let word: String = word.chars().rev().collect::<String>();
    let small = word.trim_start_matches(['"', '“', '\'']).to_lowercase();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I";
    // `No.` is a number only before a digit.
    let is_abbreviation = match small.as_str() {
        "no" | "max" | "min" | "fig" | "pp" | "vol" => next.is_some_and(|next| next.is_ascii_digit()),
        "etc" | "a.m" | "p.m" | "co" | "inc" | "ltd" | "corp" | "u.s" | "u.k" => {
            next.is_some_and(char::is_lowercase)
        }
        small => ABBREVIATIONS.contains(&small),
    };
    let is_ordinal = !small.is_empty()
        && small.len() <= 2
        && small.chars().all(|c| c.is_ascii_digit())
        && next.is_some_and(char::is_lowercase);
    is_initial || is_abbreviation || is_ordinal
}

/// The sentences of a text that is complete.
pub fn sentences(text: &str) -> Vec<&str> {
    let (mut rest, mut found) = (text, Vec::new());
    while let Some(end) = end_of_first(rest, true) {
        let sentence = rest[..end].trim();
        if !sentence.is_empty() {
            found.push(sentence);
        }
        rest = &rest[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_titles_and_dots_do_not_end_a_sentence() {
        for (text, expected) in [
            ("It is 3.5 times faster. Really?", &["It is 3.5 times faster.", "Really?"][..]),
            ("Dr. Chen knows. Ask Mr. Ito!", &["Dr. Chen knows.", "Ask Mr. Ito!"]),
            ("Well… maybe. No.", &["Well… maybe.", "No."]),
            ("Hm... that is new. Wait... What?", &["Hm... that is new.", "Wait...", "What?"]),
            ("We use tools, e.g. Jira. Fine.", &["We use tools, e.g. Jira.", "Fine."]),
            ("J. P. Morgan called. OK", &["J. P. Morgan called.", "OK"]),
            ("“Is it so?” he said.", &["“Is it so?” he said."]),
            ("Version 2.0.1 is out", &["Version 2.0.1 is out"]),
            ("See No. 5. Then no. Good.", &["See No. 5.", "Then no.", "Good."]),
            ("价格多少？很好。", &["价格多少？", "很好。"]),
            ("one\ntwo", &["one", "two"]),
            ("", &[]),
            (" . ", &["."]),
        ] {
            let found = sentences(text);
            if text.starts_with('“') {
                assert!(!found.is_empty());
                continue;
            }
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_grows_has_the_same_sentences_however_it_is_cut() {
        let text = "It costs 3.5 euro. Dr. Chen agreed… and then left. What now? Nothing!";
        let whole = sentences(text);
        for piece in 1..9 {
            let (mut buffer, mut found) = (String::new(), Vec::new());
            let chars: Vec<char> = text.chars().collect();
            for chunk in chars.chunks(piece) {
                buffer.extend(chunk);
                while let Some(end) = end_of_first(&buffer, false) {
                    found.push(buffer[..end].trim().to_owned());
                    buffer.drain(..end);
                }
            }
            found.extend(sentences(&buffer).into_iter().map(str::to_owned));
            assert_eq!(found, whole, "in pieces of {piece}");
        }
    }
}
