//! Finds the first words of the customer that say what the call is about.
//!
//! The customer is the person to whom the transcript or the list of participants gives that role. Where they name
//! only our people, everybody else is a customer. Where they name nobody, as after diarization, the first speaker is
//! the agent, because the agent picks up and tells a name. But where *we* called, the customer picks up with a short
//! greeting, and then the other voice is the agent.

use domain::call::{CallDetails, Direction, Role};
use domain::transcript::{Segment, Transcript};

/// The longest quote, in characters. A quote ends with a whole word, and ` ...` follows where something was left out.
const MAX_QUOTE: usize = 100;
/// How many words beyond greetings a turn needs to count as saying something.
const ENOUGH: usize = 3;

/// Words that open a conversation and do not say what it is about.
const OPENERS: [&str; 40] = [
    "hello",
    "hi",
    "hey",
    "hiya",
    "good",
    "morning",
    "afternoon",
    "evening",
    "day",
    "yes",
    "yeah",
    "yep",
    "yup",
    "no",
    "ok",
    "okay",
    "well",
    "right",
    "sure",
    "fine",
    "great",
    "thanks",
    "thank",
    "you",
    "please",
    "sorry",
    "sir",
    "madam",
    "ma'am",
    "maam",
    "miss",
    "mister",
    "namaste",
    "um",
    "uh",
    "er",
    "erm",
    "hmm",
    "oh",
    "so",
];

pub(crate) fn concern(
    transcript: &Transcript,
    details: &CallDetails,
    direction: Direction,
) -> Option<String> {
    let turns = customers(transcript, details, direction);
    let saying = |least| turns.iter().find(|turn| content_words(&turn.text) >= least);
    saying(ENOUGH).or_else(|| saying(1)).map(|turn| quote(from_what_says_something(&turn.text)))
}

fn customers<'a>(
    transcript: &'a Transcript,
    details: &CallDetails,
    direction: Direction,
) -> Vec<&'a Segment> {
    let turns = || transcript.segments.iter();
    if turns().any(|turn| side(turn, details) == Some(Side::Theirs)) {
        return turns().filter(|turn| side(turn, details) == Some(Side::Theirs)).collect();
    }
    if turns().any(|turn| side(turn, details) == Some(Side::Ours)) {
        return turns().filter(|turn| side(turn, details).is_none()).collect();
    }
    let Some(first) = turns().next() else { return Vec::new() };
    let Some(other) = turns().find(|turn| turn.speaker != first.speaker) else { return turns().collect() };
    let was_called = direction == Direction::Outgoing && content_words(&first.text) < ENOUGH;
    let agent = if was_called { other } else { first };
    turns().filter(|turn| turn.speaker != agent.speaker).collect()
}

#[derive(PartialEq)]
enum Side {
    Ours,
    Theirs,
}

fn side(turn: &Segment, details: &CallDetails) -> Option<Side> {
    let is_called = |name: Option<&String>| {
        let (speaker, name) = (turn.speaker.as_deref(), name.map(|name| name.trim()));
        speaker.zip(name).is_some_and(|(speaker, name)| speaker.trim().eq_ignore_ascii_case(name))
    };
    let is_among = |roles: &[Role]| {
        details.participants_as(roles).any(|participant| is_called(participant.name.as_ref()))
    };
    match turn.role {
        Some(Role::Customer) => Some(Side::Theirs),
        Some(Role::Agent | Role::Host) => Some(Side::Ours),
        _ if is_called(details.agent_name.as_ref()) || is_among(&[Role::Agent, Role::Host]) => {
            Some(Side::Ours)
        }
        _ if is_among(&[Role::Customer]) => Some(Side::Theirs),
        _ => None,
    }
}

fn content_words(text: &str) -> usize {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let says = |word: &String| !word.is_empty() && !OPENERS.contains(&word.as_str());
    text.split_whitespace().map(bare).filter(says).count()
}

/// Leaves out the sentences at the start that only greet.
fn from_what_says_something(text: &str) -> &str {
    let mut rest = text.trim();
    while let Some(end) = rest.find(['.', '!', '?']) {
        let (sentence, after) = rest.split_at(end + 1);
        if content_words(sentence) > 0 || content_words(after) == 0 {
            break;
        }
        rest = after.trim_start_matches(['.', '!', '?']).trim_start();
    }
    rest
}

