//! Fills any JSON schema from a transcript.
//!
//! The name of a property says what is wanted (`quote`, `owner`, `summary`, …), its type says in which form, and the
//! words of the transcript give the value. Sentences are copied and never composed. When the transcript says nothing
//! that fits, the answer is null or an empty list. A very literal model would read a transcript like this.

mod cues;
mod facts;
pub(super) mod sentences;

use std::cmp::Reverse;

use serde_json::{Map, Number, Value};

use super::prompt::Line;
use cues::choice;
use facts::{Fact, facts_in};
use sentences::{NOTHING, Sentence, summary};

/// The depth at which the answer ends when a schema refers to itself.
const MAX_DEPTH: usize = 12;
/// The greatest number of sentences in a list. A list is not a copy of the transcript.
const MAX_LISTED: usize = 5;
/// The number of words from which on a sentence is worth listing.
const LISTED_WORDS: usize = 6;

/// What the part of the schema that is being filled is about.
#[derive(Clone, Copy, Default)]
struct Focus<'a> {
    speaker: Option<&'a str>,
    sentence: Option<Sentence<'a>>,
    fact: Option<&'a Fact<'a>>,
    depth: usize,
}

struct Filler<'a> {
    /// The whole schema, to which a `$ref` refers.
    root: &'a Value,
    lines: &'a [Line<'a>],
    /// All words of the transcript, in lower case.
    words: String,
    /// The names of all speakers, in lower case.
    names: String,
}

/// Makes an answer in the form of `schema`.
pub(super) fn answer(schema: &Value, lines: &[Line<'_>]) -> Value {
    let words = lines.iter().map(|line| line.text.to_lowercase()).collect::<Vec<_>>().join("\n");
    let names = lines.iter().map(|line| line.speaker.to_lowercase()).collect::<Vec<_>>().join(" ");
    let filler = Filler { root: schema, lines, words, names };
    filler.fill("", schema, Focus::default()).unwrap_or_else(|| filler.empty(schema))
}

impl Filler<'_> {
    /// Fills a schema. `None` means that the transcript says nothing that fits.
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
            let filled = choices
                .iter()
                .filter(|one| one["type"] != "null")
                .find_map(|one| self.fill(name, one, focus));
            return filled.or_else(|| nullable.then_some(Value::Null));
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        };
        let filled = match kinds.iter().find(|kind| **kind != "null").copied() {
            Some("object") => Some(self.object(schema, focus)),
            Some("array") => Some(self.array(name, schema, focus)),
            Some("string") => self.string(name, focus).map(|text| limited(text, schema).into()),
            Some("integer") => Some(Number::from(self.integer(name, schema, focus)).into()),
            Some("number") => Some(schema["minimum"].as_f64().unwrap_or(0.5).max(0.5).into()),
            Some("boolean") => Some(cues::cues_for(name).iter().any(|cue| self.words.contains(cue)).into()),
            _ => None,
        };
        filled.or_else(|| kinds.contains(&"null").then_some(Value::Null))
    }

    fn object(&self, schema: &Value, focus: Focus<'_>) -> Value {
        let properties = schema["properties"].as_object();
        let filled = properties.into_iter().flatten().map(|(name, inner)| {
            let value = self.fill(name, inner, focus).unwrap_or_else(|| self.empty(inner));
            (name.clone(), value)
        });
        Value::Object(filled.collect::<Map<_, _>>())
    }

    /// Makes a value without content, for a schema that does not allow null.
    fn empty(&self, schema: &Value) -> Value {
        match schema["type"].as_str() {
            Some("array") => Value::Array(Vec::new()),
            Some("object") => self.object(schema, Focus { depth: MAX_DEPTH, ..Focus::default() }),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| 0.into()),
            Some("boolean") => false.into(),
            _ => limited(NOTHING.to_owned(), schema).into(),
        }
    }

    /// Chooses one of the values of an enum.
    fn choose(&self, values: &[Value], focus: Focus<'_>) -> Option<Value> {
        let texts = || values.iter().filter_map(Value::as_str);
        if let Some(fact) = focus.fact
            && let Some(kind) = texts().find(|value| fact.is_a(value))
        {
            return Some(kind.into());
        }
        let words =
            focus.sentence.map_or_else(|| self.words.clone(), |sentence| sentence.text.to_lowercase());
        choice(&texts().collect::<Vec<_>>(), &words).map(Value::from).or_else(|| values.first().cloned())
    }

    fn string(&self, name: &str, focus: Focus<'_>) -> Option<String> {
        let is = |names: &[&str]| names.iter().any(|part| name.to_lowercase().contains(part));
        if is(&["quote", "evidence", "excerpt"]) {
            let sentence = focus.sentence.map(|sentence| sentence.text);
            return focus.fact.map(|fact| fact.quote).or(sentence).map(str::to_owned);
        }
        if is(&["name", "speaker", "owner", "who", "participant"]) {
            let speaker = focus.speaker.or(focus.sentence.map(|sentence| sentence.line.speaker));
            return speaker.filter(|name| !name.is_empty()).map(str::to_owned);
        }
        if is(&["value"]) && focus.fact.is_some() {
            return focus.fact.map(|fact| fact.value.clone());
        }
        if is(&["due", "deadline", "when", "date"]) {
            return focus.sentence.and_then(|sentence| cues::time_in(sentence.text)).map(str::to_owned);
        }
        if let Some(sentence) = focus.sentence {
            return Some(sentence.text.to_owned());
        }
        if is(&["concern", "request", "issue", "problem", "reason", "intent", "need"]) {
            return sentences::all(self.lines).find(|one| one.is_request()).map(|one| one.text.to_owned());
        }
        (!self.lines.is_empty()).then(|| summary(self.lines))
    }

    fn integer(&self, name: &str, schema: &Value, focus: Focus<'_>) -> i64 {
        let is_place = ["segment", "line", "id", "index"].iter().any(|part| name.contains(part));
        let number = match (focus.fact, focus.sentence) {
            (Some(fact), _) if is_place => fact.line,
            (None, Some(sentence)) if is_place => sentence.line.number,
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

    /// Follows a `$ref`.
    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let pointer = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    /// Makes one object for each fact, for each speaker who said a fact, or for each sentence that fits the name.
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
            let is_known = |fact: &Fact<'_>| fits_kinds(properties, fact);
            let facts: Vec<Fact<'_>> =
                self.lines.iter().filter(of_speaker).flat_map(facts_in).filter(is_known).collect();
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

    /// Returns the sentences for a list of this name, in the order in which they were said: promises, requests, or
    /// else the longest sentences.
    fn sentences_for(&self, name: &str) -> impl Iterator<Item = Focus<'_>> {
        let is = |names: &[&str]| names.iter().any(|part| name.to_lowercase().contains(part));
        let all = sentences::all(self.lines);
        let chosen: Vec<Sentence<'_>> = if is(&["action", "task", "step", "follow", "promise", "todo"]) {
            all.filter(|one| one.is_promise()).take(MAX_LISTED).collect()
        } else if is(&["request", "need", "ask", "concern", "issue", "question"]) {
            all.filter(|one| one.is_request()).take(MAX_LISTED).collect()
        } else {
            let is_listed =
                |(_, one): &(usize, Sentence<'_>)| one.words() >= LISTED_WORDS && !one.is_greeting();
            let mut longest: Vec<_> = all.enumerate().filter(is_listed).collect();
            longest.sort_by_key(|(_, one)| Reverse(one.words()));
            longest.truncate(MAX_LISTED);
            longest.sort_by_key(|(nth, _)| *nth);
            longest.into_iter().map(|(_, one)| one).collect()
        };
        chosen.into_iter().map(|sentence| Focus { sentence: Some(sentence), ..Focus::default() })
    }
}

