//! Reads the fields of a JSON object. All that cannot be used is collected, so that one answer names it all.

use serde_json::{Map, Value};
use uuid::Uuid;
use web::{FieldProblem, Problem};

/// The longest text that a person types, in characters.
pub(crate) const MAX_TEXT: usize = 10_000;

pub(crate) struct Fields {
    object: Map<String, Value>,
    problems: Vec<FieldProblem>,
}

impl Fields {
    pub(crate) fn of(body: Value) -> Result<Self, Problem> {
        match body {
            Value::Object(object) => Ok(Self { object, problems: Vec::new() }),
            _ => Err(Problem::field("", "must be an object")),
        }
    }

    pub(crate) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.problems.push(FieldProblem { pointer: format!("/{name}"), detail: detail.into() });
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A text that may be missing. An empty one counts as missing.
    pub(crate) fn text(&mut self, name: &str, most: usize) -> Option<String> {
        let text = match self.value(name)? {
            Value::String(text) => text.trim().to_owned(),
            _ => {
                self.refuse(name, "must be a text");
                return None;
            }
        };
        if text.contains('\0') {
            self.refuse(name, "must not contain a NUL character");
            return None;
        }
        if text.chars().count() > most {
            self.refuse(name, format!("must have at most {most} characters"));
            return None;
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// A text that has to be there. An empty text stands for one that could not be used.
    pub(crate) fn required(&mut self, name: &str, most: usize) -> String {
        let before = self.problems.len();
        let text = self.text(name, most);
        if text.is_none() && self.problems.len() == before {
            self.refuse(name, "is missing or empty");
        }
        text.unwrap_or_default()
    }

    /// One of the names.
    pub(crate) fn one_of<'a>(&mut self, name: &str, names: &[&'a str]) -> Option<&'a str> {
        let text = self.text(name, 100)?;
        let wanted = text.to_lowercase().replace([' ', '-'], "_");
        let found = names.iter().copied().find(|known| known.replace('-', "_") == wanted);
        if found.is_none() {
            self.refuse(name, format!("must be one of {}", names.join(", ")));
        }
        found
    }

    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => {
                self.refuse(name, "must be true or false");
                None
            }
        }
    }

    pub(crate) fn number(&mut self, name: &str, least: i64, most: i64) -> Option<i64> {
        let number = self.value(name)?.as_i64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.refuse(name, format!("must be a whole number from {least} to {most}"));
        }
        number
    }

    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let texts: Option<Vec<String>> = value
            .as_array()
            .map(|list| list.iter().map(|one| one.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        match texts {
            Some(texts) => texts,
            None => {
                self.refuse(name, "must be a list of texts");
                Vec::new()
            }
        }
    }

    /// An id that has to be there. The nil id stands for one that could not be used.
    pub(crate) fn id(&mut self, name: &str) -> Uuid {
        let text = self.required(name, 100);
        match text.parse() {
            Ok(id) => id,
            Err(_) => {
                if !text.is_empty() {
                    self.refuse(name, "is no id");
                }
                Uuid::nil()
            }
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Option<Value> {
        match self.value(name)? {
            value @ Value::Object(_) => Some(value.clone()),
            _ => {
                self.refuse(name, "must be an object");
                None
            }
        }
    }

    /// It is an error with status 422 when a field could not be used.
    pub(crate) fn check(self) -> Result<(), Problem> {
        if self.problems.is_empty() { Ok(()) } else { Err(Problem::fields(self.problems)) }
    }
}
