//! Turns whose words a stream says. The process that holds the stream writes them while the run of the session may belong to
//! another process, so each of these steps locks the call, and looks whether the run has transcribed the same audio.

use serde_json::Value;

use super::super::columns::storable;
use super::super::{Result, Store, Tx, execute, query};
use super::events::{self, NewLiveEvent};
use super::turns::{self, NewLiveTurn, SaidBy};
use super::{InputOf, lock_call, wake};
use domain::call::{CallId, WorkspaceId};

/// The last words of a turn of a stream. They may be none, and then the audio is only known to hold no words.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamedWords {
    /// The turn's number. `None` where it has none yet.
    pub number: Option<i64>,
    /// Who speaks in the channel, in the sender's word.
    pub speaker: Option<String>,
    pub start_ms: i64,
    pub end_ms: i64,
    pub words: Value,
}

/// One channel of one stream. Where another stream has begun with the channel since, this one says nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId {
    pub workspace: WorkspaceId,
    pub call: CallId,
    pub channel: i64,
    /// The number of the turn with which the stream began.
    number: i64,
}

/// What became of the words of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamedKept {
    /// They are kept. This is the number of the turn, and the generation of the run that goes on with it.
    Kept { number: i64, generation: i64 },
    /// The audio was transcribed in another way meanwhile.
    TooLate,
    /// Another stream says the words of the channel now, or the whole call is in the pipeline already.
    TakenOver,
}

impl Store {
    /// Begins with a channel of a stream. A stream that said its words before says nothing more.
    pub async fn begin_stream(
        &self,
        (workspace, call): (WorkspaceId, CallId),
        channel: i64,
    ) -> Result<StreamId> {
        let mut tx = self.begin_tx().await?;
        lock_call(&mut tx, workspace, call).await?;
        let turn = NewLiveTurn { channel, speaker: None, start_ms: 0, end_ms: 0, blob: String::new() };
        let number = turns::add(&mut tx, (workspace, call), &turn, SaidBy::NewStream).await?;
        tx.commit().await?;
        Ok(StreamId { workspace, call, channel, number })
    }

    /// Gives a turn of a stream its number. `None` where the stream says nothing more.
    pub async fn begin_streamed_turn(
        &self,
        stream: StreamId,
        speaker: Option<&str>,
        (start_ms, end_ms): (i64, i64),
    ) -> Result<Option<i64>> {
        let StreamId { workspace, call, channel, number } = stream;
        let mut tx = self.begin_tx().await?;
        lock_call(&mut tx, workspace, call).await?;
        if !goes_on(&mut tx, stream).await? {
            tx.roll_back().await?;
            return Ok(None);
        }
        let speaker = speaker.map(str::to_owned);
        let turn = NewLiveTurn { channel, speaker, start_ms, end_ms, blob: String::new() };
        let number = turns::add(&mut tx, (workspace, call), &turn, SaidBy::Stream(number)).await?;
        tx.commit().await?;
        Ok(Some(number))
    }

    /// Tells the listeners something of a stream that changes nothing else.
    pub async fn tell_live(&self, stream: StreamId, events: &[NewLiveEvent]) -> Result<()> {
        let StreamId { workspace, call, .. } = stream;
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        if goes_on(&mut tx, stream).await? {
            events::add(&mut tx, (workspace, call), events, now).await?;
        }
        tx.commit().await
    }

    /// Tells the listeners of a session something that changes nothing else, unless the call is in the pipeline already.
    pub async fn tell_live_session(
        &self,
        (workspace, call): (WorkspaceId, CallId),
        events: &[NewLiveEvent],
    ) -> Result<()> {
        let session = self.live_session_of(workspace, call).await?;
        if session.is_none_or(|session| session.delivered_at.is_some()) {
            return Ok(());
        }
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        events::add(&mut tx, (workspace, call), events, now).await?;
        tx.commit().await
    }

    /// Keeps the last words of a turn of a stream, tells them, and makes the work on the session due. `told` makes the event
    /// from the number of the turn.
    pub async fn keep_streamed_words(
        &self,
        stream: StreamId,
        said: &StreamedWords,
        told: &(dyn Fn(i64) -> Vec<NewLiveEvent> + Sync),
        input_of: InputOf<'_>,
    ) -> Result<StreamedKept> {
        let StreamId { workspace, call, channel, number } = stream;
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        lock_call(&mut tx, workspace, call).await?;
        let generation = wake(&mut tx, (workspace, call), input_of, now).await?;
        let overlapping = query!(
            fetch_optional,
            (i64,),
            tx,
            "SELECT number FROM live_turns WHERE workspace = $1 AND call_id = $2 AND channel = $3 AND blob <> ''
                AND start_ms < $5 AND end_ms > $4 LIMIT 1",
            workspace,
            call,
            channel,
            said.start_ms,
            said.end_ms,
        )?;
        if !goes_on(&mut tx, stream).await? {
            tx.roll_back().await?;
            return Ok(StreamedKept::TakenOver);
        }
        if overlapping.is_some() {
            tx.roll_back().await?;
            return Ok(StreamedKept::TooLate);
        }
        let stream = number;
        let number = if let Some(number) = said.number {
            number
        } else {
            let turn = NewLiveTurn {
                channel,
                speaker: said.speaker.clone(),
                start_ms: said.start_ms,
                end_ms: said.end_ms,
                blob: String::new(),
            };
            turns::add(&mut tx, (workspace, call), &turn, SaidBy::Stream(stream)).await?
        };
        execute!(
            tx,
            "UPDATE live_turns SET words = $4, start_ms = $5, end_ms = $6
             WHERE workspace = $1 AND call_id = $2 AND number = $3",
            workspace,
            call,
            number,
            storable(&said.words),
            said.start_ms,
            said.end_ms,
        )?;
        events::add(&mut tx, (workspace, call), &told(number), now).await?;
        platform::failpoint!("live.streamed.commit");
        tx.commit().await?;
        platform::failpoint!("live.streamed.committed");
        Ok(StreamedKept::Kept { number, generation })
    }
}

/// Whether this stream may say words: no other stream has begun with its channel, and the call is not in the pipeline yet.
async fn goes_on(tx: &mut Tx, stream: StreamId) -> Result<bool> {
    let row = query!(
        fetch_optional,
        (i64,),
        *tx,
        "SELECT last_event FROM live_sessions WHERE workspace = $1 AND call_id = $2 AND delivered_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM live_turns WHERE call_id = $2 AND channel = $3 AND stream > $4)",
        stream.workspace,
        stream.call,
        stream.channel,
        stream.number,
    )?;
    Ok(row.is_some())
}
