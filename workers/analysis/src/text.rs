//! Splits text into sentences and words, counts them, and folds words, so that two spellings of the same words are
//! equal.

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// A full stop at the end of these does not end a sentence.
const ABBREVIATIONS: [&str; 18] = [
    "mr.", "mrs.", "ms.", "dr.", "st.", "no.", "vs.", "inc.", "ltd.", "co.", "corp.", "e.g.", "i.e.", "a.m.",
    "p.m.", "approx.", "ext.", "jr.",
];

/// The sentences of `text` in their order, without spaces around them. Empty sentences are left out.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, piece) in text.split_sentence_bound_indices() {
        let end = at + piece.len();
        if end < text.len() && ends_in_abbreviation(&text[start..end]) {
            continue;
        }
        let sentence = text[start..end].trim();
        if !sentence.is_empty() {
            sentences.push(sentence);
        }
        start = end;
    }
    sentences
}

fn ends_in_abbreviation(text: &str) -> bool {
    let last = text.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    ABBREVIATIONS.contains(&last.trim_start_matches('('))
}

/// The number of words, as people count them. A text between spaces that holds a letter or a digit is one word, so
/// `202-555-0147` and `forty-five` are one word each. Some scripts do not put spaces between words (Han, kana, Thai,
/// Lao, Khmer, Burmese). Their words are counted by the word boundaries of UAX #29.
pub(crate) fn count_words(text: &str) -> usize {
    text.split_whitespace()
        .map(|token| {
            if token.chars().any(is_of_unspaced_script) {
                token.unicode_words().count()
            } else {
                usize::from(token.chars().any(char::is_alphanumeric))
            }
        })
        .sum()
}

fn is_of_unspaced_script(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// The number of sentences that end with a question mark. Several marks in a row (`?!`, `??`) count once. A mark
/// inside a word, as before the query of a URL, does not count.
pub(crate) fn count_questions(text: &str) -> usize {
    let mut questions = 0;
    let mut marks = text.chars().peekable();
    while let Some(c) = marks.next() {
        if !is_mark(c) {
            continue;
        }
        let mut is_asked = is_question(c);
        // Only a plain `?` can be a part of a URL.
        let mut other_than_plain = c != '?';
        while let Some(next) = marks.next_if(|next| is_mark(*next)) {
            is_asked |= is_question(next);
            other_than_plain |= next != '?';
        }
        let ends_a_word =
            marks.peek().is_none_or(|next| !next.is_alphanumeric() && !matches!(next, '=' | '&' | '/'));
        questions += usize::from(is_asked && (other_than_plain || ends_a_word));
    }
    questions
}

fn is_question(c: char) -> bool {
    matches!(c, '?' | '？' | '؟' | '՞')
}

fn is_mark(c: char) -> bool {
    is_question(c) || matches!(c, '!' | '！')
}

/// The words of `text` in lower case, without punctuation, and with straight apostrophes: `Won’t, Tom.` becomes
/// `["won't", "tom"]`. A hyphen, a dot or an at sign separates words. The two ways in which Unicode writes a letter with
/// a mark are one.
pub(crate) fn folded(text: &str) -> Vec<String> {
    let straight: String = text
        .nfc()
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

/// Whether `text` contains `words`, one after the other. It does not contain an empty list of words.
pub(crate) fn contains(text: &[String], words: &[String]) -> bool {
    !words.is_empty() && text.windows(words.len()).any(|window| window == words)
}

/// Cuts `text` to `max_chars` characters, if possible at the end of a word, and adds ` …` when it was longer.
pub(crate) fn shortened(text: &str, max_chars: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(max_chars) else { return text.to_owned() };
    let cut = &text[..end];
    let whole = cut.rfind(char::is_whitespace).map_or(cut, |at| &cut[..at]);
    format!("{} …", whole.trim_end())
}

/// The words of `text` on one line. Spaces and control characters in a row become a single space.
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
    fn a_number_and_a_word_with_a_hyphen_are_one_word_each_and_a_dash_is_no_word() {
        assert_eq!(count_words("Forty-five at 202-555-0147 - maybe."), 4);
        assert_eq!(count_words("  \n "), 0);
    }

    #[test]
    fn words_of_a_script_without_spaces_are_counted_by_word_boundaries() {
        assert!(count_words("これはペンです") > 1);
    }

    #[test]
    fn every_sentence_that_ends_with_question_marks_is_one_question() {
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
    fn curly_and_straight_apostrophes_fold_to_the_same_words() {
        assert_eq!(folded("I won’t,  Tom."), folded("i WON'T tom"));
    }

    #[test]
    fn a_text_is_shortened_at_the_end_of_a_word() {
        assert_eq!(shortened("one two three", 9), "one two …");
        assert_eq!(shortened("one", 9), "one");
    }
}
