//! Has the sentences of an answer said aloud while it is made.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::parts::{Begins, Part};
use crate::voices::{Speaker, SpokenAnswer, Voices};

/// A part of an answer, with the sound of a sentence where there is a voice.
pub(super) enum Voiced {
    Begins(Begins),
    Sentence { text: String, sound: Option<mpsc::Receiver<Bytes>> },
    Broken,
}

/// How many sentences are made before the first of them was said.
const AHEAD: usize = 2;

/// Has each sentence said as soon as it is there. While one is heard, the next one is made.
pub(super) fn voiced(
    voices: &Voices,
    cast: Vec<Speaker>,
    mut parts: mpsc::Receiver<Part>,
) -> mpsc::Receiver<Voiced> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let voices = voices.clone();
    tokio::spawn(async move {
        let mut answer = None;
        while let Some(part) = parts.recv().await {
            let part = match part {
                Part::Begins(begins) => {
                    let speaker = cast.get(begins.speaker).filter(|_| voices.speak());
                    answer = speaker.map(|speaker| voices.begin_answer(speaker));
                    Voiced::Begins(begins)
                }
                Part::Sentence(text) => {
                    let sound = answer.as_ref().map(|answer: &SpokenAnswer| answer.say(&text));
                    Voiced::Sentence { text, sound }
                }
                Part::Broken => Voiced::Broken,
            };
            // Whoever listened may have interrupted.
            if sender.send(part).await.is_err() {
                return;
            }
        }
    });
    receiver
}
