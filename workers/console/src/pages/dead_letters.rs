//! `/dead-letters`: the work that was given up, by its cause and one by one, and how it is done again.
//!
//! Before all letters that match are done again, a page says how many they are, and asks for the reason.

mod replay;

use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use chrono_tz::Tz;
use queue_topology::replay::Start;
use queue_topology::{scrubbing, table};
use store::{DeadFilter, DeadGroup, DeadLetter, LetterBeside, Page};
use uuid::Uuid;
use web::{Problem, Read};

use crate::bounds::bound;
use crate::sections::Section;
use crate::texts::{DeadLetterTexts, FrameTexts, fill};
use crate::{Answer, Console, Fields, Refusal, Visitor, show};

const ON_A_PAGE: i64 = 50;
/// The fields of a filter, which every link of these pages carries on.
const FILTER: [&str; 4] = ["stage", "group", "since", "until"];

#[derive(Template)]
#[template(path = "dead_letters/list.html")]
struct List<'a> {
    texts: &'static DeadLetterTexts,
    /// What the last form did.
    done: Option<String>,
    fields: &'a Fields,
    stages: Vec<&'static str>,
    /// The groups that the filter offers, and their names.
    causes: Vec<(String, String)>,
    wrong: Wrong,
    groups: Vec<Group>,
    letters: Vec<Row>,
    total: i64,
    query: String,
    newer: Option<String>,
    older: Option<String>,
}

/// What is wrong with the times of the filter.
#[derive(Default)]
struct Wrong {
    since: Option<String>,
    until: Option<String>,
}

struct Group {
    stage: String,
    code: String,
    shape: String,
    letters: i64,
    first: String,
    last: String,
    query: String,
}

struct Row {
    id: Uuid,
    stage: String,
    code: String,
    text: String,
    call: Option<String>,
    died: String,
}

#[derive(Template)]
#[template(path = "dead_letters/letter.html")]
struct One<'a> {
    texts: &'static DeadLetterTexts,
    letter: &'a DeadLetter,
    shape: String,
    died: String,
    done_again: Option<String>,
    call: Option<String>,
    beside: LetterBeside,
    query: String,
    same: String,
    starts_at: Option<&'static str>,
    body: String,
    csrf: &'a str,
    why: &'a str,
    why_missing: bool,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/dead-letters", get(list))
        .route("/dead-letters/replay", get(replay::ask).post(replay::all))
        .route("/dead-letters/{id}", get(letter))
        .route("/dead-letters/{id}/replay", post(replay::one))
}

async fn list(visitor: Visitor<Read>, State(console): State<Console>, RawQuery(query): RawQuery) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let (texts, zone) = (DeadLetterTexts::of(visitor.language), console.installation.timezone);
    let (filter, wrong) = filter(&fields, zone, texts);
    let offset = fields.text("from").parse().unwrap_or(0_i64).max(0);
    let page = Page { offset, limit: ON_A_PAGE };
    let found = console.store.dead_letters(visitor.workspace, &filter, page).await;
    let (letters, total) = visitor.store(found)?;
    let groups = visitor.store(console.store.dead_groups(visitor.workspace).await)?;
    let status = if wrong.since.is_some() || wrong.until.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let from = |offset: i64| query_of(&fields, &[("from", &offset.to_string())]);
    let content = List {
        texts,
        done: done(&fields, texts),
        stages: table::ALL.iter().map(|queue| queue.stage).collect(),
        wrong,
        causes: causes(&groups, fields.given("group")),
        groups: groups.into_iter().map(|group| cause(group, zone)).collect(),
        letters: letters.into_iter().map(|letter| row(letter, zone)).collect(),
        total,
        query: query_of(&fields, &[]),
        newer: (offset > 0).then(|| from((offset - ON_A_PAGE).max(0))),
        older: (offset + ON_A_PAGE < total).then(|| from(offset + ON_A_PAGE)),
        fields: &fields,
    };
    visitor.page_with(status, Section::DeadLetters, FrameTexts::of(visitor.language).dead_letters, &content)
}

async fn letter(
    visitor: Visitor<Read>,
    State(console): State<Console>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    show_letter(&visitor, &console, &id, &fields, StatusCode::OK).await
}

