//! Reads from a request what most routes need: who sends it, which call it is about, and which part of a list it wants.
//! It also says how a request is refused.

use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::call::{Call, CallId};
use domain::moment::Moment;
use domain::principal::Principal;
use platform::blobs::BlobError;
use serde_json::Value;
use store::{Page, Store, StoreError};
use uuid::Uuid;
use web::recording::RecordingError;
use web::{Authorized, FieldProblem, Operate, Problem, Read, ReadOwn};

/// How long an answer may take. A database that is only busy answers sooner.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(10);
const RETRY_AFTER: Duration = Duration::from_secs(5);
const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 1000;

/// Why a request is refused.
pub(crate) struct Refusal(Problem);

pub(crate) type Answer<T> = Result<T, Refusal>;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "failed to read the store for a request");
        unavailable("the store cannot be used at the moment")
    }
}

impl From<BlobError> for Refusal {
    fn from(error: BlobError) -> Self {
        tracing::warn!(%error, "failed to read a blob for a request");
        unavailable("the blobs cannot be read at the moment")
    }
}

impl From<RecordingError> for Refusal {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Store(error) => error.into(),
            RecordingError::Blob(error) => error.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

fn unavailable(detail: &str) -> Refusal {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER).into()
}

pub(crate) fn not_found(detail: impl Into<String>) -> Refusal {
    Problem::new(StatusCode::NOT_FOUND, detail).into()
}

/// Answers with status 503 when the answer takes too long, for example because the database hangs. A POST and a
/// PATCH have no time limit, because they change something and must come to their end.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::POST | Method::PATCH) {
        return next.run(request).await;
    }
    match tokio::time::timeout(MAX_ANSWER_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => unavailable("there was no answer in time").into_response(),
    }
}

/// The sender of a request, whose key may read. This stands before a handler's other arguments, so that a sender without
/// such a key learns nothing from the checks of the other arguments.
pub(crate) type Reader = Authorized<Read>;
/// The sender of a request, who may read calls, and perhaps only the own ones.
pub(crate) type CallReader = Authorized<ReadOwn>;
/// The sender of a request, whose key may have something done again.
pub(crate) type Operator = Authorized<Operate>;

/// The id in the path, decoded. The path has only one.
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await.ok().map(|Path(id)| id);
        // PostgreSQL refuses NUL in a text, so no row can have such an id.
        let readable = id.filter(|id| !id.contains('\0'));
        readable
            .map(Self)
            .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "the id in the path cannot be read"))
    }
}

/// The call with this id, if the sender may see it. It is our id or the source's.
pub(crate) async fn find(store: &Store, who: &Principal, id: &str) -> Answer<Call> {
    let ours = match id.parse::<Uuid>() {
        Ok(uuid) => store.call(who.workspace, CallId(uuid)).await?,
        Err(_) => None,
    };
    match ours {
        Some(call) => seen(who, Some(call), id),
        None => find_by_source_id(store, who, id).await,
    }
}

/// The call with this id of its source. Blanks around an id do not count when a call arrives, so they do not count here.
pub(crate) async fn find_by_source_id(store: &Store, who: &Principal, id: &str) -> Answer<Call> {
    let found = match store.call_by_external_id(who.workspace, id).await? {
        None if id.trim().len() < id.len() => store.call_by_external_id(who.workspace, id.trim()).await?,
        found => found,
    };
    seen(who, found, id)
}

/// A call that the sender may not see is answered as if it were not there.
fn seen(who: &Principal, call: Option<Call>, id: &str) -> Answer<Call> {
    call.filter(|call| who.sees.includes(&call.details))
        .ok_or_else(|| not_found(format!("there is no call `{id}`")))
}

/// The parameters of a request, from its query or from a JSON object. All values that cannot be used are collected, so
/// that one answer names them all. An empty value of a query counts as absent; in a JSON object it is refused.
#[derive(Default)]
pub(crate) struct Params {
    values: Vec<(String, String)>,
    /// The fields of a JSON object that are `true` or `false`.
    flags: Vec<(String, bool)>,
    problems: Vec<FieldProblem>,
}

impl Params {
    pub(crate) fn of_query(uri: &Uri) -> Self {
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self { values: pairs.into_owned().collect(), ..Self::default() }
    }

    /// The parameters in a JSON object, which may hold only `known` names. If an unknown name were ignored, a misspelt
    /// filter would select everything.
    pub(crate) fn of_json(body: &Value, known: &[&str]) -> Self {
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

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
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
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            let shown: String = text.chars().take(80).collect();
            self.refuse(name, format!("`{shown}` is not {expected}"));
        }
        value
    }

    /// Whether a field says `true`, as a JSON value or as a text. A field that is absent says `false`.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        match self.flags.iter().find(|(known, _)| known == name) {
            Some((_, flag)) => *flag,
            None => self.read(name, "true or false", |text| text.parse().ok()).unwrap_or_default(),
        }
    }

    /// A time that is the start of a period, or its end. This matters for a day: it starts at its first microsecond and
    /// ends at its last.
    pub(crate) fn moment(&mut self, name: &str, end: bool) -> Option<Moment> {
        self.read(name, "a time such as 2025-10-23T10:18:31Z, or a day such as 2025-10-23", |text| {
            Moment::parse_bound(text, end)
        })
    }

    /// Reads `limit`, and `page` (from 1) or `skip`.
    pub(crate) fn page(&mut self) -> Page {
        let whole = |min: i64, max: i64| {
            move |text: &str| text.parse().ok().filter(|number| (min..=max).contains(number))
        };
        let limit =
            self.read("limit", "a number from 1 to 1000", whole(1, MAX_LIMIT)).unwrap_or(DEFAULT_LIMIT);
        let page = self.read("page", "a number of 1 or more", whole(1, i64::MAX));
        let skip = self.read("skip", "a number of 0 or more", whole(0, i64::MAX));
        if page.is_some() && skip.is_some() {
            self.refuse("skip", "cannot be used together with `page`");
        }
        let offset = skip.unwrap_or_else(|| (page.unwrap_or(1) - 1).saturating_mul(limit));
        Page { offset, limit }
    }

    pub(crate) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        let pointer = if name.is_empty() {
            String::new()
        } else {
            format!("/{}", name.replace('~', "~0").replace('/', "~1"))
        };
        self.problems.push(FieldProblem { pointer, detail: detail.into() });
    }

    /// It is an error with status 422 when a parameter could not be used.
    pub(crate) fn check(self) -> Result<(), Problem> {
        if self.problems.is_empty() { Ok(()) } else { Err(Problem::fields(self.problems)) }
    }
}

/// The number of a page. The first page has the number 1.
pub(crate) fn number(page: Page) -> i64 {
    page.offset / page.limit + 1
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
        assert_eq!(query("page=3&limit=20").page(), Page { offset: 40, limit: 20 });
        assert_eq!(query("skip=40&limit=20").page(), Page { offset: 40, limit: 20 });
        assert_eq!(query("page=&limit=").page(), Page { offset: 0, limit: 50 });
        assert_eq!(query("page=9223372036854775807&limit=1000").page().offset, i64::MAX);
    }

    #[test]
    fn one_answer_names_every_parameter_that_cannot_be_used() {
        let mut params = query("page=0&limit=1001&skip=x&from=yesterday");
        params.page();
        params.moment("from", false);
        assert_eq!(wrong_fields(params), ["/limit", "/page", "/skip", "/from"]);
        let mut both = query("page=1&skip=0");
        both.page();
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
