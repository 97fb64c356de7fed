//! The state of one conversation: what is being said, what was heard, and what waits to be answered.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use domain::call::WorkspaceId;
use serde_json::{Value, json};
use store::MeetingRow;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use web::Door;

use super::Closing;
use super::message::Said;
use crate::hearing::{self, Words};
use crate::moves::is_listening_sign;
use crate::plan::Plan;
use crate::request::{Answer, Refusal};
use crate::state::Practice;
use crate::talk::{self, Ears, Exchange, Sent, Stop, Told};

/// How often the key is looked at again.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// How many turns may wait while another one is answered.
const MAX_WAITING: usize = 4;
/// How many pieces of an answer may wait for a client that reads slowly.
const WAITING_PIECES: usize = 8;

pub(super) struct Talker {
    socket: WebSocket,
    practice: Practice,
    workspace: WorkspaceId,
    head: Parts,
    meeting: MeetingRow,
    plan: Plan,
    /// The sound of what is said aloud, as far as it is there.
    sound: BytesMut,
    sample_rate: Option<u32>,
    hearing: Option<JoinHandle<Answer<Option<Words>>>>,
    answering: Option<Answering>,
    waiting: VecDeque<Words>,
}

/// An answer that is being given.
struct Answering {
    told: mpsc::Receiver<Told>,
    is_told: bool,
    done: JoinHandle<Answer<Exchange>>,
    stop: watch::Sender<Option<Stop>>,
    /// Whether anybody has said anything yet.
    has_begun: bool,
    is_stopped: bool,
}

#[expect(clippy::large_enum_variant, reason = "there is one of them at a time")]
enum Next {
    Message(Option<Result<Message, axum::Error>>),
    Told(Option<Told>),
    Answered(Answer<Exchange>),
    Heard(Answer<Option<Words>>),
    Tick,
    Stopping,
}

impl Talker {
    pub(super) fn new(
        socket: WebSocket,
        practice: Practice,
        workspace: WorkspaceId,
        head: Parts,
        (meeting, plan): (MeetingRow, Plan),
    ) -> Self {
        Self {
            socket,
            practice,
            workspace,
            head,
            meeting,
            plan,
            sound: BytesMut::new(),
            sample_rate: None,
            hearing: None,
            answering: None,
            waiting: VecDeque::new(),
        }
    }

    /// The socket. An answer that is being given is stopped: whoever is gone has heard no more.
    pub(super) fn leave(self) -> WebSocket {
        if let Some(answering) = self.answering {
            answering.stop.send_replace(Some(Stop::default()));
        }
        self.socket
    }

    /// Talks until the conversation ends. Returns why.
    pub(super) async fn run(&mut self) -> Closing {
        let representatives: Vec<Value> = self
            .plan
            .cast
            .iter()
            .map(|member| json!({"id": member.id, "name": member.name, "role": member.role}))
            .collect();
        let connected = json!({
            "meeting_id": self.meeting.id, "representatives": representatives,
            "has_voice": self.practice.voices.speak(), "understands_speech": !self.practice.speech.is_empty(),
        });
        if let Err(closing) = self.send("connected", connected).await {
            return closing;
        }
        let mut tick = tokio::time::interval(CHECK_EVERY);
        loop {
            let stopping = self.practice.stopping.clone();
            let next = tokio::select! {
                message = self.socket.recv() => Next::Message(message),
                next = answering(self.answering.as_mut()) => next,
                heard = heard(self.hearing.as_mut()) => Next::Heard(heard),
                _ = tick.tick() => Next::Tick,
                () = stopping.cancelled() => Next::Stopping,
            };
            let taken = match next {
                Next::Message(None | Some(Err(_))) => return Closing::normal(""),
                Next::Message(Some(Ok(message))) => self.take(message).await,
                Next::Told(told) => self.tell(told).await,
                Next::Answered(answer) => self.answered(answer).await,
                Next::Heard(heard) => self.heard(heard).await,
                Next::Tick => self.tick().await,
                Next::Stopping => Err(Closing::again("this process stops; come again")),
            };
            if let Err(closing) = taken {
                return closing;
            }
        }
    }

