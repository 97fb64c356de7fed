//! Decoded samples.

/// Some samples of each channel. All channels have the same number of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// In Hz.
    pub sample_rate: u32,
    /// From -1 to 1, or slightly beyond.
    pub channels: Vec<Vec<f32>>,
}

impl Block {
    pub fn frames(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    /// Empties the block for samples of this shape.
    pub(super) fn start(&mut self, sample_rate: u32, channels: usize) {
        self.sample_rate = sample_rate;
        self.channels.resize_with(channels, Vec::new);
        self.channels.iter_mut().for_each(Vec::clear);
    }
}
