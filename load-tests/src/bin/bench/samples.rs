//! The memory of a process during a measurement.

use std::time::Duration;

use load_tests::harness::usage;

const EVERY: Duration = Duration::from_millis(200);

/// The memory in MB, oldest first.
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Measures the resident memory of the process again and again until `work` is done.
    pub(crate) async fn during<T>(id: u32, work: impl Future<Output = T>) -> anyhow::Result<(T, Self)> {
        let mut samples = vec![usage::memory_mb(id, "VmRSS")?];
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => {
                    samples.push(usage::memory_mb(id, "VmRSS")?);
                    return Ok((done, Self(samples)));
                }
                () = tokio::time::sleep(EVERY) => samples.push(usage::memory_mb(id, "VmRSS")?),
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn most(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    pub(crate) fn median(&self) -> f64 {
        median(&self.0)
    }

    /// Returns the medians of the second and of the last tenth of the time. The first tenth belongs to the start.
    pub(crate) fn early_and_late(&self) -> (f64, f64) {
        let tenth = (self.0.len() / 10).max(1);
        let early = self.0.get(tenth..2 * tenth).unwrap_or(&self.0);
        (median(early), median(&self.0[self.0.len() - tenth..]))
    }
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_memory_is_seen_from_the_second_to_the_last_tenth() {
        let growing = Samples((0..100).map(f64::from).collect());
        assert_eq!(growing.early_and_late().0.to_string(), "15");
        assert_eq!(growing.early_and_late().1.to_string(), "95");
        assert_eq!((growing.most() - 99.0).abs() < f64::EPSILON, growing.count() == 100);
    }
}
