//! `/calls/{id}`: one call, with its recording, its transcript, what was made of it, and what happened to it.

mod correcting;
mod finding;
mod moments;
mod outline;
mod parts;

use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use domain::analysis::Analysis;
use domain::call::{Call, CallId, Role};
use domain::note::Note;
use queue_topology::replay;
use uuid::Uuid;
use web::{Operate, Problem, ReadOwn};

use crate::sections::Section;
use crate::texts::{CallTexts, fill};
use crate::{Answer, Console, Fields, Posted, Refusal, Visitor, show};
use correcting::{Place, Rewriting, SpeakerRow};
use finding::Finding;
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
    /// What the visitor typed into the search of the transcript.
    find: &'a str,
    finding: &'a Finding,
    lines: Lines,
    rewriting: Option<Rewriting>,
    speakers: Vec<SpeakerRow>,
    /// The form for speakers as it came, where something in it cannot be used.
    wrong_speakers: Option<Fields>,
    analysis: Option<Analysis>,
    /// The lines in which the actions and the topics of the analysis come up, where they are known.
    action_lines: Vec<Option<u32>>,
    topic_lines: Vec<Option<u32>>,
    is_summary_corrected: bool,
    notes: Vec<Note>,
    effects: Vec<EffectLine>,
    happened: Vec<Happened>,
    may_operate: bool,
}

impl Page<'_> {
    /// Whether a trace is known of anything that happened.
    fn has_traces(&self) -> bool {
        self.happened.iter().any(|step| !step.trace.is_empty())
    }

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

    fn roles() -> &'static [&'static str] {
        Role::NAMES
    }

    /// The form in which the visitor rewrites the summary.
    fn rewritten_summary(&self) -> Option<&Rewriting> {
        self.rewriting.as_ref().filter(|rewriting| rewriting.is_summary())
    }

    /// The form in which the visitor rewrites a line.
    fn rewritten_line(&self, id: u32) -> Option<&Rewriting> {
        self.rewriting.as_ref().filter(|rewriting| rewriting.is_line(id))
    }

    /// What stands in a field of the form for speakers.
    fn typed<'a>(&'a self, field: &str, at: usize, shown: &'a str) -> &'a str {
        match &self.wrong_speakers {
            Some(fields) => fields.text(&format!("{field}-{at}")),
            None => shown,
        }
    }

    /// The address of the page at another found line.
    fn found_at(&self, line: u32) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair("find", self.find).append_pair("line", &line.to_string()).finish();
        format!("?{query}#s{line}")
    }
}

/// What the visitor asked the page for.
#[derive(Default)]
struct Asked {
    /// The line that must be on the page.
    line: Option<u32>,
    find: Option<String>,
    rewriting: Option<Rewriting>,
    wrong_speakers: Option<Fields>,
}

impl Asked {
    fn read(fields: &Fields) -> Self {
        let place = fields.given("edit").and_then(Place::named);
        let line = match place {
            Some(Place::Line(line)) => Some(line),
            _ => fields.text("line").parse().ok(),
        };
        Self {
            line,
            find: fields.given("find").map(str::to_owned),
            rewriting: place.map(Rewriting::of),
            wrong_speakers: None,
        }
    }
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/calls/{id}", get(show_page))
        .route("/calls/{id}/recording", get(recording))
        .route("/calls/{id}/replay", post(replay_call))
        .merge(correcting::routes())
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
    let mut asked = Asked::read(&Fields::parse(query.unwrap_or_default().as_bytes()));
    if !visitor.may::<Operate>() {
        asked.rewriting = None;
    }
    render(&visitor, &console, &call, asked, StatusCode::OK).await
}

async fn render<N>(
    visitor: &Visitor<N>,
    console: &Console,
    call: &Call,
    asked: Asked,
    status: StatusCode,
) -> Answer {
    let (store, workspace, zone) = (&console.store, visitor.workspace, console.installation.timezone);
    let texts = CallTexts::of(visitor.language);
    let has_recording = web::recording::exists(store, &console.blobs, call)
        .await
        .map_err(|error| unavailable(visitor, &error))?;
    let waveform = visitor.store(store.waveform(workspace, call.id).await)?;
    let transcript = visitor.store(store.transcript(workspace, call.id).await)?;
    let analysis = visitor.store(store.analysis(workspace, call.id).await)?;
    let corrections = visitor.store(store.corrections(workspace, call.id).await)?;
    let effects = visitor.store(store.effects_of(workspace, call.id).await)?;
    let delivered = visitor.store(store.deliveries(workspace, call.id).await)?;
    let runs = visitor.store(store.runs(workspace, call.id).await)?;
    let ended = visitor.store(store.ended_runs(workspace, call.id).await)?;
    let traces = visitor.store(store.traces(workspace, call.id).await)?;
    let mut notes = call.details.notes.clone();
    notes.extend(transcript.iter().flat_map(|transcript| transcript.notes.iter().cloned()));
    let finding = Finding::of(asked.find.as_deref(), transcript.as_ref(), asked.line);
    let wanted = finding.line().or(asked.line).unwrap_or(1);
    let segments = transcript.as_ref().map(|transcript| &*transcript.segments).unwrap_or_default();
    let (action_lines, topic_lines) = match &analysis {
        Some(analysis) => moments::lines(&analysis.action_items, &analysis.topics, segments),
        None => (Vec::new(), Vec::new()),
    };
    let content = Page {
        texts,
        csrf: visitor.csrf(),
        call,
        status: call.status.name(),
        has_recording,
        outline: waveform.as_ref().map(Outline::of),
        find: asked.find.as_deref().unwrap_or_default(),
        lines: Lines::around(wanted, transcript.as_ref(), &corrections, &finding, texts),
        finding: &finding,
        rewriting: asked.rewriting,
        speakers: correcting::speaker_rows(transcript.as_ref()),
        wrong_speakers: asked.wrong_speakers,
        analysis,
        action_lines,
        topic_lines,
        is_summary_corrected: corrections.summary.is_some(),
        notes,
        effects: effects.into_iter().map(|effect| EffectLine::of(effect, &console.values)).collect(),
        happened: parts::happened(&delivered, (&runs, &ended), &traces, zone),
        may_operate: visitor.may::<Operate>(),
    };
    let began_at = call.details.started_at.unwrap_or(call.received_at);
    let title = fill(texts.title, &[&show::time(began_at, zone)]);
    visitor.page_with(status, Section::Calls, &title, &content)
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
