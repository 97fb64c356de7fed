//! One exchange of a meeting: the trainee says something, and one or two representatives answer.
//!
//! An exchange has the floor from its beginning to its end, so however many send at once, turns have an order. The words are
//! stored as they are said. A process that dies in the middle leaves what was said, and whoever takes the floor next marks it
//! as cut.

mod answers;
mod floor;
mod playback;
mod saying;
pub(crate) mod sound;
mod voiced;

use axum::http::StatusCode;
use bytes::Bytes;
use domain::call::WorkspaceId;
use serde::Serialize;
use serde_json::{Value, json};
use store::{MeetingRow, NewTurn, TurnRow, TurnState};
use tokio::sync::mpsc;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;
use web::Problem;

pub(crate) use floor::Floor;
pub(crate) use saying::{Ears, Stop, Told};

use crate::metrics;
use crate::parts::Begins;
use crate::plan::{Heard, Plan};
use crate::request::Answer;
use crate::state::Practice;
use crate::voices::Speaker;
use crate::who::{Before, Choice, Person, WhySecond, who_answers};
use floor::lost;
use saying::{Saying, say};
use voiced::{Voiced, voiced};

pub(crate) const SALESPERSON: &str = "salesperson";
/// How fast somebody types or speaks, for turns without sound.
const TRAINEE_WORDS_PER_MINUTE: i64 = 150;
/// How many parts of an answer may wait to be said.
const PARTS: usize = 8;

/// What a representative answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the API has these names")]
pub(crate) struct Response {
    pub(crate) speaker_id: String,
    pub(crate) speaker_name: String,
    pub(crate) speaker_role: String,
    pub(crate) response_text: String,
    /// Where the sound can be fetched. Null without a voice.
    pub(crate) audio_url: Option<String>,
    /// How long it takes to say. Without sound it is estimated from the words.
    pub(crate) duration_seconds: f64,
    pub(crate) turn_number: i64,
    /// `model`, or `built_in` for words that were made without a model.
    pub(crate) source: String,
    /// Whether only a part of it was said, because the salesperson interrupted or the model broke off.
    pub(crate) is_cut: bool,
}

/// What came of a turn of the salesperson.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Exchange {
    pub(crate) ai_response: Response,
    /// What a second representative added.
    pub(crate) second_response: Option<Response>,
    /// The number of the first answer.
    pub(crate) turn_number: i64,
    /// The number of the salesperson's own turn.
    pub(crate) salesperson_turn: i64,
    /// Why it was this one who answered.
    pub(crate) reasoning: String,
}

/// What was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) said: String,
    /// How long it took to say, where it was heard. Else it is estimated from the words.
    pub(crate) duration_ms: Option<i64>,
    /// What was heard, as a file, where it was heard.
    pub(crate) sound: Option<Bytes>,
    /// The key with which it was sent, and a hash of all of it.
    pub(crate) request: Option<(Uuid, Uuid)>,
}

/// Says something in a meeting and returns what is answered. `ears` hear each sentence when it is said.
pub(crate) async fn exchange(
    practice: &Practice,
    workspace: WorkspaceId,
    (meeting, plan): (&MeetingRow, &Plan),
    sent: &Sent,
    ears: Option<Ears>,
) -> Answer<Exchange> {
    let asked_at = Instant::now();
    if let Some(answer) = answered_before(practice, workspace, meeting, sent.request).await? {
        return Ok(answer);
    }
    let floor = Floor::take(practice, workspace, meeting.id).await?;
    let done = floor.while_working(speak(&floor, plan, sent, (ears.as_ref(), asked_at))).await;
    match done {
        Ok((number, answer)) => {
            let ended = practice.store.end_exchange(workspace, meeting.id, floor.holder, number).await?;
            practice.floors.notify_waiters();
            if ended { Ok(answer) } else { Err(lost()) }
        }
        Err(refusal) => {
            floor.leave().await?;
            Err(refusal)
        }
    }
}

/// The answer of the first time, where the same request came before and was answered.
pub(crate) async fn answered_before(
    practice: &Practice,
    workspace: WorkspaceId,
    meeting: &MeetingRow,
    request: Option<(Uuid, Uuid)>,
) -> Answer<Option<Exchange>> {
    let Some((key, hash)) = request else { return Ok(None) };
    let Some(own) = practice.store.turn_of_request(workspace, meeting.id, key).await? else {
        return Ok(None);
    };
    if own.request_hash != Some(hash) {
        return Err(web::key_of_another_request().into());
    }
    if !own.is_answered {
        return Ok(None);
    }
    let turns = practice.store.turns_of(workspace, meeting.id).await?;
    Ok(exchange_of(meeting.id, &turns, own.number))
}

