//! A call that is spoken while somebody watches: the demo plays it into Debrief as fast as people talk.
//!
//! The sound of the demo has no words, so nobody can recognise any. The provider that hears it here knows what is being played.
//! It tells the speakers apart by the pitch of their voices, and says the next line of this speaker.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::extract::multipart::Multipart;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use platform::http;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use simulators::{Sound, Utterance, recording_as};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const DIALOGUE: &str = include_str!("../../../samples/live_call.json");
/// Who is heard in each channel.
const CHANNELS: [&str; 2] = ["agent", "customer"];
const AGENT: &str = "Dana Whitfield";
const PIECE: Duration = Duration::from_secs(1);
/// The recording has one byte a sample in each channel.
const RATE: u32 = 8_000;
/// How long nobody calls after a call.
const PAUSE: Duration = Duration::from_mins(2);
/// The rate of the turns that a provider gets, as 16-bit samples.
const HEARD_RATE: f64 = 16_000.0;
/// The pitches of the two voices in Hz, as the recording has them.
const PITCHES: [f64; 2] = [159.0, 214.0];
/// How much a sound must be like itself one period later to be one of the voices.
const LIKENESS: f64 = 0.5;
const WAV_HEADER_BYTES: usize = 44;

fn dialogue() -> anyhow::Result<Vec<Utterance>> {
    serde_json::from_str(DIALOGUE).context("read the dialogue of the live call")
}

/// What is being played, for the provider that hears it.
#[derive(Default)]
struct Played {
    begun: Option<Instant>,
    /// The lines that were heard.
    told: Vec<usize>,
}

/// The provider that hears the call. It ends when this is dropped.
pub(super) struct Ears {
    pub(super) address: String,
    played: Arc<Mutex<Played>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Ears {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let lines = Arc::new(dialogue()?);
        let played = Arc::<Mutex<Played>>::default();
        let hear = {
            let played = Arc::clone(&played);
            move |form: Multipart| {
                let (lines, played) = (Arc::clone(&lines), Arc::clone(&played));
                async move { heard(form, &lines, &played).await }
            }
        };
        let router = Router::new()
            .route("/audio/transcriptions", post(hear))
            .route("/models", get(async || Json(json!({"data": []}))));
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen for the live call")?;
        let address = listener.local_addr().context("read the address that was bound")?;
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address: format!("http://{address}"), played, serving })
    }

    fn begin(&self) {
        *lock(&self.played) = Played { begun: Some(Instant::now()), told: Vec::new() };
    }
}

