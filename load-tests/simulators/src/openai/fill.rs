//! Fills any JSON schema from a transcript.
//!
//! A property's name says what is wanted (`quote`, `owner`, `summary`, …), its type says in which form, and
//! the words that were said give the value: sentences are extracted, never written, and where nothing
//! was said the answer is null or an empty list. It is the reading of a very literal model.

use std::cmp::Reverse;

use serde_json::{Map, Number, Value};

use super::prompt::{Line, sentences};

mod cues;
mod facts;

use cues::{choice, has_any, is_greeting};
use facts::{Fact, facts_in};

/// A schema may refer to itself; nobody needs an answer that deep.
const MAX_DEPTH: usize = 12;
/// A list is no copy of the transcript.
const MAX_LISTED: usize = 5;
const NOTHING: &str = "Nothing was said.";

/// What the part of the schema that is being filled is about.
#[derive(Clone, Copy, Default)]
struct Focus<'a> {
    speaker: Option<&'a str>,
    /// The line and, within it, the sentence.
    said: Option<(&'a Line<'a>, &'a str)>,
    fact: Option<&'a Fact<'a>>,
    depth: usize,
}

struct Filler<'a> {
    root: &'a Value,
    lines: &'a [Line<'a>],
    /// All words in lower case.
    words: String,
    /// Who speaks, in lower case.
    names: String,
}