/// The exchange that began with the turn `number`.
fn exchange_of(meeting: Uuid, turns: &[TurnRow], number: i64) -> Option<Exchange> {
    let is_given = |turn: &&TurnRow| matches!(turn.state, TurnState::Said | TurnState::Cut);
    let answers: Vec<&TurnRow> =
        turns.iter().filter(|turn| turn.answers == Some(number)).filter(is_given).collect();
    // A process may have died in the middle of an answer, which was then given again.
    let part = |name: &str| {
        let of_part = || answers.iter().rev().filter(|turn| turn.details["part"] == name);
        of_part().find(|turn| turn.state == TurnState::Said).or_else(|| of_part().next()).copied()
    };
    let first = part("first")?;
    let second = part("second").filter(|second| second.number > first.number);
    Some(Exchange {
        ai_response: response(meeting, first),
        second_response: second.map(|turn| response(meeting, turn)),
        turn_number: first.number,
        salesperson_turn: number,
        reasoning: first.details["why"].as_str().unwrap_or_default().to_owned(),
    })
}

/// Where the sound of a turn can be fetched.
pub(crate) fn audio_url(meeting: Uuid, turn: i64) -> String {
    format!("/api/conversation/{meeting}/audio/{turn}")
}

fn response(meeting: Uuid, turn: &TurnRow) -> Response {
    Response {
        speaker_id: turn.speaker.clone(),
        speaker_name: turn.name.clone(),
        speaker_role: turn.role.clone(),
        response_text: turn.said.clone(),
        audio_url: turn.audio.as_ref().map(|_| audio_url(meeting, turn.number)),
        duration_seconds: seconds(turn.duration_ms),
        turn_number: turn.number,
        source: turn.details["source"].as_str().unwrap_or("built_in").to_owned(),
        is_cut: turn.state == TurnState::Cut,
    }
}

#[expect(clippy::cast_precision_loss, reason = "the length of a turn is far below 2^52 ms")]
pub(crate) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// How long so many words take, in milliseconds.
pub(crate) fn duration_ms(text: &str, words_per_minute: i64) -> i64 {
    let words = i64::try_from(text.split_whitespace().count()).unwrap_or(i64::MAX);
    words.saturating_mul(60_000) / words_per_minute.max(1)
}

/// What was said, as the pure functions read it. What was said in a call before the meeting comes first.
pub(crate) fn heard(plan: &Plan, turns: &[TurnRow]) -> Vec<Heard> {
    let member = |id: &str| plan.cast.iter().position(|member| member.id.to_string() == id);
    let before = plan.from_call.iter().flat_map(|from| &from.said).map(|turn| Heard {
        turn: 0,
        by: (!turn.is_ours)
            .then(|| plan.cast.iter().position(|member| member.name == turn.speaker).unwrap_or(0)),
        text: turn.text.clone(),
    });
    let now = turns.iter().filter(|turn| !turn.said.is_empty()).map(|turn| Heard {
        turn: turn.number,
        by: if turn.speaker == SALESPERSON { None } else { Some(member(&turn.speaker).unwrap_or(0)) },
        text: turn.said.clone(),
    });
    before.chain(now).collect()
}

/// What the meeting was like before, for the decision who answers.
fn before(plan: &Plan, turns: &[TurnRow]) -> Before {
    let mut before =
        Before { spoken: vec![0; plan.cast.len()], last_turn: vec![0; plan.cast.len()], ..Before::default() };
    for turn in turns {
        let Some(at) = plan.cast.iter().position(|member| member.id.to_string() == turn.speaker) else {
            continue;
        };
        before.spoken[at] += 1;
        before.last_turn[at] = u32::try_from(turn.number).unwrap_or(u32::MAX);
        before.last_spoke = Some(at);
        if turn.details["part"] == "first" {
            before.last_addressed = Some(at);
        }
    }
    before
}