fn lock(played: &Mutex<Played>) -> MutexGuard<'_, Played> {
    played.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn heard(
    mut form: Multipart,
    lines: &[Utterance],
    played: &Mutex<Played>,
) -> Result<Json<Value>, StatusCode> {
    let mut sound = Vec::new();
    while let Some(part) = form.next_field().await.map_err(|_| StatusCode::BAD_REQUEST)? {
        let is_sound = part.name() == Some("file");
        let bytes = part.bytes().await.map_err(|_| StatusCode::BAD_REQUEST)?;
        if is_sound {
            sound = samples(&bytes);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a turn has seconds")]
    let seconds = sound.len() as f64 / HEARD_RATE;
    let text = match voice(&sound) {
        Some(speaker) => next_line(lines, &mut lock(played), speaker, Instant::now()),
        None => format!("Somebody spoke for {seconds:.1} seconds."),
    };
    Ok(Json(json!({"text": text, "duration": seconds})))
}

/// The samples of a WAV file.
fn samples(wav: &[u8]) -> Vec<f64> {
    let sound = wav.get(WAV_HEADER_BYTES..).unwrap_or_default();
    let sample = |bytes: &[u8]| f64::from(i16::from_le_bytes([bytes[0], bytes[1]]));
    sound.chunks_exact(2).map(sample).collect()
}

/// The speaker with this voice. `None` for a voice that is not of the recording.
fn voice(sound: &[f64]) -> Option<&'static str> {
    let likeness = PITCHES.map(|pitch| likeness(sound, HEARD_RATE / pitch));
    let best = usize::from(likeness[1] > likeness[0]);
    (likeness[best] >= LIKENESS).then(|| CHANNELS[best])
}

/// How much a sound is like itself so many samples later: 1 where it is the same.
fn likeness(sound: &[f64], period: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is some hundred samples")]
    let later = sound.get(period.round() as usize..).unwrap_or_default();
    let product: f64 = sound.iter().zip(later).map(|(one, other)| one * other).sum();
    let power: f64 = sound.iter().map(|one| one * one).sum();
    if power > 0.0 { product / power } else { 0.0 }
}

/// The next line of this speaker that has begun. A line that is heard in parts is said once.
fn next_line(lines: &[Utterance], played: &mut Played, speaker: &str, now: Instant) -> String {
    let Some(begun) = played.begun else { return String::new() };
    let played_ms = u64::try_from(now.duration_since(begun).as_millis()).unwrap_or(u64::MAX);
    let next = lines
        .iter()
        .enumerate()
        .find(|(nth, line)| line.speaker == speaker && line.start <= played_ms && !played.told.contains(nth));
    let Some((nth, line)) = next else { return String::new() };
    played.told.push(nth);
    line.text.clone()
}

/// Plays the call, and again after a pause, for as long as somebody waits for this.
pub(super) async fn play_again_and_again(address: &str, ears: &Ears) {
    for nth in 1_u32.. {
        ears.begin();
        if let Err(problem) = play(address, &format!("DEMO-LIVE-{nth}")).await {
            say!("The live call ended early: {problem:#}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn play(address: &str, session: &str) -> anyhow::Result<()> {
    let client = http::client(Duration::from_secs(10));
    let metadata = json!({
        "agent_name": AGENT, "from_number": "+442079460993", "agent_channel": 0,
    });
    let start = client.post(format!("{address}/api/calls/start"));
    send(start.json(&json!({"session_id": session, "metadata": metadata}))).await?;
    let sound = recording_as(&dialogue()?, &Sound { channels: &CHANNELS, ..Sound::default() });
    let begun = Instant::now();
    for (nth, piece) in (0_u32..).zip(pieces(&sound)) {
        // A piece is known when its last word was spoken.
        tokio::time::sleep_until(begun + PIECE * (nth + 1)).await;
        add(&client, address, session, (nth, piece)).await?;
    }
    send(client.post(format!("{address}/api/calls/{session}/end")).json(&json!({}))).await
}

async fn add(
    client: &Client,
    address: &str,
    session: &str,
    (nth, piece): (u32, Vec<u8>),
) -> anyhow::Result<()> {
    let form = Form::new()
        .text("sequence", nth.to_string())
        .part("audio_file", Part::bytes(piece).file_name("piece.wav"));
    send(client.post(format!("{address}/api/calls/{session}/audio")).multipart(form)).await
}

async fn send(request: reqwest::RequestBuilder) -> anyhow::Result<()> {
    let answer = http::send_any(request).await.context("send the live call")?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status.is_success(), "it was answered {}: {text}", answer.status);
    Ok(())
}

/// Cuts the sound of a recording into files of one piece each.
fn pieces(recording: &[u8]) -> Vec<Vec<u8>> {
    let sound = chunk(recording, *b"data").unwrap_or_default();
    let channels = CHANNELS.len();
    let bytes = usize::try_from(RATE).unwrap_or(usize::MAX) * channels;
    sound.chunks(bytes).map(file).collect()
}

/// The bytes of a chunk of a RIFF file.
fn chunk(file: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    let mut rest = file.get(12..)?;
    loop {
        let length = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        if rest.get(..4)? == wanted {
            return rest.get(8..8 + length);
        }
        rest = rest.get(8 + length + length % 2..)?;
    }
}

/// A WAV file with these samples of one byte.
fn file(sound: &[u8]) -> Vec<u8> {
    let channels = u16::try_from(CHANNELS.len()).unwrap_or(u16::MAX);
    let bytes = u32::try_from(sound.len()).unwrap_or(u32::MAX);
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(channels.to_le_bytes());
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * u32::from(channels)).to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(8_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(sound);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a provider gets of one channel: 16-bit samples at twice the rate.
    fn heard_of(channel: usize) -> Vec<f64> {
        let recording =
            recording_as(&dialogue().unwrap(), &Sound { channels: &CHANNELS, ..Sound::default() });
        let sound = chunk(&recording, *b"data").unwrap();
        let one = sound.iter().skip(channel).step_by(CHANNELS.len());
        one.flat_map(|sample| [f64::from(*sample) - 128.0; 2]).collect()
    }

    #[test]
    fn the_speakers_are_told_apart_by_their_voices() {
        for (channel, speaker) in CHANNELS.iter().enumerate() {
            assert_eq!(voice(&heard_of(channel)), Some(*speaker));
        }
        let tone: Vec<f64> = (0..16_000).map(|at| (f64::from(at) * 0.05).sin()).collect();
        assert_eq!((voice(&tone), voice(&[])), (None, None));
    }

    #[test]
    fn a_line_is_said_once_when_it_has_begun() {
        let lines = dialogue().unwrap();
        let begun = Instant::now();
        let mut played = Played { begun: Some(begun), told: Vec::new() };
        let mut at = |ms, speaker| next_line(&lines, &mut played, speaker, begun + Duration::from_millis(ms));
        assert_eq!(at(4_000, "customer"), "", "the customer has not begun");
        assert_eq!(at(4_000, "agent"), lines[0].text);
        assert_eq!(at(4_500, "agent"), "", "the rest of the same line");
        assert_eq!(at(9_000, "customer"), lines[1].text);
        assert_eq!(at(13_000, "agent"), lines[2].text);
    }

    #[test]
    fn the_pieces_together_are_the_whole_sound() {
        let lines = dialogue().unwrap();
        let recording = recording_as(&lines, &Sound { channels: &CHANNELS, ..Sound::default() });
        let pieces = pieces(&recording);
        let sound: Vec<u8> = pieces.iter().flat_map(|piece| piece[WAV_HEADER_BYTES..].to_vec()).collect();
        assert_eq!(sound, chunk(&recording, *b"data").unwrap());
        let seconds = lines.last().unwrap().end.div_ceil(1_000);
        assert_eq!(pieces.len() as u64, seconds);
    }
}
