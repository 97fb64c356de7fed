//! `/live/{session_id}`: what is said in a call while it is spoken, and what helps. Somebody can speak into it here.

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use domain::analysis::Analysis;
use domain::call::Call;
use domain::note::Note;
use serde_json::{Value, json};
use store::live::{LiveEvent, LiveSession, LiveState};
use uuid::Uuid;
use web::{BringIn, Problem, ReadOwn};

use super::{path_of, side};
use crate::own_api::{said, segment};
use crate::sections::Section;
use crate::texts::LiveTexts;
use crate::{Answer, Console, Fields, Posted, Refusal, Visitor, relay, show};

/// How many of the last words are shown. The page of the call has all of them.
const SHOWN: i64 = 300;

#[derive(Template)]
#[template(path = "live/session.html")]
struct Page<'a> {
    texts: &'static LiveTexts,
    csrf: &'a str,
    /// The name of the next piece that the form sends.
    once: String,
    path: String,
    call: String,
    status: &'static str,
    facts: Vec<(&'static str, String)>,
    lines: Vec<Line>,
    advice: Option<Advice>,
    summary: Option<Summary>,
    notes: Vec<Note>,
    may_speak: bool,
    /// The number of the last event that the page shows.
    last_event: i64,
    problem: Option<String>,
}

impl Page<'_> {
    fn is_summary_so_far(&self) -> bool {
        self.summary.as_ref().is_some_and(|summary| !summary.is_final)
    }
}

/// Something that was said.
struct Line {
    seq: i64,
    start_ms: i64,
    at: String,
    who: &'static str,
    text: String,
    /// The words can still change.
    is_open: bool,
}

struct Advice {
    /// Each with the line on which it rests.
    insights: Vec<(String, Option<i64>)>,
    suggestions: Vec<String>,
    urgency: String,
    mood: String,
}

struct Summary {
    text: String,
    points: Vec<String>,
    is_final: bool,
}

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/live/{id}", get(show_page))
        .route("/live/{id}/events", get(events))
        .route("/live/{id}/end", post(end))
        .merge(audio_routes())
}

fn audio_routes() -> Router<Console> {
    // How long a piece may be is checked while it is stored.
    Router::new().route("/live/{id}/audio", post(audio)).layer(DefaultBodyLimit::disable())
}

/// The session with this id, if the visitor may see its call. Any other session is as if it did not exist.
async fn find<N>(visitor: &Visitor<N>, console: &Console, id: &str) -> Result<(LiveSession, Call), Refusal> {
    let none = || visitor.refuse(Problem::new(StatusCode::NOT_FOUND, LiveTexts::of(visitor.language).none));
    if id.chars().any(char::is_control) {
        return Err(none());
    }
    let session =
        visitor.store(console.store.live_session(visitor.workspace, id.trim()).await)?.ok_or_else(none)?;
    let call = visitor.store(console.store.call(visitor.workspace, session.call).await)?;
    let call = call.filter(|call| visitor.sees.includes(&call.details)).ok_or_else(none)?;
    Ok((session, call))
}

