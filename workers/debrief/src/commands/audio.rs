//! `debrief audio`: says what a recording is and what is measured in it, as the transcription stage measures it.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use domain::audio::{AudioFacts, ChannelFacts};
use media::audio::resample::Resampler;
use media::audio::{Decoder, SPEECH_RATE, measure};

use super::print::{self, Said};
use crate::outcome::{Ended, FAILED};

/// What is done with the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Page,
    Json,
    /// Only decoded and resampled, which is what other programs can be compared with.
    DecodeOnly,
}

pub(crate) async fn audio(path: &Path, how: How) -> Ended {
    let path = path.to_owned();
    // Decoding takes long and does not wait for anything.
    tokio::task::spawn_blocking(move || audio_of(&path, how)).await.context("measure a recording")?
}

fn audio_of(path: &Path, how: How) -> Ended {
    let named = || format!("read `{}`", print::visible(&path.to_string_lossy()));
    let decoder = Decoder::open(File::open(path).with_context(named)?).with_context(named)?;
    if how == How::DecodeOnly {
        return decode(decoder);
    }
    let Some(measured) = measure::measure(decoder).with_context(named)? else {
        say!("the file holds no sound");
        return Ok(ExitCode::from(FAILED));
    };
    match how {
        How::Json => print::json(&measured.facts)?,
        _ => say!("{}", page(&path.to_string_lossy(), &measured.facts)),
    }
    Ok(ExitCode::SUCCESS)
}

fn decode(mut decoder: Decoder) -> Ended {
    let mut resampler = Resampler::new(SPEECH_RATE);
    let mut heard = vec![Vec::new(); decoder.probed().channels];
    let mut samples = 0;
    let failed = "decode the recording";
    while let Some(block) = decoder.next_block().context(failed)? {
        resampler.push(block, &mut heard).context(failed)?;
        samples += heard.first().map_or(0, Vec::len);
        heard.iter_mut().for_each(Vec::clear);
    }
    resampler.finish(&mut heard).context(failed)?;
    samples += heard.first().map_or(0, Vec::len);
    say!("{samples} samples of {SPEECH_RATE} Hz");
    Ok(ExitCode::SUCCESS)
}

fn page(name: &str, facts: &AudioFacts) -> String {
    let one = |text: String| vec![text];
    let whole: Vec<Said> = vec![
        ("format", one(format!("{} in {}, {} Hz", facts.codec, facts.container, facts.sample_rate))),
        ("duration", one(seconds(facts.duration_ms))),
        ("speech", one(format!("{}, {} of silence", seconds(facts.speech_ms), seconds(facts.silence_ms)))),
        ("notes", facts.notes.iter().map(|note| format!("{} ({})", note.text, note.code)).collect()),
    ];
    let channels = (1..).zip(&facts.channels).map(|(nth, channel)| {
        vec![
            ("channel", one(format!("{nth}"))),
            ("speech", one(spoken(channel))),
            ("loudness", channel.loudness_lufs.iter().map(|loud| format!("{loud:.1} LUFS")).collect()),
        ]
    });
    let groups: Vec<Vec<Said>> = std::iter::once(whole).chain(channels).collect();
    print::page(name, &groups)
}

fn spoken(channel: &ChannelFacts) -> String {
    let music = if channel.music_ms > 0 {
        format!(", and {} of music", seconds(channel.music_ms))
    } else {
        String::new()
    };
    format!("{} in {} stretches{music}", seconds(channel.speech_ms), channel.speech.len())
}

fn seconds(ms: i64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}
