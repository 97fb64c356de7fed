//! The rooms of the console, in the order of the navigation.

use crate::texts::FrameTexts;

/// A room that the navigation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Queues,
    DeadLetters,
    Effects,
    Providers,
    Deployment,
    Settings,
}

/// Rooms that belong together.
pub(crate) struct Group {
    /// Absent for the first group, which needs no heading.
    pub(crate) heading: Option<fn(&FrameTexts) -> &'static str>,
    pub(crate) sections: &'static [Section],
}

pub(crate) const GROUPS: &[Group] = &[
    Group { heading: None, sections: &[Section::Overview] },
    Group {
        heading: Some(|texts| texts.operations),
        sections: &[Section::Queues, Section::DeadLetters, Section::Effects, Section::Providers],
    },
    Group {
        heading: Some(|texts| texts.administration),
        sections: &[Section::Deployment, Section::Settings],
    },
];

impl Section {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Queues => "/queues",
            Self::DeadLetters => "/dead-letters",
            Self::Effects => "/effects",
            Self::Providers => "/providers",
            Self::Deployment => "/deployment",
            Self::Settings => "/settings",
        }
    }

    pub(crate) fn name(self, texts: &FrameTexts) -> &'static str {
        match self {
            Self::Overview => texts.overview,
            Self::Queues => texts.queues,
            Self::DeadLetters => texts.dead_letters,
            Self::Effects => texts.effects,
            Self::Providers => texts.providers,
            Self::Deployment => texts.deployment,
            Self::Settings => texts.settings,
        }
    }
}
