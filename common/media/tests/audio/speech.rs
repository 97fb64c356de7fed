//! Speech and silence against the truth. The error is the time in which the two disagree, as a share of the duration.
//!
//! `cargo test -p media --test audio speech -- --nocapture` prints the figures of the page on audio.

use std::io::Cursor;
use std::process::Command;

use media::audio::raw::{Encoding, Raw};
use media::audio::voice::Voice;
use media::audio::{Block, Decoder, measure};

use crate::sounds::{self, RATE, Talk};

const SECONDS: usize = 60;

fn hear(samples: Vec<f32>) -> Voice {
    let block = Block { sample_rate: RATE as u32, channels: vec![samples] };
    measure::measure_block(&block).unwrap().remove(0)
}

/// The share of the duration in which what was found and the truth disagree.
fn error(found: &Voice, truth: &[[i64; 2]], duration_ms: usize) -> f64 {
    let covers = |list: &[[i64; 2]]| {
        let mut covered = vec![false; duration_ms];
        for [from, until] in list {
            let until = (*until as usize).min(duration_ms);
            covered[(*from as usize).min(until)..until].fill(true);
        }
        covered
    };
    let found: Vec<[i64; 2]> = found.speech.iter().map(|interval| (*interval).into()).collect();
    let different = covers(&found).iter().zip(covers(truth)).filter(|(one, other)| **one != *other).count();
    different as f64 / duration_ms as f64
}

/// The mean error for several voices.
fn mean_error(voices: &[Talk], change: impl Fn(&Talk) -> Voice) -> f64 {
    let sum: f64 =
        voices.iter().map(|talk| error(&change(talk), &talk.truth, talk.samples.len() * 1_000 / RATE)).sum();
    sum / voices.len() as f64
}

fn generated() -> Vec<Talk> {
    [(1, 105.0), (2, 130.0), (3, 190.0), (4, 220.0)]
        .map(|(seed, pitch)| sounds::talk(seed, pitch, SECONDS))
        .into()
}

fn noisy(talk: &Talk, snr: f32) -> Vec<f32> {
    sounds::with_noise(talk, &sounds::room(77, talk.samples.len()), snr)
}

/// What is heard on a telephone line.
fn on_the_telephone(samples: &[f32]) -> Voice {
    let raw = Raw { encoding: Encoding::MuLaw, sample_rate: 8_000, channels: 1 };
    let decoder = Decoder::raw(Cursor::new(sounds::telephone(samples)), raw).unwrap();
    let facts = measure::measure(decoder).unwrap().unwrap().facts;
    Voice { speech: facts.channels[0].speech.clone(), ..Voice::default() }
}

fn figures(what: &str, voices: &[Talk], limit: f64) {
    let clean = mean_error(voices, |talk| hear(talk.samples.clone()));
    let at_20 = mean_error(voices, |talk| hear(noisy(talk, 20.0)));
    let at_10 = mean_error(voices, |talk| hear(noisy(talk, 10.0)));
    let at_5 = mean_error(voices, |talk| hear(noisy(talk, 5.0)));
    let phone = mean_error(voices, |talk| on_the_telephone(&noisy(talk, 20.0)));
    let phone_at_10 = mean_error(voices, |talk| on_the_telephone(&noisy(talk, 10.0)));
    println!(
        "{what}: error without noise {:.2} %, at 20 dB {:.2} %, at 10 dB {:.2} %, at 5 dB {:.2} %; on the telephone \
         at 20 dB {:.2} %, at 10 dB {:.2} %",
        clean * 100.0,
        at_20 * 100.0,
        at_10 * 100.0,
        at_5 * 100.0,
        phone * 100.0,
        phone_at_10 * 100.0
    );
    assert!(clean < limit && at_20 < limit && phone < limit, "{what}");
}

#[test]
fn generated_speech_is_found_with_an_error_under_three_percent() {
    figures("generated speech", &generated(), 0.03);
}

/// Sentences of a voice of espeak-ng, each after a pause. `None` where the program is not installed.
fn spoken(voice: &str, speed: &str) -> Option<Talk> {
    const SENTENCES: [&str; 8] = [
        "Good morning, this is Dana Ortiz from the support team.",
        "Hello, my order has not arrived, and I would like to know where it is.",
        "I am sorry to hear that.",
        "May I have the number of the order?",
        "It is seven four two nine, and it was sent two weeks ago.",
        "Thank you.",
        "I can see here that the parcel was returned to us because nobody was at home.",
        "Please send it again to my office on Monday afternoon.",
    ];
    let folder = tempfile::tempdir().unwrap();
    let (mut samples, mut truth) = (vec![0.0; RATE], Vec::new());
    for (nth, sentence) in SENTENCES.iter().enumerate() {
        let path = folder.path().join(format!("{nth}.wav"));
        let said = Command::new("espeak-ng")
            .args(["-v", voice, "-s", speed, "-w"])
            .arg(&path)
            .arg(sentence)
            .output();
        if !said.is_ok_and(|said| said.status.success()) {
            return None;
        }
        let mut decoder = Decoder::open(std::fs::File::open(&path).unwrap()).unwrap();
        let mut resampler = media::audio::resample::Resampler::new(RATE as u32);
        let mut sentence = vec![Vec::new()];
        while let Some(block) = decoder.next_block().unwrap() {
            resampler.push(block, &mut sentence).unwrap();
        }
        resampler.finish(&mut sentence).unwrap();
        truth.extend(loud_stretches(&sentence[0]).map(|[from, until]| {
            let start = samples.len() as i64 / 16;
            [start + from, start + until]
        }));
        samples.extend(&sentence[0]);
        samples.extend(vec![0.0; RATE * (nth % 3 + 1)]);
    }
    Some(Talk { samples, truth })
}

