//! Stores and tells what a transcriber hears in one channel.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::call::{Call, Role};
use providers::speech;
use providers::speech::streaming::{Told, Turn};
use queue_topology::live as runs;
use store::StoreError;
use store::live::{LiveSession, NewLiveEvent, StreamId, StreamedKept, StreamedWords};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::metrics::{self, Stream};
use crate::roles::role;
use crate::service::Live;
use crate::stage::held::GIVEN_UP;
use crate::stage::transcribing::{Part, Words};
use crate::told::{self, Said};

/// The shortest time between two versions of a turn that is still spoken.
const PARTIAL_EVERY: Duration = Duration::from_millis(300);
/// How often a write is tried again, and how long the first pause before that is.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Writer {
    live: Live,
    session: Arc<LiveSession>,
    stream: StreamId,
    speaker: Option<String>,
    role: Option<Role>,
    /// The numbers that turns have in the session, by their numbers in the stream, and when each was told last.
    numbers: HashMap<u64, (i64, Instant)>,
    /// The time up to which the audio is accounted for, and how much was paid for it.
    accounted_ms: i64,
    paid_ms: i64,
    is_heard: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn new(
        live: &Live,
        session: &Arc<LiveSession>,
        call: &Call,
        (stream, speaker): (StreamId, Option<&str>),
        covered_ms: i64,
        is_heard: Arc<AtomicBool>,
    ) -> Self {
        let role = role(speaker, stream.channel, &call.details, &live.settings.agents);
        Self {
            live: live.clone(),
            session: Arc::clone(session),
            stream,
            speaker: speaker.map(str::to_owned),
            role,
            numbers: HashMap::new(),
            accounted_ms: covered_ms,
            paid_ms: 0,
            is_heard,
        }
    }

    /// Takes back what earlier streams have told of these turns, and will not end.
    pub(super) async fn forget(&self, left_open: &[i64]) -> Result<(), StoreError> {
        for turn in left_open {
            self.take_back(*turn).await?;
        }
        Ok(())
    }

    /// Writes until the transcriber ends, or the store does not take its words.
    pub(super) async fn run(mut self, mut told: mpsc::Receiver<Told>) {
        metrics::stream(Stream::Begun);
        while let Some(told) = told.recv().await {
            let is_last = matches!(told, Told::GivenUp(_));
            if let Err(error) = self.take(told).await {
                // A later turn would hide that the words of this one are missing. So nothing more is written.
                tracing::error!(%error, "failed to keep the words of a stream");
                self.give_up();
                return;
            }
            if is_last {
                return;
            }
        }
    }

    fn give_up(&self) {
        if self.is_heard.swap(false, Ordering::AcqRel) {
            metrics::stream(Stream::GivenUp);
        }
    }

    async fn take(&mut self, told: Told) -> Result<(), StoreError> {
        match told {
            Told::Partial(turn) => self.partial(&turn).await,
            Told::Final(turn, by) => self.last(&turn, by).await,
            Told::TakenBack(number) => match self.numbers.remove(&number) {
                Some((number, _)) => self.take_back(number).await,
                None => Ok(()),
            },
            Told::Settled { until_ms, paid_ms, by } => self.settle(until_ms, paid_ms, by).await,
            Told::GivenUp(refusal) => {
                tracing::warn!(call = %self.session.call, %refusal, "a stream is transcribed piece by piece from here on");
                self.give_up();
                for (_, (number, _)) in std::mem::take(&mut self.numbers) {
                    self.take_back(number).await?;
                }
                // The run need not wait for the words of this stream.
                let words = Words { problem: Some(GIVEN_UP.to_owned()), ..Words::default() };
                let at = (self.accounted_ms, self.accounted_ms);
                self.keep(None, at, &words, &|_| Vec::new()).await?;
                Ok(())
            }
        }
    }

    async fn partial(&mut self, turn: &Turn) -> Result<(), StoreError> {
        let now = Instant::now();
        let number = match self.numbers.get(&turn.number) {
            // The next version, or the last one, has these words too.
            Some((_, told_at)) if now.duration_since(*told_at) < PARTIAL_EVERY => return Ok(()),
            Some((number, _)) => *number,
            None => {
                let (speaker, times) = (self.speaker.as_deref(), (turn.start_ms, turn.end_ms));
                let begun = self.live.store.begin_streamed_turn(self.stream, speaker, times).await?;
                let Some(number) = begun else { return Ok(()) };
                number
            }
        };
        self.numbers.insert(turn.number, (number, now));
        self.tell(self.event(number, turn, false)).await
    }

    async fn last(&mut self, turn: &Turn, by: usize) -> Result<(), StoreError> {
        let number = self.numbers.remove(&turn.number).map(|(number, _)| number);
        let audio_ms = (turn.end_ms - self.accounted_ms).max(0);
        let part = Part {
            start_ms: turn.start_ms,
            end_ms: turn.end_ms,
            text: turn.text.clone(),
            confidence: turn.confidence,
            speaker: turn.speaker.clone(),
        };
        let words = Words { parts: vec![part], language: turn.language.clone(), ..self.paid(audio_ms, by) };
        let told = |number| vec![self.event(number, turn, true)];
        let kept = self.keep(number, (turn.start_ms, turn.end_ms), &words, &told).await?;
        self.account(turn.end_ms, audio_ms);
        match kept {
            StreamedKept::Kept { .. } => metrics::turn(true),
            // The run has transcribed the same audio, or nobody waits for it.
            StreamedKept::TooLate | StreamedKept::TakenOver => {
                if let Some(number) = number {
                    self.take_back(number).await?;
                }
            }
        }
        Ok(())
    }

    /// Notes that everything before this time is transcribed, and what was paid for the rest of it.
    async fn settle(&mut self, until_ms: i64, paid_ms: i64, by: usize) -> Result<(), StoreError> {
        if until_ms <= self.accounted_ms {
            return Ok(());
        }
        let rest_ms = (paid_ms - self.paid_ms).max(0);
        let words = self.paid(rest_ms, by);
        self.keep(None, (self.accounted_ms, until_ms), &words, &|_| Vec::new()).await?;
        self.account(until_ms, rest_ms);
        Ok(())
    }

    fn account(&mut self, until_ms: i64, paid_ms: i64) {
        self.accounted_ms = self.accounted_ms.max(until_ms);
        self.paid_ms += paid_ms;
    }

    /// What so much audio cost.
    fn paid(&self, audio_ms: i64, by: usize) -> Words {
        let Some(provider) = self.live.streaming.get(by) else { return Words::default() };
        let name = &provider.remote().destination;
        if let Ok(ms) = u64::try_from(audio_ms) {
            speech::transcribed(name, Duration::from_millis(ms));
        }
        #[expect(clippy::cast_precision_loss, reason = "a call has far fewer than 2^52 milliseconds")]
        let cost_usd = provider.price_per_minute().map(|price| price * audio_ms as f64 / 60_000.0);
        Words {
            provider: Some(name.to_string()),
            model: Some(provider.model().to_owned()),
            audio_ms,
            cost_usd,
            ..Words::default()
        }
    }

    async fn keep(
        &self,
        number: Option<i64>,
        (start_ms, end_ms): (i64, i64),
        words: &Words,
        told: &(dyn Fn(i64) -> Vec<NewLiveEvent> + Sync),
    ) -> Result<StreamedKept, StoreError> {
        let said = StreamedWords {
            number,
            speaker: self.speaker.clone(),
            start_ms,
            end_ms,
            words: serde_json::to_value(words).unwrap_or_default(),
        };
        let (store, LiveSession { workspace, call, .. }) = (&self.live.store, &*self.session);
        let (workspace, call) = (*workspace, *call);
        let input = runs::input(store, workspace, call);
        let mut tries = 0;
        let kept = loop {
            match store.keep_streamed_words(self.stream, &said, told, &input).await {
                Ok(kept) => break kept,
                Err(error) if tries < TRIES => {
                    tracing::warn!(%error, "failed to keep the words of a stream, so it is tried again");
                    tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(tries)).await;
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        };
        if let StreamedKept::Kept { generation, .. } = kept {
            self.live.hub.tell(call);
            runs::wake(self.live.broker.as_ref(), store, &runs::run(workspace, call, generation)).await;
        }
        Ok(kept)
    }

    /// Tells the listeners that a turn has no words after all.
    async fn take_back(&self, number: i64) -> Result<(), StoreError> {
        let (session, at_ms) = (&self.session.session_id, self.accounted_ms);
        let told = |number| vec![told::taken_back(session, number, at_ms, self.live.store.now())];
        // The turn gets no length, so its audio does not count as transcribed.
        self.keep(Some(number), (0, 0), &Words::default(), &told).await?;
        Ok(())
    }

    async fn tell(&self, event: NewLiveEvent) -> Result<(), StoreError> {
        self.live.store.tell_live(self.stream, &[event]).await?;
        self.live.hub.tell(self.session.call);
        Ok(())
    }

    fn event(&self, number: i64, turn: &Turn, is_final: bool) -> NewLiveEvent {
        let said = Said {
            turn: number,
            role: self.role.filter(|_| turn.speaker.is_none()),
            voice: turn.speaker.as_deref(),
            is_final,
            text: &turn.text,
            confidence: turn.confidence,
            start_ms: turn.start_ms,
            end_ms: turn.end_ms,
        };
        told::transcript_update(&self.session.session_id, &said, self.live.store.now())
    }
}
