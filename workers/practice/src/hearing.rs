//! Understands what the salesperson says aloud.
//!
//! A piece without speech is no turn, and it costs nothing: our own detector listens first. Then the providers of speech to text are
//! asked in their order, until one answers.

use std::io::Cursor;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::audio::Interval;
use domain::refusal::{Failure, Refusal};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use media::audio::filter::HighPass;
use media::audio::raw::{Encoding, Raw};
use media::audio::resample::Resampler;
use media::audio::voice::VoiceDetector;
use media::audio::{AudioError, Decoder, SPEECH_RATE, kind, mix, wav};
use providers::speech::{Audio, Progress, SpeechToText, Wanted, transcribed};

use crate::fields::Fields;
use crate::plan::Plan;
use crate::request::{Answer, unavailable};
use crate::state::Practice;

/// The largest sound of one turn, in bytes.
pub(crate) const MAX_BYTES: usize = 10 * 1024 * 1024;
/// The rate of samples that come without a format.
const RAW_RATE: u32 = 16_000;
/// Less speech than this is a cough.
const SHORTEST_MS: i64 = 200;
/// How much sound around the speech goes with it: the first and the last consonants are quiet.
const AROUND_MS: i64 = 200;
/// How long one provider may take. Somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What was said aloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) text: String,
    /// How long somebody spoke.
    pub(crate) duration_ms: i64,
    /// What was heard, as a file. `None` where it was written.
    pub(crate) sound: Option<Bytes>,
}

/// The sound in the field `audio_data`. It is refused where it cannot be used, or where nobody would understand it.
pub(crate) fn field(practice: &Practice, fields: &mut Fields) -> Option<Bytes> {
    const NAME: &str = "audio_data";
    let text = fields.text(NAME, MAX_BYTES.div_ceil(3) * 4)?;
    if practice.speech.is_empty() {
        fields.refuse(NAME, "cannot be understood: no provider of speech to text is configured");
        return None;
    }
    match decoded(&text) {
        Some(sound) => Some(sound),
        None => {
            fields.refuse(NAME, "is not base64");
            None
        }
    }
}

/// The bytes of a text in base64. A prefix such as `data:audio/webm;base64,` is no part of it.
pub(crate) fn decoded(text: &str) -> Option<Bytes> {
    let text = match text.strip_prefix("data:") {
        Some(rest) => rest.split_once(',')?.1,
        None => text,
    };
    STANDARD.decode(text.trim()).ok().map(Bytes::from)
}

/// What is said in a sound. `None` where nobody speaks in it. A sound is plain samples where somebody says their rate, and where
/// it has no format that is known.
pub(crate) async fn words(
    practice: &Practice,
    plan: &Plan,
    sound: Bytes,
    raw_rate: Option<u32>,
) -> Answer<Option<Words>> {
    let listening = tokio::task::spawn_blocking(move || speech(sound, raw_rate));
    let heard = match listening.await {
        Ok(Ok(heard)) => heard,
        Ok(Err(error)) => {
            tracing::debug!(%error, "the sound of a turn cannot be read");
            return Err(crate::talk::nothing_said("/audio_data", "cannot be read as sound").into());
        }
        Err(_) => return Err(crate::talk::nothing_said("/audio_data", "cannot be read as sound").into()),
    };
    let Some(spoken) = heard else { return Ok(None) };
    let names = plan.cast.iter().map(|member| member.name.clone());
    let words = names.chain([plan.product.name.clone()]).collect();
    let wanted = Wanted { words, language: practice.language.clone(), channels: Some(1) };
    for provider in &practice.speech {
        let asked = tokio::time::timeout(PATIENCE, ask(provider, &spoken.file, &wanted)).await;
        let text = match asked {
            Ok(Ok(text)) => text,
            Ok(Err(refusal)) => {
                tracing::warn!(error = refusal.text, "a provider does not understand a turn of practice");
                continue;
            }
            Err(_) => {
                tracing::warn!("a provider takes too long to understand a turn of practice");
                continue;
            }
        };
        let length = Duration::from_millis(u64::try_from(spoken.duration_ms).unwrap_or(0));
        transcribed(&provider.remote().destination, length);
        // A provider that hears nothing knows better than our detector.
        let Spoken { file, duration_ms } = spoken;
        return Ok((!text.is_empty()).then_some(Words { text, duration_ms, sound: Some(file) }));
    }
    Err(unavailable("nobody can understand speech at the moment; write instead"))
}