/// Where a sentence without any noise is loud. A pause under 300 ms belongs to the speech, as everywhere.
fn loud_stretches(samples: &[f32]) -> impl Iterator<Item = [i64; 2]> + use<> {
    let loudest = samples.iter().fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()));
    let mut stretches: Vec<[i64; 2]> = Vec::new();
    for (nth, frame) in samples.chunks(160).enumerate() {
        let peak = frame.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        if peak > loudest * 0.02 {
            let from = nth as i64 * 10;
            match stretches.last_mut() {
                Some(last) if from - last[1] < 300 => last[1] = from + 10,
                _ => stretches.push([from, from + 10]),
            }
        }
    }
    stretches.into_iter()
}

/// This test needs the program espeak-ng. Without it, it says so and checks nothing.
#[test]
fn the_voices_of_a_speech_synthesizer_are_found_with_an_error_under_three_percent() {
    let voices: Option<Vec<Talk>> =
        [("en-us+m3", "150"), ("en-gb+f3", "165"), ("en-us+f2", "180"), ("de+m1", "150")]
            .into_iter()
            .map(|(voice, speed)| spoken(voice, speed))
            .collect();
    match voices {
        Some(voices) => figures("espeak-ng", &voices, 0.03),
        None => println!("espeak-ng is not installed, so its voices were not checked"),
    }
}

#[test]
fn noise_is_no_speech() {
    let mut dice = sounds::Dice::new(5);
    let white: Vec<f32> = (0..30 * RATE).map(|_| dice.noise() * 0.05).collect();
    let room = sounds::room(6, 30 * RATE);
    let quiet: Vec<f32> = room.iter().map(|sample| sample * 0.02).collect();
    // Somebody turns a fan on and off.
    let changing: Vec<f32> = room
        .iter()
        .enumerate()
        .map(|(at, sample)| sample * if (at / (5 * RATE)).is_multiple_of(2) { 0.2 } else { 1.0 })
        .collect();
    for (name, noise) in [("white", white), ("room", room), ("quiet", quiet), ("changing", changing)] {
        let duration_ms = noise.len() * 1_000 / RATE;
        let share = hear(noise).speech_ms() as f64 / duration_ms as f64;
        println!("{name} noise: {:.2} % speech", share * 100.0);
        assert!(share < 0.02, "{name}");
    }
}

#[test]
fn tones_and_music_on_hold_are_no_speech() {
    for (name, hertz, on, off) in [
        ("a sine", &[1_000.0_f32][..], 30.0, 0.0),
        ("a low sine", &[220.0], 30.0, 0.0),
        ("the dial tone", &[350.0, 440.0], 30.0, 0.0),
        ("the busy tone", &[480.0, 620.0], 0.5, 0.5),
        ("ringing", &[440.0, 480.0], 2.0, 4.0),
        ("ringing in Europe", &[425.0], 1.0, 4.0),
    ] {
        let share = hear(sounds::tones(hertz, on, off, 30)).speech_ms() as f64 / 30_000.0;
        println!("{name}: {:.2} % speech", share * 100.0);
        assert!(share < 0.02, "{name}");
    }
    for seed in 1..4 {
        let heard = hear(sounds::music(seed, 30));
        let share = heard.speech_ms() as f64 / 30_000.0;
        println!("music {seed}: {:.2} % speech, {} ms of music", share * 100.0, heard.music_ms);
        assert!(share < 0.02 && heard.music_ms > 24_000, "music {seed}");
    }
}

#[test]
fn speech_after_music_on_hold_is_found() {
    let talk = sounds::talk(9, 120.0, 30);
    let mut samples = sounds::music(2, 20);
    samples.extend(&talk.samples);
    let truth: Vec<[i64; 2]> =
        talk.truth.iter().map(|[from, until]| [from + 20_000, until + 20_000]).collect();
    let heard = hear(samples);
    let error = error(&heard, &truth, 50_000);
    println!("music and then speech: error {:.2} %", error * 100.0);
    assert!(error < 0.05 && heard.music_ms > 14_000);
}

#[test]
fn people_who_talk_at_the_same_time_are_each_found_on_their_channel() {
    let (one, other) = (sounds::talk(11, 110.0, SECONDS), sounds::talk(12, 210.0, SECONDS));
    let block = Block { sample_rate: RATE as u32, channels: vec![noisy(&one, 20.0), noisy(&other, 20.0)] };
    let voices = measure::measure_block(&block).unwrap();
    let together = |one: &[[i64; 2]], other: &[[i64; 2]]| -> i64 {
        one.iter().flat_map(|a| other.iter().map(|b| (a[1].min(b[1]) - a[0].max(b[0])).max(0))).sum()
    };
    let list =
        |voice: &Voice| -> Vec<[i64; 2]> { voice.speech.iter().map(|interval| (*interval).into()).collect() };
    let found = together(&list(&voices[0]), &list(&voices[1]));
    let wanted = together(&one.truth, &other.truth);
    println!("together: {found} ms found, {wanted} ms in truth");
    assert!(wanted > 5_000 && (found - wanted).abs() < 60_000 * 3 / 100);
    for (voice, talk) in voices.iter().zip([&one, &other]) {
        assert!(error(voice, &talk.truth, SECONDS * 1_000) < 0.03);
    }
}
