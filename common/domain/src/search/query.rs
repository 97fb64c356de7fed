//! What a person looks for.
//!
//! Words stand for themselves, and a call must have all of them. Words in quotes must stand side by side. A `*` behind a
//! word means every word that begins so. A blank-free text of several words, such as `CALL-1` or an e-mail address, is
//! read as if it stood in quotes. Digits that look like a telephone number are also looked for as one number.

use super::words::{Word, words};

const MAX_CHARS: usize = 400;
const MAX_CLAUSES: usize = 16;
const MAX_WORDS: usize = 64;
/// The digits of a telephone number. A shorter one is looked for as ordinary words.
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// The shortest beginning of a word that can be looked for. A shorter one would stand for half of all words.
const SHORTEST_BEGINNING: usize = 2;

/// Why a query cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("has no letter and no digit")]
    Empty,
    #[error(
        "is longer than {MAX_CHARS} characters, {MAX_CLAUSES} words or quotes, or {MAX_WORDS} words in quotes"
    )]
    TooLong,
    #[error("must have at least {SHORTEST_BEGINNING} letters or digits before `*`")]
    BeginningTooShort,
}

/// What a call must have: something of each clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    clauses: Vec<Clause>,
}

/// One of these phrases must be there.
pub type Clause = Vec<Phrase>;

/// Words that stand side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    pub words: Vec<String>,
    /// The last word stands for every word that begins so.
    pub is_beginning: bool,
}

impl Query {
    pub fn read(text: &str) -> Result<Self, QueryError> {
        if text.chars().count() > MAX_CHARS {
            return Err(QueryError::TooLong);
        }
        let pieces = pieces(text);
        let mut clauses = Vec::new();
        let mut at = 0;
        while let Some(piece) = pieces.get(at) {
            let together = pieces[at..].iter().take_while(|piece| piece.is_number_like()).count();
            if let Some(clause) = number(&pieces[at..at + together]) {
                clauses.push(clause);
                at += together;
            } else {
                clauses.extend(piece.phrase()?.map(|phrase| vec![phrase]));
                at += 1;
            }
        }
        let words: usize = clauses.iter().flatten().map(|phrase| phrase.words.len()).sum();
        match clauses.len() {
            0 => Err(QueryError::Empty),
            many if many > MAX_CLAUSES || words > MAX_WORDS => Err(QueryError::TooLong),
            _ => Ok(Self { clauses }),
        }
    }

    /// Each of these must be there.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Where `text` has something of the query, and how many of its clauses it has. The places are in bytes, in their
    /// order, and do not overlap.
    pub fn find(&self, text: &str) -> (Vec<(usize, usize)>, usize) {
        let words = words(text);
        let mut places = Vec::new();
        let mut clauses = 0;
        for clause in &self.clauses {
            let before = places.len();
            places.extend(clause.iter().flat_map(|phrase| phrase.places(&words)));
            clauses += usize::from(places.len() > before);
        }
        (joined(places), clauses)
    }
}

impl Phrase {
    /// Where the phrase stands among `words`.
    fn places<'a>(&'a self, words: &'a [Word]) -> impl Iterator<Item = (usize, usize)> + 'a {
        words.windows(self.words.len()).filter(|window| self.is(window)).map(|window| {
            let end = window.iter().map(|word| word.end).max().unwrap_or_default();
            (window[0].start, end)
        })
    }

    fn is(&self, window: &[Word]) -> bool {
        let last = self.words.len() - 1;
        self.words.iter().zip(window).enumerate().all(|(at, (wanted, word))| {
            if at == last && self.is_beginning { word.text.starts_with(wanted) } else { word.text == *wanted }
        })
    }
}

/// Overlapping places as one. The pairs of a script without blanks overlap.
fn joined(mut places: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    places.sort_unstable();
    let mut joined: Vec<(usize, usize)> = Vec::with_capacity(places.len());
    for (start, end) in places {
        match joined.last_mut().filter(|last| start <= last.1) {
            Some(last) => last.1 = last.1.max(end),
            None => joined.push((start, end)),
        }
    }
    joined
}

/// A blank-free text, or what stands in quotes.
struct Piece<'a> {
    text: &'a str,
    is_quoted: bool,
}

