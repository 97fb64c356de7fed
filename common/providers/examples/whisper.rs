//! Transcribes a recording with a model of your own, and says how long that took. It shows whether a model is fast enough
//! for this machine:
//!
//! ```text
//! cargo run --release -p providers --features whisper --example whisper -- MODEL_FOLDER RECORDING [THREADS]
//! ```

use std::process::ExitCode;
use std::time::Instant;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use platform::config::Values;
use providers::Slots;
use providers::speech::{self, Audio, SpeechToText, Wanted};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, recording, rest @ ..] = &args[..] else {
        return Err("usage: whisper MODEL_FOLDER RECORDING [THREADS]".to_owned());
    };
    let mut given = vec![("SPEECH", "whisper"), ("WHISPER_MODEL_DIR", folder)];
    given.extend(rest.first().map(|threads| ("WHISPER_THREADS", threads.as_str())));
    let values = Values::of(given);
    let made = speech::configured(&values, &Slots::of_this_process()).map_err(|error| error.to_string())?;
    let Some(SpeechToText::AtOnce(provider)) = made.into_iter().next() else {
        return Err("Whisper is not on".to_owned());
    };
    let bytes = Bytes::from(std::fs::read(recording).map_err(|error| format!("read {recording}: {error}"))?);
    let audio =
        Audio { bytes: bytes.len() as u64, media_type: None, body: stream::iter([Ok(bytes)]).boxed() };
    let began = Instant::now();
    let answer = provider.transcribe(audio, &Wanted::default()).await.map_err(|refusal| refusal.text)?;
    let answer: Vec<Bytes> = answer.try_collect().await.map_err(|refusal| refusal.text)?;
    let took = began.elapsed();
    let reading = provider.read(&answer.concat()).map_err(|error| error.to_string())?;
    for segment in &reading.transcript.segments {
        let at = |ms: Option<i64>| ms.unwrap_or_default();
        println!("{:>8} {:>8}  {}", at(segment.start_ms), at(segment.end_ms), segment.text);
    }
    println!(
        "language {}, {} ms of audio in {} ms, about {} MB of memory",
        reading.transcript.language.as_deref().unwrap_or("unknown"),
        reading.used.audio_ms.unwrap_or_default(),
        took.as_millis(),
        provider.memory_bytes() / 1_000_000,
    );
    Ok(())
}
