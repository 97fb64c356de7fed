//! The words of a text, in the form in which they are compared.
//!
//! A word is a run of letters, digits and marks. It is compared in lower case, in the compatibility form of Unicode
//! (NFKD), and without its accents: `Über`, `uber` and `ＵＢＥＲ` are one word. The vowel signs of Indian scripts and the
//! voice marks of kana are no accents, so they stay.
//!
//! Chinese, Japanese, Thai, Lao, Khmer and Burmese put no blanks between words. There each pair of neighbouring
//! characters is a word, and the last character of a run is one too. So every text of two characters or more that
//! stands in a run is found, and a single character is found as the beginning of a pair.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{canonical_combining_class, compose, is_combining_mark};

/// Longer words are cut. No word that a person looks for is so long.
const MAX_CHARS: usize = 64;

/// A word and where it stands in its text, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub start: usize,
    pub end: usize,
    /// The word is the last character of a run of a script without blanks. The pair before it holds it already.
    pub is_tail: bool,
}

/// A character in the form in which it is compared, and where the original stands.
struct Folded {
    char: char,
    start: usize,
    end: usize,
}

/// The words of `text`, in their order.
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut run: Vec<Folded> = Vec::new();
    let mut is_unspaced = false;
    for (start, original) in text.char_indices() {
        let end = start + original.len_utf8();
        if is_ignored(original) {
            if let Some(last) = run.last_mut() {
                last.end = end;
            }
            continue;
        }
        for char in original.to_lowercase().nfkd().flat_map(char::to_lowercase) {
            if is_later_jamo(char) {
                add_mark(&mut run, char, end);
            } else if is_combining_mark(char) {
                // A mark belongs to the character before it, and alone it is nothing.
                add_mark(&mut run, char, end);
            } else if char.is_alphanumeric() {
                if is_unspaced != is_of_unspaced_script(char) {
                    finish(&mut run, is_unspaced, &mut found);
                    is_unspaced = !is_unspaced;
                }
                run.push(Folded { char, start, end });
            } else {
                finish(&mut run, is_unspaced, &mut found);
            }
        }
    }
    finish(&mut run, is_unspaced, &mut found);
    found
}

/// Characters that stand inside a word and say nothing: joiners, the soft hyphen, the Arabic stroke that stretches a
/// word, and what chooses the look of a character.
fn is_ignored(char: char) -> bool {
    matches!(char, '\u{AD}' | '\u{640}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// The second and the third letter of a Korean syllable, which is taken apart and put together again.
fn is_later_jamo(char: char) -> bool {
    matches!(char, '\u{1160}'..='\u{11FF}')
}

fn add_mark(run: &mut Vec<Folded>, mark: char, end: usize) {
    /// Accents have higher classes than this. Vowel signs, nuktas, voice marks and viramas have not.
    const NO_ACCENT: u8 = 9;
    let Some(last) = run.last_mut() else { return };
    last.end = end;
    if canonical_combining_class(mark) > NO_ACCENT {
        return;
    }
    if let Some(composed) = compose(last.char, mark) {
        last.char = composed;
    } else {
        let start = last.start;
        run.push(Folded { char: mark, start, end });
    }
}

fn is_of_unspaced_script(char: char) -> bool {
    matches!(char,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

/// Makes the words of a run that has ended.
fn finish(run: &mut Vec<Folded>, is_unspaced: bool, found: &mut Vec<Word>) {
    if is_unspaced {
        let pairs = run.windows(2).map(|pair| Word {
            text: pair.iter().map(|folded| folded.char).collect(),
            start: pair[0].start,
            end: pair[1].end,
            is_tail: false,
        });
        found.extend(pairs);
        found.extend(run.last().map(|last| Word {
            text: last.char.into(),
            start: last.start,
            end: last.end,
            is_tail: true,
        }));
    } else if let (Some(first), Some(last)) = (run.first(), run.last()) {
        let text = run.iter().take(MAX_CHARS).map(|folded| folded.char).collect();
        found.push(Word { text, start: first.start, end: last.end, is_tail: false });
    }
    run.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn case_width_and_accents_do_not_matter() {
        assert_eq!(texts("Über ＵＢＥＲ uber, U\u{308}BER!"), ["uber"; 4]);
        assert_eq!(texts("İstanbul Ὀδυσσεύς Ё"), ["istanbul", "οδυσσευς", "е"]);
        assert_eq!(texts("ﬁne ㎞"), ["fine", "km"]);
    }

    #[test]
    fn a_word_ends_where_no_letter_and_no_digit_stands() {
        assert_eq!(
            texts("CALL-1, don't; a_b@example.com"),
            ["call", "1", "don", "t", "a", "b", "example", "com"]
        );
        assert_eq!(texts(" \u{301} … "), Vec::<String>::new());
    }

    #[test]
    fn the_vowel_signs_of_hindi_stay_and_the_points_of_arabic_and_hebrew_do_not() {
        assert_eq!(texts("हिन्दी की कि"), ["हिन्दी", "की", "कि"]);
        assert_eq!(texts("مُحَمَّد محمد محـــمد"), ["محمد"; 3]);
        assert_eq!(texts("أحمد احمد"), ["احمد"; 2]);
        assert_eq!(texts("שָׁלוֹם שלום"), ["שלום"; 2]);
    }

    #[test]
    fn a_script_without_blanks_gives_pairs_and_its_last_character() {
        assert_eq!(texts("東京都"), ["東京", "京都", "都"]);
        assert_eq!(texts("ガス ｶﾞｽ か\u{3099}"), ["ガス", "ス", "ガス", "ス", "が"]);
        assert_eq!(texts("iPhone15を買う"), ["iphone15", "を買", "買う", "う"]);
        assert_eq!(texts("한국어 문의"), ["한국어", "문의"]);
    }

    #[test]
    fn a_word_knows_where_it_stands_in_the_original() {
        let text = "Die Rückerstattung, 返金です";
        let shown: Vec<&str> = words(text).iter().map(|word| &text[word.start..word.end]).collect();
        assert_eq!(shown, ["Die", "Rückerstattung", "返金", "金で", "です", "す"]);
        let split = "u\u{308}ber";
        assert_eq!((words(split)[0].start, words(split)[0].end), (0, split.len()));
    }

    #[test]
    fn a_word_without_an_end_is_cut() {
        assert_eq!(words(&"x".repeat(10_000))[0].text.len(), MAX_CHARS);
    }
}