async fn show_page(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Answer {
    let found = find(&visitor, &console, &id).await?;
    render(&visitor, &console, &found, (StatusCode::OK, None)).await
}

async fn render<N>(
    visitor: &Visitor<N>,
    console: &Console,
    (session, call): &(LiveSession, Call),
    (status, problem): (StatusCode, Option<String>),
) -> Answer {
    let (store, workspace) = (&console.store, visitor.workspace);
    let texts = LiveTexts::of(visitor.language);
    let last = async |kind: &'static str| store.last_live_event(workspace, session.call, kind).await;
    let told = store.last_live_events(workspace, session.call, "transcript_update", SHOWN).await;
    let lines = lines(visitor.store(told)?, texts);
    let advice = visitor.store(last("real_time_insights").await)?.map(|event| advice(&event.data, &lines));
    let analysis = visitor.store(store.analysis(workspace, session.call).await)?;
    let summary = match analysis {
        Some(analysis) => Some(made(analysis)),
        None => visitor.store(last("summary_update").await)?.map(|event| so_far(&event.data)),
    };
    let is_active = session.state == LiveState::Active;
    let content = Page {
        texts,
        csrf: visitor.csrf(),
        once: Uuid::new_v4().simple().to_string(),
        path: path_of(&session.session_id),
        call: call.id.to_string(),
        status: if is_active { "active" } else { call.status.name() },
        facts: facts(session, call, console, texts),
        lines,
        advice,
        summary,
        notes: call.details.notes.clone(),
        may_speak: is_active && visitor.may::<BringIn>(),
        last_event: session.last_event,
        problem,
    };
    visitor.page_with(status, Section::Live, &show::shortened(&session.session_id), &content)
}

fn facts(
    session: &LiveSession,
    call: &Call,
    console: &Console,
    texts: &'static LiveTexts,
) -> Vec<(&'static str, String)> {
    let zone = console.installation.timezone;
    let until = session.ended_at.unwrap_or_else(|| console.store.now());
    let length = until.since(session.started_at);
    let reason = session.end_reason.as_deref().map(|reason| match reason {
        "silence" => texts.ended_by_silence.to_owned(),
        "asked" => texts.ended_by_somebody.to_owned(),
        other => other.to_owned(),
    });
    let details = &call.details;
    let all = [
        (texts.agent, details.agent_name.clone()),
        (texts.from, details.from_number.clone()),
        (texts.since, Some(show::time(session.started_at, zone))),
        (texts.length, Some(show::length(length))),
        (texts.pieces, Some(session.pieces.to_string())),
        (texts.ended, reason),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// What was said. Words that can still change are shown until something newer of their turn came.
fn lines(told: Vec<LiveEvent>, texts: &'static LiveTexts) -> Vec<Line> {
    let mut lines: Vec<(Value, Line)> = Vec::new();
    for LiveEvent { seq, data, .. } in told {
        let turn = data["turn"].clone();
        lines.retain(|(known, line)| !line.is_open || *known != turn);
        let text = data["text"].as_str().unwrap_or_default().to_owned();
        if text.trim().is_empty() {
            continue;
        }
        let start_ms = data["start_ms"].as_i64().unwrap_or_default();
        let line = Line {
            seq,
            start_ms,
            at: show::milliseconds(start_ms),
            who: side(data["speaker"].as_str().unwrap_or_default(), texts),
            text,
            is_open: data["is_final"] == json!(false),
        };
        lines.push((turn, line));
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

fn texts_of(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn advice(data: &Value, lines: &[Line]) -> Advice {
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let rests_on = |at: usize| {
        let start_ms = data["evidence"][at]["quote"]["start_ms"].as_i64()?;
        lines.iter().find(|line| line.start_ms == start_ms).map(|line| line.seq)
    };
    let insights = texts_of(&data["insights"]);
    Advice {
        insights: insights.into_iter().enumerate().map(|(at, insight)| (insight, rests_on(at))).collect(),
        suggestions: texts_of(&data["suggestions"]),
        urgency: text("urgency_level"),
        mood: text("customer_mood"),
    }
}

fn made(analysis: Analysis) -> Summary {
    Summary { text: analysis.summary, points: analysis.key_points, is_final: true }
}

fn so_far(data: &Value) -> Summary {
    Summary {
        text: data["summary_text"].as_str().unwrap_or_default().to_owned(),
        points: texts_of(&data["key_points"]),
        is_final: data["is_final"] == json!(true),
    }
}

/// The events of the session, as `GET /api/calls/{session_id}/events` streams them. A page that hears one asks for itself
/// again.
async fn events(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    find(&visitor, &console, &id).await?;
    let after = Fields::parse(query.unwrap_or_default().as_bytes());
    // A browser that comes back says which event it had last, which is newer than what the address says.
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after: i64 = resumed.unwrap_or_else(|| after.text("after")).parse().unwrap_or(0);
    let path = format!("/api/calls/{}/events?after={after}", segment(&id));
    let request = Request::get(path).header(ACCEPT, "text/event-stream").body(Body::empty());
    let request = request
        .map_err(|error| visitor.refuse(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())))?;
    Ok(console.own_api.send(&visitor.principal, request).await)
}

/// Takes a piece of audio in, as `POST /api/calls/{session_id}/audio` does.
async fn audio(
    visitor: Visitor<BringIn>,
    State(console): State<Console>,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let is_script = !wants_page(request.headers());
    let path = format!("/api/calls/{}/audio", segment(&id));
    let taken = relay::form(&console.own_api, &visitor.principal, request, (&path, true)).await;
    if is_script {
        return taken.map_err(|problem| visitor.refuse(problem));
    }
    answer(&visitor, &console, &id, relay::outcome(taken).await).await
}

fn wants_page(headers: &HeaderMap) -> bool {
    web::accept::prefers_html(&web::accept::accepted(headers))
}

/// Ends the session, as `POST /api/calls/{session_id}/end` does.
async fn end(
    visitor: Visitor<BringIn>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted,
) -> Answer {
    find(&visitor, &console, &id).await?;
    let path = format!("/api/calls/{}/end", segment(&id));
    let ended = console.own_api.post(&visitor.principal, &path, (&json!({}), None)).await;
    answer(&visitor, &console, &id, ended).await
}

/// Shows the session after a form, with what was wrong with the form.
async fn answer(
    visitor: &Visitor<BringIn>,
    console: &Console,
    id: &str,
    outcome: Result<Value, Problem>,
) -> Answer {
    match outcome {
        Ok(_) => {
            let response: Response = visitor.go_to(&path_of(id));
            Ok(response)
        }
        // The form was not ours. That is told before anything of the session.
        Err(problem) if problem.status == StatusCode::FORBIDDEN => Err(visitor.refuse(problem)),
        Err(problem) => {
            let found = find(visitor, console, id).await?;
            render(visitor, console, &found, (problem.status, Some(said(&problem)))).await
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::moment::Moment;

    use super::*;
    use crate::texts::Language;

    fn told(seq: i64, turn: i64, text: &str, is_final: bool) -> LiveEvent {
        let data = json!({"turn": turn, "text": text, "is_final": is_final, "start_ms": turn * 1_000, "speaker": "agent"});
        LiveEvent { seq, kind: "transcript_update".into(), at: Moment::from_micros(0), data }
    }

    #[test]
    fn words_that_can_still_change_give_way_to_what_comes_of_their_turn() {
        let texts = LiveTexts::of(Language::English);
        let shown =
            |told| lines(told, texts).into_iter().map(|line| (line.text, line.is_open)).collect::<Vec<_>>();
        let first = told(1, 1, "I would", false);
        assert_eq!(shown(vec![first.clone()]), [("I would".into(), true)]);
        let second = told(2, 1, "I would like", false);
        assert_eq!(shown(vec![first.clone(), second.clone()]), [("I would like".into(), true)]);
        let whole = [told(3, 1, "I would like that.", true), told(4, 1, "Really.", true)];
        let all = [vec![first, second], whole.to_vec()].concat();
        assert_eq!(shown(all), [("I would like that.".into(), false), ("Really.".into(), false)]);
    }

    #[test]
    fn an_insight_leads_to_the_line_on_which_it_rests() {
        let lines = lines(vec![told(7, 3, "I want to cancel.", true)], LiveTexts::of(Language::English));
        let data = json!({
            "insights": ["a", "b"], "suggestions": ["c"], "urgency_level": "high", "customer_mood": "negative",
            "evidence": [{"quote": {"start_ms": 3_000}}, {"quote": null}],
        });
        let advice = advice(&data, &lines);
        assert_eq!(advice.insights, [("a".to_owned(), Some(7)), ("b".to_owned(), None)]);
    }
}
