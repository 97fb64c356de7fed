//! Routes for what is said in a meeting.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response as HttpResponse};
use domain::moment::Moment;
use futures::stream;
use serde::Serialize;
use serde_json::Value;
use store::{MeetingRow, TurnRow};
use tokio::sync::mpsc;
use utoipa::ToSchema;
use uuid::Uuid;
use web::Problem;

use crate::fields::{Fields, MAX_TEXT};
use crate::hearing;
use crate::kept::{plan_of, scores_of};
use crate::meetings::find;
use crate::moves;
use crate::request::{Answer, Answered, Id, Reader, Trainee, finished, json};
use crate::score::{CriterionScore, Scorecard};
use crate::state::Practice;
use crate::talk::{self, Ears, Exchange, SALESPERSON, Sent, Told, seconds};

/// What the salesperson says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct MessageBody {
    meeting_id: Uuid,
    /// Always `salesperson`.
    #[schema(nullable = false)]
    speaker: Option<String>,
    /// What is said. It may be missing where `audio_data` is there.
    message: Option<String>,
    /// The sound of what is said, in base64: any format of a recording, or 16-bit samples at 16 kHz. It is used where `message` is
    /// missing, and it needs a provider of speech to text.
    audio_data: Option<String>,
}

/// One turn.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnView {
    turn_number: i64,
    /// `salesperson`, or the id of a representative.
    speaker: String,
    speaker_name: String,
    speaker_role: String,
    text: String,
    /// Where the sound can be fetched. Null where it was written, and where there is no voice.
    audio_url: Option<String>,
    /// When it was said, counted from the start of the meeting: `HH:MM:SS`.
    timestamp: String,
    duration_seconds: f64,
    /// `said`, `speaking` while the words still come, or `cut` where only a part was said.
    state: &'static str,
    /// Why this representative answered. Null for the salesperson.
    reasoning: Option<String>,
    /// `model` or `built_in`. Null for the salesperson.
    source: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Moment,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    turns: Vec<TurnView>,
    total_turns: usize,
    /// In seconds.
    salesperson_talk_time: f64,
    /// In seconds.
    representatives_talk_time: f64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Analytics {
    total_turns: usize,
    salesperson_turns: usize,
    ai_turns: usize,
    salesperson_talk_time: f64,
    representatives_talk_time: f64,
    /// In per cent of the talk.
    salesperson_talk_ratio: f64,
    /// In per cent of the talk.
    representatives_talk_ratio: f64,
    /// Turns of the salesperson with a question.
    questions_asked: usize,
    /// Turns of the salesperson with a question that cannot be answered with yes or no.
    open_questions: usize,
    /// The score by the criteria for practice. Null before the end of the meeting.
    score: Option<ScoreView>,
    /// The scores by all criteria.
    scorecards: Vec<Scorecard>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ScoreView {
    overall: u32,
    criteria: Vec<CriterionScore>,
}

/// Says something in a meeting. The right representative answers.
///
/// One turn is taken at a time, however many are sent. With `Accept: text/event-stream` each sentence comes when it is said, as
/// an event `ai_response_text`, its sound as events `ai_audio`, and the whole answer as the event `done`.
#[utoipa::path(post, path = "/api/conversation/send-message", operation_id = "sendPracticeMessage", tag = "practice", security(("key" = ["operate"])), request_body = MessageBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same answer, and the turn is taken once")),
    responses((status = 200, body = Answered<Exchange>),
        (status = 404, description = "There is no such meeting", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The meeting has not begun, or is over", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing or cannot be used, or the sound holds no speech", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No provider of speech to text answers at the moment", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn send(
    State(practice): State<Practice>,
    who: Trainee,
    request: Request,
) -> Answer<HttpResponse> {
    let (parts, body) = request.into_parts();
    let body = json(&parts, body).await?;
    let mut fields = Fields::of(body.clone())?;
    let meeting = fields.id("meeting_id");
    fields.one_of("speaker", &[SALESPERSON]);
    let said = fields.text("message", MAX_TEXT);
    let sound = if said.is_none() { hearing::field(&practice, &mut fields) } else { None };
    if said.is_none() && !fields.has("audio_data") {
        fields.refuse("message", "is missing or empty");
    }
    fields.check()?;
    let request = key(&parts, &who, meeting, &body)?;
    let meeting = find(&practice, &who, meeting).await?;
    let plan = plan_of(&meeting)?;
    let workspace = who.workspace;
    let sent = match (said, sound) {
        (Some(said), _) => Sent { said, duration_ms: None, sound: None, request },
        (None, Some(sound)) => {
            // What was answered once is not heard again, because that costs money.
            if let Some(before) = talk::answered_before(&practice, workspace, &meeting, request).await? {
                return Ok(Answered::plain(before).into_response());
            }
            let heard = hearing::words(&practice, &plan, sound, None).await?;
            let words = heard.ok_or_else(|| talk::nothing_said("/audio_data", "holds no speech"))?;
            Sent { said: words.text, duration_ms: Some(words.duration_ms), sound: words.sound, request }
        }
        (None, None) => return Err(talk::nothing_said("/message", "is missing or empty").into()),
    };
    let streams = parts
        .headers
        .get(ACCEPT)
        .and_then(|text| text.to_str().ok())
        .is_some_and(|text| text.contains("text/event-stream"));
    if streams {
        let (sender, spoken) = mpsc::channel(16);
        let done = tokio::spawn(async move {
            let ears = Ears { told: sender, playing: None };
            talk::exchange(&practice, workspace, (&meeting, &plan), &sent, Some(ears)).await
        });
        return Ok(as_events(spoken, done));
    }
    let exchange =
        finished(async move { talk::exchange(&practice, workspace, (&meeting, &plan), &sent, None).await });
    Ok(Answered::plain(exchange.await?).into_response())
}

/// The key of the request in its meeting, and a hash of what was sent.
fn key(parts: &Parts, who: &Trainee, meeting: Uuid, body: &Value) -> Answer<Option<(Uuid, Uuid)>> {
    let key = web::idempotency_key(&parts.headers)?;
    let space = Uuid::new_v5(&who.workspace.0, meeting.as_bytes());
    Ok(key
        .map(|key| (Uuid::new_v5(&space, key.as_bytes()), Uuid::new_v5(&space, body.to_string().as_bytes()))))
}

/// The sentences as they come, and then the whole answer or why there is none.
fn as_events(told: mpsc::Receiver<Told>, done: tokio::task::JoinHandle<Answer<Exchange>>) -> HttpResponse {
    enum Next {
        Told(mpsc::Receiver<Told>, tokio::task::JoinHandle<Answer<Exchange>>),
        End,
    }
    let events = stream::unfold(Next::Told(told, done), |next| async move {
        let Next::Told(mut told, done) = next else { return None };
        if let Some(one) = told.recv().await {
            let (name, data) = one.event();
            let event = Event::default().event(name).data(data.to_string());
            return Some((Ok::<_, Infallible>(event), Next::Told(told, done)));
        }
        let event = match done.await {
            Ok(Ok(exchange)) => {
                Event::default().event("done").data(serde_json::to_string(&exchange).unwrap_or_default())
            }
            Ok(Err(refusal)) => {
                Event::default().event("error").data(serde_json::to_string(&refusal.0).unwrap_or_default())
            }
            Err(_) => Event::default().event("error").data("{}"),
        };
        Some((Ok(event), Next::End))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// What was said in a meeting.
#[utoipa::path(get, path = "/api/conversation/{meeting_id}/history", operation_id = "getPracticeHistory", tag = "practice", security(("key" = ["read"])),
    params(("meeting_id" = String, Path, description = "The id of the meeting")),
    responses((status = 200, body = Answered<History>),
        (status = 404, description = "There is no such meeting", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn history(
    State(practice): State<Practice>,
    who: Reader,
    Id(id): Id,
) -> Answer<Json<Answered<History>>> {
    let meeting = find(&practice, &who, id).await?;
    let turns = practice.store.turns_of(who.workspace, id).await?;
    let (ours, theirs) = talk_times(&turns);
    let history = History {
        total_turns: turns.len(),
        salesperson_talk_time: seconds(ours),
        representatives_talk_time: seconds(theirs),
        turns: turns.into_iter().map(|turn| turn_view(&meeting, turn)).collect(),
    };
    Ok(Answered::plain(history))
}

fn turn_view(meeting: &MeetingRow, turn: TurnRow) -> TurnView {
    let started = meeting.started_at.unwrap_or(meeting.created_at);
    let at = turn.created_at.since(started).as_secs();
    let text = |name: &str| turn.details[name].as_str().map(str::to_owned);
    TurnView {
        turn_number: turn.number,
        reasoning: text("why"),
        source: text("source"),
        speaker: turn.speaker,
        speaker_name: turn.name,
        speaker_role: turn.role,
        text: turn.said,
        audio_url: turn.audio.as_ref().map(|_| talk::audio_url(meeting.id, turn.number)),
        timestamp: format!("{:02}:{:02}:{:02}", at / 3600, at / 60 % 60, at % 60),
        duration_seconds: seconds(turn.duration_ms),
        state: turn.state.name(),
        created_at: turn.created_at,
    }
}

/// How long our side and the other side spoke, in milliseconds.
fn talk_times(turns: &[TurnRow]) -> (i64, i64) {
    let of = |is_ours: bool| {
        turns
            .iter()
            .filter(|turn| (turn.speaker == SALESPERSON) == is_ours)
            .map(|turn| turn.duration_ms)
            .sum()
    };
    (of(true), of(false))
}

/// The numbers of a meeting, and its score when it has ended.
#[utoipa::path(get, path = "/api/conversation/{meeting_id}/analytics", operation_id = "getPracticeAnalytics", tag = "practice", security(("key" = ["read"])),
    params(("meeting_id" = String, Path, description = "The id of the meeting")),
    responses((status = 200, body = Answered<Analytics>),
        (status = 404, description = "There is no such meeting", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn analytics(
    State(practice): State<Practice>,
    who: Reader,
    Id(id): Id,
) -> Answer<Json<Answered<Analytics>>> {
    let meeting = find(&practice, &who, id).await?;
    let turns = practice.store.turns_of(who.workspace, id).await?;
    let ours: Vec<&TurnRow> = turns.iter().filter(|turn| turn.speaker == SALESPERSON).collect();
    let (our_time, their_time) = talk_times(&turns);
    let cards = scores_of(&meeting);
    let score =
        cards.first().map(|card| ScoreView { overall: card.overall, criteria: card.criteria.clone() });
    Ok(Answered::plain(Analytics {
        total_turns: turns.len(),
        salesperson_turns: ours.len(),
        ai_turns: turns.len() - ours.len(),
        salesperson_talk_time: seconds(our_time),
        representatives_talk_time: seconds(their_time),
        salesperson_talk_ratio: ratio(our_time, our_time + their_time),
        representatives_talk_ratio: ratio(their_time, our_time + their_time),
        questions_asked: ours.iter().filter(|turn| moves::is_question(&turn.said)).count(),
        open_questions: ours.iter().filter(|turn| moves::is_open_question(&turn.said)).count(),
        score,
        scorecards: cards,
    }))
}

/// The part in per cent, with two decimals.
fn ratio(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { (seconds(part) / seconds(whole) * 10_000.0).round() / 100.0 }
}
