//! `/calls`: the list of calls with its filters, its columns and the views that people keep, and the same list as CSV.

mod columns;
mod csv;
mod filters;
mod views;

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use domain::analysis::Tone;
use domain::call::{CallStatus, Direction};
use store::{FilterValues, ListedCall, SavedView};
use web::{Problem, ReadOwn};

use crate::sections::Section;
use crate::texts::CallsTexts;
use crate::{Answer, Console, Fields, Visitor, show};
use columns::{Cell, Column, Looks};
use filters::Filters;

const ON_A_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "calls/calls.html")]
struct List<'a> {
    texts: &'static CallsTexts,
    fields: &'a Fields,
    filters: &'a Filters,
    /// The filters whose value is written, each with its words and the values that it can be completed to.
    written: [(&'static str, &'static str, Vec<String>); 4],
    /// The filters with a choice of values.
    chosen: [(&'static str, &'static str, &'static [&'static str]); 3],
    views: Vec<SavedView>,
    /// The filters and the columns, as a view keeps them.
    kept: String,
    rows: Vec<Row>,
    /// Calls of before an update are not in the list yet.
    is_catching_up: bool,
    /// The query of the page of older calls, where there are some.
    older: Option<String>,
    /// The query of the first page, where this is another one.
    newest: Option<String>,
    /// The query of the same calls without a place in the list.
    all: String,
}

impl List<'_> {
    /// The filters for days and numbers, each with its words and the type of its field.
    fn entered(&self) -> [(&'static str, &'static str, &'static str); 5] {
        let texts = self.texts;
        [
            ("days", texts.days, "number"),
            ("from", texts.from, "date"),
            ("to", texts.to, "date"),
            ("min", texts.min, "number"),
            ("max", texts.max, "number"),
        ]
    }

    /// Every column that the list can have.
    fn columns() -> [Column; 13] {
        Column::ALL
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template passes references")]
    fn is_chosen(&self, column: &Column) -> bool {
        self.filters.columns.contains(column)
    }
}

struct Row {
    id: String,
    at: String,
    cells: Vec<Cell>,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/calls", get(list)).route("/calls.csv", get(export)).merge(views::routes())
}

async fn list(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let texts = CallsTexts::of(visitor.language);
    let filters = Filters::read(&fields, (console.store.now(), console.installation.timezone), texts);
    let store = &console.store;
    let values = visitor.store(store.filter_values(visitor.workspace, &visitor.sees).await)?;
    let mut calls = if filters.can_be_used() {
        let limit = i64::try_from(ON_A_PAGE).unwrap_or(i64::MAX).saturating_add(1);
        let (filter, behind) = (&filters.filter, filters.behind);
        visitor.store(store.call_list(visitor.workspace, filter, &visitor.sees, behind, limit).await)?
    } else {
        Vec::new()
    };
    let has_older = calls.len() > ON_A_PAGE;
    calls.truncate(ON_A_PAGE);
    let last = calls.last().filter(|_| has_older);
    let all = fields.query_with("after", "");
    let FilterValues { sources, agents, teams, topics } = values;
    let content = List {
        texts,
        fields: &fields,
        filters: &filters,
        written: [
            ("source", texts.source, sources),
            ("agent", texts.agent, agents),
            ("team", texts.team, teams),
            ("topic", texts.topic, topics),
        ],
        chosen: [
            ("status", texts.status, CallStatus::NAMES),
            ("direction", texts.direction, Direction::NAMES),
            ("tone", texts.tone, Tone::NAMES),
        ],
        views: views::of(&visitor, &console).await?,
        kept: filters::kept(&fields),
        rows: calls.iter().map(|call| row(call, &filters.columns, &console, texts)).collect(),
        is_catching_up: visitor.store(store.is_catching_up().await)?,
        older: last.map(|last| fields.query_with("after", &filters::place(last.place()))),
        newest: fields.given("after").map(|_| all.clone()),
        all,
    };
    visitor.page_with(filters.http_status(), Section::Calls, texts.title, &content)
}

async fn export(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let texts = CallsTexts::of(visitor.language);
    let filters = Filters::read(&fields, (console.store.now(), console.installation.timezone), texts);
    if !filters.can_be_used() {
        return Err(visitor.refuse(Problem::new(filters.http_status(), texts.not_used)));
    }
    let response: Response = csv::stream(console.store, &visitor.principal, filters.filter);
    Ok(response)
}

fn row(listed: &ListedCall, columns: &[Column], console: &Console, texts: &CallsTexts) -> Row {
    Row {
        id: listed.call.id.to_string(),
        at: show::time(listed.began_at, console.installation.timezone),
        cells: columns.iter().map(|column| column.cell(listed, console, texts)).collect(),
    }
}
