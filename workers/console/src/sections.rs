//! The rooms of the console, in the order of the navigation.

use crate::texts::FrameTexts;

/// A room that the navigation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Search,
    Analytics,
}

/// Rooms that belong together.
pub(crate) struct Group {
    /// Absent for the first group, which needs no heading.
    pub(crate) heading: Option<fn(&FrameTexts) -> &'static str>,
    pub(crate) sections: &'static [Section],
}

pub(crate) const GROUPS: &[Group] =
    &[Group { heading: None, sections: &[Section::Overview, Section::Search, Section::Analytics] }];

impl Section {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Search => "/search",
            Self::Analytics => "/analytics",
        }
    }

    pub(crate) fn name(self, texts: &FrameTexts) -> &'static str {
        match self {
            Self::Overview => texts.overview,
            Self::Search => texts.search_go,
            Self::Analytics => texts.analytics,
        }
    }
}
