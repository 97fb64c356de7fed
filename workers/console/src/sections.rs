//! The rooms of the console, in the order of the navigation.

use domain::principal::{Principal, Scope};

use crate::texts::FrameTexts;

/// A room that the navigation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Calls,
    Live,
    Practice,
    Upload,
    Users,
    Keys,
    Audit,
    Search,
    Analytics,
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
    Group {
        heading: None,
        sections: &[
            Section::Overview,
            Section::Calls,
            Section::Live,
            Section::Upload,
            Section::Search,
            Section::Analytics,
            Section::Practice,
        ],
    },
    Group {
        heading: Some(|texts| texts.operations),
        sections: &[Section::Queues, Section::DeadLetters, Section::Effects, Section::Providers],
    },
    Group {
        heading: Some(|texts| texts.administration),
        sections: &[Section::Deployment, Section::Settings, Section::Users, Section::Keys, Section::Audit],
    },
];

impl Section {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Calls => "/calls",
            Self::Live => "/live",
            Self::Practice => "/practice",
            Self::Upload => "/upload",
            Self::Users => "/users",
            Self::Keys => "/keys",
            Self::Audit => "/audit",
            Self::Search => "/search",
            Self::Analytics => "/analytics",
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
            Self::Calls => texts.calls,
            Self::Live => texts.live,
            Self::Practice => texts.practice,
            Self::Upload => texts.upload,
            Self::Search => texts.search_go,
            Self::Analytics => texts.analytics,
            Self::Queues => texts.queues,
            Self::DeadLetters => texts.dead_letters,
            Self::Effects => texts.effects,
            Self::Providers => texts.providers,
            Self::Deployment => texts.deployment,
            Self::Settings => texts.settings,
            Self::Users => texts.users,
            Self::Keys => texts.keys,
            Self::Audit => texts.audit,
        }
    }

    /// Whether the visitor may use the room. A room that she may not use is not named to her.
    pub(crate) fn is_for(self, visitor: &Principal) -> bool {
        let sees_all = visitor.scopes.has(Scope::Read) && !visitor.sees.is_restricted();
        match self {
            Self::Overview => true,
            Self::Calls | Self::Live | Self::Practice | Self::Search | Self::Analytics => {
                visitor.scopes.has(Scope::Read)
            }
            Self::Upload => !visitor.sees.is_restricted() && visitor.scopes.has(Scope::BringIn),
            Self::Users | Self::Keys => sees_all && visitor.scopes.has(Scope::Administer),
            _ => sees_all,
        }
    }
}
