//! A recording that is to be transcribed, and where the answers about it are kept.

use std::time::Duration;

use domain::audio::AudioFacts;
use domain::event::Material;
use domain::transcript::Transcript;
use providers::speech::{Used, Wanted};
use queue_topology::Cx;
use url::Url;

use crate::cutting::Cutter;
use crate::material::Source;
use crate::treatment::Wishes;

/// Everything that a provider's client and the ledger need to know of the recording.
pub(crate) struct Recording<'a> {
    pub(crate) cx: &'a Cx,
    pub(crate) source: &'a Source,
    pub(crate) material: &'a Material,
    pub(crate) wanted: Wanted,
    /// Our own address as providers see it.
    pub(crate) public: Option<&'a Url>,
    /// What was measured in the recording.
    pub(crate) sound: Option<&'a AudioFacts>,
    /// What is done to the sound of pieces.
    pub(crate) wishes: Wishes,
    /// Cuts the recording where a provider does not take all of it.
    pub(crate) cutter: &'a dyn Cutter,
}

impl Recording<'_> {
    /// The key of the blob that keeps the answer of this provider.
    pub(crate) fn kept_at(&self, provider: &str) -> String {
        format!("answers/{}/{provider}/{}", self.cx.run.call, self.material.digest)
    }
}

/// The state of a recording at a provider.
pub(crate) enum Heard {
    Transcript(Made),
    /// The provider works on the recording, or the next piece is due. The stage goes on after this time.
    Later(Duration),
}

/// A transcript that a provider made, and what was used for it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) transcript: Transcript,
    pub(crate) used: Used,
}
