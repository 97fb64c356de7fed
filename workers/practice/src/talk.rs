//! One exchange of a meeting: the trainee says something, and one or two representatives answer.
//!
//! An exchange has the floor from its beginning to its end, so however many send at once, turns have an order. The words are
//! stored as they are said. A process that dies in the middle leaves what was said, and whoever takes the floor next marks it
//! as cut.

use std::time::Duration;

use axum::http::StatusCode;
use domain::call::WorkspaceId;
use serde::Serialize;
use serde_json::{Value, json};
use store::{FloorClaim, MeetingRow, MeetingStatus, NewTurn, TurnRow, TurnState};
use tokio::sync::mpsc;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;
use web::Problem;

use crate::builtin::{self, Scene};
use crate::character;
use crate::metrics;
use crate::plan::{Heard, Plan};
use crate::ready::Ready;
use crate::request::{Answer, conflict, not_found, unavailable};
use crate::state::Practice;
use crate::who::{Before, Choice, Person, WhySecond, who_answers};

/// How long the floor is kept without a sign of life.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long somebody waits for the floor.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often the floor is tried again that another process has.
const TRY_EVERY: Duration = Duration::from_millis(100);
pub(crate) const SALESPERSON: &str = "salesperson";
/// How fast somebody types or speaks, for turns without sound.
const TRAINEE_WORDS_PER_MINUTE: i64 = 150;

/// What a representative answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
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

/// A sentence as it is said.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Spoken {
    pub(crate) text: String,
    pub(crate) speaker_id: Uuid,
    pub(crate) speaker_name: String,
    pub(crate) speaker_role: String,
    pub(crate) turn_number: i64,
}

/// What was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) said: String,
    /// The key with which it was sent, and a hash of all of it.
    pub(crate) request: Option<(Uuid, Uuid)>,
}

/// The floor of a meeting, while we have it.
pub(crate) struct Floor<'a> {
    practice: &'a Practice,
    workspace: WorkspaceId,
    meeting: Uuid,
    pub(crate) holder: Uuid,
}

impl<'a> Floor<'a> {
    /// Waits for the floor and takes it.
    pub(crate) async fn take(practice: &'a Practice, workspace: WorkspaceId, meeting: Uuid) -> Answer<Self> {
        let (holder, until) = (Uuid::now_v7(), Instant::now() + PATIENCE);
        loop {
            // Whoever leaves the floor between the try and the wait is heard.
            let left = practice.floors.notified();
            match practice.store.take_floor(workspace, meeting, holder, LEASE).await? {
                FloorClaim::Taken => return Ok(Self { practice, workspace, meeting, holder }),
                FloorClaim::Gone => return Err(not_found("meeting")),
                FloorClaim::NotActive(MeetingStatus::Completed) => {
                    return Err(conflict("the meeting is over"));
                }
                FloorClaim::NotActive(_) => {
                    return Err(conflict("the meeting has not begun; start it first"));
                }
                FloorClaim::Busy if Instant::now() >= until => {
                    return Err(unavailable("somebody else speaks in this meeting for a long time"));
                }
                FloorClaim::Busy => drop(tokio::time::timeout(TRY_EVERY, left).await),
            }
        }
    }

