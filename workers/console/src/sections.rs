//! The rooms of the console, in the order of the navigation.

use crate::texts::FrameTexts;

/// A room that the navigation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Calls,
}

/// Rooms that belong together.
pub(crate) struct Group {
    /// Absent for the first group, which needs no heading.
    pub(crate) heading: Option<fn(&FrameTexts) -> &'static str>,
    pub(crate) sections: &'static [Section],
}

pub(crate) const GROUPS: &[Group] =
    &[Group { heading: None, sections: &[Section::Overview, Section::Calls] }];

impl Section {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Calls => "/calls",
        }
    }

    pub(crate) fn name(self, texts: &FrameTexts) -> &'static str {
        match self {
            Self::Overview => texts.overview,
            Self::Calls => texts.calls,
        }
    }
}
