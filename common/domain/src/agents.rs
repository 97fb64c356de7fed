//! The directory of our own people: who has which telephone number, e-mail address and name.
//!
//! A call often brings only the agent's number. When a call is taken in, the directory fills in what the call lacks. What
//! was filled in stays with the call: a later change of the directory does not change what happened.

use std::collections::HashMap;
use std::sync::Arc;

use crate::blank::given;
use crate::call::{CallDetails, Role};
use crate::person_name::folded;
use crate::phone::{Number, Region};

/// One of our people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    pub name: Option<String>,
    pub phone: Option<String>,
    pub slack_handle: Option<String>,
    pub email: Option<String>,
    pub department: Option<String>,
    pub team: Option<String>,
}

/// All our people. A copy is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agents(Option<Arc<Directory>>);

#[derive(Debug, PartialEq, Eq)]
struct Directory {
    agents: Vec<Agent>,
    region: Region,
    by_phone: HashMap<Number, usize>,
    by_email: HashMap<String, usize>,
    /// `None` for a name that several people have.
    by_name: HashMap<String, Option<usize>>,
}

/// Two entries of the directory with the same number or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubled {
    pub what: &'static str,
    /// The positions of the two entries, counted from 0.
    pub first: usize,
    pub second: usize,
}

impl Agents {
    /// Makes the directory. A number without a country code is read in `region`.
    pub fn new(agents: Vec<Agent>, region: Region) -> Result<Self, Doubled> {
        let (mut by_phone, mut by_email, mut by_name) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (at, agent) in agents.iter().enumerate() {
            let doubled = |what, first| Doubled { what, first, second: at };
            if let Some(number) = given(agent.phone.as_ref()).and_then(|phone| number(phone, region))
                && let Some(first) = by_phone.insert(number, at)
            {
                return Err(doubled("phone", first));
            }
            if let Some(email) = given(agent.email.as_ref())
                && let Some(first) = by_email.insert(email.to_lowercase(), at)
            {
                return Err(doubled("email", first));
            }
            if let Some(name) = given(agent.name.as_ref()) {
                by_name.entry(folded(name)).and_modify(|known| *known = None).or_insert(Some(at));
            }
        }
        Ok(Self(Some(Arc::new(Directory { agents, region, by_phone, by_email, by_name }))))
    }

    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |directory| directory.agents.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn by_phone(&self, phone: &str) -> Option<&Agent> {
        let directory = self.0.as_ref()?;
        directory.agents.get(*directory.by_phone.get(&number(phone, directory.region)?)?)
    }

    pub fn by_email(&self, email: &str) -> Option<&Agent> {
        let directory = self.0.as_ref()?;
        directory.agents.get(*directory.by_email.get(&email.trim().to_lowercase())?)
    }

    /// Finds an agent by the name, in whatever spelling. `None` where several people have it.
    pub fn by_name(&self, name: &str) -> Option<&Agent> {
        let directory = self.0.as_ref()?;
        directory.agents.get((*directory.by_name.get(&folded(name))?)?)
    }

    /// Finds the agent of a call. What the source says of the agent goes before the numbers of the call, and these go
    /// before the people of a meeting.
    pub fn of(&self, details: &CallDetails) -> Option<&Agent> {
        let phone = |text: &Option<String>| given(text.as_ref()).and_then(|phone| self.by_phone(phone));
        let named = || given(details.agent_name.as_ref()).and_then(|name| self.by_name(name));
        let present = || {
            details.participants_as(&[Role::Agent, Role::Host]).find_map(|who| {
                let email = given(who.email.as_ref()).and_then(|email| self.by_email(email));
                email.or_else(|| given(who.name.as_ref()).and_then(|name| self.by_name(name)))
            })
        };
        phone(&details.agent_phone)
            .or_else(|| given(details.agent_email.as_ref()).and_then(|email| self.by_email(email)))
            .or_else(named)
            .or_else(|| phone(&details.from_number))
            .or_else(|| phone(&details.to_number))
            .or_else(present)
    }

    /// Fills in what a call lacks of its agent. Nothing that the call says is replaced.
    pub fn fill(&self, details: &mut CallDetails) {
        let Some(agent) = self.of(details).cloned() else { return };
        // A call that names another agent keeps that name, and gets nothing of somebody else.
        let is_another = given(details.agent_name.as_ref())
            .zip(given(agent.name.as_ref()))
            .is_some_and(|(said, known)| folded(said) != folded(known));
        if is_another {
            return;
        }
        let lacks = |place: &Option<String>| given(place.as_ref()).is_none();
        for (place, value) in [
            (&mut details.agent_name, agent.name),
            (&mut details.agent_phone, agent.phone),
            (&mut details.agent_slack_handle, agent.slack_handle),
            (&mut details.agent_email, agent.email),
            (&mut details.department, agent.department),
        ] {
            if lacks(place) && value.is_some() {
                *place = value;
            }
        }
    }
}

