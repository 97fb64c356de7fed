//! `/practice/{meeting_id}`: one meeting: what is said, who answers and why, and what it was worth. Its report is for paper.

mod sound;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};
use store::{MeetingRow, MeetingStatus, TurnRow, TurnState};
use uuid::Uuid;
use web::{Practise, Problem, ReadOwn};

use super::kept::{Card, Plan, cards};
use super::{new_name, only_of};
use crate::own_api::{posted, said};
use crate::sections::Section;
use crate::texts::{PracticeTexts, fill};
use crate::{Answer, Console, Posted, PracticeSound, Refusal, Visitor, show};

/// Who speaks for us in a meeting, as the store has it.
const SALESPERSON: &str = "salesperson";

#[derive(Template)]
#[template(path = "practice/meeting.html")]
struct Page<'a> {
    texts: &'static PracticeTexts,
    csrf: &'a str,
    once: String,
    meeting: &'a MeetingRow,
    plan: &'a Plan,
    status: &'static str,
    facts: Vec<(&'static str, String)>,
    turns: Vec<Turn>,
    cards: Vec<Card>,
    may_practise: bool,
    sound: PracticeSound,
    /// The path of the recording that joins the sound of all turns, after the end of the meeting.
    recording: Option<String>,
    /// What was typed and not said.
    typed: &'a str,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "practice/report.html")]
struct Report<'a> {
    texts: &'static PracticeTexts,
    meeting: &'a MeetingRow,
    plan: &'a Plan,
    facts: Vec<(&'static str, String)>,
    turns: Vec<Turn>,
    cards: Vec<Card>,
}

/// Something that was said.
struct Turn {
    number: i64,
    at: String,
    name: String,
    role: String,
    is_ours: bool,
    text: String,
    /// Why it was this one who answered.
    why: Option<String>,
    is_built_in: bool,
    is_cut: bool,
    /// The path of its sound. There is none on paper.
    sound: Option<String>,
}

impl Page<'_> {
    /// Whether the page plays sound or takes it.
    fn has_sound(&self) -> bool {
        self.sound.has_voice || self.sound.understands_speech
    }

    fn is_pending(&self) -> bool {
        self.meeting.status == MeetingStatus::Pending
    }

    fn is_active(&self) -> bool {
        self.meeting.status == MeetingStatus::Active
    }
}

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/practice/{id}", get(show_page))
        .route("/practice/{id}/report", get(report))
        .route("/practice/{id}/start", post(start))
        .route("/practice/{id}/messages", post(say))
        .route("/practice/{id}/end", post(end))
        .route("/practice/{id}/delete", post(delete))
        .merge(sound::routes())
}

/// The meeting with this id, if the visitor may see it. Any other meeting is as if it did not exist.
async fn find<N>(visitor: &Visitor<N>, console: &Console, id: &str) -> Result<MeetingRow, Refusal> {
    let texts = PracticeTexts::of(visitor.language);
    let none = || visitor.refuse(Problem::new(StatusCode::NOT_FOUND, texts.no_meeting));
    let id = id.parse::<Uuid>().map_err(|_| none())?;
    let meeting = visitor.store(console.store.meeting(visitor.workspace, id).await)?;
    let only_of = only_of(&visitor.principal);
    meeting.filter(|meeting| only_of.is_none_or(|actor| meeting.created_by == actor)).ok_or_else(none)
}

