//! Corrections of speakers, of the words of a line, and of the summary.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use domain::call::{Call, Role};
use domain::speakers::{self, Correction};
use domain::transcript::Transcript;
use queue_topology::correction;
use sha2::{Digest as _, Sha256};
use store::{LineSaid, Rewritten};
use web::{Operate, Problem};

use super::{Asked, find, render};
use crate::texts::CallTexts;
use crate::{Answer, Console, Fields, Posted, Visitor};

/// The longest text that a correction may have, in characters.
const MAX_CHARS: usize = 20_000;
/// How many speakers a form shows. A call with more has a transcript whose labels are none.
const MAX_SPEAKERS: usize = 30;

/// What the visitor rewrites on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Line(u32),
    Summary,
}

impl Place {
    pub(super) fn named(name: &str) -> Option<Self> {
        if name == "summary" { Some(Self::Summary) } else { name.parse().ok().map(Self::Line) }
    }
}

/// A form with which the visitor rewrites something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rewriting {
    pub(super) place: Place,
    /// What stands in the form. Absent where it is what stands on the page.
    pub(super) typed: Option<String>,
    pub(super) problem: Option<&'static str>,
    /// Somebody else rewrote it meanwhile; the page shows what.
    pub(super) is_changed: bool,
}

impl Rewriting {
    pub(super) fn of(place: Place) -> Self {
        Self { place, typed: None, problem: None, is_changed: false }
    }

    pub(super) fn is_line(&self, id: u32) -> bool {
        self.place == Place::Line(id)
    }

    pub(super) fn is_summary(&self) -> bool {
        self.place == Place::Summary
    }

    /// What stands in the form, where `shown` stands on the page.
    pub(super) fn text<'a>(&'a self, shown: &'a str) -> &'a str {
        self.typed.as_deref().unwrap_or(shown)
    }
}

/// What a form sends back instead of the words that its reader saw. A browser would change the ends of lines in them.
pub(super) fn seal(shown: &str) -> String {
    hex::encode(&Sha256::digest(shown)[..12])
}

/// A speaker, as the form for speakers has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpeakerRow {
    pub(super) label: String,
    pub(super) role: &'static str,
}

/// The speakers of a transcript, in the order in which they first speak.
pub(super) fn speaker_rows(transcript: Option<&Transcript>) -> Vec<SpeakerRow> {
    let mut rows: Vec<SpeakerRow> = Vec::new();
    for segment in transcript.iter().flat_map(|transcript| &transcript.segments) {
        let label = segment.label();
        if segment.speaker.is_some() && rows.iter().all(|row| row.label != label) {
            rows.push(SpeakerRow { label, role: segment.role.map_or("", Role::name) });
            if rows.len() == MAX_SPEAKERS {
                break;
            }
        }
    }
    rows
}

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/calls/{id}/speakers", post(correct_speakers))
        .route("/calls/{id}/lines/{line}", post(correct_line))
        .route("/calls/{id}/summary", post(correct_summary))
}

async fn correct_speakers(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let call = find(&visitor, &console, &id).await?;
    let texts = CallTexts::of(visitor.language);
    let Some(transcript) = visitor.store(console.store.transcript(visitor.workspace, call.id).await)? else {
        return Err(visitor.refuse(Problem::new(StatusCode::CONFLICT, texts.no_transcript)));
    };
    match speakers_said(&fields, &transcript) {
        Ok(corrections) if corrections.is_empty() => {}
        Ok(corrections) => {
            let who = (visitor.workspace, &*visitor.actor);
            visitor.store(correction::speakers(&console.store, who, call.id, &corrections).await)?;
        }
        Err(()) => {
            let asked = Asked { wrong_speakers: Some(fields), ..Asked::default() };
            return render(&visitor, &console, &call, asked, StatusCode::UNPROCESSABLE_ENTITY).await;
        }
    }
    Ok(visitor.go_to(&format!("/calls/{}#speakers", call.id)))
}

