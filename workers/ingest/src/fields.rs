//! Reads the fields of a JSON object from another system, which may hold numbers as texts, nulls and empty texts.
//!
//! The tools that send such objects do not repeat a request that was refused, so a field is no reason to lose a call. A
//! value that cannot be used is kept in the metadata under its name, and a note on the call says so. Only an id, without
//! which there is no call, is refused. One answer names every field that was refused, by its JSON pointer.

mod duration;
mod value;

use chrono_tz::Tz;
use domain::call::{CallDetails, MAX_NOTES};
use domain::moment::Moment;
use domain::note::Note;
use queue_topology::intake::without_query;
use serde_json::{Map, Value};
use web::{FieldProblem, Problem};

use crate::time;
use duration::Span;
pub(crate) use value::{check_id, clean};
use value::{clean_map, is_there, kind, trimmed, trimmed_id};

const MAX_TEXT_CHARS: usize = 1000;
/// The code of the note on a value of a type that its field does not have.
pub(crate) const OTHER_TYPE: &str = "field_of_another_type";
/// The largest whole number up to which every whole number has a floating-point number of its own.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

pub(crate) struct Fields {
    /// The JSON pointer to the object. It is empty for the body itself.
    at: String,
    left: Map<String, Value>,
    /// The values that cannot be used.
    aside: Map<String, Value>,
    notes: Vec<Note>,
    errors: Vec<FieldProblem>,
}

/// What is left of an object when everything that is known was taken from it.
pub(crate) struct Rest {
    /// The fields that were not taken and those that could not be used, without nulls.
    pub(crate) metadata: Map<String, Value>,
    /// What was odd about the object.
    pub(crate) notes: Vec<Note>,
}

impl Rest {
    /// Adds what is left to the details of the call.
    pub(crate) fn add_to(self, details: &mut CallDetails) {
        details.metadata.extend(self.metadata);
        for note in self.notes {
            details.add_note(note);
        }
    }
}

impl Fields {
    pub(crate) fn of(value: Value, at: &str) -> Result<Self, Problem> {
        match value {
            Value::Object(left) => {
                Ok(Self { at: at.to_owned(), left, aside: Map::new(), notes: Vec::new(), errors: Vec::new() })
            }
            other => Err(Problem::field(at, format!("must be an object, not {}", kind(&other)))),
        }
    }

