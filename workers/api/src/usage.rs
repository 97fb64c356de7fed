//! The route that says what models and transcripts cost.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use store::{UsageBy, UsageTime};
use web::{Params, Problem};

use crate::request::{self, Answer, DEFAULT_LIMIT, Reader};
use crate::state::Api;
use crate::view::{self, UsageView};

/// What models and transcripts cost, in sums.
#[utoipa::path(get, path = "/api/usage", operation_id = "getUsage", tag = "operations",
    params(("by" = Option<String>, Query, description = "One of `day` (the default), `model`, `call`"),
        ("from" = Option<String>, Query, description = "Only what was paid for at this time or later: RFC 3339 with an offset, or a day in UTC"),
        ("to" = Option<String>, Query, description = "Only what was paid for at this time or earlier; a day means the whole day"),
        ("page" = Option<i64>, Query, description = "The number of the page, from 1"),
        ("limit" = Option<i64>, Query, description = "How many entries a page holds; 50 when it is absent")),
    responses((status = 200, body = UsageView),
        (status = 422, description = "A parameter that cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn usage(State(api): State<Api>, reader: Reader, uri: Uri) -> Answer<Json<UsageView>> {
    let mut params = Params::of_query(&uri);
    let names = format!("one of {}", UsageBy::NAMES.join(", "));
    let by = params.read("by", &names, |name| name.parse::<UsageBy>().ok()).unwrap_or(UsageBy::Day);
    let time = UsageTime { from: params.moment("from", false), to: params.moment("to", true) };
    let page = params.page(DEFAULT_LIMIT);
    params.check()?;
    let (rows, total) = api.store.usage(reader.workspace, by, time, page).await?;
    let sum = api.store.usage_in_all(reader.workspace, time).await?;
    Ok(Json(UsageView {
        by: by.name().to_owned(),
        items: rows.iter().map(view::usage_sum).collect(),
        sum: view::used(&sum),
        page: request::number(page),
        limit: page.limit,
        total,
    }))
}