/// An answer in the form of `schema`.
pub(super) fn answer(schema: &Value, lines: &[Line<'_>]) -> Value {
    let words = lines.iter().map(|line| line.text.to_lowercase()).collect::<Vec<_>>().join("\n");
    let names = lines.iter().map(|line| line.speaker.to_lowercase()).collect::<Vec<_>>().join(" ");
    let filler = Filler { root: schema, lines, words, names };
    filler.fill("", schema, Focus::default()).unwrap_or_else(|| filler.empty(schema))
}

/// The first sentence that tells something (no greeting, no question, no name), the first request and the first
/// promise.
pub(super) fn summary(lines: &[Line<'_>]) -> String {
    let long = |(_, sentence): &(&Line<'_>, &str)| {
        words_in(sentence) >= 5
            && !sentence.ends_with('?')
            && !is_greeting(sentence)
            && !facts::is_introduction(sentence)
    };
    let mut picked: Vec<&str> = Vec::new();
    let first = said(lines).find(long).or_else(|| said(lines).next());
    let wish = said(lines).find(|(_, sentence)| is_wish(sentence));
    let promise = said(lines).find(|(_, sentence)| is_promise(sentence));
    for (_, sentence) in [first, wish, promise].into_iter().flatten() {
        if !picked.contains(&sentence) {
            picked.push(sentence);
        }
    }
    if picked.is_empty() { NOTHING.to_owned() } else { picked.join(" ") }
}

/// Every sentence with its line.
fn said<'a>(lines: &'a [Line<'a>]) -> impl Iterator<Item = (&'a Line<'a>, &'a str)> {
    lines.iter().flat_map(|line| sentences(line.text).map(move |sentence| (line, sentence)))
}

fn words_in(sentence: &str) -> usize {
    sentence.split_whitespace().count()
}

fn is_wish(sentence: &str) -> bool {
    words_in(sentence) >= 3 && has_any(sentence, cues::WISHES)
}

fn is_promise(sentence: &str) -> bool {
    has_any(sentence, cues::PROMISES) && !has_any(sentence, cues::NO_PROMISES)
}

impl Filler<'_> {
    /// `None` where the transcript says nothing that fits.
    fn fill(&self, name: &str, schema: &Value, mut focus: Focus<'_>) -> Option<Value> {
        focus.depth += 1;
        if focus.depth > MAX_DEPTH {
            return None;
        }
        if let Some(pointer) = schema["$ref"].as_str() {
            let target = self.root.pointer(pointer.strip_prefix('#')?)?;
            return self.fill(name, target, focus);
        }
        if let Some(constant) = schema.get("const") {
            return Some(constant.clone());
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.choose(values, focus);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let nullable = choices.iter().any(|one| one["type"] == "null");
            let found = choices
                .iter()
                .filter(|one| one["type"] != "null")
                .find_map(|one| self.fill(name, one, focus));
            return found.or_else(|| nullable.then_some(Value::Null));
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        };
        let found = match kinds.iter().find(|kind| **kind != "null").copied() {
            Some("object") => Some(self.object(schema, focus)),
            Some("array") => Some(self.array(name, schema, focus)),
            Some("string") => self.string(name, focus).map(|text| limited(text, schema).into()),
            Some("integer") => Some(Number::from(self.integer(name, schema, focus)).into()),
            Some("number") => Some(schema["minimum"].as_f64().unwrap_or(0.5).max(0.5).into()),
            Some("boolean") => Some(cues::of(name).iter().any(|cue| self.words.contains(cue)).into()),
            _ => None,
        };
        found.or_else(|| kinds.contains(&"null").then_some(Value::Null))
    }

    fn object(&self, schema: &Value, focus: Focus<'_>) -> Value {
        let properties = schema["properties"].as_object();
        let filled = properties.into_iter().flatten().map(|(name, inner)| {
            let value = self.fill(name, inner, focus).unwrap_or_else(|| self.empty(inner));
            (name.clone(), value)
        });
        Value::Object(filled.collect::<Map<_, _>>())
    }

    /// What stands where nothing was said and null is not allowed.
    fn empty(&self, schema: &Value) -> Value {
        match schema["type"].as_str() {
            Some("array") => Value::Array(Vec::new()),
            Some("object") => self.object(schema, Focus { depth: MAX_DEPTH, ..Focus::default() }),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| 0.into()),
            Some("boolean") => false.into(),
            _ => limited(NOTHING.to_owned(), schema).into(),
        }
    }

    fn choose(&self, values: &[Value], focus: Focus<'_>) -> Option<Value> {
        let texts = || values.iter().filter_map(Value::as_str);
        if let Some(fact) = focus.fact
            && let Some(kind) = texts().find(|value| fact.is_a(value))
        {
            return Some(kind.into());
        }
        let words = focus.said.map_or_else(|| self.words.clone(), |(_, sentence)| sentence.to_lowercase());
        choice(&texts().collect::<Vec<_>>(), &words).map(Value::from).or_else(|| values.first().cloned())
    }

    fn string(&self, name: &str, focus: Focus<'_>) -> Option<String> {
        let line = focus.said.map(|(line, _)| line);
        let is = |names: &[&str]| names.iter().any(|part| name.to_lowercase().contains(part));
        if is(&["quote", "evidence", "excerpt"]) {
            let sentence = focus.said.map(|(_, sentence)| sentence);
            return focus.fact.map(|fact| fact.quote).or(sentence).map(str::to_owned);
        }
        if is(&["name", "speaker", "owner", "who", "participant"]) {
            let speaker = focus.speaker.or(line.map(|line| line.speaker));
            return speaker.filter(|name| !name.is_empty()).map(str::to_owned);
        }
        if is(&["value"]) && focus.fact.is_some() {
            return focus.fact.map(|fact| fact.value.clone());
        }
        if is(&["due", "deadline", "when", "date"]) {
            return focus.said.and_then(|(_, sentence)| cues::time_in(sentence)).map(str::to_owned);
        }
        if let Some((_, sentence)) = focus.said {
            return Some(sentence.to_owned());
        }
        if is(&["concern", "request", "issue", "problem", "reason", "intent", "need"]) {
            return said(self.lines).find(|(_, sentence)| is_wish(sentence)).map(|(_, s)| s.to_owned());
        }
        (!self.lines.is_empty()).then(|| summary(self.lines))
    }

    fn integer(&self, name: &str, schema: &Value, focus: Focus<'_>) -> i64 {
        let is_place = ["segment", "line", "id", "index"].iter().any(|part| name.contains(part));
        let number = match (focus.fact, focus.said) {
            (Some(fact), _) if is_place => fact.line,
            (None, Some((line, _))) if is_place => line.number,
            _ => self.lines.len() as u64,
        };
        let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
        let most = schema["maximum"].as_i64().unwrap_or(i64::MAX).max(least);
        i64::try_from(number).unwrap_or(i64::MAX).clamp(least, most)
    }

    fn array(&self, name: &str, schema: &Value, focus: Focus<'_>) -> Value {
        let most = schema["maxItems"].as_u64().and_then(|most| usize::try_from(most).ok());
        let least = schema["minItems"].as_u64().and_then(|least| usize::try_from(least).ok()).unwrap_or(0);
        let items = &schema["items"];
        let mut filled = match self.resolved(items)["properties"].as_object() {
            Some(properties) => self.objects(name, items, properties, focus),
            None if cues::means_topics(name) => {
                cues::topics(&self.words, &self.names).into_iter().map(Value::from).collect()
            }
            None => self.sentences_for(name).filter_map(|about| self.fill(name, items, about)).collect(),
        };
        filled.truncate(most.unwrap_or(usize::MAX));
        while filled.len() < least {
            filled.push(self.empty(items));
        }
        filled.into()
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let pointer = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    /// One object for each fact, each speaker who said a fact, or each sentence that fits the name.
    fn objects(
        &self,
        name: &str,
        items: &Value,
        properties: &Map<String, Value>,
        focus: Focus<'_>,
    ) -> Vec<Value> {
        let fill = |focus: Focus<'_>| self.fill(name, items, focus);
        let of_speaker = |line: &&Line<'_>| focus.speaker.is_none_or(|speaker| speaker == line.speaker);
        if properties.contains_key("value") {
            let known = |fact: &Fact<'_>| fits_kinds(properties, fact);
            let facts: Vec<Fact<'_>> =
                self.lines.iter().filter(of_speaker).flat_map(facts_in).filter(known).collect();
            return facts.iter().filter_map(|fact| fill(Focus { fact: Some(fact), ..focus })).collect();
        }
        let inner_list = properties.values().any(|inner| inner["items"]["properties"].is_object());
        if properties.contains_key("name") && inner_list {
            let mut speakers: Vec<&str> = Vec::new();
            for line in self.lines.iter().filter(|line| facts_in(line).next().is_some()) {
                if !speakers.contains(&line.speaker) && !line.speaker.is_empty() {
                    speakers.push(line.speaker);
                }
            }
            let about = |speaker| Focus { speaker: Some(speaker), ..focus };
            return speakers.into_iter().filter_map(|speaker| fill(about(speaker))).collect();
        }
        self.sentences_for(name).filter_map(|about| fill(Focus { depth: focus.depth, ..about })).collect()
    }

    /// The sentences that a list of this name holds, in the order in which they were said: promises,
    /// wishes, or else those that say most.
    fn sentences_for(&self, name: &str) -> impl Iterator<Item = Focus<'_>> {
        let is = |names: &[&str]| names.iter().any(|part| name.to_lowercase().contains(part));
        let chosen = if is(&["action", "task", "step", "follow", "promise", "todo"]) {
            said(self.lines).filter(|(_, sentence)| is_promise(sentence)).take(MAX_LISTED).collect()
        } else if is(&["request", "need", "ask", "concern", "issue", "question"]) {
            said(self.lines).filter(|(_, sentence)| is_wish(sentence)).take(MAX_LISTED).collect()
        } else {
            let mut all: Vec<_> = said(self.lines)
                .enumerate()
                .filter(|(_, (_, s))| words_in(s) >= 6 && !is_greeting(s))
                .collect();
            all.sort_by_key(|(_, (_, sentence))| Reverse(words_in(sentence)));
            all.truncate(MAX_LISTED);
            all.sort_by_key(|(nth, _)| *nth);
            all.into_iter().map(|(_, said)| said).collect::<Vec<_>>()
        };
        chosen.into_iter().map(|said| Focus { said: Some(said), ..Focus::default() })
    }
}

