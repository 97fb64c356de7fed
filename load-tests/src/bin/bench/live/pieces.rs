//! Calls whose audio comes in pieces: each holds a turn and the pause that ends it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use load_tests::harness::http::Connection;
use load_tests::harness::socket_io::SocketIo;
use load_tests::harness::spoken;
use serde_json::Value;
use tokio::task::JoinSet;

use super::begin;
use super::times::Times;

/// A piece is so long, and the next one comes when it was spoken.
pub(super) const PIECE_MS: u64 = 4_000;
/// When somebody speaks in it.
const SAID_MS: (u64, u64) = (500, 2_800);
/// How many sessions begin at the same time.
const BEGIN_AT_ONCE: usize = 16;
/// All connections are there after this time.
const BEGIN_AFTER: Duration = Duration::from_millis(500);
/// The words of a piece come within this time, and advice so long after them, or never.
const WORDS_WITHIN: Duration = Duration::from_mins(1);
const ADVICE_WITHIN: Duration = Duration::from_secs(3);
const BOUNDARY: &str = "a-boundary-of-the-load";

/// How long it took until the sender and the listener knew of the pieces.
#[derive(Default)]
pub(super) struct Spoken {
    pub(super) acknowledged: Times,
    pub(super) words: Times,
    pub(super) advice: Times,
    pub(super) turns: u32,
    /// How many turns had no advice before the next piece.
    pub(super) without_advice: usize,
}

struct Session {
    sender: Connection,
    listener: SocketIo,
    path: String,
}

/// When a piece was sent, and when that was acknowledged.
struct Sent {
    at: Instant,
    acknowledged: Instant,
}

/// When a listener had the words of each piece, and when it had advice.
#[derive(Default)]
struct Heard {
    words: Vec<Instant>,
    advice: Vec<Instant>,
}

/// Lets `count` calls be spoken for `seconds`. The first piece of each call is not measured.
pub(super) async fn measure(address: SocketAddr, count: u64, seconds: u64) -> anyhow::Result<Spoken> {
    let sessions: Vec<Session> = stream::iter(0..count)
        .map(async |nth| {
            let name = format!("piece-{nth}");
            let sender = begin(address, &name).await?;
            let mut listener = SocketIo::connect(address).await?;
            listener.join(&name, None).await?;
            anyhow::Ok(Session { sender, listener, path: format!("/api/calls/{name}/audio") })
        })
        .buffer_unordered(BEGIN_AT_ONCE)
        .try_collect()
        .await
        .context("begin the sessions")?;
    let pieces = usize::try_from(seconds * 1_000 / PIECE_MS + 1).context("count pieces")?;
    let (piece, start) = (Arc::new(piece()), Instant::now() + BEGIN_AFTER);
    let mut running = JoinSet::new();
    for (nth, session) in (0_u64..).zip(sessions) {
        let Session { sender, listener, path } = session;
        // The pieces of the calls are spread over the time evenly.
        let first = start + Duration::from_millis(PIECE_MS * nth / count);
        let piece = Arc::clone(&piece);
        running.spawn(async move {
            let hearing = tokio::spawn(hear(listener, pieces));
            let sent = send(sender, &path, &piece, (first, pieces)).await?;
            let heard = hearing.await.context("a listener panicked")??;
            anyhow::Ok((sent, heard))
        });
    }
    let mut all = Spoken::default();
    while let Some(ended) = running.join_next().await {
        let (sent, heard) = ended.context("a session panicked")??;
        all.add(&sent, &heard);
    }
    Ok(all)
}

/// The body of a request with a piece.
fn piece() -> Vec<u8> {
    let file = spoken::wav(&spoken::samples(&[SAID_MS], PIECE_MS));
    let part =
        |head: &str| format!("--{BOUNDARY}\r\ncontent-disposition: form-data; {head}\r\n\r\n").into_bytes();
    [
        part("name=\"speaker\""),
        b"customer\r\n".to_vec(),
        part("name=\"audio_file\"; filename=\"piece.wav\"\r\ncontent-type: audio/wav"),
        file,
        format!("\r\n--{BOUNDARY}--\r\n").into_bytes(),
    ]
    .concat()
}

async fn send(
    mut sender: Connection,
    path: &str,
    piece: &[u8],
    (first, pieces): (Instant, usize),
) -> anyhow::Result<Vec<Sent>> {
    let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let mut all = Vec::with_capacity(pieces);
    let mut due = first;
    for _ in 0..pieces {
        tokio::time::sleep_until(due.into()).await;
        due += Duration::from_millis(PIECE_MS);
        let at = Instant::now();
        let answer = sender.post(path, &media_type, piece).await?;
        let body = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "a piece was answered {}: {body}", answer.status);
        all.push(Sent { at, acknowledged: Instant::now() });
    }
    Ok(all)
}

/// Listens until the words of so many pieces came, and the advice after them.
async fn hear(mut listener: SocketIo, pieces: usize) -> anyhow::Result<Heard> {
    let mut heard = Heard::default();
    loop {
        let is_all = heard.words.len() == pieces;
        if is_all && heard.advice.last() > heard.words.last() {
            return Ok(heard);
        }
        let within = if is_all { ADVICE_WITHIN } else { WORDS_WITHIN };
        let (kind, data) = match tokio::time::timeout(within, listener.next()).await {
            Ok(event) => event?,
            Err(_) if is_all => return Ok(heard),
            Err(_) => anyhow::bail!("only {} of {pieces} turns were heard", heard.words.len()),
        };
        heard.take(&kind, &data, Instant::now())?;
    }
}

impl Heard {
    fn take(&mut self, kind: &str, data: &Value, now: Instant) -> anyhow::Result<()> {
        match kind {
            "transcript_update" => {
                // Each piece is one turn, so the words tell their piece.
                let turn = self.words.len() + 1;
                ensure!(data["is_final"] == true && data["turn"] == turn, "turn {turn} was expected: {data}");
                self.words.push(now);
            }
            "real_time_insights" if data["source"] == "rules" => self.advice.push(now),
            _ => {}
        }
        Ok(())
    }
}

impl Spoken {
    fn add(&mut self, sent: &[Sent], heard: &Heard) {
        self.turns += u32::try_from(sent.len()).unwrap_or(u32::MAX);
        for (nth, (sent_one, words)) in sent.iter().zip(&heard.words).enumerate().skip(1) {
            self.acknowledged.note(sent_one.acknowledged - sent_one.at);
            // An event that is there before the acknowledgement took no time after it.
            self.words.note(words.saturating_duration_since(sent_one.acknowledged));
            let until = sent.get(nth + 1).map(|next| next.at);
            let is_of_it = |at: &&Instant| *at >= words && until.is_none_or(|until| **at < until);
            match heard.advice.iter().find(is_of_it) {
                Some(at) => self.advice.note(at.saturating_duration_since(sent_one.acknowledged)),
                None => self.without_advice += 1,
            }
        }
    }
}
