//! What of a call can be found: its names, numbers and ids, its analysis, and what was said.
//!
//! A long call has several parts, because neither database keeps the places of very many words in one row. What is
//! short, such as names and the summary, stands in each part. So a name and a word of the transcript are found together
//! wherever the word stands.

use crate::analysis::Analysis;
use crate::call::{CallDetails, CallId};
use crate::transcript::Transcript;

use super::words::words;

/// PostgreSQL keeps 16,383 places in a row, and 256 places of a word. In a part of this many words even the most
/// frequent word of a language has fewer.
const PART_WORDS: usize = 4000;
/// PostgreSQL keeps less than 1 MB of words in a row.
const PART_BYTES: usize = 200_000;
/// What stands in each part has at most this many words.
const HEADER_WORDS: usize = 1500;
/// What comes after this many parts is not found. It is about 40 hours of speech.
const MAX_PARTS: usize = 100;
/// The shortest end of a telephone number by which the number is found.
const SHORTEST_NUMBER: usize = 6;

/// What identifies a call.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    pub id: CallId,
    pub source: &'a str,
    pub external_id: &'a str,
    pub details: &'a CallDetails,
}

/// All words by which a call is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    pub parts: Vec<Part>,
}

/// The texts of a part, each as its words. A phrase is never found across two texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub texts: Vec<Vec<String>>,
    words: usize,
    bytes: usize,
}

impl Part {
    fn add(&mut self, words: Vec<String>) {
        if !words.is_empty() {
            self.words += words.len();
            self.bytes += words.iter().map(String::len).sum::<usize>();
            self.texts.push(words);
        }
    }

    fn is_full(&self) -> bool {
        self.words >= PART_WORDS || self.bytes >= PART_BYTES
    }
}

impl Document {
    /// `transcript` is the one with what people said about its speakers.
    pub fn of(header: Header<'_>, transcript: Option<&Transcript>, analysis: Option<&Analysis>) -> Self {
        let mut everywhere = Part::default();
        identify(&mut everywhere, header);
        for speaker in transcript.iter().flat_map(|transcript| speakers(transcript)) {
            add_bounded(&mut everywhere, speaker);
        }
        for text in analysis.iter().flat_map(|analysis| texts_of(analysis)) {
            add_bounded(&mut everywhere, text);
        }
        let mut parts = Vec::new();
        let mut part = everywhere.clone();
        for segment in transcript.iter().flat_map(|transcript| &transcript.segments) {
            for piece in in_words(&segment.text).chunks(PART_WORDS / 4) {
                if part.is_full() {
                    parts.push(std::mem::replace(&mut part, everywhere.clone()));
                }
                part.add(piece.to_vec());
            }
            if parts.len() >= MAX_PARTS {
                return Self { parts };
            }
        }
        parts.push(part);
        Self { parts }
    }
}

fn in_words(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| word.text).collect()
}

fn add_bounded(part: &mut Part, text: &str) {
    let room = HEADER_WORDS.saturating_sub(part.words);
    if room > 0 && part.bytes < PART_BYTES / 2 {
        let mut words = in_words(text);
        words.truncate(room);
        part.add(words);
    }
}

fn identify(part: &mut Part, header: Header<'_>) {
    let Header { id, source, external_id, details } = header;
    for text in [source, external_id, &id.to_string()] {
        add_bounded(part, text);
    }
    let phones = details.participants.iter().map(|who| &who.phone);
    let own = [&details.from_number, &details.to_number, &details.agent_phone];
    for number in own.into_iter().chain(phones).flatten() {
        add_bounded(part, number);
        part.add(ends_of(number));
    }
    let own = [
        &details.agent_name,
        &details.agent_email,
        &details.agent_slack_handle,
        &details.department,
        &details.customer_segment,
        &details.topic,
    ];
    let people = details.participants.iter().flat_map(|who| [&who.name, &who.email]);
    for text in own.into_iter().chain(people).flatten() {
        add_bounded(part, text);
    }
}

/// The ends of a number. So a number is found with and without the code of its country, and by its last digits.
fn ends_of(number: &str) -> Vec<String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).take(20).collect();
    let last = digits.len().saturating_sub(SHORTEST_NUMBER);
    if digits.len() < SHORTEST_NUMBER {
        return Vec::new();
    }
    (0..=last).map(|from| digits[from..].to_owned()).collect()
}

/// The names of the speakers, each once.
fn speakers(transcript: &Transcript) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in transcript.segments.iter().filter_map(|segment| segment.name()) {
        if !names.contains(&name) && names.len() < 100 {
            names.push(name);
        }
    }
    names
}

fn texts_of(analysis: &Analysis) -> impl Iterator<Item = &str> {
    let facts = analysis.contacts.iter().flat_map(|contact| &contact.facts);
    std::iter::once(&analysis.summary)
        .chain(&analysis.concern)
        .chain(&analysis.topics)
        .chain(&analysis.key_points)
        .chain(analysis.action_items.iter().map(|item| &item.text))
        .chain(&analysis.customer_requests)
        .chain(facts.map(|fact| &fact.value))
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::WorkspaceId;
    use crate::transcript::Segment;

    fn said(texts: &[&str]) -> Transcript {
        let segment = |text: &&str| Segment {
            id: 1,
            speaker: Some("Dana Ortiz".into()),
            role: None,
            start_ms: None,
            end_ms: None,
            text: (*text).to_owned(),
            confidence: None,
        };
        Transcript { segments: texts.iter().map(segment).collect(), ..Transcript::default() }
    }

    fn document(details: &CallDetails, transcript: Option<&Transcript>) -> Document {
        let id = CallId::derive(WorkspaceId::DEFAULT, "exotel", "CALL-1");
        Document::of(Header { id, source: "exotel", external_id: "CALL-1", details }, transcript, None)
    }

    #[test]
    fn a_call_is_found_by_its_ids_its_numbers_in_parts_and_its_speakers() {
        let details = CallDetails { from_number: Some("+1 (202) 555-0131".into()), ..CallDetails::default() };
        let found = document(&details, Some(&said(&["Hello there."])));
        let texts = &found.parts[0].texts;
        for text in
            [&["call", "1"][..], &["dana", "ortiz"], &["hello", "there"], &["1", "202", "555", "0131"]]
        {
            assert!(texts.iter().any(|words| words == text), "{text:?}: {texts:?}");
        }
        let ends = texts.iter().find(|words| words.contains(&"550131".to_owned())).unwrap();
        assert_eq!((ends.len(), ends[0].as_str()), (6, "12025550131"));
    }

    #[test]
    fn a_long_call_has_several_parts_and_each_names_the_call() {
        let sentence = "one two three four five six seven eight nine ten ".repeat(100);
        let found = document(&CallDetails::default(), Some(&said(&[sentence.as_str(); 10])));
        assert_eq!(found.parts.len(), 3);
        assert!(found.parts.iter().all(|part| part.texts.contains(&vec!["call".into(), "1".into()])));
        let words: usize = found.parts.iter().flat_map(|part| &part.texts).map(Vec::len).sum();
        let of_header =
            found.parts[0].texts.iter().take_while(|text| text[0] != "one").map(Vec::len).sum::<usize>();
        assert_eq!(words, 10_000 + 3 * of_header);
    }

    #[test]
    fn a_call_without_a_transcript_has_one_part() {
        assert_eq!(document(&CallDetails::default(), None).parts.len(), 1);
    }
}
