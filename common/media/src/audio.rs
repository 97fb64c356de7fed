//! Reads recordings, and measures what can be heard in them.
//!
//! Everything here works on blocks of samples, one after the other. How much memory it takes depends on the number of
//! channels, and not on the length of a recording.

mod au;
mod block;
mod codec;
mod container;
pub mod cut;
mod decode;
pub mod filter;
pub mod kind;
pub mod measure;
mod notes;
pub mod ogg;
mod opus;
pub mod raw;
pub mod resample;
mod source;
mod tonality;
pub mod voice;
pub mod wav;
pub mod waveform;

pub use block::Block;
pub use decode::{Decoder, Ended, Probed};
pub use source::{AudioError, Source};

/// The sample rate in Hz at which speech is detected, and that every piece for a provider has.
pub const SPEECH_RATE: u32 = 16_000;

/// The most channels that are read. A recording with more of them is a surround mix or a damaged file.
pub const MAX_CHANNELS: usize = 8;

/// Mixes channels to one. Each has the same share.
pub fn mix(channels: &[Vec<f32>]) -> Vec<f32> {
    let Some((first, rest)) = channels.split_first() else { return Vec::new() };
    let mut mixed = first.clone();
    for channel in rest {
        for (sum, sample) in mixed.iter_mut().zip(channel) {
            *sum += sample;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "there are few channels")]
    let share = 1.0 / channels.len() as f32;
    for sample in &mut mixed {
        *sample *= share;
    }
    mixed
}