async fn show_page(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Answer {
    let meeting = find(&visitor, &console, &id).await?;
    render(&visitor, &console, &meeting, (StatusCode::OK, "", None)).await
}

async fn render<N>(
    visitor: &Visitor<N>,
    console: &Console,
    meeting: &MeetingRow,
    (status, typed, problem): (StatusCode, &str, Option<String>),
) -> Answer {
    let texts = PracticeTexts::of(visitor.language);
    let plan = Plan::of(meeting);
    let turns = visitor.store(console.store.turns_of(visitor.workspace, meeting.id).await)?;
    let recording = sound::recording(visitor, console, meeting).await?;
    let content = Page {
        texts,
        csrf: visitor.csrf(),
        once: new_name(),
        meeting,
        plan: &plan,
        status: meeting.status.name(),
        facts: facts(meeting, &plan, &turns, (console, texts)),
        turns: turns.into_iter().map(|turn| shown(turn, meeting)).collect(),
        cards: cards(meeting),
        may_practise: visitor.may::<Practise>(),
        sound: console.practice_sound,
        recording,
        typed,
        problem,
    };
    visitor.page_with(status, Section::Practice, &title(&plan, texts), &content)
}

fn title(plan: &Plan, texts: &'static PracticeTexts) -> String {
    fill(texts.meeting_title, &[&show::shortened(&plan.product.name)])
}

/// The meeting on paper: what it was worth, and every word.
async fn report(visitor: Visitor<ReadOwn>, State(console): State<Console>, Path(id): Path<String>) -> Answer {
    let meeting = find(&visitor, &console, &id).await?;
    let texts = PracticeTexts::of(visitor.language);
    let plan = Plan::of(&meeting);
    let turns = visitor.store(console.store.turns_of(visitor.workspace, meeting.id).await)?;
    let content = Report {
        texts,
        meeting: &meeting,
        plan: &plan,
        facts: facts(&meeting, &plan, &turns, (&console, texts)),
        turns: turns.into_iter().map(|turn| Turn { sound: None, ..shown(turn, &meeting) }).collect(),
        cards: cards(&meeting),
    };
    visitor.page(
        Section::Practice,
        &fill(texts.report_title, &[&show::shortened(&plan.product.name)]),
        &content,
    )
}

fn facts(
    meeting: &MeetingRow,
    plan: &Plan,
    turns: &[TurnRow],
    (console, texts): (&Console, &'static PracticeTexts),
) -> Vec<(&'static str, String)> {
    let zone = console.installation.timezone;
    let began = meeting.started_at.map(|at| show::time(at, zone));
    let length = meeting.started_at.zip(meeting.ended_at).map(|(from, to)| show::length(to.since(from)));
    let all = [
        (texts.goal, Some(plan.goal.clone())),
        (texts.difficulty, Some(texts.level(&plan.difficulty).to_owned())),
        (texts.planned, Some(fill(texts.minutes, &[&plan.duration_minutes.to_string()]))),
        (texts.began, began),
        (texts.length, length),
        (texts.our_share, share(turns)),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// How much of the talk was ours, in per cent.
fn share(turns: &[TurnRow]) -> Option<String> {
    let whole: i64 = turns.iter().map(|turn| turn.duration_ms).sum();
    let ours: i64 =
        turns.iter().filter(|turn| turn.speaker == SALESPERSON).map(|turn| turn.duration_ms).sum();
    (whole > 0).then(|| format!("{} %", (ours * 100 + whole / 2) / whole))
}

fn shown(turn: TurnRow, meeting: &MeetingRow) -> Turn {
    let began = meeting.started_at.unwrap_or(meeting.created_at);
    let is_ours = turn.speaker == SALESPERSON;
    Turn {
        number: turn.number,
        at: show::length(turn.created_at.since(began)),
        role: if is_ours { String::new() } else { super::kept::role(&turn.role) },
        name: turn.name,
        is_ours,
        why: turn.details["why"].as_str().map(str::to_owned),
        is_built_in: turn.details["source"] == json!("built_in"),
        is_cut: turn.state == TurnState::Cut,
        sound: turn.audio.is_some().then(|| sound::path(meeting.id, turn.number)),
        text: turn.said,
    }
}

/// Starts the meeting, as `POST /api/meeting/{id}/start` does.
async fn start(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted,
) -> Answer {
    let meeting = find(&visitor, &console, &id).await?;
    let path = format!("/api/meeting/{}/start", meeting.id);
    let outcome = console.own_api.post(&visitor.principal, &path, (&json!({}), None)).await;
    answer(&visitor, &console, meeting.id, (outcome, "")).await
}

/// Ends the meeting, as `POST /api/meeting/{id}/end` does.
async fn end(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted,
) -> Answer {
    let meeting = find(&visitor, &console, &id).await?;
    let path = format!("/api/meeting/{}/end", meeting.id);
    let outcome = console.own_api.post(&visitor.principal, &path, (&json!({}), None)).await;
    answer(&visitor, &console, meeting.id, (outcome, "")).await
}

/// Deletes the meeting, as `DELETE /api/meeting/{id}` does.
async fn delete(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted,
) -> Answer {
    let meeting = find(&visitor, &console, &id).await?;
    let path = format!("/api/meeting/{}", meeting.id);
    match console.own_api.delete(&visitor.principal, &path).await {
        Ok(_) => Ok(visitor.go_to("/practice")),
        outcome => answer(&visitor, &console, meeting.id, (outcome, "")).await,
    }
}

/// Says something in the meeting, as `POST /api/conversation/send-message` does. A script gets the sentences as they come.
async fn say(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Posted(fields): Posted,
) -> Answer {
    const PATH: &str = "/api/conversation/send-message";
    const EVENTS: &str = "text/event-stream";
    let meeting = find(&visitor, &console, &id).await?;
    let typed = fields.text("message");
    let body = json!({"meeting_id": meeting.id, "speaker": SALESPERSON, "message": typed});
    let once = fields.given("once");
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains(EVENTS) {
        let mut request = posted(PATH, &body, once).map_err(|problem| visitor.refuse(problem))?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(EVENTS));
        return Ok(console.own_api.send(&visitor.principal, request).await);
    }
    let outcome = console.own_api.post(&visitor.principal, PATH, (&body, once)).await;
    answer(&visitor, &console, meeting.id, (outcome, typed)).await
}

/// Shows the meeting after a form, with what was wrong with the form and with what was typed into it.
async fn answer(
    visitor: &Visitor<Practise>,
    console: &Console,
    meeting: Uuid,
    (outcome, typed): (Result<Value, Problem>, &str),
) -> Answer {
    match outcome {
        Ok(answer) => {
            let turn = answer["data"]["salesperson_turn"].as_i64();
            let turn = turn.map(|turn| format!("#t{turn}")).unwrap_or_default();
            Ok(visitor.go_to(&format!("/practice/{meeting}{turn}")))
        }
        Err(problem) => {
            let meeting = find(visitor, console, &meeting.to_string()).await?;
            render(visitor, console, &meeting, (problem.status, typed, Some(said(&problem)))).await
        }
    }
}
