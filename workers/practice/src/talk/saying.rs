//! Says an answer, sentence by sentence, to whoever listens.
//!
//! Who plays the sound as it comes has the answer while it is played: the representative has the floor until the last word was
//! heard, or until the listener interrupts. Then only what was played counts as said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use store::{NewTurn, TurnState};
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use super::floor::{Floor, lost};
use super::playback::{Playback, Played};
use super::sound::{self, Joiner};
use super::voiced::Voiced;
use super::{Response, duration_ms, seconds};
use crate::metrics;
use crate::plan::Member;
use crate::request::Answer;

/// The shortest piece of sound that is sent. The first one of a turn is shorter, so that it comes sooner.
const PIECE_MS: i64 = 240;
const FIRST_PIECE_MS: i64 = 60;
/// How much sound a listener has who plays it. More is sent when some of it was played.
const AHEAD_MS: i64 = 2_000;

/// A sentence as it is said.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Spoken {
    pub(crate) text: String,
    pub(crate) speaker_id: Uuid,
    pub(crate) speaker_name: String,
    pub(crate) speaker_role: String,
    /// The turn has more than this.
    pub(crate) is_chunk: bool,
}

/// A piece of sound.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// A file of its own. The last one of a turn is empty.
    pub(crate) wav: Vec<u8>,
    pub(crate) number: u32,
    pub(crate) is_final: bool,
    pub(crate) speaker_id: Uuid,
}

/// What a listener gets while an answer is given.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Text(Spoken),
    Sound(Chunk),
}

impl Told {
    /// The name of the event, and what it holds.
    pub(crate) fn event(&self) -> (&'static str, Value) {
        match self {
            Self::Text(spoken) => ("ai_response_text", serde_json::to_value(spoken).unwrap_or_default()),
            Self::Sound(chunk) => {
                let data = json!({
                    "data": STANDARD.encode(&chunk.wav), "mime_type": sound::MEDIA_TYPE, "chunk_no": chunk.number,
                    "is_final": chunk.is_final, "speaker_id": chunk.speaker_id,
                });
                ("ai_audio", data)
            }
        }
    }
}

/// The listener wants to hear no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stop {
    /// How much of the sound was played, where the listener knows it.
    pub(crate) played_ms: Option<i64>,
}

/// Who listens.
#[derive(Clone, Debug)]
pub(crate) struct Ears {
    pub(crate) told: mpsc::Sender<Told>,
    /// Where the listener plays the sound as it comes, and can interrupt.
    pub(crate) playing: Option<watch::Receiver<Option<Stop>>>,
}

/// What is said, and to whom.
pub(super) struct Saying<'a> {
    pub(super) floor: &'a Floor<'a>,
    pub(super) member: &'a Member,
    /// The number of the trainee's turn.
    pub(super) answers: i64,
    pub(super) details: &'a Value,
    pub(super) ears: Option<&'a Ears>,
    /// When the trainee's words were there.
    pub(super) asked_at: Instant,
}

/// What was said, and what follows it.
pub(super) struct WasSaid {
    pub(super) response: Response,
    pub(super) next: Option<Voiced>,
    /// Whether the listener interrupted.
    pub(super) is_stopped: bool,
}

/// A turn while it is said.
struct Turn<'a> {
    saying: Saying<'a>,
    stops: Option<watch::Receiver<Option<Stop>>>,
    stopped: Option<Stop>,
    number: Option<i64>,
    text: String,
    samples: Vec<u8>,
    chunks: u32,
    playback: Playback,
    begun: Instant,
}

