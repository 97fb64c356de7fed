//! Calls whose audio comes in streams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures::{SinkExt as _, StreamExt as _, TryStreamExt as _, stream};
use load_tests::harness::socket_io::SocketIo;
use load_tests::harness::spoken;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::begin;
use super::times::Times;

/// The length of a message.
pub(super) const MESSAGE_MS: u64 = 20;
/// The simulated provider ends a turn when it has heard a pause of this length.
pub(super) const PAUSE_MS: u64 = 400;
/// Somebody speaks again after this time.
const TURN_MS: u64 = 4_000;
/// When somebody speaks in it. The last syllable is loud to its end, so it ends where it is said to end.
const SAID_MS: (u64, u64) = (500, 2_600);
const BEGIN_AT_ONCE: usize = 16;
const BEGIN_AFTER: Duration = Duration::from_millis(500);
const HEARD_WITHIN: Duration = Duration::from_mins(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long it took from the end of speech, and from the end of the provider's pause behind it.
#[derive(Default)]
pub(super) struct Streamed {
    pub(super) words: Times,
    pub(super) advice: Times,
    pub(super) words_after_pause: Times,
    pub(super) advice_after_pause: Times,
}

/// When the last sound of a turn was sent, and when the pause behind it was.
#[derive(Clone, Copy)]
struct TurnEnd {
    said: Instant,
    paused: Instant,
}

/// When a listener had the words of each turn, and the advice after them.
struct Heard {
    words: Vec<Instant>,
    advice: Vec<Instant>,
}

/// Lets `count` calls be spoken for `seconds`. The first turn of each call is not measured.
pub(super) async fn measure(address: SocketAddr, count: u64, seconds: u64) -> anyhow::Result<Streamed> {
    let sessions: Vec<(Socket, SocketIo)> = stream::iter(0..count)
        .map(async |nth| {
            let name = format!("stream-{nth}");
            begin(address, &name).await?;
            let mut listener = SocketIo::connect(address).await?;
            listener.join(&name, None).await?;
            anyhow::Ok((open(address, &name).await?, listener))
        })
        .buffer_unordered(BEGIN_AT_ONCE)
        .try_collect()
        .await
        .context("begin the streams")?;
    let turns = usize::try_from(seconds * 1_000 / TURN_MS + 1).context("count turns")?;
    let turn = Arc::new(spoken::bytes(&spoken::samples(&[SAID_MS], TURN_MS)));
    let start = Instant::now() + BEGIN_AFTER;
    let mut running = JoinSet::new();
    for (nth, (socket, listener)) in (0_u64..).zip(sessions) {
        let first = start + Duration::from_millis(TURN_MS * nth / count);
        let turn = Arc::clone(&turn);
        running.spawn(async move {
            let hearing = tokio::spawn(hear(listener, turns));
            let (sink, mut source) = socket.split();
            // Acknowledgements and events come back, too.
            let reading = tokio::spawn(async move { while let Some(Ok(_)) = source.next().await {} });
            let said = speak(sink, &turn, (first, turns)).await?;
            let heard = hearing.await.context("a listener panicked")??;
            reading.await.context("a reader panicked")?;
            anyhow::Ok((said, heard))
        });
    }
    let mut all = Streamed::default();
    while let Some(ended) = running.join_next().await {
        let (said, heard) = ended.context("a stream panicked")??;
        for ((end, words), advice) in said.iter().zip(heard.words).zip(heard.advice).skip(1) {
            all.words.note(words.saturating_duration_since(end.said));
            all.words_after_pause.note(words.saturating_duration_since(end.paused));
            all.advice.note(advice.saturating_duration_since(end.said));
            all.advice_after_pause.note(advice.saturating_duration_since(end.paused));
        }
    }
    Ok(all)
}

/// Opens a stream, and waits until it is taken.
async fn open(address: SocketAddr, session: &str) -> anyhow::Result<Socket> {
    let url = format!("ws://{address}/api/calls/{session}/stream");
    let (mut socket, _) = connect_async_with_config(url, None, true).await.context("open a stream")?;
    let start = json!({"type": "start", "encoding": "pcm_s16le", "sample_rate": spoken::RATE, "channels": 1});
    socket.send(Message::text(start.to_string())).await.context("begin a stream")?;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message.context("read an acknowledgement")?
            && text.contains("\"ack\"")
        {
            return Ok(socket);
        }
    }
    bail!("a stream is not taken")
}

/// Speaks so many turns, and ends the session. Returns the end of each turn.
async fn speak(
    mut sink: impl futures::Sink<Message, Error = tokio_tungstenite::tungstenite::Error> + Unpin,
    turn: &[u8],
    (first, turns): (Instant, usize),
) -> anyhow::Result<Vec<TurnEnd>> {
    let message = usize::try_from(MESSAGE_MS * u64::from(spoken::RATE) * 2 / 1_000).unwrap_or(320);
    let mut ends = Vec::with_capacity(turns);
    let mut due = first;
    for _ in 0..turns {
        let (mut said, mut sent_ms) = (due, 0);
        for sound in turn.chunks(message) {
            tokio::time::sleep_until(due.into()).await;
            due += Duration::from_millis(MESSAGE_MS);
            sink.send(Message::binary(sound.to_vec())).await.context("send audio")?;
            sent_ms += MESSAGE_MS;
            if sent_ms == SAID_MS.1 {
                said = Instant::now();
            } else if sent_ms == SAID_MS.1 + PAUSE_MS {
                ends.push(TurnEnd { said, paused: Instant::now() });
            }
        }
    }
    sink.send(Message::text(json!({"type": "end"}).to_string())).await.context("end a stream")?;
    Ok(ends)
}

/// Listens until the words of so many turns came, each with advice after it.
async fn hear(mut listener: SocketIo, turns: usize) -> anyhow::Result<Heard> {
    let mut heard = Heard { words: Vec::new(), advice: Vec::new() };
    while heard.advice.len() < turns {
        let (words, advice) = (heard.words.len(), heard.advice.len());
        let next = tokio::time::timeout(HEARD_WITHIN, listener.next()).await;
        let next =
            next.with_context(|| format!("of {turns} turns, {words} were heard, {advice} with advice"))?;
        let (kind, data) = next?;
        let has_words = data["text"].as_str().is_some_and(|text| !text.is_empty());
        if kind == "transcript_update" && data["is_final"] == true && has_words {
            ensure!(words == advice, "turn {words} has no advice");
            heard.words.push(Instant::now());
        } else if kind == "real_time_insights" && data["source"] == "rules" && words > advice {
            heard.advice.push(Instant::now());
        }
    }
    Ok(heard)
}