/// Whether the schema has a name for this kind of fact.
fn fits_kinds(properties: &Map<String, Value>, fact: &Fact<'_>) -> bool {
    let mut kinds = properties.values().filter_map(|inner| inner["enum"].as_array());
    kinds.all(|values| values.iter().filter_map(Value::as_str).any(|value| fact.is_a(value)))
}

fn limited(text: String, schema: &Value) -> String {
    match schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()) {
        Some(most) if text.chars().count() > most => text.chars().take(most).collect(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call() -> Vec<Line<'static>> {
        let line = |number, speaker, text| Line { number, speaker, text };
        vec![
            line(1, "Bo", "Good morning, this is the help desk speaking."),
            line(2, "Ada", "Hello. I need a refund for my last invoice, this is urgent. I'm terribly upset."),
            line(3, "Bo", "I will send you the form by Friday."),
            line(4, "Ada", "Use ada.nagy@example.org please. I'm the head of sales at Nagy Foods."),
        ]
    }

    fn filled(properties: &Value) -> Value {
        answer(&json!({ "type": "object", "properties": properties }), &call())
    }

    #[test]
    fn enums_are_chosen_by_the_words_that_were_said() {
        let answer = filled(&json!({
            "mood": { "enum": ["positive", "neutral", "negative"] },
            "category": { "enum": ["sales", "billing", "technical", "other"] },
            "priority": { "enum": ["high", "medium", "low"] },
        }));
        assert_eq!(answer, json!({ "mood": "negative", "category": "billing", "priority": "high" }));
    }

    #[test]
    fn a_list_of_actions_holds_what_was_promised_by_whom_and_until_when() {
        let item = json!({ "type": "object", "properties": {
            "text": { "type": "string" },
            "owner": { "type": ["string", "null"] },
            "due": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
        }});
        let answer = filled(&json!({ "action_items": { "type": "array", "items": item } }));
        let promised = "I will send you the form by Friday.";
        assert_eq!(answer["action_items"], json!([{ "text": promised, "owner": "Bo", "due": "by Friday" }]));
    }

    #[test]
    fn a_summary_begins_behind_the_greetings_and_names() {
        let lines = [
            Line {
                number: 1,
                speaker: "Bo",
                text: "Good morning both, thank you for joining. Shall we begin with the plan?",
            },
            Line {
                number: 2,
                speaker: "Ada",
                text: "I'm Ada Nagy, Head of Sales at Nagy Foods. It takes us a day to bill.",
            },
            Line { number: 3, speaker: "Bo", text: "I'll be brief. We'll send you the plan by Friday." },
        ];
        assert_eq!(summary(&lines), "It takes us a day to bill. We'll send you the plan by Friday.");
        assert_eq!(
            summary(&call()),
            "I need a refund for my last invoice, this is urgent. I will send you the form by Friday."
        );
    }

    #[test]
    fn facts_stand_with_the_words_and_the_line_that_prove_them() {
        let fact = json!({ "type": "object", "properties": {
            "field": { "enum": ["email", "title", "company"] },
            "value": { "type": "string" },
            "quote": { "type": "string" },
            "segment": { "type": "integer" },
        }});
        let person = json!({ "type": "object", "properties": {
            "name": { "type": "string" },
            "facts": { "type": "array", "items": fact },
        }});
        let answer = filled(&json!({ "contacts": { "type": "array", "items": person } }));
        assert_eq!(answer["contacts"][0]["name"], "Ada");
        assert_eq!(answer["contacts"].as_array().unwrap().len(), 1);
        let facts = answer["contacts"][0]["facts"].as_array().unwrap();
        let values: Vec<_> = facts.iter().map(|fact| fact["value"].as_str().unwrap()).collect();
        assert_eq!(values, ["ada.nagy@example.org", "head of sales", "Nagy Foods"]);
        for fact in facts {
            assert_eq!(fact["segment"], 4);
            assert!(call()[3].text.contains(fact["quote"].as_str().unwrap()));
        }
    }

    #[test]
    fn where_nothing_was_said_the_answer_is_null_or_empty() {
        let schema = json!({ "type": "object", "properties": {
            "concern": { "type": ["string", "null"] },
            "key_points": { "type": "array", "items": { "type": "string" } },
            "summary": { "type": "string" },
        }});
        let expected = json!({ "concern": null, "key_points": [], "summary": NOTHING });
        assert_eq!(answer(&schema, &[]), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        let schema = json!({
            "type": "object",
            "properties": { "next": { "anyOf": [{ "$ref": "#" }, { "type": "null" }] } },
        });
        assert!(jsonschema::is_valid(&schema, &answer(&schema, &call())));
    }
}
