//! Reads the fields of a JSON object from another system, which may hold numbers as texts, nulls and empty texts. One
//! answer names every field that cannot be used, by its JSON pointer.

use chrono_tz::Tz;
use domain::moment::Moment;
use serde_json::{Map, Value};
use web::{FieldProblem, Problem};

use crate::time;

pub(crate) const MAX_ID_CHARS: usize = 255;
const MAX_TEXT_CHARS: usize = 1000;
/// The longest duration that is accepted. No call lasts longer, so a longer duration was sent in a wrong unit.
const MAX_SPAN_MS: f64 = 7.0 * 24.0 * 3600.0 * 1000.0;

pub(crate) struct Fields {
    /// The JSON pointer to the object. It is empty for the body itself.
    at: String,
    left: Map<String, Value>,
    errors: Vec<FieldProblem>,
}

impl Fields {
    pub(crate) fn of(value: Value, at: &str) -> Result<Self, Problem> {
        match value {
            Value::Object(left) => Ok(Self { at: at.to_owned(), left, errors: Vec::new() }),
            other => Err(Problem::field(at, format!("must be an object, not {}", kind(&other)))),
        }
    }

    pub(crate) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.errors.push(FieldProblem { pointer: format!("{}/{name}", self.at), detail: detail.into() });
    }

    /// Adds the problems of an object that stands inside this one.
    pub(crate) fn refuse_all(&mut self, problem: Problem) {
        self.errors.extend(problem.errors);
    }

    pub(crate) fn peek(&self, name: &str) -> Option<&Value> {
        self.left.get(name)
    }

    /// Whether there is a value. A null and an empty text count as absent.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.peek(name).is_some_and(is_there)
    }

    /// Takes the value as it came. `None` where it is absent.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(is_there)
    }

    /// Takes the value of a text or a number, as a text without the blanks around it.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.text_up_to(name, MAX_TEXT_CHARS)
    }

    fn text_up_to(&mut self, name: &str, max_chars: usize) -> Option<String> {
        let text = match self.value(name)? {
            Value::String(text) => trimmed(text),
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => yes.to_string(),
            other => {
                self.refuse(name, format!("must be a text, not {}", kind(&other)));
                return None;
            }
        };
        if text.chars().count() > max_chars {
            self.refuse(name, format!("is longer than {max_chars} characters"));
            return None;
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// Takes the value of a text. Any other type is refused.
    pub(crate) fn text_only(&mut self, name: &str, max_chars: usize) -> Option<String> {
        if let Some(other) = self.peek(name).filter(|value| !value.is_string() && !value.is_null()) {
            let problem = format!("must be a text, not {}", kind(other));
            self.refuse(name, problem);
            return None;
        }
        self.text_up_to(name, max_chars)
    }

    /// Takes an id that another system made. The id is kept as it came.
    pub(crate) fn id(&mut self, name: &str) -> Option<String> {
        let id = match self.value(name)? {
            Value::String(id) => id,
            Value::Number(number) if !number.is_f64() => number.to_string(),
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

    /// Takes a duration in units of `unit_ms` milliseconds.
    pub(crate) fn span_ms(&mut self, name: &str, unit_ms: f64) -> Option<i64> {
        let value = self.value(name)?;
        let number = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse::<f64>().ok(),
            _ => None,
        };
        let span = number.filter(|number| number.is_finite()).map(|number| number * unit_ms);
        match span {
            None => self.refuse(name, "must be a number"),
            Some(span) if span < 0.0 => self.refuse(name, "must not be negative"),
            Some(span) if span > MAX_SPAN_MS => self.refuse(name, "is longer than 7 days"),
            #[expect(clippy::cast_possible_truncation, reason = "at most 7 days")]
            Some(span) => return Some(span.round() as i64),
        }
        None
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

    /// Returns the fields that were not taken, without their nulls. Where a field was wrong, returns an error that
    /// names every wrong field.
    pub(crate) fn rest(self) -> Result<Map<String, Value>, Problem> {
        if !self.errors.is_empty() {
            return Err(Problem::fields(self.errors));
        }
        Ok(clean_map(self.left).into_iter().filter(|(_, value)| !value.is_null()).collect())
    }
}

fn is_there(value: &Value) -> bool {
    !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty())
}

/// Returns the text without NUL and without the blanks around it. A text that has neither is not copied.
fn trimmed(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "").trim().to_owned()
    } else if text.trim().len() < text.len() {
        text.trim().to_owned()
    } else {
        text
    }
}

/// Checks that an id has 1 to 255 characters and that none of them is a control character.
pub(crate) fn check_id(id: &str) -> Result<(), &'static str> {
    match id {
        id if id.trim().is_empty() => Err("must not be empty"),
        id if id.chars().count() > MAX_ID_CHARS => Err("is longer than 255 characters"),
        id if id.chars().any(char::is_control) => Err("must not hold control characters"),
        _ => Ok(()),
    }
}

/// Returns the value without NUL, because PostgreSQL does not store a NUL in a text.
pub(crate) fn clean(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => text.replace('\0', "").into(),
        Value::Array(values) => values.into_iter().map(clean).collect(),
        Value::Object(map) => clean_map(map).into(),
        other => other,
    }
}

fn clean_map(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter().map(|(name, value)| (name.replace('\0', ""), clean(value))).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
