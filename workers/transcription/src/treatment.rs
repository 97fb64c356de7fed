//! What is done to the sound of the pieces that we make ourselves.
//!
//! A recording that a provider takes as it is goes there byte for byte, and nothing here touches it. Only where a
//! recording is too long for a provider do we encode its sound anew, and then the settings say how.

use domain::audio::{AudioFacts, ChannelLayout};
use media::audio::cut::{self, Treatment, gain_to};
use platform::config::{ConfigError, Values};

/// The loudness that is asked for may be in this range, in LUFS.
const LOUDNESS: std::ops::RangeInclusive<f64> = -40.0..=-5.0;

/// `AUDIO_HIGH_PASS`, `AUDIO_DENOISE` and `AUDIO_LOUDNESS`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wishes {
    pub high_pass: bool,
    pub denoise: bool,
    /// In LUFS. `None` where the loudness stays as it is.
    pub loudness_lufs: Option<f64>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { high_pass: true, denoise: false, loudness_lufs: Some(cut::TARGET_LUFS) }
    }
}

impl Wishes {
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        let given = |name: &str| values.text(name).is_some();
        let default = Self::default();
        let high_pass =
            if given("AUDIO_HIGH_PASS") { values.flag("AUDIO_HIGH_PASS")? } else { default.high_pass };
        let denoise = values.flag("AUDIO_DENOISE")?;
        let loudness_lufs = match values.text("AUDIO_LOUDNESS") {
            None => default.loudness_lufs,
            Some(text) if text == "off" => None,
            Some(text) => {
                Some(text.parse().ok().filter(|lufs| LOUDNESS.contains(lufs)).ok_or_else(|| {
                    ConfigError::not("AUDIO_LOUDNESS", &text, "a loudness in LUFS from -40 to -5, or off")
                })?)
            }
        };
        Ok(Self { high_pass, denoise, loudness_lufs })
    }

    /// The treatment for a recording. What was not measured keeps its loudness.
    pub(crate) fn of(&self, sound: Option<&AudioFacts>) -> Treatment {
        let gain_db = match (self.loudness_lufs, sound.and_then(mixed)) {
            (Some(target), Some((loudness, peak))) => gain_to(target, loudness, peak),
            _ => 0.0,
        };
        Treatment { channel: None, high_pass: self.high_pass, denoise: self.denoise, gain_db }
    }
}

/// What was done, for a note on the call. `None` where the sound stayed as it was.
pub(crate) fn in_words(done: &Treatment) -> Option<String> {
    let mut words = Vec::new();
    if done.high_pass {
        words.push("what lies below 80 Hz was filtered out".to_owned());
    }
    if done.denoise {
        words.push("steady noise was removed".to_owned());
    }
    if done.gain_db.abs() >= 0.1 {
        let how = if done.gain_db > 0.0 { "louder" } else { "quieter" };
        words.push(format!("the sound was made {how} by {:.1} dB", done.gain_db.abs()));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// The loudness and the highest possible sample of all channels mixed to one.
fn mixed(sound: &AudioFacts) -> Option<(f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "there are few channels")]
    let count = sound.channels.len() as f64;
    let heard: Vec<f64> = sound.channels.iter().filter_map(|channel| channel.loudness_lufs).collect();
    let loudest = heard.iter().copied().reduce(f64::max)?;
    // The mean of channels that hold the same sound is as loud as each of them. Other channels add up as noises do, and
    // each has its share of the mix.
    let loudness = if sound.layout == ChannelLayout::Separate {
        let energy: f64 = heard.iter().map(|lufs| 10_f64.powf(lufs / 10.0)).sum();
        10.0 * energy.log10() - 20.0 * count.log10()
    } else {
        loudest
    };
    let peak = sound.channels.iter().map(|channel| channel.peak).sum::<f64>() / count;
    Some((loudness, peak))
}

#[cfg(test)]
mod tests {
    use domain::audio::ChannelFacts;

    use super::*;

    fn sound(layout: ChannelLayout, channels: &[(f64, f64)]) -> AudioFacts {
        let of = |(lufs, peak): &(f64, f64)| ChannelFacts {
            loudness_lufs: Some(*lufs),
            peak: *peak,
            ..ChannelFacts::default()
        };
        AudioFacts {
            container: "wav".into(),
            codec: "pcm".into(),
            sample_rate: 8_000,
            duration_ms: 1_000,
            layout,
            channels: channels.iter().map(of).collect(),
            speech_ms: 0,
            silence_ms: 0,
            notes: Vec::new(),
        }
    }

    fn is_made_louder(wishes: Wishes, sound: &AudioFacts, wanted_db: f32) {
        let gain = wishes.of(Some(sound)).gain_db;
        assert!((gain - wanted_db).abs() < 0.05, "{gain}");
    }

    #[test]
    fn a_quiet_recording_is_brought_to_the_loudness_and_never_made_to_clip() {
        let wishes = Wishes::default();
        is_made_louder(wishes, &sound(ChannelLayout::Mono, &[(-32.0, 0.1)]), 12.0);
        is_made_louder(wishes, &sound(ChannelLayout::Mono, &[(-32.0, 0.5)]), 6.0);
        // Each of two sides has half of the mix.
        is_made_louder(wishes, &sound(ChannelLayout::Separate, &[(-26.0, 0.2), (-26.0, 0.2)]), 9.0);
        is_made_louder(wishes, &sound(ChannelLayout::Mixed, &[(-26.0, 0.2), (-26.0, 0.2)]), 6.0);
        let wishes = Wishes { loudness_lufs: None, ..wishes };
        is_made_louder(wishes, &sound(ChannelLayout::Mono, &[(-32.0, 0.1)]), 0.0);
        assert_eq!(
            Wishes::default().of(None),
            Treatment { high_pass: true, ..Treatment::default() },
            "what was not measured stays as loud as it is"
        );
    }

    #[test]
    fn the_settings_are_read_and_a_mistake_names_its_setting() {
        assert_eq!(Wishes::read(&Values::default()).unwrap(), Wishes::default());
        let given = [("AUDIO_HIGH_PASS", "false"), ("AUDIO_DENOISE", "true"), ("AUDIO_LOUDNESS", "-16")];
        let wanted = Wishes { high_pass: false, denoise: true, loudness_lufs: Some(-16.0) };
        assert_eq!(Wishes::read(&Values::of(given)).unwrap(), wanted);
        assert_eq!(Wishes::read(&Values::of([("AUDIO_LOUDNESS", "off")])).unwrap().loudness_lufs, None);
        for (name, value) in [
            ("AUDIO_HIGH_PASS", "perhaps"),
            ("AUDIO_DENOISE", "perhaps"),
            ("AUDIO_LOUDNESS", "loud"),
            ("AUDIO_LOUDNESS", "3"),
            ("AUDIO_LOUDNESS", "NaN"),
        ] {
            assert_eq!(Wishes::read(&Values::of([(name, value)])).unwrap_err().name, name, "{value}");
        }
    }

    #[test]
    fn what_was_done_is_said() {
        assert_eq!(in_words(&Treatment::default()), None);
        let done = Treatment { high_pass: true, gain_db: -3.0, ..Treatment::default() };
        assert_eq!(
            in_words(&done).unwrap(),
            "what lies below 80 Hz was filtered out, the sound was made quieter by 3.0 dB"
        );
    }
}