impl Piece<'_> {
    fn is_number_like(&self) -> bool {
        let marks = |c: char| c.is_numeric() || "+()-./\u{2010}\u{2011}".contains(c);
        !self.is_quoted && self.text.chars().all(marks) && self.text.chars().any(char::is_numeric)
    }

    /// What the piece asks for, if it asks for anything.
    fn phrase(&self) -> Result<Option<Phrase>, QueryError> {
        let mut words = words(self.text);
        let asks_for_beginning = self.text.trim_end().ends_with('*');
        let Some(last) = words.last() else { return Ok(None) };
        let (is_tail, chars) = (last.is_tail, last.text.chars().count());
        if is_tail && words.len() > 1 && words[words.len() - 2].end == last.end {
            // The pair before it holds this character already, and in a longer text it is no tail.
            words.pop();
        } else if asks_for_beginning && !is_tail && chars < SHORTEST_BEGINNING {
            return Err(QueryError::BeginningTooShort);
        }
        let is_beginning = asks_for_beginning || words.last().is_some_and(|word| word.is_tail);
        Ok(Some(Phrase { words: words.into_iter().map(|word| word.text).collect(), is_beginning }))
    }
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let is_quote = |c: char| matches!(c, '"' | '“' | '”' | '„' | '«' | '»' | '「' | '」');
    let mut pieces = Vec::new();
    let mut is_quoted = false;
    for (at, part) in text.split(is_quote).enumerate() {
        is_quoted = at > 0 && !is_quoted;
        if is_quoted {
            pieces.push(Piece { text: part, is_quoted });
        } else {
            pieces.extend(part.split_whitespace().map(|text| Piece { text, is_quoted }));
        }
    }
    pieces
}

/// A telephone number that was written with or without blanks, or the same text as ordinary words.
fn number(pieces: &[Piece<'_>]) -> Option<Clause> {
    let text = pieces.iter().map(|piece| piece.text).collect::<Vec<_>>().join(" ");
    let words = words(&text);
    let digits: String = words.iter().map(|word| word.text.as_str()).collect();
    // What is dialled before a number within a country, or to leave it, is no part of the number.
    let digits = digits.trim_start_matches('0');
    let is_number = NUMBER_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| {
        let number = Phrase { words: vec![digits.to_owned()], is_beginning: true };
        let as_written =
            Phrase { words: words.into_iter().map(|word| word.text).collect(), is_beginning: false };
        vec![number, as_written]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let show = |phrase: &Phrase| {
            format!("{}{}", phrase.words.join("+"), if phrase.is_beginning { "*" } else { "" })
        };
        match Query::read(text) {
            Ok(query) => {
                let clauses = query.clauses().iter();
                clauses
                    .map(|clause| clause.iter().map(show).collect::<Vec<_>>().join("|"))
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn words_quotes_and_beginnings_are_told_apart() {
        assert_eq!(shown("Refund \"next Friday\" cancel*"), "refund next+friday cancel*");
        assert_eq!(shown("“Thank you” «два слова»"), "thank+you два+слова");
        assert_eq!(shown("CALL-1 dana@example.com"), "call+1 dana+example+com");
        assert_eq!(shown("\"without an end"), "without+an+end");
    }

    #[test]
    fn a_text_without_blanks_is_a_phrase_of_pairs_and_one_character_is_a_beginning() {
        assert_eq!(shown("東京都"), "東京+京都");
        assert_eq!(shown("東"), "東*");
        assert_eq!(shown("「返金 2024」"), "返金+金+2024");
    }

    #[test]
    fn a_telephone_number_is_found_in_any_spelling_and_still_as_words() {
        assert_eq!(shown("+1 (202) 555-0131"), "12025550131*|1+202+555+0131");
        assert_eq!(shown("020 7946 0123 refund"), "2079460123*|020+7946+0123 refund");
        assert_eq!(shown("call 42"), "call 42");
    }

    #[test]
    fn what_cannot_be_looked_for_is_said() {
        assert_eq!(shown("… !"), QueryError::Empty.to_string());
        assert_eq!(shown("a*"), QueryError::BeginningTooShort.to_string());
        assert_eq!(shown(&"word ".repeat(17)), QueryError::TooLong.to_string());
        assert_eq!(shown(&"x".repeat(401)), QueryError::TooLong.to_string());
    }

    #[test]
    fn the_places_in_a_text_do_not_overlap_and_count_each_clause_once() {
        let query = Query::read("refund* \"next friday\" missing").unwrap();
        let text = "Refunds come next Friday. A refund!";
        let (places, clauses) = query.find(text);
        let found: Vec<&str> = places.iter().map(|(start, end)| &text[*start..*end]).collect();
        assert_eq!((found, clauses), (vec!["Refunds", "next Friday", "refund"], 2));
        let (places, _) = Query::read("東京都").unwrap().find("昨日東京都で");
        assert_eq!(places, [("昨日".len(), "昨日東京都".len())]);
    }
}