/// Says the sentences up to the next speaker.
pub(super) async fn say(saying: Saying<'_>, parts: &mut mpsc::Receiver<Voiced>) -> Answer<WasSaid> {
    let stops = saying.ears.and_then(|ears| ears.playing.clone());
    let mut turn = Turn {
        saying,
        stops,
        stopped: None,
        number: None,
        text: String::new(),
        samples: Vec::new(),
        chunks: 0,
        playback: Playback::default(),
        begun: Instant::now(),
    };
    let (mut next, mut state) = (None, TurnState::Said);
    while let Some(Some(part)) = turn.until_stopped(parts.recv()).await {
        match part {
            Voiced::Sentence { text, sound } => turn.sentence(&text, sound).await?,
            Voiced::Broken => state = TurnState::Cut,
            Voiced::Begins(_) => next = Some(part),
        }
        if turn.stopped.is_some() || next.is_some() {
            break;
        }
    }
    turn.until_heard().await;
    let is_stopped = turn.stopped.is_some();
    Ok(WasSaid { response: turn.end(state).await?, next, is_stopped })
}

/// Waits until the listener interrupts. Whoever cannot interrupt never does.
async fn interrupted(stops: Option<&mut watch::Receiver<Option<Stop>>>) -> Stop {
    let Some(stops) = stops else { return std::future::pending().await };
    match stops.wait_for(Option::is_some).await {
        Ok(stop) => stop.unwrap_or_default(),
        // Nobody can interrupt any more: the listener is gone, and so is the sound.
        Err(_) => Stop::default(),
    }
}

