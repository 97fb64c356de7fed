//! A call that is spoken while somebody watches: the demo plays it into Debrief as fast as people talk.
//!
//! The sound of the demo has no words, so nobody can recognise any. The provider that hears it here knows what will be said,
//! and tells the lines apart by their length.

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
/// How much sound around a line is sent with it.
const AROUND_MS: u64 = 400;
/// How much the length of a line may differ.
const NEAR_MS: u64 = 350;
const WAV_HEADER_BYTES: usize = 44;

fn dialogue() -> anyhow::Result<Vec<Utterance>> {
    serde_json::from_str(DIALOGUE).context("read the dialogue of the live call")
}

/// The provider that hears the call. It ends when this is dropped.
pub(super) struct Ears {
    pub(super) address: String,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Ears {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let lines = dialogue()?;
        let hear = move |form: Multipart| {
            let lines = lines.clone();
            async move { heard(form, &lines).await }
        };
        let router = Router::new()
            .route("/audio/transcriptions", post(hear))
            .route("/models", get(async || Json(json!({"data": []}))));
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen for the live call")?;
        let address = listener.local_addr().context("read the address that was bound")?;
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address: format!("http://{address}"), serving })
    }
}

async fn heard(mut form: Multipart, lines: &[Utterance]) -> Result<Json<Value>, StatusCode> {
    let mut length_ms = 0;
    while let Some(part) = form.next_field().await.map_err(|_| StatusCode::BAD_REQUEST)? {
        let is_sound = part.name() == Some("file");
        let bytes = part.bytes().await.map_err(|_| StatusCode::BAD_REQUEST)?;
        if is_sound {
            length_ms = length(&bytes);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a turn has seconds")]
    let seconds = length_ms as f64 / 1_000.0;
    Ok(Json(json!({"text": line(lines, length_ms), "duration": seconds})))
}

/// The length of a WAV file in milliseconds.
fn length(wav: &[u8]) -> u64 {
    let rate = wav.get(28..32).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    let bytes = wav.len().saturating_sub(WAV_HEADER_BYTES) as u64;
    if rate == 0 { 0 } else { bytes * 1_000 / u64::from(rate) }
}

/// The line that is as long as this. Of other sound only the length is told.
fn line(lines: &[Utterance], length_ms: u64) -> String {
    let far = |line: &Utterance| (line.end - line.start + AROUND_MS).abs_diff(length_ms);
    let nearest = lines.iter().min_by_key(|line| far(line)).filter(|line| far(line) <= NEAR_MS);
    nearest.map_or_else(
        || format!("Somebody spoke for {}.{} seconds.", length_ms / 1_000, length_ms % 1_000 / 100),
        |line| line.text.clone(),
    )
}

/// Plays the call, and again after a pause, for as long as somebody waits for this.
pub(super) async fn play_again_and_again(address: &str) {
    for nth in 1_u32.. {
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

    #[test]
    fn each_line_is_told_by_its_length_and_other_sound_is_only_measured() {
        let lines = dialogue().unwrap();
        for spoken in &lines {
            for off in [0, 300] {
                let length_ms = spoken.end - spoken.start + AROUND_MS - off;
                assert_eq!(line(&lines, length_ms), spoken.text);
            }
        }
        assert_eq!(line(&lines, 60_250), "Somebody spoke for 60.2 seconds.");
    }

    #[test]
    fn the_pieces_together_are_the_whole_sound() {
        let lines = dialogue().unwrap();
        let recording = recording_as(&lines, &Sound { channels: &CHANNELS, ..Sound::default() });
        let pieces = pieces(&recording);
        let sound: Vec<u8> = pieces.iter().flat_map(|piece| piece[WAV_HEADER_BYTES..].to_vec()).collect();
        assert_eq!(sound, chunk(&recording, *b"data").unwrap());
        assert_eq!(length(&pieces[0]), 1_000);
        let seconds = lines.last().unwrap().end.div_ceil(1_000);
        assert_eq!(pieces.len() as u64, seconds);
    }
}
