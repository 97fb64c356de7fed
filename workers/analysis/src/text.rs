//! Words, sentences and the folded form in which two spellings of the same words are equal.

use unicode_segmentation::UnicodeSegmentation as _;

/// After these a full stop does not end a sentence.
const ABBREVIATIONS: [&str; 18] = [
    "mr.", "mrs.", "ms.", "dr.", "st.", "no.", "vs.", "inc.", "ltd.", "co.", "corp.", "e.g.", "i.e.", "a.m.",
    "p.m.", "approx.", "ext.", "jr.",
];

/// The sentences of `text`, trimmed, in order; blank ones are left out.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, piece) in text.split_sentence_bound_indices() {
        let end = at + piece.len();
        if end < text.len() && ends_in_abbreviation(&text[start..end]) {
            continue;
        }
        let sentence = text[start..end].trim();
        if !sentence.is_empty() {
            found.push(sentence);
        }
        start = end;
    }
    found
}

fn ends_in_abbreviation(text: &str) -> bool {
    let last = text.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    ABBREVIATIONS.contains(&last.trim_start_matches('('))
}

/// Words as people count them: what stands between blanks and holds a letter or a digit is one word, so
/// `202-555-0147` and `forty-five` are one each. Scripts that write no blanks (Han, kana, Thai, Lao, Khmer,
/// Burmese) are counted by the word boundaries of UAX #29.
pub(crate) fn count_words(text: &str) -> usize {
    text.split_whitespace()
        .map(|token| {
            if token.chars().any(is_unspaced) {
                token.unicode_words().count()
            } else {
                usize::from(token.chars().any(char::is_alphanumeric))
            }
        })
        .sum()
}

fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Sentences that end in a question mark. Several marks in a row (`?!`, `??`) are one, and a mark inside
/// a word (the query of a URL) is none.
pub(crate) fn count_questions(text: &str) -> usize {
    let mut questions = 0;
    let mut marks = text.chars().peekable();
    while let Some(c) = marks.next() {
        if !is_mark(c) {
            continue;
        }
        let mut asks = is_question(c);
        let mut wide = c != '?';
        while let Some(next) = marks.next_if(|next| is_mark(*next)) {
            asks |= is_question(next);
            wide |= next != '?';
        }
        let ends =
            marks.peek().is_none_or(|next| !next.is_alphanumeric() && !matches!(next, '=' | '&' | '/'));
        questions += usize::from(asks && (wide || ends));
    }
    questions
}

fn is_question(c: char) -> bool {
    matches!(c, '?' | '？' | '؟' | '՞')
}

fn is_mark(c: char) -> bool {
    is_question(c) || matches!(c, '!' | '！')
}

/// Lower-case words without punctuation, and with straight apostrophes inside: `Won’t, Tom.` is
/// `["won't", "tom"]`. A hyphen, a dot or an at sign parts words.
pub(crate) fn folded(text: &str) -> Vec<String> {
    let straight: String = text
        .chars()
        .map(|c| if matches!(c, '’' | '‘' | 'ʼ' | '`' | '´') { '\'' } else { c })
        .flat_map(char::to_lowercase)
        .collect();
    straight
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether `words` stand in `text` one after the other; never true for no words.
pub(crate) fn contains(text: &[String], words: &[String]) -> bool {
    !words.is_empty() && text.windows(words.len()).any(|window| window == words)
}

/// `text` cut to `most` characters, at the end of a word where there is one, with ` …` where it was cut.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text.to_owned() };
    let cut = &text[..end];
    let whole = cut.rfind(char::is_whitespace).map_or(cut, |at| &cut[..at]);
    format!("{} …", whole.trim_end())
}

/// Blanks and control characters in a row become one blank.
pub(crate) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_hyphenated_word_are_one_word_and_a_dash_is_none() {
        assert_eq!(count_words("Forty-five at 202-555-0147 - maybe."), 4);
        assert_eq!(count_words("  \n "), 0);
    }

    #[test]
    fn scripts_without_blanks_are_counted_by_word_boundaries() {
        assert!(count_words("これはペンです") > 1);
    }

    #[test]
    fn every_sentence_with_a_question_mark_is_a_question_once() {
        assert_eq!(count_questions("Can it? It can. Really?! Yes?? No"), 3);
        assert_eq!(count_questions("see https://example.com/?a=1"), 0);
        assert_eq!(count_questions("いくらですか？はい。"), 1);
    }

    #[test]
    fn an_abbreviation_does_not_end_a_sentence() {
        assert_eq!(
            sentences("Ask Dr. Meyer at two p.m. Central. He knows."),
            ["Ask Dr. Meyer at two p.m. Central.", "He knows."]
        );
    }

    #[test]
    fn curly_and_straight_spellings_fold_to_the_same_words() {
        assert_eq!(folded("I won’t,  Tom."), folded("i WON'T tom"));
    }

    #[test]
    fn a_cut_ends_at_a_word() {
        assert_eq!(shortened("one two three", 9), "one two …");
        assert_eq!(shortened("one", 9), "one");
    }
}
