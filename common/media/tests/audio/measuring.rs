//! What is measured in a whole recording, and what is noted about it.

use std::io::Cursor;

use domain::audio::{AudioFacts, ChannelLayout, MeasuredAudio};
use media::audio::raw::{Encoding, Raw};
use media::audio::{Decoder, measure};

use crate::sounds::{self, RATE};

/// Measures 16-bit samples of 16 kHz.
fn measured(channels: &[Vec<f32>]) -> MeasuredAudio {
    let frames = channels[0].len();
    let mut bytes = Vec::with_capacity(frames * channels.len() * 2);
    for frame in 0..frames {
        for channel in channels {
            bytes.extend(((channel[frame].clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes());
        }
    }
    let raw = Raw { encoding: Encoding::Pcm16, sample_rate: RATE as u32, channels: channels.len() };
    measure::measure(Decoder::raw(Cursor::new(bytes), raw).unwrap()).unwrap().unwrap()
}

fn codes(facts: &AudioFacts) -> Vec<&str> {
    facts.notes.iter().map(|note| note.code.as_str()).collect()
}

#[test]
fn a_telephone_call_with_a_channel_for_each_side_has_nothing_odd() {
    let (one, other) = (sounds::talk(21, 110.0, 40), sounds::talk(22, 200.0, 40));
    let found = measured(&[one.samples, other.samples]);
    let facts = &found.facts;
    assert_eq!((facts.layout, facts.duration_ms), (ChannelLayout::Separate, 40_000));
    assert_eq!(codes(facts), Vec::<&str>::new(), "{:?}", facts.notes);
    assert_eq!(facts.speech_ms + facts.silence_ms, facts.duration_ms);
    assert!(facts.channels.iter().all(|channel| channel.loudness_lufs.is_some_and(|loud| loud < -5.0)));
    assert_eq!(found.waveform.channels.len(), 2);
}

#[test]
fn channels_that_hold_the_same_do_not_tell_speakers_apart() {
    let talk = sounds::talk(23, 110.0, 20);
    let facts = measured(&[talk.samples.clone(), talk.samples.clone()]).facts;
    assert_eq!(facts.layout, ChannelLayout::Mixed);
    assert_eq!(codes(&facts), ["audio_same_channels"]);
    let half: Vec<f32> = talk.samples.iter().map(|sample| sample * 0.5).collect();
    assert_eq!(measured(&[talk.samples, half]).facts.layout, ChannelLayout::Mixed);
}

#[test]
fn a_dead_channel_is_named() {
    let talk = sounds::talk(24, 110.0, 20);
    let silence = vec![0.0; talk.samples.len()];
    let facts = measured(&[talk.samples, silence]).facts;
    assert_eq!((facts.layout, codes(&facts)), (ChannelLayout::Mixed, vec!["audio_dead_channel"]));
    assert!(facts.notes[0].text.contains("Channel 2"), "{}", facts.notes[0].text);
}

#[test]
fn a_recording_that_is_too_loud_too_quiet_too_short_or_silent_is_noted() {
    let talk = sounds::talk(25, 110.0, 20).samples;
    let scaled = |gain: f32| measured(&[talk.iter().map(|sample| sample * gain).collect()]).facts;
    assert_eq!(codes(&scaled(20.0)), ["audio_clipped"]);
    assert_eq!(codes(&scaled(0.01)), ["audio_too_quiet"]);
    assert_eq!(codes(&measured(&[vec![0.0; RATE]]).facts), ["audio_too_short", "audio_silent"]);
    let noise = sounds::room(26, 10 * RATE);
    assert_eq!(codes(&measured(&[noise]).facts), ["audio_no_speech"]);
}

#[test]
fn music_on_hold_is_noted_and_not_counted_as_speech() {
    let mut samples = sounds::music(3, 20);
    samples.extend(sounds::talk(27, 120.0, 20).samples);
    let facts = measured(&[samples]).facts;
    assert_eq!(codes(&facts), ["audio_music_on_hold"]);
    assert!(facts.channels[0].music_ms > 14_000, "{} ms", facts.channels[0].music_ms);
}
