//! The principal of a request: its workspace, its name on the audit record, and what it may do.

use std::fmt;
use std::sync::Arc;

use crate::call::{CallDetails, WorkspaceId};

/// One thing that a key can be allowed to do. No scope includes another scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The key may bring calls in, by webhooks and uploads.
    BringIn,
    /// The key may read calls and their results.
    Read,
    /// The key may start the work of calls and dead letters again.
    Operate,
    /// The key may decide who else gets access.
    Administer,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::BringIn, Self::Read, Self::Operate, Self::Administer];

    pub fn name(self) -> &'static str {
        match self {
            Self::BringIn => "bring_in",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Administer => "administer",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes. Its text is the names in the order of [`Scope::ALL`], with a blank between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    pub const ALL: Self = Self(0b1111);

    /// Reads the text that [`Display`](fmt::Display) writes. An unknown name is left out, because a newer version of
    /// the program may have written it. The key then has fewer rights here, and never more.
    pub fn from_text(text: &str) -> Self {
        text.split_whitespace().filter_map(Scope::from_name).collect()
    }

    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether `scope` is in the set and nothing else is.
    pub fn is_only(self, scope: Scope) -> bool {
        self.0 == scope.bit()
    }

    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::name).collect();
        f.write_str(&names.join(" "))
    }
}

/// The person or program that sends a request. Nothing outside its workspace is read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub workspace: WorkspaceId,
    /// The name on the audit record: `api key`, `webhook key`, `key:<its name>`, or `no key`.
    pub actor: Arc<str>,
    pub scopes: Scopes,
    /// The calls that it may see within its workspace.
    pub sees: Sees,
}

/// The calls that a principal may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sees {
    /// The calls of everybody in the workspace.
    #[default]
    All,
    /// Only the calls of this agent.
    OnlyOf(AgentIdentity),
}

impl Sees {
    pub fn is_restricted(&self) -> bool {
        matches!(self, Self::OnlyOf(_))
    }

    /// The agent to whom a list of calls has to be narrowed.
    pub fn agent(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::OnlyOf(agent) => Some(agent.name()),
        }
    }

    /// Whether a call with these details may be seen.
    pub fn includes(&self, details: &CallDetails) -> bool {
        match self {
            Self::All => true,
            Self::OnlyOf(agent) => agent.is_agent_of(details),
        }
    }
}

/// Who an agent is in the calls: the name that stands as the agent of her calls, letter for letter.
///
/// A call of another spelling is not hers. So a mistake in the name shows her too few calls, and never those of somebody
/// else. Names are what every source can send; where a source sends only a number or an address, the directory of agents
/// fills in the name when the call is taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity(Arc<str>);

/// How much of an agent's name the store compares, in characters.
pub const MAX_AGENT_CHARS: usize = 200;

impl AgentIdentity {
    /// `None` for a name without a visible character: it would be the agent of every call without an agent.
    pub fn new(name: &str) -> Option<Self> {
        let name: String = name.chars().filter(|c| *c != '\0').take(MAX_AGENT_CHARS).collect();
        (!crate::shown_text::visible(&name).trim().is_empty()).then(|| Self(name.into()))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    fn is_agent_of(&self, details: &CallDetails) -> bool {
        let agent = details.agent_name.as_deref().unwrap_or_default();
        agent.chars().filter(|c| *c != '\0').take(MAX_AGENT_CHARS).eq(self.0.chars())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scopes in [Scopes::default(), Scopes::ALL, Scopes::from_iter([Scope::Operate, Scope::BringIn])] {
            assert_eq!(Scopes::from_text(&scopes.to_string()), scopes);
        }
        assert_eq!(Scopes::ALL.to_string(), "bring_in read operate administer");
        assert_eq!(Scopes::ALL.iter().collect::<Vec<_>>(), Scope::ALL);
    }

    #[test]
    fn a_scope_that_is_not_known_here_opens_nothing() {
        let scopes = Scopes::from_text("read fly");
        assert!(scopes.is_only(Scope::Read) && scopes.has(Scope::Read) && !scopes.has(Scope::Administer));
    }

    #[test]
    fn a_set_with_two_scopes_is_not_only_one_of_them() {
        let scopes = Scopes::from_iter([Scope::BringIn, Scope::Read]);
        assert!(scopes.has(Scope::BringIn) && !scopes.is_only(Scope::BringIn));
    }

    #[test]
    fn a_call_is_only_its_own_agents() {
        let of =
            |name: Option<&str>| CallDetails { agent_name: name.map(Into::into), ..CallDetails::default() };
        let dana = Sees::OnlyOf(AgentIdentity::new("Dana Ortiz").unwrap());
        assert!(dana.includes(&of(Some("Dana Ortiz"))));
        for other in [None, Some(""), Some("Imre"), Some("dana ortiz"), Some("Dana Ortiz "), Some("Dana")] {
            assert!(!dana.includes(&of(other)), "{other:?}");
            assert!(Sees::All.includes(&of(other)));
        }
    }

    #[test]
    fn a_name_that_shows_nothing_is_no_agent() {
        for name in ["", "  ", "\u{200b}", "\0"] {
            assert_eq!(AgentIdentity::new(name), None, "{name:?}");
        }
        let long = "ä".repeat(300);
        let agent = AgentIdentity::new(&long).unwrap();
        assert_eq!(agent.name().chars().count(), MAX_AGENT_CHARS);
        assert!(agent.is_agent_of(&CallDetails { agent_name: Some(long), ..CallDetails::default() }));
    }
}
