//! The task behind a transcriber.
//!
//! When the connection breaks, the next one gets again what no final turn has answered. When nobody can be reached any more,
//! the task says so and ends, and the caller transcribes the rest in another way.

use std::sync::Arc;
use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Failure, Refusal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::buffer::Backlog;
use super::connection::Connection;
use super::exchange::{Input, Opening, Told};
use super::pauses::{Pauses, ms_of, samples_of};
use super::protocol::{Broken, Heard, Utterance};
use super::turns::{Last, Overdue, Turn, Turns};
use super::{StreamWanted, StreamingSpeech};
use crate::requests::{self, Stream};

const TICK: Duration = Duration::from_millis(50);
/// How often one provider is tried again, and how long the longest pause before that is.
const TRIES: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How much of what was told before is sent again, where voices have to be recognized.
const CONTEXT_MS: i64 = 8_000;
/// Nobody speaks any more after a pause of this length.
const QUIET_MS: i64 = 1_200;
/// When nothing is heard of speech for so long, the provider is asked for it.
const UNANSWERED_MS: i64 = 4_000;
const UNANSWERED_FOR: Duration = Duration::from_secs(5);
/// A connection without audio is kept open with messages, and closed after a while, because open time is paid for.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(4);
const IDLE_FOR: Duration = Duration::from_secs(10);
/// A connection on which nothing at all comes for so long is broken.
const DEAD_AFTER: Duration = Duration::from_secs(20);
/// How long the last words are waited for.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// A connection that is open.
struct Line {
    connection: Connection,
    opened_at: Instant,
    /// The place of the first sample that was sent on it, and how many were.
    starts_at: u64,
    sent: u64,
    pauses: Pauses,
    audio_at: Instant,
    kept_alive_at: Instant,
    heard_at: Instant,
    /// When the provider was asked for speech that it does not answer.
    asked_at: Option<Instant>,
    /// When the last words must have come. `None` while audio is sent.
    closes_at: Option<Instant>,
}

pub(super) struct Task {
    providers: Vec<Arc<dyn StreamingSpeech>>,
    wanted: StreamWanted,
    /// The place of the provider that is used.
    at: usize,
    inputs: mpsc::Receiver<Input>,
    tell: mpsc::Sender<Told>,
    backlog: Backlog,
    turns: Turns,
    /// The place up to which everything is answered.
    covered: u64,
    line: Option<Line>,
    failures: u32,
    paid: u64,
    is_finishing: bool,
    input_at: Instant,
}

/// The task ends.
struct Over;

enum Event {
    Input(Option<Input>),
    Heard(Result<Vec<Heard>, Broken>),
    Tick,
}

impl Task {
    pub(super) fn new(opening: Opening, inputs: mpsc::Receiver<Input>, tell: mpsc::Sender<Told>) -> Self {
        let Opening { providers, wanted, starts_at, audio, covered, known } = opening;
        let mut backlog = Backlog::starting(starts_at, audio);
        backlog.rewind(covered);
        Self {
            providers,
            wanted,
            at: 0,
            inputs,
            tell,
            backlog,
            turns: Turns::new(ms_of(covered), known),
            covered,
            line: None,
            failures: 0,
            paid: 0,
            is_finishing: false,
            input_at: Instant::now(),
        }
    }

    pub(super) async fn run(mut self) {
        // The only way out is the end of the task.
        let Over = self.work().await;
        if let Some(line) = self.line.take() {
            line.connection.close().await;
        }
    }