/// The page of one letter. With another status than 200, the form on it comes back because its reason is missing.
async fn show_letter<N>(
    visitor: &Visitor<N>,
    console: &Console,
    id: &str,
    fields: &Fields,
    status: StatusCode,
) -> Answer {
    let (texts, zone) = (DeadLetterTexts::of(visitor.language), console.installation.timezone);
    let letter = find(visitor, console, id).await?;
    let (filter, _) = filter(fields, zone, texts);
    let beside = console.store.letters_beside(visitor.workspace, &filter, &letter).await;
    let pretty = serde_json::from_str::<serde_json::Value>(&letter.body);
    let content = One {
        texts,
        shape: scrubbing::shape(&letter.error_text),
        died: show::time(letter.died_at, zone),
        done_again: letter.replayed_at.map(|at| fill(texts.done_again, &[&show::time(at, zone)])),
        call: letter.call_id.map(|call| call.to_string()),
        beside: visitor.store(beside)?,
        query: query_of(fields, &[]),
        same: format!("?stage={}&group={}", letter.stage, letter.error_group),
        starts_at: letter.call_id.and(Start::named(&letter.stage)).map(|start| start.stage),
        body: pretty
            .and_then(|body| serde_json::to_string_pretty(&body))
            .unwrap_or_else(|_| letter.body.clone()),
        csrf: visitor.csrf(),
        why: fields.text("why"),
        why_missing: status != StatusCode::OK,
        letter: &letter,
    };
    visitor.page_with(status, Section::DeadLetters, texts.letter, &content)
}

async fn find<N>(visitor: &Visitor<N>, console: &Console, id: &str) -> Result<DeadLetter, Refusal> {
    let letter = match id.parse::<Uuid>() {
        Ok(id) => visitor.store(console.store.dead_letter(visitor.workspace, id).await)?,
        Err(_) => None,
    };
    let texts = DeadLetterTexts::of(visitor.language);
    letter.ok_or_else(|| visitor.refuse(Problem::new(StatusCode::NOT_FOUND, texts.no_letter)))
}

/// What the form or the query chooses, and what is wrong with it.
fn filter(fields: &Fields, zone: Tz, texts: &DeadLetterTexts) -> (DeadFilter, Wrong) {
    let text = |name| fields.given(name).map(str::to_owned);
    let time = |name, is_end| match fields.given(name) {
        None => (None, None),
        Some(text) => match bound(text, zone, is_end) {
            Some(moment) => (Some(moment), None),
            None => (None, Some(fill(texts.bad_time, &[text]))),
        },
    };
    let ((since, wrong_since), (until, wrong_until)) = (time("since", false), time("until", true));
    let filter = DeadFilter { stage: text("stage"), group: text("group"), since, until };
    (filter, Wrong { since: wrong_since, until: wrong_until })
}

/// The filter as a query, with more fields. It begins with `?`, unless it is empty.
fn query_of(fields: &Fields, more: &[(&str, &str)]) -> String {
    let of_filter = FILTER.iter().filter_map(|name| Some((*name, fields.given(name)?)));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(of_filter.chain(more.iter().copied()));
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// What a form did, as the address to which it led says it.
fn done(fields: &Fields, texts: &DeadLetterTexts) -> Option<String> {
    let number = |name| fields.given(name).and_then(|text| text.parse::<u64>().ok());
    if let (Some(replayed), Some(matched)) = (number("replayed"), number("matched")) {
        let batch = fields.text("batch").parse::<Uuid>().ok()?.to_string();
        let told = fill(texts.replayed, &[&replayed.to_string(), &matched.to_string(), &batch]);
        return Some(if fields.given("resumed").is_some() {
            format!("{told} {}", texts.resumed)
        } else {
            told
        });
    }
    match fields.text("one") {
        "done" => Some(texts.replayed_one.to_owned()),
        "left" => Some(texts.not_replayed.to_owned()),
        _ => None,
    }
}

/// The groups that there are, and the one that is chosen: perhaps its last letter was just done again.
fn causes(groups: &[DeadGroup], chosen: Option<&str>) -> Vec<(String, String)> {
    let name = |group: &DeadGroup| format!("{} · {} ({})", group.stage, group.error_code, group.letters);
    let mut causes: Vec<_> = groups.iter().map(|group| (group.error_group.clone(), name(group))).collect();
    if let Some(chosen) = chosen
        && !causes.iter().any(|(group, _)| group == chosen)
    {
        causes.push((chosen.to_owned(), chosen.to_owned()));
    }
    causes
}

fn cause(group: DeadGroup, zone: Tz) -> Group {
    Group {
        shape: scrubbing::shape(&group.example),
        letters: group.letters,
        first: show::time(group.first, zone),
        last: show::time(group.last, zone),
        query: format!("?stage={}&group={}", group.stage, group.error_group),
        stage: group.stage,
        code: group.error_code,
    }
}

fn row(letter: DeadLetter, zone: Tz) -> Row {
    Row {
        id: letter.id,
        call: letter.call_id.map(|call| call.to_string()),
        died: show::time(letter.died_at, zone),
        stage: letter.stage,
        code: letter.error_code,
        text: letter.error_text,
    }
}