/// Reads a number. `None` for a text without digits: all such texts would be the same number.
fn number(text: &str, region: Region) -> Option<Number> {
    Some(Number::read(text, region)).filter(|number| !number.as_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Participant;

    #[expect(clippy::unnecessary_wraps, reason = "the fields of an agent are optional")]
    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn dana() -> Agent {
        Agent {
            name: text("Dana Ortiz"),
            phone: text("+1 (202) 555-0111"),
            slack_handle: text("@dana.ortiz"),
            email: text("Dana.Ortiz@support.example.com"),
            department: text("Customer Success"),
            team: text("A"),
        }
    }

    fn imre(phone: &str) -> Agent {
        Agent { name: text("Imre Kovács"), phone: text(phone), ..Agent::default() }
    }

    fn agents(agents: Vec<Agent>) -> Agents {
        Agents::new(agents, "US".parse().unwrap()).unwrap()
    }

    fn filled(directory: &Agents, mut details: CallDetails) -> CallDetails {
        directory.fill(&mut details);
        details
    }

    #[test]
    fn an_agent_is_found_by_the_number_the_address_and_the_name_in_any_spelling() {
        let directory = agents(vec![dana(), imre("00000000456")]);
        for phone in ["2025550111", "tel:+1-202-555-0111", "0012025550111"] {
            assert_eq!(directory.by_phone(phone), Some(&dana()), "{phone}");
        }
        assert_eq!(directory.by_phone("0000 000 0456"), Some(&imre("00000000456")));
        assert_eq!(directory.by_email(" dana.ortiz@SUPPORT.example.com "), Some(&dana()));
        assert_eq!(directory.by_name("IMRE  KOVA\u{301}CS"), Some(&imre("00000000456")));
        for nobody in ["anonymous", "", "+12025550199"] {
            assert_eq!(directory.by_phone(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn a_call_gets_what_it_lacks_and_keeps_what_it_says() {
        let directory = agents(vec![dana()]);
        let known = filled(
            &directory,
            CallDetails {
                from_number: text("202-555-0111"),
                department: text("Sales"),
                agent_name: text(" "),
                ..CallDetails::default()
            },
        );
        assert_eq!(known.agent_name, dana().name);
        assert_eq!(known.agent_phone, dana().phone);
        assert_eq!(known.agent_slack_handle, dana().slack_handle);
        assert_eq!(known.agent_email, dana().email);
        assert_eq!(known.department.as_deref(), Some("Sales"));
        assert_eq!(filled(&directory, known.clone()), known);
    }

    #[test]
    fn a_call_of_another_agent_gets_nothing_of_the_one_who_has_its_number() {
        let said = CallDetails {
            agent_name: text("Nila Prabhu"),
            to_number: text("+12025550111"),
            ..CallDetails::default()
        };
        assert_eq!(filled(&agents(vec![dana()]), said.clone()), said);
    }

    #[test]
    fn the_host_of_a_meeting_is_found_by_the_address() {
        let host = Participant {
            name: text("D."),
            email: text("dana.ortiz@support.example.com"),
            role: Some(Role::Host),
            ..Participant::default()
        };
        let guest = Participant { role: Some(Role::Customer), ..host.clone() };
        let meeting =
            |who: &Participant| CallDetails { participants: vec![who.clone()], ..CallDetails::default() };
        let directory = agents(vec![dana()]);
        assert_eq!(filled(&directory, meeting(&host)).department, dana().department);
        assert_eq!(filled(&directory, meeting(&guest)), meeting(&guest));
    }

    #[test]
    fn a_name_of_two_people_finds_nobody_and_a_number_of_two_people_is_an_error() {
        let directory = agents(vec![imre("+12025550111"), imre("+12025550112")]);
        assert_eq!(directory.by_name("Imre Kovács"), None);
        assert_eq!(directory.by_phone("+12025550112"), Some(&imre("+12025550112")));
        let doubled = Agents::new(vec![dana(), imre("202 555 0111")], "US".parse().unwrap()).unwrap_err();
        assert_eq!(doubled, Doubled { what: "phone", first: 0, second: 1 });
    }

    #[test]
    fn without_a_directory_nothing_is_filled_in() {
        let said = CallDetails { from_number: text("+12025550111"), ..CallDetails::default() };
        assert_eq!(filled(&Agents::default(), said.clone()), said);
    }
}
