//! The voices of the representatives: which provider speaks, and what a line sounds like.
//!
//! A voice that fails costs the sound and nothing else: the words are there all the same. A provider that refuses our account is
//! left alone for a while, so that a conversation does not wait for it at each sentence.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::fault::Fault;
use domain::refusal::Refusal;
use futures::{StreamExt as _, stream};
use providers::voices::{AnswerLines, Line, MAX_LINE_CHARS, Manner, Sound, Voice};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::metrics;
use crate::plan::Member;
use crate::temperament;

/// For how long a provider is left alone that refuses all requests.
const REST: Duration = Duration::from_mins(1);
/// How many pieces of a sound may wait for whoever plays them.
const PIECES: usize = 64;

/// Who speaks. Without a provider nobody does, and practice is in text.
#[derive(Clone, Default)]
pub struct Voices(Arc<[Seat]>);

struct Seat {
    voice: Arc<dyn Voice>,
    /// Until then the provider is left alone.
    rests_until: Mutex<Option<Instant>>,
}

impl Voices {
    /// `voices` are tried in their order.
    pub fn new(voices: Vec<Arc<dyn Voice>>) -> Self {
        Self(voices.into_iter().map(|voice| Seat { voice, rests_until: Mutex::default() }).collect())
    }

    /// Whether anybody speaks.
    pub fn speak(&self) -> bool {
        !self.0.is_empty()
    }

    /// Begins an answer of this speaker.
    pub(crate) fn begin_answer(&self, speaker: &Speaker) -> SpokenAnswer {
        let first = self.0.iter().enumerate().find(|(_, seat)| !seat.rests());
        let lines = first.and_then(|(at, seat)| {
            let own = speaker.voice_id.as_deref().filter(|_| at == 0);
            seat.voice.begin_answer(&speaker.line("", own))
        });
        SpokenAnswer { voices: self.clone(), speaker: speaker.clone(), lines }
    }

    async fn sound(&self, speaker: &Speaker, text: &str) -> Option<Sound> {
        for (at, seat) in self.0.iter().enumerate() {
            if seat.rests() {
                continue;
            }
            // The id of a voice is that of one provider, and of no other.
            let own = speaker.voice_id.as_deref().filter(|_| at == 0);
            // A voice that the provider does not have is not the end: one of the others speaks.
            for voice in [own, None].into_iter().skip(usize::from(own.is_none())) {
                match seat.voice.speak(&speaker.line(text, voice)).await {
                    Ok(sound) => return Some(sound),
                    Err(refusal) => {
                        tracing::warn!(error = refusal.text, "a voice does not speak");
                        if refusal.fault == Fault::Unavailable {
                            seat.rest();
                        }
                        if refusal.fault != Fault::Permanent {
                            break;
                        }
                    }
                }
            }
        }
        None
    }
}

/// An answer that is said, sentence by sentence.
pub(crate) struct SpokenAnswer {
    voices: Voices,
    speaker: Speaker,
    /// Where the provider says the lines of an answer over one connection.
    lines: Option<AnswerLines>,
}

impl SpokenAnswer {
    /// Begins to say a sentence. The pieces of its sound come as they are made; there are none where no provider speaks.
    pub(crate) fn say(&self, text: &str) -> mpsc::Receiver<Bytes> {
        let (pieces, sound) = mpsc::channel(PIECES);
        let (voices, speaker) = (self.voices.clone(), self.speaker.clone());
        let text: String = text.chars().take(MAX_LINE_CHARS).collect();
        // The lines of a connection are said in the order in which they are asked for.
        let coming = self.lines.as_ref().map(|lines| lines.say(&text));
        tokio::spawn(async move {
            let over_connection = match coming {
                Some(coming) => begun(coming).await,
                None => None,
            };
            let sound = match over_connection {
                Some(sound) => Some(sound),
                None => voices.sound(&speaker, &text).await,
            };
            let Some(mut sound) = sound else {
                metrics::silent_line();
                return;
            };
            while let Some(piece) = sound.next().await {
                match piece {
                    Ok(piece) => {
                        // Whoever listened may have interrupted.
                        if pieces.send(piece).await.is_err() {
                            return;
                        }
                    }
                    Err(refusal) => {
                        tracing::warn!(error = refusal.text, "a voice broke off in the middle of a sentence");
                        return;
                    }
                }
            }
        });
        sound
    }
}

/// The sound of a line that a connection has begun to say. `None` where it does not say the line, so that it is a request of its
/// own.
async fn begun(mut coming: mpsc::UnboundedReceiver<Result<Bytes, Refusal>>) -> Option<Sound> {
    let first = coming.recv().await?.ok()?;
    let rest = stream::unfold(coming, |mut coming| async move { Some((coming.recv().await?, coming)) });
    Some(stream::iter([Ok(first)]).chain(rest).boxed())
}

impl Seat {
    fn rests(&self) -> bool {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn rest(&self) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
    }
}

/// How a representative sounds.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    voice_id: Option<String>,
    seat: usize,
    settings: temperament::Voice,
    directions: String,
}

impl Speaker {
    /// The representative with this number in the meeting.
    pub(crate) fn of(member: &Member, seat: usize) -> Self {
        let manner = member.manner();
        Self {
            voice_id: member.voice_id.clone(),
            seat,
            settings: manner.voice,
            directions: manner.directions.join(" "),
        }
    }

    fn line<'a>(&'a self, text: &'a str, voice: Option<&'a str>) -> Line<'a> {
        let temperament::Voice { stability, similarity, style, speaker_boost, speed } = self.settings;
        let manner =
            Manner { stability, similarity, style, speaker_boost, speed, directions: &self.directions };
        Line { text, voice, seat: self.seat, manner }
    }
}