/// Says the trainee's words and the answers to them. Returns the number of the trainee's turn.
async fn speak(
    floor: &Floor<'_>,
    plan: &Plan,
    sent: &Sent,
    (ears, asked_at): (Option<&Ears>, Instant),
) -> Answer<(i64, Exchange)> {
    let (store, workspace, meeting) = (&floor.practice.store, floor.workspace, floor.meeting);
    // The same request may have come while we waited, or a process may have died before it answered.
    let known = match sent.request {
        Some((key, _)) => store.turn_of_request(workspace, meeting, key).await?,
        None => None,
    };
    let number = match &known {
        Some(own) if own.is_answered => {
            let turns = store.turns_of(workspace, meeting).await?;
            let answer = exchange_of(meeting, &turns, own.number).ok_or_else(lost)?;
            return Ok((own.number, answer));
        }
        Some(own) => own.number,
        None => {
            let turn = NewTurn {
                speaker: SALESPERSON,
                name: "Salesperson",
                role: SALESPERSON,
                said: &sent.said,
                state: TurnState::Said,
                details: &Value::Null,
                answers: None,
                request: sent.request,
                audio: None,
                duration_ms: sent
                    .duration_ms
                    .unwrap_or_else(|| duration_ms(&sent.said, TRAINEE_WORDS_PER_MINUTE)),
            };
            metrics::turn(SALESPERSON);
            floor.add(turn).await?
        }
    };
    let turns = store.turns_of(workspace, meeting).await?;
    let earlier: Vec<TurnRow> =
        turns.iter().filter(|turn| turn.number < number || turn.answers.is_some()).cloned().collect();
    let mut heard = heard(plan, &turns);
    // What a process left half said comes before the words that are answered again.
    heard.retain(|one| one.turn != number);
    heard.push(Heard { turn: number, by: None, text: sent.said.clone() });
    let people: Vec<Person<'_>> = plan
        .cast
        .iter()
        .map(|member| Person {
            name: &member.name,
            role: &member.role,
            traits: &member.traits,
            is_decision_maker: member.is_decision_maker,
        })
        .collect();
    let choice = who_answers(&people, &sent.said, &before(plan, &earlier));
    // Nobody waits for an answer until what was said is kept.
    let sound = sent.sound.as_ref().filter(|_| known.as_ref().is_none_or(|own| own.audio.is_none()));
    let answering = answered(floor, plan, (number, &heard, &choice), (ears, asked_at));
    let (said, ()) = tokio::join!(answering, keep_sound(floor, number, sound));
    let mut said = said?.into_iter();
    let (ai_response, why) = said.next().ok_or_else(lost)?;
    let (second_response, reasoning) = match said.next() {
        Some((second, why_second)) => (Some(second), format!("{why} {why_second}")),
        None => (None, why),
    };
    let turn_number = ai_response.turn_number;
    Ok((number, Exchange { ai_response, second_response, turn_number, salesperson_turn: number, reasoning }))
}

/// Keeps what the trainee said aloud, beside the answer to it.
async fn keep_sound(floor: &Floor<'_>, number: i64, sound: Option<&Bytes>) {
    let Some(sound) = sound else { return };
    let Some(key) = floor.keep_sound(sound.clone()).await else { return };
    let (store, blobs) = (&floor.practice.store, &floor.practice.blobs);
    match store.set_turn_audio(floor.workspace, floor.meeting, number, &key).await {
        Ok(true) => {}
        // The meeting was removed meanwhile.
        Ok(false) => {
            if let Err(error) = blobs.delete(&key).await {
                tracing::warn!(%error, "failed to remove the sound of a turn of a meeting that is gone");
            }
        }
        Err(error) => tracing::warn!(%error, "failed to keep the sound of a turn"),
    }
}

/// Says the answers to the trainee's turn. Returns each with the reason why it was this one who spoke.
async fn answered(
    floor: &Floor<'_>,
    plan: &Plan,
    (number, heard, choice): (i64, &[Heard], &Choice),
    (ears, asked_at): (Option<&Ears>, Instant),
) -> Answer<Vec<(Response, String)>> {
    let (giving, given) = mpsc::channel(PARTS);
    let cast = plan.cast.iter().enumerate().map(|(seat, member)| Speaker::of(member, seat)).collect();
    let give = answers::give(floor.practice, plan, heard, choice, giving);
    let voices = &floor.practice.voices;
    let saying = async move {
        // When the listener interrupts, this is dropped, and nothing more is made.
        let mut parts = voiced(voices, cast, given);
        let (mut said, mut next) = (Vec::new(), parts.recv().await);
        while let Some(Voiced::Begins(begins)) = next {
            let member = &plan.cast[begins.speaker];
            let why = why(&begins, choice, &member.name);
            let part = if begins.is_second { "second" } else { "first" };
            let details = json!({"part": part, "why": why, "source": begins.source, "topic": choice.topic});
            let saying = Saying { floor, member, answers: number, details: &details, ears, asked_at };
            let was_said = say(saying, &mut parts).await?;
            if !begins.is_second {
                metrics::turn(begins.source);
            }
            said.push((was_said.response, why));
            next = was_said.next.filter(|_| !was_said.is_stopped);
        }
        Ok(said)
    };
    // Whoever makes the answer is asked for no more when all was said that was to be said.
    let giving = async {
        give.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        said = saying => said,
        () = giving => Ok(Vec::new()),
    }
}

fn why(begins: &Begins, choice: &Choice, name: &str) -> String {
    match &begins.why {
        _ if begins.is_second => choice.second.map_or(WhySecond::Adds, |(_, why)| why).say(name),
        Some(why) if begins.speaker != choice.first => why.clone(),
        _ => choice.because.say(name),
    }
}

/// The problem of a turn without words.
pub(crate) fn nothing_said(pointer: &str, detail: &str) -> Problem {
    Problem::field(pointer, detail).status(StatusCode::UNPROCESSABLE_ENTITY)
}