/// The stretch of a sound in which somebody speaks, as a file.
struct Spoken {
    file: Bytes,
    duration_ms: i64,
}

fn speech(sound: Bytes, raw_rate: Option<u32>) -> Result<Option<Spoken>, AudioError> {
    let mut decoder = if raw_rate.is_none() && kind::media_type(&sound).is_some() {
        Decoder::open(Cursor::new(sound))?
    } else {
        let sample_rate = raw_rate.unwrap_or(RAW_RATE);
        Decoder::raw(Cursor::new(sound), Raw { encoding: Encoding::Pcm16, sample_rate, channels: 1 })?
    };
    let mut resampler = Resampler::new(SPEECH_RATE);
    let mut channels = vec![Vec::new(); decoder.probed().channels];
    while let Some(block) = decoder.next_block()? {
        resampler.push(block, &mut channels)?;
    }
    resampler.finish(&mut channels)?;
    let samples = mix(&channels);
    let mut filtered = samples.clone();
    HighPass::default().run(&mut filtered);
    let mut detector = VoiceDetector::default();
    detector.push(&filtered);
    let speech = detector.finish().speech;
    let spoken_ms: i64 = speech.iter().map(|one| one.end_ms - one.start_ms).sum();
    let (Some(first), Some(last)) = (speech.first(), speech.last()) else { return Ok(None) };
    if spoken_ms < SHORTEST_MS {
        return Ok(None);
    }
    let around = Interval { start_ms: first.start_ms - AROUND_MS, end_ms: last.end_ms + AROUND_MS };
    let part = &samples[place(around.start_ms, samples.len())..place(around.end_ms, samples.len())];
    let part: Vec<i16> = part.iter().map(|sample| wav::pcm(*sample)).collect();
    Ok(Some(Spoken { file: wav::file(&part).into(), duration_ms: last.end_ms - first.start_ms }))
}

/// The place of a moment among so many samples.
fn place(ms: i64, samples: usize) -> usize {
    let place = ms.max(0).saturating_mul(i64::from(SPEECH_RATE) / 1000);
    usize::try_from(place).unwrap_or(usize::MAX).min(samples)
}

async fn ask(provider: &SpeechToText, file: &Bytes, wanted: &Wanted) -> Result<String, Refusal> {
    let audio = Audio {
        bytes: file.len() as u64,
        media_type: Some("audio/wav".to_owned()),
        body: stream::iter([Ok(file.clone())]).boxed(),
    };
    let remote = provider.remote();
    let answer: Vec<u8> = match provider {
        SpeechToText::AtOnce(provider) => {
            let pieces: Vec<Bytes> = provider.transcribe(audio, wanted).await?.try_collect().await?;
            pieces.concat()
        }
        SpeechToText::Job(provider) => {
            let uploaded = provider.upload(audio).await?;
            let job = provider.submit(&uploaded, wanted, None).await?;
            loop {
                let problem = match provider.look(&job).await? {
                    Progress::Done(answer) => break answer.to_vec(),
                    Progress::Running => {
                        tokio::time::sleep(LOOK_EVERY).await;
                        continue;
                    }
                    Progress::Failed(given_up) => given_up.reason,
                    Progress::Unknown => "it does not know the job any more".to_owned(),
                };
                return Err(Refusal::of(remote, &Failure::Lost { problem }));
            }
        }
    };
    let reading = provider
        .read(&answer)
        .map_err(|unreadable| Refusal::of(remote, &Failure::Lost { problem: unreadable.problem }))?;
    let texts: Vec<&str> = reading.transcript.segments.iter().map(|segment| segment.text.trim()).collect();
    Ok(texts.join(" ").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_and_without_the_address_of_a_browser() {
        for text in ["aGVsbG8=", "data:audio/webm;codecs=opus;base64,aGVsbG8=", " aGVsbG8=\n"] {
            assert_eq!(decoded(text).as_deref(), Some(&b"hello"[..]), "{text}");
        }
        for text in ["*", "data:audio/webm;base64", "aGVsbG8"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn silence_and_noise_are_no_turn() {
        let silence = Bytes::from(vec![0_u8; 64_000]);
        assert!(speech(silence, None).unwrap().is_none());
        let file = wav::file(&vec![0_i16; 32_000]);
        assert!(speech(file.into(), None).unwrap().is_none());
        assert!(speech(Bytes::new(), Some(RAW_RATE)).map_or(true, |heard| heard.is_none()));
    }
}