    /// Does `work`, and keeps the floor until it is done.
    pub(crate) async fn while_working<T>(&self, work: impl Future<Output = Answer<T>>) -> Answer<T> {
        let keeping = async {
            loop {
                tokio::time::sleep(LEASE / 3).await;
                match self.practice.store.keep_floor(self.workspace, self.meeting, self.holder, LEASE).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => tracing::warn!(%error, "failed to keep the floor of a practice meeting"),
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = keeping => Err(lost()),
        }
    }

    pub(crate) async fn leave(self) -> Answer<()> {
        let left = self.practice.store.leave_floor(self.workspace, self.meeting, self.holder).await;
        self.practice.floors.notify_waiters();
        Ok(left?)
    }

    async fn add(&self, turn: NewTurn<'_>) -> Answer<i64> {
        let number = self.practice.store.add_turn(self.workspace, self.meeting, self.holder, turn).await?;
        number.ok_or_else(lost)
    }
}

fn lost() -> crate::request::Refusal {
    conflict("the meeting was removed, or another process took over its floor")
}

/// Says something in a meeting and returns what is answered. `listener` hears each sentence when it is said.
pub(crate) async fn exchange(
    practice: &Practice,
    workspace: WorkspaceId,
    (meeting, plan): (&MeetingRow, &Plan),
    sent: &Sent,
    listener: Option<mpsc::Sender<Spoken>>,
) -> Answer<Exchange> {
    if let Some(answer) = answered_before(practice, workspace, meeting, sent).await? {
        return Ok(answer);
    }
    let floor = Floor::take(practice, workspace, meeting.id).await?;
    let done = floor.while_working(speak(&floor, plan, sent, listener)).await;
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
async fn answered_before(
    practice: &Practice,
    workspace: WorkspaceId,
    meeting: &MeetingRow,
    sent: &Sent,
) -> Answer<Option<Exchange>> {
    let Some((key, hash)) = sent.request else { return Ok(None) };
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
    Ok(exchange_of(&turns, own.number))
}

/// The exchange that began with the turn `number`.
fn exchange_of(turns: &[TurnRow], number: i64) -> Option<Exchange> {
    let answers: Vec<&TurnRow> =
        turns.iter().filter(|turn| turn.answers == Some(number) && turn.state == TurnState::Said).collect();
    let first = answers.iter().find(|turn| turn.details["part"] == "first")?;
    let second = answers.iter().find(|turn| turn.details["part"] == "second");
    Some(Exchange {
        ai_response: response(first),
        second_response: second.map(|turn| response(turn)),
        turn_number: first.number,
        salesperson_turn: number,
        reasoning: first.details["why"].as_str().unwrap_or_default().to_owned(),
    })
}

fn response(turn: &TurnRow) -> Response {
    Response {
        speaker_id: turn.speaker.clone(),
        speaker_name: turn.name.clone(),
        speaker_role: turn.role.clone(),
        response_text: turn.said.clone(),
        audio_url: None,
        duration_seconds: seconds(turn.duration_ms),
        turn_number: turn.number,
        source: turn.details["source"].as_str().unwrap_or("built_in").to_owned(),
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
    listener: Option<mpsc::Sender<Spoken>>,
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
            let answer = exchange_of(&turns, own.number).ok_or_else(lost)?;
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
                duration_ms: duration_ms(&sent.said, TRAINEE_WORDS_PER_MINUTE),
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
    let ready = ready(floor.practice, plan, &heard, &choice).await;
    let (first, sentences) = ready.first;
    let why = match ready.why {
        Some(why) if first != choice.first => why,
        _ => choice.because.say(&plan.cast[choice.first].name),
    };
    let details = json!({"part": "first", "why": why, "source": ready.source, "topic": choice.topic});
    let ai_response = say(floor, plan, (number, first), &sentences, details, listener.as_ref()).await?;
    metrics::turn(ready.source);
    let second_response = match ready.second {
        Some((second, sentences)) => {
            let why = choice.second.map_or(WhySecond::Adds, |(_, why)| why).say(&plan.cast[second].name);
            let details =
                json!({"part": "second", "why": why, "source": ready.source, "topic": choice.topic});
            Some(say(floor, plan, (number, second), &sentences, details, listener.as_ref()).await?)
        }
        None => None,
    };
    let reasoning = match &second_response {
        Some(_) => {
            let second = choice.second.map_or(WhySecond::Adds, |(_, why)| why);
            let name = second_response.as_ref().map_or("", |one| one.speaker_name.as_str());
            format!("{why} {}", second.say(name))
        }
        None => why,
    };
    let turn_number = ai_response.turn_number;
    Ok((number, Exchange { ai_response, second_response, turn_number, salesperson_turn: number, reasoning }))
}

/// What is answered. A model speaks where there is one. When it fails, the built-in material speaks, and the answer says so.
async fn ready(practice: &Practice, plan: &Plan, heard: &[Heard], choice: &Choice) -> Ready {
    if let Some(model) = &practice.model {
        match character::answer(model.as_ref(), plan, heard, choice).await {
            Ok(ready) => return ready,
            Err(problem) => {
                tracing::warn!(
                    problem,
                    "the model gave no answer in a practice meeting; built-in words are used"
                );
            }
        }
    }
    let claims: Vec<&str> = plan.claims.iter().map(String::as_str).collect();
    let scene = |speaker, second| Scene {
        plan,
        speaker,
        heard,
        topic: choice.topic,
        second,
        company: &plan.company,
        claims: &claims,
    };
    let first = builtin::answer(&scene(choice.first, None));
    let second = choice.second.map(|(second, why)| {
        let mut heard_first = heard.to_vec();
        heard_first.push(Heard { turn: 0, by: Some(choice.first), text: first.join(" ") });
        // The second one answers the trainee, and has heard the first.
        let last = heard_first.len() - 1;
        heard_first.swap(last, last - 1);
        let claims = &claims;
        let scene = Scene {
            plan,
            speaker: second,
            heard: &heard_first,
            topic: choice.topic,
            second: Some(why),
            company: &plan.company,
            claims,
        };
        (second, builtin::answer(&scene))
    });
    // Nobody repeats what was just said.
    let second = second.filter(|(_, words)| *words != first);
    Ready { first: (choice.first, first), second, source: "built_in", why: None }
}

/// Says the sentences one after the other. What was said is stored after each.
async fn say(
    floor: &Floor<'_>,
    plan: &Plan,
    (answers, speaker): (i64, usize),
    sentences: &[String],
    details: Value,
    listener: Option<&mpsc::Sender<Spoken>>,
) -> Answer<Response> {
    let member = &plan.cast[speaker];
    let (id, pace) = (member.id.to_string(), i64::from(member.manner().words_per_minute));
    let whole = sentences.join(" ");
    let spoken = |text: &str, turn_number| Spoken {
        text: text.to_owned(),
        speaker_id: member.id,
        speaker_name: member.name.clone(),
        speaker_role: member.role.clone(),
        turn_number,
    };
    // Where nobody listens, the answer is given as a whole.
    let begun = if listener.is_some() { sentences.first().map_or("", String::as_str) } else { &whole };
    let is_whole = begun.len() == whole.len();
    let turn = NewTurn {
        speaker: &id,
        name: &member.name,
        role: &member.role,
        said: begun,
        state: if is_whole { TurnState::Said } else { TurnState::Speaking },
        details: &details,
        answers: Some(answers),
        request: None,
        audio: None,
        duration_ms: duration_ms(begun, pace),
    };
    let number = floor.add(turn).await?;
    if let Some(listener) = listener {
        let mut said = String::new();
        for (at, sentence) in sentences.iter().enumerate() {
            if !said.is_empty() {
                said.push(' ');
            }
            said.push_str(sentence);
            let is_last = at + 1 == sentences.len();
            if at > 0 {
                let state = if is_last { TurnState::Said } else { TurnState::Speaking };
                let now = (said.as_str(), state, duration_ms(&said, pace));
                let store = &floor.practice.store;
                if !store.set_turn(floor.workspace, floor.meeting, floor.holder, number, now).await? {
                    return Err(lost());
                }
            }
            // Who stopped listening misses the rest, and the meeting has it.
            listener.send(spoken(sentence, number)).await.ok();
        }
    }
    Ok(Response {
        speaker_id: id,
        speaker_name: member.name.clone(),
        speaker_role: member.role.clone(),
        duration_seconds: seconds(duration_ms(&whole, pace)),
        response_text: whole,
        audio_url: None,
        turn_number: number,
        source: details["source"].as_str().unwrap_or("built_in").to_owned(),
    })
}

/// The problem of a turn without words.
pub(crate) fn nothing_said(pointer: &str) -> Problem {
    Problem::field(pointer, "is missing or empty").status(StatusCode::UNPROCESSABLE_ENTITY)
}
