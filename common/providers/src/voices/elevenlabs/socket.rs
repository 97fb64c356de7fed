//! The lines of an answer over one WebSocket (`stream-input`), so that no line waits for a request of its own.
//!
//! The provider says all lines as one text, and tells with each piece of sound which letters are heard in it. So a line is over
//! when the letters of the next one come, or when nothing more comes. The connection is one of a single answer: where somebody
//! interrupts, it is closed, and what the provider still sends is heard by nobody.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::refusal::{Failure, Refusal};
use futures::{SinkExt as _, StreamExt as _};
use platform::cache::Limiter;
use platform::http::HttpError;
use reqwest::{RequestBuilder, Upgraded};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::REMOTE;
use crate::voices::{Asked, MAX_SOUND_BYTES};
use crate::{said, websocket};

/// How long a message may take to be written.
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// How long the first sound of a line may take. After that it is asked for in another way.
const FIRST_SOUND_WITHIN: Duration = Duration::from_secs(5);
/// A line whose letters were all heard is over when nothing more comes for so long,
const NOTHING_AFTER_LAST_LETTER: Duration = Duration::from_millis(300);
/// and one of which letters are missing is over after this time.
const NOTHING_AFTER_SOUND: Duration = Duration::from_secs(2);
/// The provider closes a connection on which nothing came for 20 seconds.
pub(super) const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
/// One space keeps the connection open. A text without any letter ends it.
const KEEP_ALIVE: &str = " ";
const END: &str = "";

/// What is needed to open a connection.
pub(super) struct Opening {
    pub(super) request: RequestBuilder,
    /// How the lines are to be said.
    pub(super) settings: Value,
    pub(super) limiter: Arc<Limiter>,
}

/// A line that waits for its sound, or for the rest of it.
struct Line {
    /// How many of its letters were not heard yet.
    letters_left: i64,
    sound: mpsc::UnboundedSender<Result<Bytes, Refusal>>,
    bytes: u64,
}

/// A piece of sound.
#[derive(Debug, Default, PartialEq)]
struct Piece {
    sound: Bytes,
    letters: i64,
    is_last: bool,
}

/// Why a connection ends.
enum Ended {
    /// All was said, or nobody listens any more.
    Over,
    Broken(Refusal),
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Broken(refusal)
    }
}

struct Talk {
    socket: WebSocketStream<Upgraded>,
    lines: VecDeque<Line>,
    /// When the last thing happened for which the first of the lines waits.
    since: Instant,
}

/// Says the lines until nobody asks for more. Lines that are not said get the reason.
pub(super) async fn say_all(
    opening: Opening,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    refusal: impl Fn(&HttpError) -> Refusal,
) {
    let mut lines = VecDeque::new();
    let why = match websocket::open(opening.request, &REMOTE, refusal).await {
        Ok(socket) => {
            let mut talk = Talk { socket, lines, since: Instant::now() };
            let ended = talk.run(&opening.settings, &opening.limiter, &mut asked).await;
            // Whoever is gone need not be told.
            tokio::time::timeout(WRITE_WITHIN, talk.socket.close(None)).await.ok();
            lines = talk.lines;
            match ended {
                Ended::Over => return,
                Ended::Broken(why) => why,
            }
        }
        Err(why) => why,
    };
    tracing::warn!(error = why.text, "the lines of an answer are not said over one connection");
    for line in lines {
        line.sound.send(Err(why.clone())).ok();
    }
    while let Some(line) = asked.recv().await {
        line.sound.send(Err(why.clone())).ok();
    }
}

impl Talk {
    async fn run(
        &mut self,
        settings: &Value,
        limiter: &Limiter,
        asked: &mut mpsc::UnboundedReceiver<Asked>,
    ) -> Ended {
        match self.talk(settings, limiter, asked).await {
            Ok(()) => Ended::Over,
            Err(ended) => ended,
        }
    }

    async fn talk(
        &mut self,
        settings: &Value,
        limiter: &Limiter,
        asked: &mut mpsc::UnboundedReceiver<Asked>,
    ) -> Result<(), Ended> {
        self.send(json!({"text": KEEP_ALIVE, "voice_settings": settings})).await?;
        let mut keep_alive = tokio::time::interval_at(Instant::now() + KEEP_ALIVE_EVERY, KEEP_ALIVE_EVERY);
        let mut is_all = false;
        while !is_all || !self.lines.is_empty() {
            let patience = self.patience();
            tokio::select! {
                line = asked.recv(), if !is_all => match line {
                    Some(line) => self.begin(line, limiter).await?,
                    None => {
                        is_all = true;
                        self.send(json!({"text": END})).await?;
                    }
                },
                message = self.socket.next() => self.take(message)?,
                () = sleep_until(self.since + patience), if !self.lines.is_empty() => self.lost_patience()?,
                () = unheard(self.lines.front()), if is_all => return Ok(()),
                _ = keep_alive.tick(), if !is_all => self.send(json!({"text": KEEP_ALIVE})).await?,
            }
        }
        Ok(())
    }

