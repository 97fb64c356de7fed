//! `/search`: finds calls by their words, and leads to the moments at which they were said.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use chrono::NaiveDate;
use domain::period::Period;
use domain::search::Query;
use store::{FoundCall, Search, SearchError};
use web::ReadOwn;

use crate::fields::Fields;
use crate::marked::{Piece, pieces_of};
use crate::sections::Section;
use crate::texts::{SearchTexts, fill};
use crate::{Answer, Console, Visitor, show};

const LIMIT: usize = 25;

#[derive(Template)]
#[template(path = "search/search.html")]
struct Page<'a> {
    texts: &'static SearchTexts,
    fields: &'a Fields,
    problem: Option<&'static str>,
    /// Absent before anything was looked for.
    count: Option<String>,
    calls: Vec<Row>,
}

struct Row {
    id: String,
    at: String,
    with: String,
    snippet: Vec<Piece>,
    moments: Vec<MomentRow>,
}

struct MomentRow {
    /// Where the moment is on the call's page.
    link: String,
    at: String,
    speaker: String,
    text: Vec<Piece>,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/search", get(show_page))
}

async fn show_page(visitor: Visitor<ReadOwn>, State(console): State<Console>, uri: Uri) -> Answer {
    let texts = SearchTexts::of(visitor.language);
    let fields = Fields::parse(uri.query().unwrap_or_default().as_bytes());
    let mut page = Page { texts, fields: &fields, problem: None, count: None, calls: Vec::new() };
    let search = match search(&fields, &console, texts) {
        Ok(None) => return visitor.page(Section::Search, texts.title, &page),
        Ok(Some(search)) => search,
        Err(problem) => {
            page.problem = Some(problem);
            return visitor.page_with(StatusCode::UNPROCESSABLE_ENTITY, Section::Search, texts.title, &page);
        }
    };
    let found = match console.store.search(visitor.workspace, &search, &visitor.sees).await {
        Ok(found) => found,
        Err(SearchError::TooSlow) => {
            page.problem = Some(texts.too_slow);
            return visitor.page_with(StatusCode::SERVICE_UNAVAILABLE, Section::Search, texts.title, &page);
        }
        Err(SearchError::Store(error)) => return visitor.store(Err(error)),
    };
    let text = if found.len() == LIMIT { texts.first_found } else { texts.found };
    page.count = Some(fill(text, &[&found.len().to_string()]));
    page.calls = found.iter().map(|found| row(found, fields.text("q"), &console)).collect();
    visitor.page(Section::Search, texts.title, &page)
}

/// What is looked for. Nothing while the form is empty.
fn search(fields: &Fields, console: &Console, texts: &SearchTexts) -> Result<Option<Search>, &'static str> {
    let Some(text) = fields.given("q") else { return Ok(None) };
    let query = Query::read(text).map_err(|_| texts.wrong_query)?;
    let zone = console.installation.timezone;
    let day = |name| match fields.given(name) {
        None => Ok(None),
        Some(text) => text.parse::<NaiveDate>().map(|day| Some(Period::of_days(day, day, zone))),
    };
    let from = day("from").map_err(|_| texts.wrong_day)?.map(|day| day.from);
    let to = day("to").map_err(|_| texts.wrong_day)?.map(|day| day.to);
    Ok(Some(Search { query, from, to, limit: LIMIT }))
}

/// The moment on the page of its call, with what was looked for marked there too.
fn link(query: &str, segment: u32) -> String {
    let mut fields = url::form_urlencoded::Serializer::new(String::new());
    let fields = fields.append_pair("find", query).append_pair("line", &segment.to_string()).finish();
    format!("?{fields}#s{segment}")
}

fn row(found: &FoundCall, query: &str, console: &Console) -> Row {
    let details = &found.call.details;
    let with = details.topic.as_ref().or(details.agent_name.as_ref()).or(details.from_number.as_ref());
    let moments = found.moments.iter().map(|moment| MomentRow {
        link: link(query, moment.segment),
        at: moment.start_ms.map_or_else(String::new, |ms| {
            show::length(std::time::Duration::from_millis(u64::try_from(ms).unwrap_or_default()))
        }),
        speaker: moment.speaker.clone(),
        text: pieces_of(&moment.text),
    });
    Row {
        id: found.call.id.to_string(),
        at: show::time(details.started_at.unwrap_or(found.call.received_at), console.installation.timezone),
        with: with.unwrap_or(&found.call.external_id).clone(),
        snippet: pieces_of(&found.snippet),
        moments: moments.collect(),
    }
}