fn quote(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((end, _)) = text.char_indices().nth(MAX_QUOTE) else { return text };
    let (start, rest) = text.split_at(end);
    let whole = match start.rfind(' ') {
        _ if rest.starts_with(' ') => start,
        Some(space) => &start[..space],
        // The text is one word that is longer than a quote may be.
        None => start,
    };
    format!("{whole} ...")
}

#[cfg(test)]
mod tests {
    use domain::call::Participant;

    use super::*;

    fn said(turns: &[(&str, &str)]) -> Transcript {
        let segment = |(speaker, text): &(&str, &str)| Segment {
            id: 0,
            speaker: Some((*speaker).to_owned()),
            role: match *speaker {
                "agent" => Some(Role::Agent),
                "customer" => Some(Role::Customer),
                _ => None,
            },
            start_ms: None,
            end_ms: None,
            text: (*text).to_owned(),
            confidence: None,
        };
        Transcript { language: None, segments: turns.iter().map(segment).collect(), ..Transcript::default() }
            .numbered()
    }

    fn incoming(turns: &[(&str, &str)]) -> Option<String> {
        concern(&said(turns), &CallDetails::default(), Direction::Incoming)
    }

    #[test]
    fn the_second_voice_of_an_unlabelled_call_is_the_customer() {
        let heard = incoming(&[("A", "Thank you for calling Larkfield."), ("B", "My report is pending.")]);
        assert_eq!(heard.as_deref(), Some("My report is pending."));
    }

    #[test]
    fn a_customer_whom_we_called_picks_up_with_a_greeting() {
        let turns = [("A", "Hello?"), ("B", "This is Dana of Larkfield."), ("A", "Why is my report late?")];
        let heard = concern(&said(&turns), &CallDetails::default(), Direction::Outgoing);
        assert_eq!(heard.as_deref(), Some("Why is my report late?"));
    }

    #[test]
    fn a_greeting_is_not_a_concern() {
        let heard = incoming(&[
            ("customer", "Hi, good morning!"),
            ("agent", "Good morning, how can I help?"),
            ("customer", "Hello... yes. I cannot open the portal."),
        ]);
        assert_eq!(heard.as_deref(), Some("I cannot open the portal."));
    }

    #[test]
    fn a_customer_of_few_words_is_quoted_all_the_same() {
        let heard = incoming(&[("agent", "How can I help you today?"), ("customer", "Refund.")]);
        assert_eq!(heard.as_deref(), Some("Refund."));
    }

    #[test]
    fn a_customer_who_says_nothing_has_no_concern() {
        assert_eq!(incoming(&[("agent", "Anybody there on the line?"), ("customer", "Hello?")]), None);
        assert_eq!(incoming(&[("agent", "Anybody there on the line?")]), None);
        assert_eq!(incoming(&[]), None);
    }

    #[test]
    fn one_voice_is_quoted_whoever_it_is() {
        let heard = incoming(&[("A", "Calling about the invoice of May.")]);
        assert_eq!(heard.as_deref(), Some("Calling about the invoice of May."));
    }

    #[test]
    fn the_host_of_a_meeting_is_not_the_customer() {
        let host =
            Participant { name: Some("Dana Ortiz".into()), role: Some(Role::Host), ..Participant::default() };
        let details = CallDetails { participants: vec![host], ..CallDetails::default() };
        let turns =
            [("Sam Reed", "We need a quote for spring."), ("Dana Ortiz", "Let me look at the prices.")];
        let heard = concern(&said(&turns), &details, Direction::Incoming);
        assert_eq!(heard.as_deref(), Some("We need a quote for spring."));
    }

    #[test]
    fn a_long_concern_ends_with_a_whole_word() {
        let heard = incoming(&[("customer", &"word ".repeat(40))]).unwrap();
        assert_eq!(heard, format!("{} ...", ["word"; 20].join(" ")));
        assert_eq!(heard.chars().count(), 99 + 4);
    }

    #[test]
    fn a_concern_of_exactly_a_hundred_characters_is_not_cut() {
        let text = format!("{} {}", ["word"; 19].join(" "), "words");
        assert_eq!(text.chars().count(), 100);
        assert_eq!(incoming(&[("customer", &text)]), Some(text.clone()));
        assert_eq!(incoming(&[("customer", &format!("{text} more"))]), Some(format!("{text} ...")));
    }

    #[test]
    fn one_endless_word_is_cut_where_it_must_be() {
        let heard = incoming(&[("customer", &"é".repeat(300))]).unwrap();
        assert_eq!(heard, format!("{} ...", "é".repeat(100)));
    }
}
