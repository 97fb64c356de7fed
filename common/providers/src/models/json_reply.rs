//! Finds the JSON object in the text with which a model answers.
//!
//! A request for a schema should be answered by one JSON object and nothing else. Many servers do not hold their models
//! to it: the object comes in a code fence, behind a sentence or behind what the model thought, or as a string. Such an
//! answer was paid for and says everything, so it is read. An answer that must be guessed at is not: two different
//! objects, or an object that ends too early or is no JSON.

use serde::de::IgnoredAny;
use serde_json::Value;

/// Tags between which some models think before they answer.
const THOUGHTS: [&str; 3] = ["think", "thinking", "reasoning"];
/// How many braces are tried as the beginning of the object. Each try reads up to the first mistake.
const MAX_TRIES: usize = 50;

/// The JSON of `answer` without what stands around it. `answer` itself, without blanks around it, where it holds no
/// object, or more than one.
pub(super) fn json_in(answer: &str) -> String {
    let answer = answer.trim_matches(is_around);
    if let Some(json) = whole(answer) {
        return json;
    }
    let said = without_thoughts(answer);
    whole(said).or_else(|| only_object(said).map(str::to_owned)).unwrap_or_else(|| answer.to_owned())
}

/// The text, if all of it is JSON. JSON that stands in a JSON string is taken out of the string.
fn whole(text: &str) -> Option<String> {
    match serde_json::from_str(text).ok()? {
        Value::String(inner) if is_object(inner.trim()) => Some(inner.trim().to_owned()),
        _ => Some(text.to_owned()),
    }
}

fn is_object(text: &str) -> bool {
    text.starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Blanks and marks without width, such as a byte order mark.
fn is_around(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\u{2060}')
}

/// What stands behind the last closing tag of a thought. A server can leave the opening tag out.
fn without_thoughts(answer: &str) -> &str {
    let ends = THOUGHTS.iter().filter_map(|tag| {
        let tag = format!("</{tag}>");
        answer.rfind(&tag).map(|at| at + tag.len())
    });
    answer[ends.max().unwrap_or(0)..].trim_matches(is_around)
}

/// The one object in a text. An object that stands in another value is not looked at by itself.
fn only_object(text: &str) -> Option<&str> {
    let mut found: Option<&str> = None;
    let mut at = 0;
    for _ in 0..MAX_TRIES {
        let Some(next) = text[at..].find(['{', '[']) else { return found };
        let start = at + next;
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<IgnoredAny>();
        let is_object = text[start..].starts_with('{');
        match values.next() {
            Some(Ok(_)) => {
                let value = &text[start..start + values.byte_offset()];
                if is_object && found.is_some_and(|known| known != value) {
                    return None;
                }
                found = found.or(is_object.then_some(value));
                at = start + value.len();
            }
            // This is an object with a mistake in it, or one that was cut off. A value inside it is not the answer.
            _ if is_object && text[start + 1..].trim_start().starts_with('"') => return None,
            // The brace belongs to a sentence.
            _ => at = start + 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OBJECT: &str = r#"{"summary":"Said {so} in \"one\" ``` word.","contacts":[{"a":1}]}"#;

    #[test]
    fn an_object_is_read_without_what_stands_around_it() {
        for answer in [
            OBJECT.to_owned(),
            format!("\u{feff}{OBJECT}"),
            format!(" \n{OBJECT}\n\n"),
            format!("```json\n{OBJECT}\n```"),
            format!("```\n{OBJECT}\n```"),
            format!("```JSON\r\n{OBJECT}\r\n```\r\n"),
            format!("~~~\n{OBJECT}\n~~~"),
            format!("Here is the analysis you asked for:\n\n{OBJECT}"),
            format!("{OBJECT}\n\nLet me know if you need anything else {{friend}}!"),
            format!("Sure! As [1] and {{this}} say:\n```json\n{OBJECT}\n```\nAnything else?"),
            format!("<think>The customer said {{\"summary\":1}}. So</think>\n{OBJECT}"),
            format!("<thinking>\nWell …\n</thinking>```json\n{OBJECT}```"),
            format!("The opening tag is missing.\n</think>\n\n{OBJECT}"),
            format!("\u{feff}<think></think>\u{feff}{OBJECT}"),
            format!("```json\n{OBJECT}\n```\n\nAgain:\n```json\n{OBJECT}\n```"),
            serde_json::to_string(OBJECT).unwrap(),
            format!("<reasoning>so</reasoning>{}", serde_json::to_string(OBJECT).unwrap()),
        ] {
            assert_eq!(json_in(&answer), OBJECT, "{answer}");
        }
        let thoughtful = r#"{"summary":"It says </think> and [1]."}"#;
        assert_eq!(json_in(thoughtful), thoughtful);
    }

    #[test]
    fn an_answer_that_must_be_guessed_at_stays_as_it_is() {
        for answer in [
            "",
            "Sorry, I can't help with that.",
            r#"{"a":1} {"a":2}"#,
            "First:\n```json\n{\"a\":1}\n```\nOr:\n```json\n{\"a\":2}\n```",
            r#"{"a":1,}"#,
            r#"Here: {"a":{"b":1},}"#,
            r#"{"summary":"It ends here"#,
            r#"{"summary":"x","contacts":[{"name":"Ada"}"#,
            r#"```json
{"summary":"x","contacts":[{"name":"Ada"}
```"#,
            "{'summary': 'single quotes'}",
            "[{\"a\":1}]",
            "The list is [{\"a\":1}].",
            "<think>It never ends {\"a\":1",
            "null",
            "\"words\"",
        ] {
            assert_eq!(json_in(answer), answer, "{answer}");
        }
        let braces = "{".repeat(100_000);
        assert_eq!(json_in(&braces), braces);
    }

    proptest! {
        #[test]
        fn words_around_an_object_change_nothing(before in "[a-zA-Z .,:\n]{0,40}", after in "[^{}\\[\\]<>]{0,40}") {
            prop_assert_eq!(json_in(&format!("{before}{OBJECT}{after}")), OBJECT);
        }

        #[test]
        fn any_answer_is_read_without_a_panic(answer in "(\\PC|[{}\\[\\]\"`<>/ {]){0,80}") {
            let read = json_in(&answer);
            prop_assert!(read.is_empty() || answer.contains(&read) || serde_json::from_str::<Value>(&read).is_ok());
        }
    }
}
