//! Facts that people say about themselves: addresses, telephone numbers, their titles and their companies.

use crate::openai::prompt::{Line, sentences};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Email,
    Phone,
    MobilePhone,
    Title,
    Company,
    Street,
    City,
    State,
    PostalCode,
}

/// A value, and the words that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact<'a> {
    kind: Kind,
    pub(super) value: String,
    pub(super) quote: &'a str,
    /// The number of the line in which the quote stands.
    pub(super) line: u64,
}

impl Fact<'_> {
    /// Whether `name` is what a schema calls this kind of fact.
    pub(super) fn is_a(&self, name: &str) -> bool {
        let name = name.to_lowercase().replace(['_', '-'], "");
        match self.kind {
            Kind::Email => name.contains("email"),
            Kind::Phone => name == "phone" || name == "phonenumber",
            Kind::MobilePhone => name == "mobilephone" || name == "mobile",
            Kind::Title => name == "title" || name == "jobtitle",
            Kind::Company => name == "company" || name == "accountname" || name == "organization",
            Kind::Street => name == "street" || name == "mailingstreet",
            Kind::City => name == "city" || name == "mailingcity",
            Kind::State => name == "state" || name == "mailingstate",
            Kind::PostalCode => name.contains("postalcode") || name == "zip",
        }
    }
}

/// Returns the facts in one line.
pub(super) fn facts_in<'a>(line: &'a Line<'a>) -> impl Iterator<Item = Fact<'a>> {
    sentences(line.text).filter(|quote| !is_about_others(quote)).flat_map(move |quote| {
        let fact = move |(kind, value)| Fact { kind, value, quote, line: line.number };
        let email = written_email(quote).or_else(|| spoken_email(quote)).map(|value| (Kind::Email, value));
        let is_mobile = ["mobile", "cell"].iter().any(|word| quote.contains(word));
        let kind = if is_mobile { Kind::MobilePhone } else { Kind::Phone };
        let phone = phone(quote).map(|value| (kind, value));
        let (title, company) = position(quote);
        let title = title.map(|value| (Kind::Title, value));
        let company = company.map(|value| (Kind::Company, value));
        [email, phone, title, company].into_iter().flatten().chain(address(quote)).map(fact)
    })
}

/// Whether a sentence is about somebody else, as `send it to Dana` and `her number` are.
fn is_about_others(sentence: &str) -> bool {
    let words: Vec<&str> = sentence.split_whitespace().map(bare).collect();
    let is_name = |word: &str| word.starts_with(char::is_uppercase) && !word.contains('@');
    words.iter().any(|word| ["his", "her", "him", "their", "them"].contains(word))
        || words.windows(2).any(|pair| pair[0] == "to" && is_name(pair[1]))
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Reads an address like `odile@marchetti.example.com`.
fn written_email(sentence: &str) -> Option<String> {
    let is_address =
        |word: &&str| word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    sentence.split_whitespace().map(bare).find(is_address).map(str::to_lowercase)
}

/// Reads an address like `odile at marchetti dot example dot com`.
fn spoken_email(sentence: &str) -> Option<String> {
    let words: Vec<&str> = sentence.split_whitespace().map(bare).collect();
    let at = (1..words.len()).find(|nth| words[*nth] == "at" && words.get(nth + 2) == Some(&"dot"))?;
    let mut host = vec![*words.get(at + 1)?];
    let mut next = at + 2;
    while words.get(next) == Some(&"dot") {
        host.push(words.get(next + 1)?);
        next += 2;
    }
    let mut start = at - 1;
    while start >= 2 && words[start - 1] == "dot" {
        start -= 2;
    }
    let name: Vec<&str> = words[start..at].iter().copied().filter(|word| *word != "dot").collect();
    Some(format!("{}@{}", name.join("."), host.join(".")).to_lowercase())
}

/// Returns the first run of characters that is written like a telephone number and has at least seven digits.
fn phone(sentence: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')');
    let is_number = |run: &&str| (7..=15).contains(&run.chars().filter(char::is_ascii_digit).count());
    sentence.split(|c| !is_part(c)).map(|run| run.trim_matches([' ', '-'])).find(is_number).map(str::to_owned)
}

