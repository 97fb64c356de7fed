//! `/live`: which calls are spoken now, and a form that begins one. `/live/{session_id}`: one of them.

mod session;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Map, Value, json};
use store::live::{ListedSession, LiveState};
use uuid::Uuid;
use web::{BringIn, ReadOwn};

use crate::own_api::{said, segment};
use crate::sections::Section;
use crate::texts::LiveTexts;
use crate::{Answer, Console, Fields, Posted, Visitor, show};

/// How many sessions are looked at, and how many of those that have ended are shown.
const LOOKED_AT: i64 = 500;
const ENDED: usize = 30;

#[derive(Template)]
#[template(path = "live/live.html")]
struct Page<'a> {
    texts: &'static LiveTexts,
    csrf: &'a str,
    active: Vec<Row>,
    ended: Vec<Row>,
    may_begin: bool,
    /// What was typed into the form, and what is wrong with it.
    typed: &'a Fields,
    problem: Option<String>,
}

struct Row {
    path: String,
    name: String,
    agent: String,
    since: String,
    length: String,
    /// Who spoke last, and what.
    said: Option<(&'static str, String)>,
    status: &'static str,
    call: String,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/live", get(show_page).post(begin)).merge(session::routes())
}

/// The page of a session.
fn path_of(session_id: &str) -> String {
    format!("/live/{}", segment(session_id))
}

/// The words for a side, in which the events name it.
fn side(speaker: &str, texts: &'static LiveTexts) -> &'static str {
    match speaker {
        "agent" => texts.agent,
        "customer" => texts.customer,
        _ => texts.somebody,
    }
}

async fn show_page(visitor: Visitor<ReadOwn>, State(console): State<Console>) -> Answer {
    list(&visitor, &console, StatusCode::OK, (&Fields::default(), None)).await
}

async fn list<N>(
    visitor: &Visitor<N>,
    console: &Console,
    status: StatusCode,
    (typed, problem): (&Fields, Option<String>),
) -> Answer {
    let texts = LiveTexts::of(visitor.language);
    let sessions = console.store.live_list(visitor.workspace, &visitor.sees, LOOKED_AT).await;
    let (active, ended): (Vec<_>, Vec<_>) =
        visitor.store(sessions)?.into_iter().partition(|session| session.state == LiveState::Active);
    let row = |session: &ListedSession| row(session, console, texts);
    let content = Page {
        texts,
        csrf: visitor.csrf(),
        active: active.iter().map(row).collect(),
        ended: ended.iter().take(ENDED).map(row).collect(),
        may_begin: visitor.may::<BringIn>(),
        typed,
        problem,
    };
    visitor.page_with(status, Section::Live, texts.title, &content)
}

fn row(session: &ListedSession, console: &Console, texts: &'static LiveTexts) -> Row {
    let call = &session.call;
    let is_active = session.state == LiveState::Active;
    let until = session.ended_at.filter(|_| !is_active).unwrap_or_else(|| console.store.now());
    let said = session.last_said.as_ref().map(|said| {
        let speaker = side(said["speaker"].as_str().unwrap_or_default(), texts);
        (speaker, show::shortened(said["text"].as_str().unwrap_or_default()))
    });
    Row {
        path: path_of(&session.session_id),
        name: show::shortened(&session.session_id),
        agent: show::shortened(call.details.agent_name.as_deref().unwrap_or_default()),
        since: show::time(session.started_at, console.installation.timezone),
        length: show::length(until.since(session.started_at)),
        said,
        status: if is_active { "active" } else { call.status.name() },
        call: call.id.to_string(),
    }
}

/// Begins a session, as `POST /api/calls/start` does.
async fn begin(visitor: Visitor<BringIn>, State(console): State<Console>, Posted(fields): Posted) -> Answer {
    let own_id = || format!("console-{}", &Uuid::new_v4().simple().to_string()[..12]);
    let session_id = fields.given("session_id").map_or_else(own_id, str::to_owned);
    let metadata: Map<String, Value> = ["agent_name", "from_number"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), fields.given(name)?.into())))
        .collect();
    let body = json!({"session_id": session_id, "metadata": metadata});
    match console.own_api.post(&visitor.principal, "/api/calls/start", (&body, None)).await {
        Ok(_) => Ok(visitor.go_to(&path_of(&session_id))),
        Err(problem) => list(&visitor, &console, problem.status, (&fields, Some(said(&problem)))).await,
    }
}
