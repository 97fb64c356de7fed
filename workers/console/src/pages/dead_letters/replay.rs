//! Doing dead letters again: all that match, or one.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use queue_topology::replay::{self as replays, Batch};
use store::DeadFilter;
use web::Operate;

use super::{FILTER, filter, find, query_of, show_letter};
use crate::sections::Section;
use crate::texts::DeadLetterTexts;
use crate::{Answer, Console, Fields, Posted, Visitor};

#[derive(Template)]
#[template(path = "dead_letters/replay.html")]
struct Ask<'a> {
    texts: &'static DeadLetterTexts,
    csrf: &'a str,
    /// The names and the values of the filter.
    chosen: Vec<(&'static str, &'a str)>,
    matched: i64,
    query: String,
    why: &'a str,
    why_missing: bool,
}

/// Says how many letters match, and changes nothing.
pub(super) async fn ask(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    show_question(&visitor, &console, &fields, StatusCode::OK).await
}

async fn show_question(
    visitor: &Visitor<Operate>,
    console: &Console,
    fields: &Fields,
    status: StatusCode,
) -> Answer {
    let texts = DeadLetterTexts::of(visitor.language);
    let Some(filter) = readable(fields, console, texts) else {
        return Ok(visitor.go_to(&format!("/dead-letters{}", query_of(fields, &[]))));
    };
    let content = Ask {
        texts,
        csrf: visitor.csrf(),
        chosen: FILTER.iter().filter_map(|name| Some((*name, fields.given(name)?))).collect(),
        matched: visitor.store(console.store.count_dead(visitor.workspace, &filter).await)?,
        query: query_of(fields, &[]),
        why: fields.text("why"),
        why_missing: status != StatusCode::OK,
    };
    visitor.page_with(status, Section::DeadLetters, texts.replay_title, &content)
}

/// Does all letters again that match.
pub(super) async fn all(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    Posted(fields): Posted,
) -> Answer {
    let Some(why) = fields.given("why") else {
        return show_question(&visitor, &console, &fields, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    let texts = DeadLetterTexts::of(visitor.language);
    let Some(filter) = readable(&fields, &console, texts) else {
        return Ok(visitor.go_to(&format!("/dead-letters{}", query_of(&fields, &[]))));
    };
    let who = (visitor.workspace, &*visitor.actor);
    let batch = visitor.store(replays::letters(&console.store, who, (&filter, Some(why)), None).await)?;
    let Batch { id, resumed, matched, replayed } = batch;
    let resumed = if resumed { "&resumed=1" } else { "" };
    let told = format!("/dead-letters?replayed={replayed}&matched={matched}&batch={id}{resumed}");
    Ok(visitor.go_to(&told))
}

/// Does one letter again.
pub(super) async fn one(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let letter = find(&visitor, &console, &id).await?;
    let Some(why) = fields.given("why") else {
        return show_letter(&visitor, &console, &id, &fields, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    let who = (visitor.workspace, &*visitor.actor);
    let replayed = visitor.store(replays::letter(&console.store, who, &letter, Some(why)).await)?;
    let told = if replayed { "done" } else { "left" };
    Ok(visitor.go_to(&format!("/dead-letters{}", query_of(&fields, &[("one", told)]))))
}

/// The filter, unless it cannot be read. A filter that was misread could choose more letters than its visitor wants.
fn readable(fields: &Fields, console: &Console, texts: &DeadLetterTexts) -> Option<DeadFilter> {
    let (filter, wrong) = filter(fields, console.installation.timezone, texts);
    (wrong.since.is_none() && wrong.until.is_none()).then_some(filter)
}
