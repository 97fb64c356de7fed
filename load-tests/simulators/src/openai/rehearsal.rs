//! Speaks as a representative in a rehearsed meeting.
//!
//! Such a prompt is one JSON object with the people in the meeting, what was said so far, and who is to speak. The answer has as
//! many sentences as that person may say, and says something else at each turn.

use serde_json::{Value, json};

/// What representatives say. The sentences are of the length that people speak in.
const SENTENCES: [&str; 8] = [
    "We have looked at three products of this kind since the spring, and none of them was used for long.",
    "What would my people have to do on another way from the first day on?",
    "At the moment the month-end takes us four days, and two of them are spent on looking for differences.",
    "I would like to see the numbers of a company that is as large as we are.",
    "Who would help us when something does not work on the last day of a quarter?",
    "The budget of this year is almost spent, so a pilot would have to be small.",
    "Our auditors ask for a trail of every change, and that is where the last pilot ended.",
    "How long did it take your other customers until the whole team worked with it?",
];
/// How many sentences somebody says who may say any number.
const USUAL: u64 = 3;

/// The answer to a prompt that asks for a representative. `None` where the prompt asks for something else.
pub(super) fn answer(prompt: &str) -> Option<Value> {
    let scene: Value = serde_json::from_str(prompt.trim()).ok()?;
    let people = scene["representatives"].as_array()?;
    let said = scene["said"].as_array()?.len();
    let named = scene["speaker"].as_str();
    let speaker = match named {
        Some(named) => people.iter().find(|one| one["id"] == named)?,
        None => people.get(said / 2 % people.len().max(1))?,
    };
    let count = usize::try_from(speaker["max_sentences"].as_u64().unwrap_or(USUAL)).ok()?;
    let text = |from: usize, count: usize| {
        (from..from + count).map(|at| SENTENCES[at % SENTENCES.len()]).collect::<Vec<_>>().join(" ")
    };
    let second = scene["second_speaker"].as_str().map(|_| text(said + count, 1));
    let why = if named.is_some() { "This one was asked." } else { "It is this one's turn." };
    Some(json!({ "speaker": speaker["id"], "why": why, "text": text(said, count), "second": second }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(speaker: &Value, said: usize) -> String {
        let person = |id: &str, most: u64| json!({ "id": id, "max_sentences": most });
        let said: Vec<Value> = (0..said).map(|_| json!({ "by": "x", "text": "y" })).collect();
        json!({ "representatives": [person("a", 1), person("b", 3)], "said": said, "speaker": speaker,
            "second_speaker": null })
        .to_string()
    }

    #[test]
    fn whoever_is_named_speaks_in_as_many_sentences_as_she_may_and_not_twice_the_same() {
        let first = answer(&scene(&json!("b"), 1)).unwrap();
        let second = answer(&scene(&json!("b"), 3)).unwrap();
        assert_eq!((&first["speaker"], &first["second"]), (&json!("b"), &Value::Null));
        let sentences = first["text"].as_str().unwrap().matches(['.', '?']).count();
        assert_eq!(sentences, 3, "{first}");
        assert!(first["text"] != second["text"]);
        assert!(answer(&scene(&Value::Null, 1)).unwrap()["speaker"].is_string());
    }

    #[test]
    fn another_prompt_is_not_answered_here() {
        for other in ["", "[1] Ada: Hello.", "{}", r#"{"representatives": [], "said": [], "speaker": null}"#]
        {
            assert_eq!(answer(other), None, "{other}");
        }
        assert_eq!(answer(&scene(&json!("nobody"), 0)), None);
    }
}