    /// Sends a line. Its text ends with a space, as the provider wants it.
    async fn begin(&mut self, Asked { text, sound }: Asked, limiter: &Limiter) -> Result<(), Ended> {
        let text = text.trim();
        // A text without letters would end the connection, and there is nothing to hear of it.
        if text.is_empty() {
            return Ok(());
        }
        if let Err(used_up) = limiter.slot().await {
            sound.send(Err(used_up.refusal(&REMOTE))).ok();
            return Ok(());
        }
        if self.lines.is_empty() {
            self.since = Instant::now();
        }
        self.lines.push_back(Line { letters_left: letters(text), sound, bytes: 0 });
        self.send(json!({"text": format!("{text} "), "flush": true})).await
    }

    fn patience(&self) -> Duration {
        match self.lines.front() {
            Some(line) if line.bytes > 0 && line.letters_left <= 0 => NOTHING_AFTER_LAST_LETTER,
            Some(line) if line.bytes > 0 => NOTHING_AFTER_SOUND,
            _ => FIRST_SOUND_WITHIN,
        }
    }

    /// Nothing came for a long time. The first of the lines is over, or it never began.
    fn lost_patience(&mut self) -> Result<(), Ended> {
        if self.lines.front().is_some_and(|line| line.bytes == 0) {
            return Err(broken("it says nothing").into());
        }
        self.next_line();
        Ok(())
    }

    fn next_line(&mut self) {
        self.lines.pop_front();
        self.since = Instant::now();
    }

    fn take(&mut self, message: Option<Result<Message, impl Sized>>) -> Result<(), Ended> {
        let piece = match message {
            Some(Ok(Message::Text(text))) => read(&text)?,
            Some(Ok(Message::Close(frame))) => {
                let code = frame.map_or(1000, |frame| u16::from(frame.code));
                return Err(broken(&format!("it closed the stream with the code {code}")).into());
            }
            Some(Ok(_)) => return Ok(()),
            Some(Err(_)) | None => return Err(broken("the stream broke").into()),
        };
        if piece.letters > 0
            && self.lines.front().is_some_and(|line| line.letters_left <= 0)
            && self.lines.len() > 1
        {
            self.next_line();
        }
        self.since = Instant::now();
        let Some(line) = self.lines.front_mut() else {
            return if piece.is_last { Err(Ended::Over) } else { Ok(()) };
        };
        line.letters_left -= piece.letters;
        if !piece.sound.is_empty() {
            line.bytes += piece.sound.len() as u64;
            if line.bytes > MAX_SOUND_BYTES {
                return Err(Refusal::of(&REMOTE, &Failure::TooLong { max_bytes: MAX_SOUND_BYTES }).into());
            }
            // Whoever interrupted hears no more of it.
            line.sound.send(Ok(piece.sound)).ok();
        }
        if piece.is_last {
            let has_begun = line.bytes > 0;
            if has_begun {
                self.next_line();
            }
            // A line that was sent after the end of the stream was not said.
            return if self.lines.is_empty() {
                Err(Ended::Over)
            } else {
                Err(broken("it ended the stream").into())
            };
        }
        Ok(())
    }

    async fn send(&mut self, message: Value) -> Result<(), Ended> {
        match tokio::time::timeout(WRITE_WITHIN, self.socket.send(Message::text(message.to_string()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(broken("the stream broke").into()),
            Err(_) => Err(broken("it does not read what it is sent").into()),
        }
    }
}

/// Waits until nobody listens to a line any more.
async fn unheard(line: Option<&Line>) {
    match line {
        Some(line) => line.sound.closed().await,
        None => std::future::pending().await,
    }
}

fn broken(problem: &str) -> Refusal {
    Refusal::of(&REMOTE, &Failure::Lost { problem: problem.to_owned() })
}

/// How many letters a text has. The provider may change the spaces between them.
fn letters(text: &str) -> i64 {
    i64::try_from(text.chars().filter(|letter| !letter.is_whitespace()).count()).unwrap_or(i64::MAX)
}

fn read(text: &str) -> Result<Piece, Refusal> {
    let message: Value = serde_json::from_str(text).map_err(|_| broken("a message is no JSON"))?;
    if let Some(word) = message["error"].as_str() {
        let word = if said::is_word(word) { word } else { "an error" };
        return Err(broken(&format!("it answered `{word}`")));
    }
    let sound = STANDARD.decode(message["audio"].as_str().unwrap_or_default());
    let chars = message["alignment"]["chars"].as_array().into_iter().flatten();
    Ok(Piece {
        sound: sound.map_err(|_| broken("a sound is no base64"))?.into(),
        letters: chars.filter_map(Value::as_str).map(letters).sum(),
        is_last: message["isFinal"] == json!(true),
    })
}