    async fn tick(&mut self) -> Result<(), Closing> {
        if self.practice.access.is_still_admitted(Door::Practise, &self.head).await {
            Ok(())
        } else {
            Err(Closing::policy("the key is not valid any more"))
        }
    }

    async fn take(&mut self, message: Message) -> Result<(), Closing> {
        match message {
            Message::Text(text) => match Said::read(&text) {
                Ok(said) => self.take_said(said).await,
                Err(problem) => self.send("error", json!({"message": problem, "status": 422})).await,
            },
            Message::Binary(bytes) => self.take_sound(&bytes),
            Message::Close(_) => Err(Closing::normal("")),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    async fn take_said(&mut self, said: Said) -> Result<(), Closing> {
        match said {
            Said::Message { text } => {
                let text = text.trim().to_owned();
                if text.is_empty() {
                    return self.send("error", json!({"message": "the text is empty", "status": 422})).await;
                }
                self.take_words(Words { text, duration_ms: 0, sound: None }).await
            }
            Said::AudioChunk { data, is_speaking, sample_rate } => {
                self.sample_rate = sample_rate.or(self.sample_rate);
                if let Some(data) = data.filter(|data| !data.is_empty()) {
                    let Some(bytes) = hearing::decoded(&data) else {
                        let problem = json!({"message": "the sound is not base64", "status": 422});
                        return self.send("error", problem).await;
                    };
                    self.take_sound(&bytes)?;
                }
                if is_speaking == Some(false) { self.listen().await } else { Ok(()) }
            }
            Said::Interrupt { text: Some(text), .. } if is_listening_sign(&text) => Ok(()),
            Said::Interrupt { played_ms, .. } => self.interrupt(Stop { played_ms }).await,
            Said::Ping => self.send("pong", json!({})).await,
            Said::Disconnect => Err(Closing::normal("the client has left")),
        }
    }

    fn take_sound(&mut self, bytes: &Bytes) -> Result<(), Closing> {
        if self.sound.len() + bytes.len() > hearing::MAX_BYTES {
            return Err(Closing::protocol("nobody speaks for so long without a pause"));
        }
        self.sound.extend_from_slice(bytes);
        Ok(())
    }

    /// Listens to what was said aloud, now that it is over.
    async fn listen(&mut self) -> Result<(), Closing> {
        let sound = std::mem::take(&mut self.sound).freeze();
        if sound.is_empty() {
            return Ok(());
        }
        if self.practice.speech.is_empty() {
            let problem = "no provider of speech to text is configured; write instead";
            return self.send("error", json!({"message": problem, "status": 422})).await;
        }
        if self.hearing.is_some() {
            let problem = "what was said before is still being understood";
            return self.send("error", json!({"message": problem, "status": 409})).await;
        }
        let (practice, plan, rate) = (self.practice.clone(), self.plan.clone(), self.sample_rate);
        self.hearing = Some(tokio::spawn(async move { hearing::words(&practice, &plan, sound, rate).await }));
        Ok(())
    }

    async fn heard(&mut self, heard: Answer<Option<Words>>) -> Result<(), Closing> {
        self.hearing = None;
        match heard {
            Ok(Some(words)) => {
                let is_turn = !self.is_sign(&words.text);
                let told = json!({"text": words.text, "is_final": true, "is_turn": is_turn});
                self.send("transcription", told).await?;
                self.take_words(words).await
            }
            // A piece without speech is no turn.
            Ok(None) => {
                self.send("transcription", json!({"text": "", "is_final": true, "is_turn": false})).await
            }
            Err(refusal) => self.refused(&refusal).await,
        }
    }

    /// Whether the words only show that somebody listens to the one who speaks.
    fn is_sign(&self, text: &str) -> bool {
        self.answering.as_ref().is_some_and(|answering| answering.has_begun && !answering.is_stopped)
            && is_listening_sign(text)
    }

    /// Takes what the salesperson says. Whoever says something while another one speaks interrupts.
    async fn take_words(&mut self, words: Words) -> Result<(), Closing> {
        if self.is_sign(&words.text) {
            return Ok(());
        }
        if self.answering.as_ref().is_some_and(|answering| answering.has_begun && !answering.is_stopped) {
            self.interrupt(Stop::default()).await?;
        }
        if self.answering.is_none() {
            return self.answer(words).await;
        }
        if self.waiting.len() >= MAX_WAITING {
            let problem = "too much waits to be answered";
            return self.send("error", json!({"message": problem, "status": 409})).await;
        }
        self.waiting.push_back(words);
        Ok(())
    }

    async fn answer(&mut self, words: Words) -> Result<(), Closing> {
        self.send("ai_thinking", json!({})).await?;
        let (told, telling) = mpsc::channel(WAITING_PIECES);
        let (stop, stops) = watch::channel(None);
        let (practice, workspace) = (self.practice.clone(), self.workspace);
        let (meeting, plan) = (self.meeting.clone(), self.plan.clone());
        let done = tokio::spawn(async move {
            let duration_ms = Some(words.duration_ms).filter(|ms| *ms > 0);
            let sent = Sent { said: words.text, duration_ms, sound: words.sound, request: None };
            let ears = Ears { told, playing: Some(stops) };
            talk::exchange(&practice, workspace, (&meeting, &plan), &sent, Some(ears)).await
        });
        self.answering = Some(Answering {
            told: telling,
            is_told: false,
            done,
            stop,
            has_begun: false,
            is_stopped: false,
        });
        Ok(())
    }

    /// Stops whoever speaks. What was made and not played yet is told to nobody.
    async fn interrupt(&mut self, stop: Stop) -> Result<(), Closing> {
        let mut was_speaking = false;
        if let Some(answering) = self.answering.as_mut().filter(|answering| !answering.is_stopped) {
            was_speaking = answering.has_begun;
            answering.is_stopped = true;
            answering.stop.send_replace(Some(stop));
        }
        self.send("interrupted", json!({"was_speaking": was_speaking})).await
    }

    async fn tell(&mut self, told: Option<Told>) -> Result<(), Closing> {
        let Some(answering) = &mut self.answering else { return Ok(()) };
        let Some(told) = told else {
            answering.is_told = true;
            return Ok(());
        };
        answering.has_begun = true;
        if answering.is_stopped {
            return Ok(());
        }
        let (kind, data) = told.event();
        self.send(kind, data).await
    }

    async fn answered(&mut self, answer: Answer<Exchange>) -> Result<(), Closing> {
        self.answering = None;
        match answer {
            Ok(exchange) => {
                let saved = serde_json::to_value(&exchange).unwrap_or_default();
                self.send("turn_saved", saved).await?;
            }
            Err(refusal) => self.refused(&refusal).await?,
        }
        match self.waiting.pop_front() {
            Some(words) => self.answer(words).await,
            None => Ok(()),
        }
    }

    async fn refused(&mut self, refusal: &Refusal) -> Result<(), Closing> {
        let problem = &refusal.0;
        self.send("error", json!({"message": problem.detail, "status": problem.status.as_u16()})).await
    }

    /// Sends a message. Its fields stand beside its type.
    async fn send(&mut self, kind: &str, mut fields: Value) -> Result<(), Closing> {
        fields["type"] = kind.into();
        let sent = self.socket.send(Message::Text(fields.to_string().into())).await;
        sent.map_err(|_| Closing::normal(""))
    }
}

/// What comes next of an answer. Without one nothing does.
async fn answering(answering: Option<&mut Answering>) -> Next {
    let Some(answering) = answering else { return std::future::pending().await };
    if !answering.is_told {
        return Next::Told(answering.told.recv().await);
    }
    let done = (&mut answering.done).await;
    Next::Answered(done.unwrap_or_else(|_| Err(crate::request::internal_error().into())))
}

async fn heard(hearing: Option<&mut JoinHandle<Answer<Option<Words>>>>) -> Answer<Option<Words>> {
    let Some(hearing) = hearing else { return std::future::pending().await };
    hearing.await.unwrap_or_else(|_| Err(crate::request::internal_error().into()))
}
