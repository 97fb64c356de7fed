//! Reads the parameters of a request, from its query or from its JSON body, and says of each one that cannot be used why.

use axum::http::Uri;
use domain::moment::Moment;
use serde_json::Value;
use store::Page;

use crate::problem::{FieldProblem, Problem};

/// The longest part of a list that an answer has.
const MAX_LIMIT: i64 = 1000;

/// The parameters of a request, from its query or from a JSON object. All values that cannot be used are collected, so
/// that one answer names them all. An empty value of a query counts as absent; in a JSON object it is refused.
#[derive(Default)]
pub struct Params {
    values: Vec<(String, String)>,
    /// The fields of a JSON object that are `true` or `false`.
    flags: Vec<(String, bool)>,
    problems: Vec<FieldProblem>,
}

impl Params {
    pub fn of_query(uri: &Uri) -> Self {
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self { values: pairs.into_owned().collect(), ..Self::default() }
    }

    /// The parameters in a JSON object, which may hold only `known` names. If an unknown name were ignored, a misspelt
    /// filter would select everything.
    pub fn of_json(body: &Value, known: &[&str]) -> Self {
        let mut params = Self::default();
        let Some(object) = body.as_object() else {
            params.refuse("", "must be an object");
            return params;
        };
        for (name, value) in object {
            match value {
                _ if !known.contains(&name.as_str()) => {
                    params.refuse(name, format!("is not known; the known names are {}", known.join(", ")));
                }
                Value::Null => {}
                // A variable of a script that was never set must not select everything.
                Value::String(text) if text.trim().is_empty() => {
                    params.refuse(name, "must not be empty; without the field there is no such condition");
                }
                Value::String(text) => params.values.push((name.clone(), text.clone())),
                Value::Bool(flag) => params.flags.push((name.clone(), *flag)),
                _ => params.refuse(name, "must be a text"),
            }
        }
        params
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        if self.flags.iter().any(|(known, _)| known == name) {
            self.refuse(name, "must be a text");
            return None;
        }
        let (_, text) = self.values.iter().find(|(known, _)| known == name)?;
        let text = text.trim().to_owned();
        if text.contains('\0') {
            self.refuse(name, "must not contain a NUL character");
            return None;
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// The value that `read` makes of the parameter. `expected` tells the sender which values `read` accepts.
    pub fn read<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            let shown: String = text.chars().take(80).collect();
            self.refuse(name, format!("`{shown}` is not {expected}"));
        }
        value
    }

    /// Whether a field says `true`, as a JSON value or as a text. A field that is absent says `false`.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.flags.iter().find(|(known, _)| known == name) {
            Some((_, flag)) => *flag,
            None => self.read(name, "true or false", |text| text.parse().ok()).unwrap_or_default(),
        }
    }

    /// A time that is the start of a period, or its end. This matters for a day: it starts at its first microsecond and
    /// ends at its last.
    pub fn moment(&mut self, name: &str, end: bool) -> Option<Moment> {
        self.read(name, "a time such as 2025-10-23T10:18:31Z, or a day such as 2025-10-23", |text| {
            Moment::parse_bound(text, end)
        })
    }

    /// A whole number in these bounds.
    pub fn whole(&mut self, name: &str, least: i64, most: i64) -> Option<i64> {
        let expected = if most == i64::MAX {
            format!("a number of {least} or more")
        } else {
            format!("a number from {least} to {most}")
        };
        self.read(name, &expected, |text| text.parse().ok().filter(|number| (least..=most).contains(number)))
    }

    /// Reads `limit`, and `page` (from 1) or `skip`. Without a `limit`, the list has `default_limit` entries.
    pub fn page(&mut self, default_limit: i64) -> Page {
        let limit = self.whole("limit", 1, MAX_LIMIT).unwrap_or(default_limit);
        let page = self.whole("page", 1, i64::MAX);
        let skip = self.whole("skip", 0, i64::MAX);
        if page.is_some() && skip.is_some() {
            self.refuse("skip", "cannot be used together with `page`");
        }
        let offset = skip.unwrap_or_else(|| (page.unwrap_or(1) - 1).saturating_mul(limit));
        Page { offset, limit }
    }

    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        let pointer = if name.is_empty() {
            String::new()
        } else {
            format!("/{}", name.replace('~', "~0").replace('/', "~1"))
        };
        self.problems.push(FieldProblem { pointer, detail: detail.into() });
    }

    /// It is an error with status 422 when a parameter could not be used.
    pub fn check(self) -> Result<(), Problem> {
        if self.problems.is_empty() { Ok(()) } else { Err(Problem::fields(self.problems)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn query(text: &str) -> Params {
        Params::of_query(&format!("/?{text}").parse().unwrap())
    }

    fn wrong_fields(params: Params) -> Vec<String> {
        let fields = params.check().err().map(|problem| problem.errors).unwrap_or_default();
        fields.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn a_page_number_and_a_skip_can_select_the_same_part_of_a_list() {
        assert_eq!(query("page=3&limit=20").page(50), Page { offset: 40, limit: 20 });
        assert_eq!(query("skip=40&limit=20").page(50), Page { offset: 40, limit: 20 });
        assert_eq!(query("page=&limit=").page(50), Page { offset: 0, limit: 50 });
        assert_eq!(query("page=9223372036854775807&limit=1000").page(50).offset, i64::MAX);
    }

    #[test]
    fn one_answer_names_every_parameter_that_cannot_be_used() {
        let mut params = query("page=0&limit=1001&skip=x&from=yesterday");
        params.page(50);
        params.moment("from", false);
        assert_eq!(wrong_fields(params), ["/limit", "/page", "/skip", "/from"]);
        let mut both = query("page=1&skip=0");
        both.page(50);
        assert_eq!(wrong_fields(both), ["/skip"]);
    }

    #[test]
    fn a_day_means_the_whole_day_and_an_unencoded_plus_is_accepted() {
        let time = |text: &str, end| Moment::parse_bound(text, end).map(|time| time.to_string());
        assert_eq!(time("2025-10-23", false).as_deref(), Some("2025-10-23T00:00:00Z"));
        assert_eq!(time("2025-10-23", true).as_deref(), Some("2025-10-23T23:59:59.999999Z"));
        assert_eq!(time("2025-10-23T10:00:00 05:30", false).as_deref(), Some("2025-10-23T04:30:00Z"));
        assert_eq!(time("2025-10-23T10:00:00", false), None);
    }

    #[test]
    fn a_misspelt_filter_is_refused_and_does_not_select_everything() {
        let known = ["stage", "group"];
        assert_eq!(wrong_fields(Params::of_json(&json!({"grup": "x"}), &known)), ["/grup"]);
        assert_eq!(wrong_fields(Params::of_json(&json!({"stage": 3}), &known)), ["/stage"]);
        let mut params = Params::of_json(&json!({"stage": false}), &known);
        assert_eq!(params.text("stage"), None);
        assert_eq!(wrong_fields(params), ["/stage"]);
        assert_eq!(wrong_fields(Params::of_json(&json!([]), &known)), [""]);
        for empty in ["", " ", "\n"] {
            assert_eq!(wrong_fields(Params::of_json(&json!({"group": empty}), &known)), ["/group"]);
        }
        assert!(wrong_fields(Params::of_json(&json!({"stage": null}), &known)).is_empty());
    }
}
