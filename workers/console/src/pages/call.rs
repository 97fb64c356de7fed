//! `/calls/{id}`: one call, with its recording, its transcript, what was made of it, and what happened to it.

mod outline;
mod parts;

use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use domain::analysis::Analysis;
use domain::call::{Call, CallId};
use domain::note::Note;
use queue_topology::replay;
use uuid::Uuid;
use web::{Operate, Problem, ReadOwn};

use crate::sections::Section;
use crate::texts::{CallTexts, fill};
use crate::{Answer, Console, Fields, Posted, Refusal, Visitor, show};
use outline::Outline;
use parts::{EffectLine, Happened, Lines};

#[derive(Template)]
#[template(path = "call/call.html")]
struct Page<'a> {
    texts: &'static CallTexts,
    csrf: &'a str,
    call: &'a Call,
    status: &'static str,
    has_recording: bool,
    outline: Option<Outline>,
    lines: Lines,
    analysis: Option<Analysis>,
    notes: Vec<Note>,
    effects: Vec<EffectLine>,
    happened: Vec<Happened>,
    may_replay: bool,
}

impl Page<'_> {
    fn facts(&self) -> Vec<(&'static str, &str)> {
        let Self { texts, call, .. } = self;
        let details = &call.details;
        let all = [
            (texts.source, Some(&*call.source)),
            (texts.source_id, Some(&*call.external_id)),
            (texts.from, details.from_number.as_deref()),
            (texts.to, details.to_number.as_deref()),
            (texts.agent, details.agent_name.as_deref()),
            (texts.department, details.department.as_deref()),
            (texts.subject, details.topic.as_deref()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn stages() -> Vec<&'static str> {
        replay::Start::names()
    }
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/calls/{id}", get(show_page))
        .route("/calls/{id}/recording", get(recording))
        .route("/calls/{id}/replay", post(replay_call))
}

/// The call with this id in the visitor's workspace, if the visitor may see it. Any other call is as if it did not exist.
async fn find<N>(visitor: &Visitor<N>, console: &Console, id: &str) -> Result<Call, Refusal> {
    let none = || visitor.refuse(Problem::new(StatusCode::NOT_FOUND, CallTexts::of(visitor.language).none));
    let id = id.parse::<Uuid>().map_err(|_| none())?;
    let call = visitor.store(console.store.call(visitor.workspace, CallId(id)).await)?;
    call.filter(|call| visitor.sees.includes(&call.details)).ok_or_else(none)
}

async fn show_page(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let call = find(&visitor, &console, &id).await?;
    let (store, workspace, zone) = (&console.store, visitor.workspace, console.installation.timezone);
    let texts = CallTexts::of(visitor.language);
    let has_recording = web::recording::exists(store, &console.blobs, &call)
        .await
        .map_err(|error| unavailable(&visitor, &error))?;
    let waveform = visitor.store(store.waveform(workspace, call.id).await)?;
    let transcript = visitor.store(store.transcript(workspace, call.id).await)?;
    let analysis = visitor.store(store.analysis(workspace, call.id).await)?;
    let effects = visitor.store(store.effects_of(workspace, call.id).await)?;
    let delivered = visitor.store(store.deliveries(workspace, call.id).await)?;
    let runs = visitor.store(store.runs(workspace, call.id).await)?;
    let ended = visitor.store(store.ended_runs(workspace, call.id).await)?;
    let mut notes = call.details.notes.clone();
    notes.extend(transcript.iter().flat_map(|transcript| transcript.notes.iter().cloned()));
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let wanted = fields.text("line").parse().unwrap_or(1);
    let content = Page {
        texts,
        csrf: visitor.csrf(),
        call: &call,
        status: call.status.name(),
        has_recording,
        outline: waveform.as_ref().map(Outline::of),
        lines: Lines::around(wanted, transcript.as_ref(), texts),
        analysis,
        notes,
        effects: effects.into_iter().map(EffectLine::of).collect(),
        happened: parts::happened(&delivered, &runs, &ended, zone),
        may_replay: visitor.may::<Operate>(),
    };
    visitor.page(Section::Calls, &fill(texts.title, &[&show::time(call.received_at, zone)]), &content)
}

/// The bytes of the recording for the player of the page.
async fn recording(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let call = find(&visitor, &console, &id).await?;
    let answer = web::recording::newest(&console.store, &console.blobs, &call, None, &headers).await;
    let texts = CallTexts::of(visitor.language);
    let none = || visitor.refuse(Problem::new(StatusCode::NOT_FOUND, texts.no_recording));
    answer.map_err(|error| unavailable(&visitor, &error))?.ok_or_else(none)
}

fn unavailable<N>(visitor: &Visitor<N>, error: &web::recording::RecordingError) -> Refusal {
    tracing::warn!(%error, "failed to read a recording for a page");
    let texts = CallTexts::of(visitor.language);
    visitor.refuse(Problem::new(StatusCode::SERVICE_UNAVAILABLE, texts.recording_unavailable))
}

/// Does the call again, as `POST /api/calls/{id}/replay` does.
async fn replay_call(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let call = find(&visitor, &console, &id).await?;
    let texts = CallTexts::of(visitor.language);
    let refuse = |status, detail: &str| visitor.refuse(Problem::new(status, detail));
    let start = replay::Start::named(fields.text("from"))
        .ok_or_else(|| refuse(StatusCode::UNPROCESSABLE_ENTITY, texts.not_a_stage))?;
    let who = (visitor.workspace, &*visitor.actor);
    visitor
        .store(replay::call(&console.store, who, call.id, start).await)?
        .ok_or_else(|| refuse(StatusCode::CONFLICT, texts.never_there))?;
    Ok(visitor.go_to(&format!("/calls/{}", call.id)))
}