impl Turn<'_> {
    /// Waits for `work`, unless the listener interrupts before. Nothing is waited for in this way that must come to its end, such
    /// as a change in the store.
    async fn until_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        if self.stopped.is_some() {
            return None;
        }
        tokio::select! {
            biased;
            stop = interrupted(self.stops.as_mut()) => {
                self.stopped = Some(stop);
                None
            }
            done = work => Some(done),
        }
    }

    fn plays(&self) -> bool {
        self.stops.is_some()
    }

    fn now(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Waits until the listener has played all but `left_ms` of the sound. The floor is free when the last word was heard.
    async fn until_left(&mut self, left_ms: i64) {
        if self.plays()
            && let Ok(wait @ 1..) = u64::try_from(self.playback.left(self.now()) - left_ms)
        {
            self.until_stopped(tokio::time::sleep(Duration::from_millis(wait))).await;
        }
    }

    async fn until_heard(&mut self) {
        self.until_left(0).await;
    }

    async fn sentence(&mut self, text: &str, sound: Option<mpsc::Receiver<Bytes>>) -> Answer<()> {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.playback.begin(text, duration_ms(text, self.pace()));
        self.tell(Told::Text(self.spoken(text))).await;
        let Some(mut sound) = sound else {
            self.playback.end_line();
            return self.store_so_far().await;
        };
        // Who plays the sound has not heard the sentence yet.
        if !self.plays() {
            self.store_so_far().await?;
        }
        let mut joiner = Joiner::default();
        while let Some(Some(piece)) = self.until_stopped(sound.recv()).await {
            let at_least = if self.samples.is_empty() { FIRST_PIECE_MS } else { PIECE_MS };
            if let Some(piece) = joiner.add(&piece, at_least) {
                self.play(&piece).await;
            }
        }
        if let Some(piece) = joiner.take() {
            self.play(&piece).await;
        }
        if self.stopped.is_none() {
            self.playback.end_line();
        }
        self.store_so_far().await
    }

    async fn play(&mut self, piece: &Bytes) {
        self.until_left(AHEAD_MS).await;
        if self.stopped.is_some() {
            return;
        }
        if self.samples.is_empty() {
            metrics::first_sound(self.saying.asked_at.elapsed());
        }
        self.samples.extend_from_slice(piece);
        self.playback.sent(self.now(), sound::ms_of(piece.len()));
        let chunk = self.chunk(sound::file(piece), false);
        self.tell(Told::Sound(chunk)).await;
    }

    fn chunk(&mut self, wav: Vec<u8>, is_final: bool) -> Chunk {
        self.chunks += 1;
        Chunk { wav, number: self.chunks, is_final, speaker_id: self.saying.member.id }
    }

    fn spoken(&self, text: &str) -> Spoken {
        let member = self.saying.member;
        Spoken {
            text: text.to_owned(),
            speaker_id: member.id,
            speaker_name: member.name.clone(),
            speaker_role: member.role.clone(),
            is_chunk: true,
        }
    }

    /// Who stopped listening misses the rest, and the meeting has it.
    async fn tell(&mut self, told: Told) {
        if let Some(ears) = self.saying.ears {
            self.until_stopped(ears.told.send(told)).await;
        }
    }

    fn pace(&self) -> i64 {
        i64::from(self.saying.member.manner().words_per_minute)
    }

    /// What was said until now: what a listener who plays it has heard, and else all of it.
    fn heard(&self, played_ms: Option<i64>) -> Played {
        if self.plays() {
            self.playback.heard(self.now(), played_ms)
        } else {
            Played { text: self.text.clone(), ms: sound::ms_of(self.samples.len()) }
        }
    }

    /// How long it took: the length of the sound, or else what its words take.
    fn length_ms(&self, said: &Played) -> i64 {
        if self.samples.is_empty() { duration_ms(&said.text, self.pace()) } else { said.ms }
    }

    /// Stores what was said so far, so that it is there when the process dies. Where nobody listens, the answer is given as a
    /// whole, and nothing was said before.
    async fn store_so_far(&mut self) -> Answer<()> {
        if self.saying.ears.is_none() || self.stopped.is_some() {
            return Ok(());
        }
        let said = self.heard(None);
        self.store(&said, TurnState::Speaking, None).await
    }

    async fn store(&mut self, said: &Played, state: TurnState, audio: Option<&str>) -> Answer<()> {
        let length = self.length_ms(said);
        let Saying { floor, member, answers, details, .. } = self.saying;
        let Some(number) = self.number else {
            let (id, role) = (member.id.to_string(), member.role.as_str());
            let turn = NewTurn {
                speaker: &id,
                name: &member.name,
                role,
                said: &said.text,
                state,
                details,
                answers: Some(answers),
                request: None,
                audio,
                duration_ms: length,
            };
            self.number = Some(floor.add(turn).await?);
            return Ok(());
        };
        let (store, now) = (&floor.practice.store, (said.text.as_str(), state, length));
        let is_ours = store.set_turn(floor.workspace, floor.meeting, floor.holder, number, now).await?;
        if !is_ours {
            return Err(lost());
        }
        if let Some(audio) = audio {
            store.set_turn_audio(floor.workspace, floor.meeting, number, audio).await?;
        }
        Ok(())
    }

    /// Ends the turn. What was cut off has only the sound that was played.
    async fn end(mut self, state: TurnState) -> Answer<Response> {
        let (said, state) = match self.stopped {
            Some(stop) => {
                let said = self.heard(stop.played_ms);
                // Whoever interrupts when all was heard cuts nothing off.
                let is_whole = said.text == self.text && !self.text.is_empty();
                (said, if is_whole { state } else { TurnState::Cut })
            }
            None => (Played { text: self.text.clone(), ms: sound::ms_of(self.samples.len()) }, state),
        };
        if !self.samples.is_empty() {
            let last = self.chunk(Vec::new(), true);
            self.tell(Told::Sound(last)).await;
        }
        let played = sound::first(&self.samples, said.ms);
        let audio = match played {
            [] => None,
            played => self.saying.floor.keep_sound(sound::file(played).into()).await,
        };
        self.store(&said, state, audio.as_deref()).await?;
        let number = self.number.ok_or_else(lost)?;
        let member = self.saying.member;
        Ok(Response {
            speaker_id: member.id.to_string(),
            speaker_name: member.name.clone(),
            speaker_role: member.role.clone(),
            duration_seconds: seconds(self.length_ms(&said)),
            audio_url: audio.map(|_| super::audio_url(self.saying.floor.meeting, number)),
            response_text: said.text,
            turn_number: number,
            source: self.saying.details["source"].as_str().unwrap_or("built_in").to_owned(),
            is_cut: state == TurnState::Cut,
        })
    }
}