    pub(crate) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.errors.push(FieldProblem { pointer: format!("{}/{name}", self.at), detail: detail.into() });
    }

    /// Adds a note on a field. `field` is its name, or its path without the first slash.
    pub(crate) fn note(&mut self, code: &str, field: &str, text: impl Into<String>) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(Note::new(code, text).of_field(field));
        }
    }

    /// Keeps a value that cannot be used in the metadata under its name, and says so.
    pub(crate) fn set_aside(&mut self, name: &str, value: Value, code: &str, what: &str) {
        self.note(code, name, format!("The field `{name}` {what}. It is kept in the metadata and not used."));
        self.keep(name, value);
    }

    /// Keeps a value in the metadata under its name.
    pub(crate) fn keep(&mut self, name: &str, value: Value) {
        self.aside.insert(name.to_owned(), value);
    }

    /// Keeps a value of a type that the field does not have, and says so. `wanted` is the type that it has.
    pub(crate) fn other_type(&mut self, name: &str, value: Value, wanted: &str) {
        let what = format!("was sent as {}, not as {wanted}", kind(&value));
        self.set_aside(name, value, OTHER_TYPE, &what);
    }

    pub(crate) fn peek(&self, name: &str) -> Option<&Value> {
        self.left.get(name)
    }

    /// Whether there is a value. A null, an empty text and a text such as `N/A` count as absent.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.peek(name).is_some_and(is_there)
    }

    /// Takes the value as it came. `None` where it is absent.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(is_there)
    }

    /// Takes the value of a text or a number, as a text without the blanks around it.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let text = match self.value(name)? {
            Value::String(text) => trimmed(text),
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => yes.to_string(),
            other => {
                self.other_type(name, other, "a text");
                return None;
            }
        };
        if text.chars().count() > MAX_TEXT_CHARS {
            let what = format!("is longer than {MAX_TEXT_CHARS} characters");
            self.set_aside(name, text.into(), "field_too_long", &what);
            return None;
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// Takes the address of a recording. An address that cannot be used is kept without its query, because the query
    /// can be a password.
    pub(crate) fn url(&mut self, name: &str, max_bytes: usize) -> Option<String> {
        let url = match self.value(name)? {
            Value::String(url) => trimmed(url),
            other => {
                self.other_type(name, without_queries(other), "a text");
                return None;
            }
        };
        if url.len() > max_bytes {
            let what = format!("is longer than {max_bytes} bytes");
            self.set_aside(name, without_query(&url).into(), "field_too_long", &what);
            return None;
        }
        Some(url).filter(|url| !url.is_empty())
    }

    /// Takes an id that another system made, without the blanks around it. A whole number is the text of its digits.
    pub(crate) fn id(&mut self, name: &str) -> Option<String> {
        let id = match self.value(name)? {
            Value::String(id) => trimmed_id(id),
            Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() && (float.fract() != 0.0 || float.abs() > MAX_EXACT) => {
                    self.refuse(name, "must be a text or a whole number with all its digits");
                    return None;
                }
                #[expect(clippy::cast_possible_truncation, reason = "it is whole, and at most 2^53")]
                Some(float) if number.is_f64() => (float as i64).to_string(),
                _ => number.to_string(),
            },
            other => {
                self.refuse(name, format!("must be a text or a whole number, not {}", kind(&other)));
                return None;
            }
        };
        match check_id(&id) {
            Ok(()) => Some(id),
            Err(problem) => {
                self.refuse(name, problem);
                None
            }
        }
    }

    /// Takes a duration in units of `unit_ms` milliseconds, or in the form `00:02:05`.
    pub(crate) fn span_ms(&mut self, name: &str, unit_ms: f64) -> Option<i64> {
        let value = self.value(name)?;
        match Span::read(&value, unit_ms) {
            Span::Plain(ms) => Some(ms),
            Span::Noted(ms, code, what) => {
                self.note(code, name, format!("The field `{name}` {what}."));
                Some(ms)
            }
            Span::Unusable(what) => {
                self.set_aside(name, value, "duration_unusable", what);
                None
            }
        }
    }

    /// Takes a time, or its text where it cannot be read as a time.
    pub(crate) fn time(&mut self, name: &str, timezone: Tz) -> (Option<Moment>, Option<String>) {
        match self.left.get(name).and_then(|value| time::read(value, timezone)) {
            Some(moment) => {
                self.left.remove(name);
                (Some(moment), None)
            }
            None => (None, self.text(name)),
        }
    }

    /// Takes a time. A text that cannot be read as a time is kept in the metadata.
    pub(crate) fn time_only(&mut self, name: &str, timezone: Tz) -> Option<Moment> {
        let (moment, text) = self.time(name, timezone);
        if let Some(text) = text {
            self.set_aside(name, text.into(), "time_unreadable", "cannot be read as a time");
        }
        moment
    }

    /// Returns what was not taken. Where a field was refused, returns an error that names every such field.
    pub(crate) fn rest(self) -> Result<Rest, Problem> {
        if !self.errors.is_empty() {
            return Err(Problem::fields(self.errors));
        }
        let mut left = self.left;
        left.extend(self.aside);
        let metadata = clean_map(left).into_iter().filter(|(_, value)| !value.is_null()).collect();
        Ok(Rest { metadata, notes: self.notes })
    }
}

/// Removes the queries of all URLs in the value.
fn without_queries(value: Value) -> Value {
    match value {
        Value::String(text) => without_query(&text).into(),
        Value::Array(values) => values.into_iter().map(without_queries).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(name, value)| (name, without_queries(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}
