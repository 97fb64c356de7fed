//! The outline of a recording as a picture, one row for each channel.

use std::fmt::Write as _;

use domain::audio::Waveform;

/// How many points a row has at most. More could not be told apart on a screen.
const MAX_POINTS: usize = 500;
/// The height of a row, in the units of the picture.
const ROW: usize = 40;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outline {
    /// The outline of each channel, as the `d` of a path.
    pub(super) paths: Vec<String>,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) length_ms: i64,
}

impl Outline {
    pub(super) fn of(waveform: &Waveform) -> Self {
        let points = waveform.channels.iter().map(Vec::len).max().unwrap_or(0);
        let in_one = points.div_ceil(MAX_POINTS).max(1);
        let path = |(row, channel): (usize, &Vec<u8>)| {
            let middle = row * ROW + ROW / 2;
            channel.chunks(in_one).enumerate().fold(String::new(), |mut path, (x, samples)| {
                let loudest = samples.iter().copied().max().unwrap_or(0);
                let half = (usize::from(loudest) * (ROW / 2 - 1) / 255).max(1);
                let _infallible = write!(path, "M{x} {}v{}", middle - half, half * 2);
                path
            })
        };
        Self {
            paths: waveform.channels.iter().enumerate().map(path).collect(),
            width: points.div_ceil(in_one).max(1),
            height: waveform.channels.len().max(1) * ROW,
            length_ms: waveform.bucket_ms.saturating_mul(i64::try_from(points).unwrap_or(i64::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_is_a_row_and_the_loudest_sample_of_a_stretch_is_shown() {
        let outline = Outline::of(&Waveform { bucket_ms: 100, channels: vec![vec![0, 255], vec![255, 0]] });
        assert_eq!(outline.paths, ["M0 19v2M1 1v38", "M0 41v38M1 59v2"]);
        assert_eq!((outline.width, outline.height, outline.length_ms), (2, 80, 200));
    }

    #[test]
    fn a_long_recording_makes_no_long_picture() {
        let mut channel = vec![0; 2000];
        channel[1999] = 255;
        let outline = Outline::of(&Waveform { bucket_ms: 10, channels: vec![channel] });
        assert_eq!((outline.width, outline.length_ms), (500, 20_000));
        assert!(outline.paths[0].ends_with("M499 1v38"));
    }

    #[test]
    fn a_recording_without_points_is_an_empty_picture() {
        let outline = Outline::of(&Waveform::default());
        assert_eq!((outline.paths.len(), outline.width, outline.height), (0, 1, 40));
    }
}