/// The speakers that the form says something new about.
fn speakers_said(fields: &Fields, transcript: &Transcript) -> Result<Vec<Correction>, ()> {
    let rows = speaker_rows(Some(transcript));
    let mut corrections = Vec::new();
    for at in 0..MAX_SPEAKERS {
        let shown = fields.text(&format!("speaker-{at}"));
        let Some(row) = rows.iter().find(|row| row.label == shown) else { continue };
        let typed = fields.text(&format!("name-{at}"));
        let name = match typed {
            "" => None,
            typed if typed == row.label => None,
            typed => Some(speakers::name(typed).ok_or(())?),
        };
        let role = match fields.text(&format!("role-{at}")) {
            "" => None,
            typed if typed == row.role => None,
            typed => Some(typed.parse::<Role>().map_err(|_| ())?),
        };
        if name.is_none() && role.is_none() {
            continue;
        }
        let own = speakers::own_labels(transcript, shown);
        corrections.extend(own.into_iter().map(|speaker| Correction { speaker, name: name.clone(), role }));
    }
    Ok(corrections)
}

async fn correct_line(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    Path((id, line)): Path<(String, String)>,
    Posted(fields): Posted,
) -> Answer {
    let call = find(&visitor, &console, &id).await?;
    let transcript = visitor.store(console.store.transcript(visitor.workspace, call.id).await)?;
    let shown =
        line.parse().ok().and_then(|line| Some((line, transcript.as_ref()?.segment(line)?.text.clone())));
    let texts = CallTexts::of(visitor.language);
    let Some((line, shown)) = shown else {
        return Err(visitor.refuse(Problem::new(StatusCode::NOT_FOUND, texts.no_such_line)));
    };
    // A line of a transcript is one line.
    let text = fields.text("text").split_whitespace().collect::<Vec<_>>().join(" ");
    let rewriting = Rewriting { typed: Some(text.clone()), ..Rewriting::of(Place::Line(line)) };
    if let Some(problem) = problem(&text, texts) {
        return again(&visitor, &console, &call, Rewriting { problem: Some(problem), ..rewriting }).await;
    }
    if seal(&shown) != fields.text("shown") {
        return again(&visitor, &console, &call, Rewriting { is_changed: true, ..rewriting }).await;
    }
    let who = (visitor.workspace, &*visitor.actor);
    let said = LineSaid { segment: line, shown: &shown, text: &text };
    match visitor.store(correction::line(&console.store, who, call.id, said).await)? {
        Rewritten::Done(_) => Ok(visitor.go_to(&format!("/calls/{}?line={line}#s{line}", call.id))),
        Rewritten::Changed { .. } | Rewritten::Missing => {
            again(&visitor, &console, &call, Rewriting { is_changed: true, ..rewriting }).await
        }
    }
}

async fn correct_summary(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let call = find(&visitor, &console, &id).await?;
    let analysis = visitor.store(console.store.analysis(visitor.workspace, call.id).await)?;
    let texts = CallTexts::of(visitor.language);
    let Some(shown) = analysis.map(|analysis| analysis.summary) else {
        return Err(visitor.refuse(Problem::new(StatusCode::CONFLICT, texts.no_summary)));
    };
    let text = fields.text("text").replace("\r\n", "\n");
    let rewriting = Rewriting { typed: Some(text.clone()), ..Rewriting::of(Place::Summary) };
    if let Some(problem) = problem(&text, texts) {
        return again(&visitor, &console, &call, Rewriting { problem: Some(problem), ..rewriting }).await;
    }
    if seal(&shown) != fields.text("shown") {
        return again(&visitor, &console, &call, Rewriting { is_changed: true, ..rewriting }).await;
    }
    let who = (visitor.workspace, &*visitor.actor);
    match visitor.store(correction::summary(&console.store, who, call.id, &shown, &text).await)? {
        Rewritten::Done(_) => Ok(visitor.go_to(&format!("/calls/{}#summary", call.id))),
        Rewritten::Changed { .. } | Rewritten::Missing => {
            again(&visitor, &console, &call, Rewriting { is_changed: true, ..rewriting }).await
        }
    }
}

/// What is wrong with a text that somebody typed.
fn problem(text: &str, texts: &'static CallTexts) -> Option<&'static str> {
    let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.is_empty() {
        Some(texts.text_missing)
    } else if text.chars().count() > MAX_CHARS || text.chars().any(is_control) {
        Some(texts.text_unusable)
    } else {
        None
    }
}

/// The page with the form once more, in which stands what was typed.
async fn again(visitor: &Visitor<Operate>, console: &Console, call: &Call, rewriting: Rewriting) -> Answer {
    let status = if rewriting.is_changed { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
    let line = match rewriting.place {
        Place::Line(line) => Some(line),
        Place::Summary => None,
    };
    render(visitor, console, call, Asked { line, rewriting: Some(rewriting), ..Asked::default() }, status)
        .await
}