    async fn work(&mut self) -> Over {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Err(over) = self.step(&mut tick).await {
                return over;
            }
        }
    }

    async fn step(&mut self, tick: &mut tokio::time::Interval) -> Result<(), Over> {
        if self.line.is_none() && self.backlog.end() > self.covered {
            self.connect().await?;
        }
        if self.line.is_none() && self.is_finishing {
            return Err(Over);
        }
        if let Err(Broken(problem)) = self.pump().await {
            return self.broken(&problem).await;
        }
        let event = tokio::select! {
            input = self.inputs.recv(), if !self.is_finishing => Event::Input(input),
            heard = heard_on(self.line.as_mut()) => Event::Heard(heard),
            _ = tick.tick() => Event::Tick,
        };
        match event {
            Event::Input(Some(Input::Audio(samples))) => {
                self.input_at = Instant::now();
                self.backlog.push(&samples);
                if self.backlog.is_full() {
                    self.give_up("it does not take the audio in time").await
                } else {
                    Ok(())
                }
            }
            // Whoever dropped the transcriber wants the last words, too.
            Event::Input(Some(Input::Finish) | None) => {
                self.is_finishing = true;
                Ok(())
            }
            Event::Heard(Ok(heard)) => self.heard(heard).await,
            Event::Heard(Err(Broken(problem))) => self.broken(&problem).await,
            Event::Tick => match self.tick().await {
                Ok(over) => over,
                Err(Broken(problem)) => self.broken(&problem).await,
            },
        }
    }

    /// Opens a connection to the first provider that takes one.
    async fn connect(&mut self) -> Result<(), Over> {
        loop {
            let Some(provider) = self.providers.get(self.at).cloned() else {
                return self.give_up("nobody opens a stream").await;
            };
            let pause = Duration::from_millis(125) * 2_u32.pow(self.failures.min(6));
            if self.failures > 0 {
                tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
            }
            let name = provider.remote().destination.to_string();
            match provider.connect(&self.wanted).await {
                Ok(connection) => {
                    requests::streamed(&name, Stream::Opened);
                    self.begin(connection);
                    return Ok(());
                }
                Err(refusal) => {
                    requests::streamed(&name, Stream::Refused);
                    tracing::warn!(%refusal, "failed to open a stream of speech");
                    self.failures += 1;
                    let is_hopeless = matches!(refusal.fault, Fault::Permanent | Fault::Unavailable);
                    if is_hopeless || self.failures >= TRIES || self.is_finishing {
                        self.at += 1;
                        self.failures = 0;
                        if self.at >= self.providers.len() {
                            self.tell(Told::GivenUp(refusal)).await?;
                            return Err(Over);
                        }
                    }
                }
            }
        }
    }

    fn begin(&mut self, connection: Connection) {
        let context = if self.wanted.voices { samples_of(CONTEXT_MS) } else { 0 };
        let starts_at = self.backlog.rewind(self.covered.saturating_sub(context));
        self.turns.reconnected(ms_of(starts_at), ms_of(self.covered));
        let now = Instant::now();
        self.line = Some(Line {
            connection,
            opened_at: now,
            starts_at,
            sent: 0,
            pauses: Pauses::default(),
            audio_at: now,
            kept_alive_at: now,
            heard_at: now,
            asked_at: None,
            closes_at: None,
        });
    }

    /// Sends the audio that is due, and the end where nothing more comes.
    async fn pump(&mut self) -> Result<(), Broken> {
        let Some(line) = self.line.as_mut().filter(|line| line.closes_at.is_none()) else { return Ok(()) };
        let pace = line.connection.pace();
        #[expect(clippy::cast_possible_truncation, reason = "a stream has far fewer than 2^52 milliseconds")]
        let may_ms = 1_000 + (line.opened_at.elapsed().as_secs_f64() * 1_000.0 * pace.speed) as i64;
        let (shortest, longest) = (samples_of(pace.shortest_ms), samples_of(pace.longest_ms));
        let is_ending = self.is_finishing || self.input_at.elapsed() >= IDLE_FOR;
        loop {
            let may = samples_of(may_ms).saturating_sub(line.sent).min(longest);
            let is_last = is_ending && self.backlog.unsent() < shortest;
            if may < shortest || self.backlog.unsent() == 0 || (self.backlog.unsent() < shortest && !is_last)
            {
                break;
            }
            let mut samples = self.backlog.take(may);
            line.sent += samples.len() as u64;
            self.paid += samples.len() as u64;
            if is_last {
                samples.resize(usize::try_from(shortest).unwrap_or_default(), 0);
            }
            line.pauses.push(&samples);
            line.audio_at = Instant::now();
            line.connection.send_audio(&samples).await?;
        }
        if self.backlog.unsent() == 0 && is_ending {
            line.closes_at = Some(Instant::now() + FINISH_WITHIN);
            line.connection.finish().await?;
        }
        Ok(())
    }

    async fn heard(&mut self, heard: Vec<Heard>) -> Result<(), Over> {
        let now = Instant::now();
        if let Some(line) = &mut self.line {
            line.heard_at = now;
            if !heard.is_empty() {
                line.asked_at = None;
            }
        }
        for heard in heard {
            match heard {
                Heard::Partial(spoken) | Heard::Ending(spoken) if spoken.text.is_empty() => {}
                Heard::Partial(spoken) => self.partial(spoken, false, now).await?,
                Heard::Ending(spoken) => self.partial(spoken, true, now).await?,
                Heard::Final(spoken) => match self.turns.last(spoken) {
                    Last::Turn(turn) => self.told(turn).await?,
                    Last::TakenBack(number) => self.tell(Told::TakenBack(number)).await?,
                    Last::Nothing => {}
                },
                Heard::Finished => return self.finished().await,
            }
        }
        Ok(())
    }

    async fn partial(&mut self, spoken: Utterance, is_ending: bool, now: Instant) -> Result<(), Over> {
        self.failures = 0;
        match self.turns.partial(spoken, is_ending, now) {
            Some(turn) => self.tell(Told::Partial(turn)).await,
            None => Ok(()),
        }
    }

    /// A turn is over.
    async fn told(&mut self, turn: Turn) -> Result<(), Over> {
        self.failures = 0;
        self.cover(samples_of(turn.end_ms));
        self.tell(Told::Final(turn, self.at)).await
    }

    /// Everything up to this place is answered.
    fn cover(&mut self, place: u64) {
        self.covered = self.covered.max(place.min(self.backlog.sent()));
        let context = if self.wanted.voices { samples_of(CONTEXT_MS) } else { 0 };
        self.backlog.forget(self.covered.saturating_sub(context));
    }

    /// The provider has transcribed everything that was sent.
    async fn finished(&mut self) -> Result<(), Over> {
        if self.line.as_ref().is_none_or(|line| line.closes_at.is_none()) {
            return self.broken("it ended the stream").await;
        }
        for turn in self.turns.close_all() {
            self.told(turn).await?;
        }
        for number in self.turns.take_back() {
            self.tell(Told::TakenBack(number)).await?;
        }
        self.cover(self.backlog.sent());
        let (until_ms, paid_ms, by) = (ms_of(self.covered), ms_of(self.paid), self.at);
        self.tell(Told::Settled { until_ms, paid_ms, by }).await?;
        if let Some(line) = self.line.take() {
            line.connection.close().await;
        }
        if self.is_finishing && self.backlog.unsent() == 0 { Err(Over) } else { Ok(()) }
    }

    /// Does what is due. An error is one of the connection, and what is returned says whether the task goes on.
    async fn tick(&mut self) -> Result<Result<(), Over>, Broken> {
        let now = Instant::now();
        let Some(line) = &mut self.line else { return Ok(Ok(())) };
        if line.closes_at.is_some_and(|closes_at| now >= closes_at) {
            return Err(Broken("its last words do not come".into()));
        }
        if now.duration_since(line.heard_at) >= DEAD_AFTER {
            return Err(Broken("nothing comes any more".into()));
        }
        if line.closes_at.is_none() && now.duration_since(line.kept_alive_at) >= KEEP_ALIVE_EVERY {
            line.kept_alive_at = now;
            line.connection.ping().await?;
            if now.duration_since(line.audio_at) >= KEEP_ALIVE_EVERY {
                line.connection.keep_alive().await?;
            }
        }
        let since_audio = i64::try_from(now.duration_since(line.audio_at).as_millis()).unwrap_or(i64::MAX);
        let quiet_ms = line.pauses.quiet_ms() + since_audio;
        let Overdue { ask, over } = self.turns.overdue(quiet_ms >= QUIET_MS, now);
        if ask {
            line.connection.end_turn().await?;
        }
        if !self.turns.is_any_open() && over.is_empty() {
            let spoken = line.pauses.last_speech().map(|end| line.starts_at + end);
            match spoken.filter(|end| *end > self.covered) {
                // Somebody spoke, and the provider has said nothing about it.
                Some(end) if quiet_ms >= UNANSWERED_MS => match line.asked_at {
                    None => {
                        line.asked_at = Some(now);
                        line.connection.end_turn().await?;
                    }
                    // Then it was no speech.
                    Some(asked_at) if now.duration_since(asked_at) >= UNANSWERED_FOR => {
                        line.asked_at = None;
                        self.cover(end);
                    }
                    Some(_) => {}
                },
                Some(_) => {}
                // Silence needs no answer. Its last second stays, because words begin quietly.
                None => {
                    let place = self.backlog.sent().saturating_sub(samples_of(1_000));
                    self.cover(place);
                }
            }
        }
        for turn in over {
            if self.told(turn).await.is_err() {
                return Ok(Err(Over));
            }
        }
        Ok(Ok(()))
    }

    /// The connection cannot go on.
    async fn broken(&mut self, problem: &str) -> Result<(), Over> {
        let Some(line) = self.line.take() else { return Ok(()) };
        let provider = self.providers.get(self.at).map(|provider| provider.remote());
        let name = provider.map(|remote| remote.destination.to_string()).unwrap_or_default();
        tracing::warn!(provider = name, problem, "a stream of speech broke");
        requests::streamed(&name, Stream::Broken);
        self.failures += 1;
        if self.is_finishing && line.closes_at.is_some() {
            return self.give_up(problem).await;
        }
        if self.failures >= TRIES {
            self.at += 1;
            self.failures = 0;
        }
        if self.at >= self.providers.len() { self.give_up(problem).await } else { Ok(()) }
    }

    async fn give_up(&mut self, problem: &str) -> Result<(), Over> {
        for number in self.turns.take_back() {
            self.tell(Told::TakenBack(number)).await?;
        }
        let last = self.providers.get(self.at).or(self.providers.last()).map(|provider| provider.remote());
        if let Some(remote) = last {
            let failure = Failure::Lost { problem: problem.to_owned() };
            self.tell(Told::GivenUp(Refusal::of(remote, &failure))).await?;
        }
        Err(Over)
    }

    async fn tell(&mut self, told: Told) -> Result<(), Over> {
        // Where nobody listens, nobody wants the words.
        self.tell.send(told).await.map_err(|_| Over)
    }
}

async fn heard_on(line: Option<&mut Line>) -> Result<Vec<Heard>, Broken> {
    match line {
        Some(line) => line.connection.next().await,
        None => std::future::pending().await,
    }
}