/// Returns the title and the company in a sentence like `I'm the head of sales at Nagy Foods` or `I'm Ada Nagy, head of
/// sales at Nagy Foods`.
fn position(sentence: &str) -> (Option<String>, Option<String>) {
    let starts = ["I'm ", "I’m ", "I am ", "My name is ", "my name is "];
    let claimed = starts.iter().find_map(|start| sentence.split_once(start)).map(|(_, rest)| rest);
    let Some(rest) = claimed.and_then(|rest| without_article(rest).or_else(|| after_name(rest))) else {
        return (None, None);
    };
    let Some((title, rest)) = rest.split_once(" at ") else { return (None, None) };
    let is_title = !title.contains(',') && title.split(' ').count() <= 8;
    let company: Vec<&str> =
        rest.split(' ').take_while(|word| word.starts_with(|c: char| c.is_uppercase() || c == '&')).collect();
    let company = company.join(" ");
    let company = company.split([',', '.', '!', '?']).next().unwrap_or_default();
    let value = |text: &str| (is_title && !text.is_empty() && text.len() <= 80).then(|| text.to_owned());
    (value(title), value(company))
}

/// Whether a sentence says who the speaker is.
pub(super) fn is_introduction(sentence: &str) -> bool {
    position(sentence).0.is_some()
}

fn without_article(text: &str) -> Option<&str> {
    ["the ", "a ", "an "].iter().find_map(|article| text.strip_prefix(article))
}

/// Returns what follows the name in a text like `Ada Nagy, head of sales`.
fn after_name(text: &str) -> Option<&str> {
    let (name, rest) = text.split_once(", ")?;
    let is_name =
        name.split(' ').count() <= 4 && name.split(' ').all(|word| word.starts_with(char::is_uppercase));
    is_name.then(|| without_article(rest).unwrap_or(rest))
}

const STREETS: [&str; 12] = [
    "Street",
    "Road",
    "Avenue",
    "Lane",
    "Drive",
    "Boulevard",
    "Way",
    "Court",
    "Place",
    "Square",
    "Terrace",
    "Quay",
];

/// Returns the parts of an address like `18 Mill Road, Astoria, Oregon, 97103`, as far as they were said.
fn address(sentence: &str) -> Vec<(Kind, String)> {
    let mut parts = sentence.split(", ").map(|part| part.trim_end_matches(['.', '!', '?']));
    let street = parts.find_map(|part| {
        let number = part.find(|c: char| c.is_ascii_digit())?;
        let street = &part[number..];
        STREETS.iter().any(|word| street.ends_with(word)).then(|| (Kind::Street, street.to_owned()))
    });
    let Some(street) = street else { return Vec::new() };
    let is_place = |part: &&str| part.starts_with(char::is_uppercase) && part.split(' ').count() <= 3;
    let mut rest = parts.peekable();
    let city = rest.next_if(is_place).map(|city| (Kind::City, city.to_owned()));
    let state = rest.next_if(is_place).map(|state| (Kind::State, state.to_owned()));
    let is_code =
        |part: &&str| (4..=10).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let code = rest.next_if(is_code).map(|code| (Kind::PostalCode, code.to_owned()));
    [Some(street), city, state, code].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let line = Line { number: 7, speaker: "Ada", text };
        facts_in(&line).map(|fact| fact.value).collect()
    }

    #[test]
    fn addresses_and_numbers_are_found_as_they_are_written_or_spoken() {
        assert_eq!(values("Write to Ada@Example.org."), ["ada@example.org"]);
        assert_eq!(values("It is ada dot nagy at example dot com."), ["ada.nagy@example.com"]);
        assert_eq!(values("It is odile at marchetti dot example dot com."), ["odile@marchetti.example.com"]);
        assert_eq!(values("Call +44 20 7946 0123, please."), ["+44 20 7946 0123"]);
    }

    #[test]
    fn a_title_and_a_company_are_found_with_and_without_a_name() {
        assert_eq!(
            values("And I'm Ada Nagy, Head of Sales at Nagy Foods, and we plan by hand."),
            ["Head of Sales", "Nagy Foods"]
        );
        assert_eq!(values("Ada Nagy, I'm the Head of Sales at Nagy Foods."), ["Head of Sales", "Nagy Foods"]);
        assert!(values("I'm late, we meet at Nagy Foods.").is_empty());
        assert!(values("I'm Ada, I came, I saw, we met at Nagy Foods.").is_empty());
    }

    #[test]
    fn an_address_is_found_as_far_as_it_is_said() {
        assert_eq!(
            values("And for paper, it's 4 Mill Road, Astoria, Oregon, 97103."),
            ["4 Mill Road", "Astoria", "Oregon", "97103"]
        );
        assert_eq!(values("We are at 4 Mill Road, please ring twice."), ["4 Mill Road"]);
    }

    #[test]
    fn a_sentence_that_proves_nothing_about_its_speaker_is_no_fact() {
        assert!(values("Send it to Dana, dana@example.org.").is_empty());
        assert!(values("I'm at home, 3 of 4 times.").is_empty());
        assert!(values("Look at this point, over there.").is_empty());
    }
}
