//! What every reading route needs of a request: who asks, which call, which part of a list; and how it is
//! refused.

use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, NaiveTime};
use domain::call::{Call, CallId, WorkspaceId};
use domain::moment::Moment;
use platform::blobs::BlobError;
use serde_json::Value;
use store::{Page, Store, StoreError};
use uuid::Uuid;
use web::{Authorized, FieldProblem, Operate, Problem, Read};

/// Longer than a database that is merely busy takes.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const COME_BACK_IN: Duration = Duration::from_secs(5);
const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 1000;

/// Why a request gets no answer.
pub(crate) struct Refused(Problem);

pub(crate) type Answer<T> = Result<T, Refused>;

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a reader got no answer");
        unavailable("the store cannot be used at the moment")
    }
}

impl From<BlobError> for Refused {
    fn from(error: BlobError) -> Self {
        tracing::warn!(%error, "a reader got no answer");
        unavailable("the blobs cannot be read at the moment")
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

fn unavailable(detail: &str) -> Refused {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(COME_BACK_IN).into()
}

pub(crate) fn not_found(detail: impl Into<String>) -> Refused {
    Problem::new(StatusCode::NOT_FOUND, detail).into()
}

/// Says so when a database hangs. What changes something may take as long as it takes.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    if request.method() == Method::POST {
        return next.run(request).await;
    }
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => unavailable("there was no answer in time").into_response(),
    }
}

/// Who asks, and may read.
pub(crate) type Reader = Authorized<Read>;
/// Who asks, and may have something done again.
pub(crate) type Operator = Authorized<Operate>;

/// The one id in the path, decoded.
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await.ok().map(|Path(id)| id);
        // No database keeps a NUL in a text.
        let readable = id.filter(|id| !id.contains('\0'));
        readable
            .map(Self)
            .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "the id in the path cannot be read"))
    }
}

/// The call with this id of ours, or of its source's.
pub(crate) async fn find(store: &Store, workspace: WorkspaceId, id: &str) -> Answer<Call> {
    let ours = match id.parse::<Uuid>() {
        Ok(uuid) => store.call(workspace, CallId(uuid)).await?,
        Err(_) => None,
    };
    match ours {
        Some(call) => Ok(call),
        None => find_by_source_id(store, workspace, id).await,
    }
}

pub(crate) async fn find_by_source_id(store: &Store, workspace: WorkspaceId, id: &str) -> Answer<Call> {
    store
        .call_by_external_id(workspace, id)
        .await?
        .ok_or_else(|| not_found(format!("there is no call `{id}`")))
}

/// Named values of a query or of a JSON object. What cannot be used is collected, so that one answer names
/// all of it; an empty value is as if it were absent.
#[derive(Default)]
pub(crate) struct Params {
    values: Vec<(String, String)>,
    wrong: Vec<FieldProblem>,
}

impl Params {
    pub(crate) fn of_query(uri: &Uri) -> Self {
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self { values: pairs.into_owned().collect(), wrong: Vec::new() }
    }

    /// Of an object that may hold `known` names: a misspelt filter must not mean "all".
    pub(crate) fn of_json(body: &Value, known: &[&str]) -> Self {
        let mut params = Self::default();
        let Some(object) = body.as_object() else {
            params.refuse("", "must be an object");
            return params;
        };
        for (name, value) in object {
            match value {
                _ if !known.contains(&name.as_str()) => {
                    params.refuse(name, format!("is not known; there are {}", known.join(", ")));
                }
                Value::Null => {}
                Value::String(text) => params.values.push((name.clone(), text.clone())),
                Value::Bool(flag) => params.values.push((name.clone(), flag.to_string())),
                _ => params.refuse(name, "must be a text"),
            }
        }
        params
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let (_, text) = self.values.iter().find(|(known, _)| known == name)?;
        let text = text.trim().to_owned();
        if text.contains('\0') {
            self.refuse(name, "must not hold a NUL");
            return None;
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// A value that `read` understands; `wanted` says what that is.
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            let shown: String = text.chars().take(80).collect();
            self.refuse(name, format!("`{shown}` is not {wanted}"));
        }
        value
    }