/// Whether the enums of the schema have a name for this kind of fact.
fn fits_kinds(properties: &Map<String, Value>, fact: &Fact<'_>) -> bool {
    let mut kinds = properties.values().filter_map(|inner| inner["enum"].as_array());
    kinds.all(|values| values.iter().filter_map(Value::as_str).any(|value| fact.is_a(value)))
}

/// Cuts a text to the length that the schema allows.
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
    fn a_value_of_an_enum_is_chosen_by_the_words_of_the_call() {
        let answer = filled(&json!({
            "mood": { "enum": ["positive", "neutral", "negative"] },
            "category": { "enum": ["sales", "billing", "technical", "other"] },
            "priority": { "enum": ["high", "medium", "low"] },
        }));
        assert_eq!(answer, json!({ "mood": "negative", "category": "billing", "priority": "high" }));
    }

    #[test]
    fn a_list_of_actions_says_what_was_promised_by_whom_and_until_when() {
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
    fn a_fact_comes_with_the_words_and_the_line_that_prove_it() {
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
    fn without_a_transcript_the_answer_is_null_or_empty() {
        let schema = json!({ "type": "object", "properties": {
            "concern": { "type": ["string", "null"] },
            "key_points": { "type": "array", "items": { "type": "string" } },
            "summary": { "type": "string" },
        }});
        let expected = json!({ "concern": null, "key_points": [], "summary": NOTHING });
        assert_eq!(answer(&schema, &[]), expected);
    }

    #[test]
    fn the_answer_to_a_schema_that_refers_to_itself_ends() {
        let schema = json!({
            "type": "object",
            "properties": { "next": { "anyOf": [{ "$ref": "#" }, { "type": "null" }] } },
        });
        assert!(jsonschema::is_valid(&schema, &answer(&schema, &call())));
    }
}
