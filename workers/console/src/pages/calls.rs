//! `/calls`: the list of calls with its filters, and the same list as CSV.

mod csv;
mod filters;

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use domain::call::{Call, CallStatus, Direction};
use store::FilterValues;
use web::{Problem, Read};

use crate::sections::Section;
use crate::texts::CallsTexts;
use crate::{Answer, Console, Fields, Visitor, show};
use filters::Filters;

const ON_A_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "calls/calls.html")]
struct List<'a> {
    texts: &'static CallsTexts,
    fields: &'a Fields,
    filters: &'a Filters,
    values: FilterValues,
    rows: Vec<Row>,
    /// The query of the page of older calls, where there are some.
    older: Option<String>,
    /// The query of the first page, where this is another one.
    newest: Option<String>,
    /// The query of the same calls without a place in the list.
    all: String,
}

impl List<'_> {
    fn statuses() -> &'static [&'static str] {
        CallStatus::NAMES
    }
}

struct Row {
    id: String,
    at: String,
    with: String,
    source: String,
    agent: String,
    direction: &'static str,
    length: String,
    status: &'static str,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/calls", get(list)).route("/calls.csv", get(export))
}

async fn list(visitor: Visitor<Read>, State(console): State<Console>, RawQuery(query): RawQuery) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let texts = CallsTexts::of(visitor.language);
    let filters = Filters::read(&fields, console.installation.timezone, texts);
    let values = visitor.store(console.store.filter_values(visitor.workspace).await)?;
    let mut calls = if filters.can_be_used() {
        let limit = i64::try_from(ON_A_PAGE).unwrap_or(i64::MAX).saturating_add(1);
        let found = console.store.calls_behind(visitor.workspace, &filters.filter, filters.behind, limit);
        visitor.store(found.await)?
    } else {
        Vec::new()
    };
    let has_older = calls.len() > ON_A_PAGE;
    calls.truncate(ON_A_PAGE);
    let last = calls.last().filter(|_| has_older);
    let all = fields.query_with("after", "");
    let content = List {
        texts,
        fields: &fields,
        filters: &filters,
        values,
        rows: calls.iter().map(|call| row(call, &console, texts)).collect(),
        older: last.map(|last| fields.query_with("after", &filters::place(last))),
        newest: fields.given("after").map(|_| all.clone()),
        all,
    };
    visitor.page_with(filters.http_status(), Section::Calls, texts.title, &content)
}

async fn export(visitor: Visitor<Read>, State(console): State<Console>, RawQuery(query): RawQuery) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let texts = CallsTexts::of(visitor.language);
    let filters = Filters::read(&fields, console.installation.timezone, texts);
    if !filters.can_be_used() {
        return Err(visitor.refuse(Problem::new(filters.http_status(), texts.not_used)));
    }
    let response: Response =
        csv::stream(console.store, console.installation, visitor.workspace, filters.filter);
    Ok(response)
}

fn row(call: &Call, console: &Console, texts: &'static CallsTexts) -> Row {
    let details = &call.details;
    let parties = console.installation.lines.parties(call);
    let number = parties.customer.or(details.from_number.as_deref()).or(details.to_number.as_deref());
    let named = number.or(details.topic.as_deref()).unwrap_or(&call.external_id);
    Row {
        id: call.id.to_string(),
        at: show::time(call.received_at, console.installation.timezone),
        with: show::shortened(named),
        source: show::shortened(&call.source),
        agent: show::shortened(details.agent_name.as_deref().unwrap_or_default()),
        direction: match parties.known_direction {
            Some(Direction::Incoming) => texts.incoming,
            Some(Direction::Outgoing) => texts.outgoing,
            None => "",
        },
        length: details.said_duration_ms().map(show::milliseconds).unwrap_or_default(),
        status: call.status.name(),
    }
}