    /// The start of a span of time, or its end.
    pub(crate) fn moment(&mut self, name: &str, end: bool) -> Option<Moment> {
        self.read(name, "a time such as 2025-10-23T10:18:31Z, or a day such as 2025-10-23", |text| {
            moment(text, end)
        })
    }

    /// `page` (from 1) or `skip`, and `limit`.
    pub(crate) fn page(&mut self) -> Page {
        let whole = |least: i64, most: i64| {
            move |text: &str| text.parse().ok().filter(|number| (least..=most).contains(number))
        };
        let limit =
            self.read("limit", "a number from 1 to 1000", whole(1, MAX_LIMIT)).unwrap_or(DEFAULT_LIMIT);
        let page = self.read("page", "a number from 1 on", whole(1, i64::MAX));
        let skip = self.read("skip", "a number from 0 on", whole(0, i64::MAX));
        if page.is_some() && skip.is_some() {
            self.refuse("skip", "goes without `page`");
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
        self.wrong.push(FieldProblem { pointer, detail: detail.into() });
    }

    /// 422 for everything that could not be used.
    pub(crate) fn check(self) -> Result<(), Problem> {
        if self.wrong.is_empty() { Ok(()) } else { Err(Problem::fields(self.wrong)) }
    }
}

/// The number of a page, from 1.
pub(crate) fn number(page: Page) -> i64 {
    page.offset / page.limit + 1
}

fn moment(text: &str, end: bool) -> Option<Moment> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        let time = if end { NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)? } else { NaiveTime::MIN };
        return Some(day.and_time(time).and_utc().into());
    }
    // A `+` that was not encoded arrives as a blank.
    let text = text.replace(' ', "+");
    DateTime::parse_from_rfc3339(&text).ok().map(|time| time.to_utc().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn query(text: &str) -> Params {
        Params::of_query(&format!("/?{text}").parse().unwrap())
    }

    fn wrong(params: Params) -> Vec<String> {
        let fields = params.check().err().map(|problem| problem.errors).unwrap_or_default();
        fields.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn a_page_and_a_skip_name_the_same_part_of_a_list() {
        assert_eq!(query("page=3&limit=20").page(), Page { offset: 40, limit: 20 });
        assert_eq!(query("skip=40&limit=20").page(), Page { offset: 40, limit: 20 });
        assert_eq!(query("page=&limit=").page(), Page { offset: 0, limit: 50 });
        assert_eq!(query("page=9223372036854775807&limit=1000").page().offset, i64::MAX);
    }

    #[test]
    fn everything_that_cannot_be_used_is_named_at_once() {
        let mut params = query("page=0&limit=1001&skip=x&from=yesterday");
        params.page();
        params.moment("from", false);
        assert_eq!(wrong(params), ["/limit", "/page", "/skip", "/from"]);
        let mut both = query("page=1&skip=0");
        both.page();
        assert_eq!(wrong(both), ["/skip"]);
    }

    #[test]
    fn a_day_means_all_of_it_and_an_unencoded_plus_is_read() {
        let time = |text: &str, end| moment(text, end).map(|time| time.to_string());
        assert_eq!(time("2025-10-23", false).as_deref(), Some("2025-10-23T00:00:00Z"));
        assert_eq!(time("2025-10-23", true).as_deref(), Some("2025-10-23T23:59:59.999999Z"));
        assert_eq!(time("2025-10-23T10:00:00 05:30", false).as_deref(), Some("2025-10-23T04:30:00Z"));
        assert_eq!(time("2025-10-23T10:00:00", false), None);
    }

    #[test]
    fn a_misspelt_filter_is_refused_and_does_not_mean_all() {
        let known = ["stage", "group"];
        assert_eq!(wrong(Params::of_json(&json!({"grup": "x"}), &known)), ["/grup"]);
        assert_eq!(wrong(Params::of_json(&json!({"stage": 3}), &known)), ["/stage"]);
        assert_eq!(wrong(Params::of_json(&json!([]), &known)), [""]);
        assert!(wrong(Params::of_json(&json!({"stage": null}), &known)).is_empty());
    }
}
