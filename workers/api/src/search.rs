//! The routes that find calls by their words, and that tell a program which calls changed.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use domain::search::Query;
use store::{Search, SearchError};
use web::{Params, Problem};

use crate::request::{Answer, CallReader, Reader, Refusal};
use crate::state::Api;
use crate::view::{self, ChangedCalls, FoundCalls};

const DEFAULT_FOUND: usize = 20;
/// No more calls are found at once, because each of them is read to show what was found in it.
const MAX_FOUND: usize = 100;
const DEFAULT_CHANGED: i64 = 100;
const MAX_CHANGED: i64 = 1000;

/// Finds calls by their words, newest first.
///
/// A call is found by what was said in it, by its summary and the rest of its analysis, and by its names, numbers and
/// ids. All words have to be there. Words in quotes have to stand side by side. A `*` behind a word means every word
/// that begins so. Capitals and accents do not matter. Chinese, Japanese, Thai, Lao, Khmer and Burmese are found without
/// blanks between their words.
#[utoipa::path(get, path = "/api/calls/search", operation_id = "searchCalls", tag = "calls",
    params(("q" = String, Query, description = "What to look for: words, words in quotes, and beginnings of words such as `refund*`"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1000, description = "How many calls to find at most; 20 when it is absent, and never more than 100"),
        ("from" = Option<String>, Query, description = "Only calls that began at this time or later: RFC 3339 with an offset, or a day in UTC"),
        ("to" = Option<String>, Query, description = "Only calls that began at this time or earlier; a day means the whole day")),
    responses((status = 200, body = FoundCalls),
        (status = 422, description = "A parameter that cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The search took too long and was stopped", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn search(State(api): State<Api>, reader: CallReader, uri: Uri) -> Answer<Json<FoundCalls>> {
    let mut params = Params::of_query(&uri);
    let text = params.text("q").unwrap_or_default();
    let query = Query::read(&text).map_err(|error| params.refuse("q", error.to_string())).ok();
    let limit = params.whole("limit", 1, 1000).and_then(|limit| usize::try_from(limit).ok());
    let (from, to) = (params.moment("from", false), params.moment("to", true));
    params.check()?;
    let Some(query) = query else {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "`q` is missing").into());
    };
    let search = Search { query, from, to, limit: limit.unwrap_or(DEFAULT_FOUND).min(MAX_FOUND) };
    let found = api.store.search(reader.workspace, &search, &reader.sees).await;
    let found = found.map_err(|error| match error {
        SearchError::TooSlow => too_slow(),
        SearchError::Store(error) => error.into(),
    })?;
    Ok(Json(view::found_calls(text, &found)))
}

fn too_slow() -> Refusal {
    let detail = "the search took too long and was stopped; look for rarer words, or for a shorter time";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into()
}

/// The calls that changed, in the order in which they changed.
///
/// A program that always sends the cursor of the last answer misses no change. Without a cursor it begins with the calls
/// that changed first. A call that changed several times is there once, as it is now. An empty list means that nothing
/// changed: ask again later with the same cursor. A cursor stays good for ever.
#[utoipa::path(get, path = "/api/calls/changes", operation_id = "changedCalls", tag = "calls",
    params(("after" = Option<String>, Query, description = "The `cursor` of the last answer"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1000, description = "How many calls to read at most; 100 when it is absent")),
    responses((status = 200, body = ChangedCalls),
        (status = 422, description = "A parameter that cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn changes(State(api): State<Api>, reader: Reader, uri: Uri) -> Answer<Json<ChangedCalls>> {
    let mut params = Params::of_query(&uri);
    let after = params.read("after", "a cursor of an earlier answer", |text| {
        text.parse::<i64>().ok().filter(|after| *after >= 0)
    });
    let limit = params.whole("limit", 1, MAX_CHANGED);
    params.check()?;
    let changes = api
        .store
        .changed_calls(reader.workspace, after.unwrap_or(0), limit.unwrap_or(DEFAULT_CHANGED))
        .await?;
    Ok(Json(ChangedCalls {
        calls: changes.calls.iter().map(|call| view::summary(call, &api.installation.lines)).collect(),
        cursor: changes.cursor.to_string(),
    }))
}
