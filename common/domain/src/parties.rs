//! Decides who called whom: the direction of a call, our side's number and the customer's.
//!
//! The Slack message, the record for the call-data API, the API and the commands all use this module, so that they
//! give the same answer.

use std::sync::Arc;

use crate::blank::given;
use crate::call::{Call, CallDetails, CallKind, Direction, Role};
use crate::phone::{Number, Region};

/// Our own telephone numbers, and the country in which a number without a country code is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportLines {
    /// Each number as it was written, and in the form in which numbers are compared.
    numbers: Arc<[(String, Option<Number>)]>,
    region: Region,
}

/// Who called whom. The numbers are shown as they arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties<'a> {
    /// The direction. `None` where nothing tells it: in a meeting, and in a call without any number.
    pub known_direction: Option<Direction>,
    /// Our side's number.
    pub support: Option<&'a str>,
    /// The other party's number.
    pub customer: Option<&'a str>,
}

impl Parties<'_> {
    /// The direction of the call. A call counts as incoming where nothing tells its direction.
    pub fn direction(&self) -> Direction {
        self.known_direction.unwrap_or(Direction::Incoming)
    }
}

impl SupportLines {
    /// Makes the support lines. `region` is the country in which `numbers` without a country code are read. Where it
    /// is `None`, the first number that is written with `+` names the country. Where there is no such number, the
    /// country is [`Region::DEFAULT`].
    pub fn new(numbers: Vec<String>, region: Option<Region>) -> Self {
        let first = || numbers.iter().find_map(|number| Region::of_number(number));
        let region = region.or_else(first).unwrap_or(Region::DEFAULT);
        let numbers = numbers.into_iter().map(|number| {
            let read = read(&number, region);
            (number, read)
        });
        Self { numbers: numbers.collect(), region }
    }

    /// The country in which a number without a country code is read.
    pub fn region(&self) -> Region {
        self.region
    }

    /// The numbers as they were written.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.numbers.iter().map(|(written, _)| written.as_str())
    }

    /// Decides the parties of a call by its numbers. A call from a support number, or from the number of its own
    /// agent, is outgoing. A call to a support number is incoming. Where neither number is ours, the source's word
    /// for the direction counts, and without such a word the call is incoming. A meeting has no direction and no
    /// support number.
    pub fn parties<'a>(&'a self, call: &'a Call) -> Parties<'a> {
        self.parties_of(call.kind, &call.details)
    }

    /// Decides the parties of a call of this kind with these details.
    pub fn parties_of<'a>(&'a self, kind: CallKind, details: &'a CallDetails) -> Parties<'a> {
        let from = given(details.from_number.as_ref());
        let to = given(details.to_number.as_ref());
        let has_direction = match kind {
            CallKind::Phone | CallKind::Session => true,
            CallKind::Meeting | CallKind::Practice => false,
        };
        let agent = given(details.agent_phone.as_ref()).and_then(|number| read(number, self.region));
        let is_agent = agent.is_some() && from.and_then(|number| read(number, self.region)) == agent;
        let known_direction = if !has_direction {
            None
        } else if self.is_ours(from) || is_agent {
            Some(Direction::Outgoing)
        } else if self.is_ours(to) {
            Some(Direction::Incoming)
        } else {
            details.direction.or_else(|| from.or(to).map(|_| Direction::Incoming))
        };
        let (ours, theirs) = match known_direction {
            Some(Direction::Outgoing) => (from, to),
            Some(Direction::Incoming) | None => (to, from),
        };
        // Where we have only one line, a phone call without our number must have used that line.
        let only_line = match (kind, &*self.numbers) {
            (CallKind::Phone, [(only, _)]) => Some(only.as_str()),
            _ => None,
        };
        let support = if has_direction { ours.or(only_line) } else { None };
        let named = || details.participants_as(&[Role::Customer]).find_map(|who| given(who.phone.as_ref()));
        Parties { known_direction, support, customer: theirs.or_else(named) }
    }

    fn is_ours(&self, number: Option<&str>) -> bool {
        let number = number.and_then(|number| read(number, self.region));
        number.is_some() && self.numbers.iter().any(|(_, ours)| *ours == number)
    }
}

/// Support lines without any number, so that no number tells the direction of a call.
impl Default for SupportLines {
    fn default() -> Self {
        Self::new(Vec::new(), None)
    }
}

/// Reads a number. `None` for words such as `anonymous`. They have no digits, so all of them would be the same
/// number.
fn read(number: &str, region: Region) -> Option<Number> {
    Some(Number::read(number, region)).filter(|number| !number.as_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{CallId, CallStatus, Participant, WorkspaceId};
    use crate::moment::Moment;

    fn call(kind: CallKind, details: CallDetails) -> Call {
        Call {
            id: CallId::derive(WorkspaceId::DEFAULT, "exotel", "CALL-1"),
            workspace: WorkspaceId::DEFAULT,
            source: "exotel".into(),
            external_id: "CALL-1".into(),
            kind,
            status: CallStatus::Processing,
            generation: 1,
            details,
            received_at: Moment::from_micros(0),
            updated_at: Moment::from_micros(0),
        }
    }

    fn between(from: &str, to: &str) -> Call {
        let details = CallDetails {
            from_number: Some(from.into()),
            to_number: Some(to.into()),
            ..CallDetails::default()
        };
        call(CallKind::Phone, details)
    }

    fn lines(numbers: &[&str]) -> SupportLines {
        SupportLines::new(numbers.iter().map(|number| (*number).to_owned()).collect(), "US".parse().ok())
    }

    type Shown<'a> = (Option<Direction>, Option<&'a str>, Option<&'a str>);

    fn shown<'a>(lines: &'a SupportLines, call: &'a Call) -> Shown<'a> {
        let Parties { known_direction, support, customer } = lines.parties(call);
        (known_direction, support, customer)
    }

    const INCOMING: Option<Direction> = Some(Direction::Incoming);
    const OUTGOING: Option<Direction> = Some(Direction::Outgoing);

    #[test]
    fn a_call_from_a_support_number_is_outgoing_in_any_spelling_and_shown_as_it_arrived() {
        let lines = lines(&["+12025550100"]);
        let call = between("(202) 555-0100", "+12025550131");
        assert_eq!(shown(&lines, &call), (OUTGOING, Some("(202) 555-0100"), Some("+12025550131")));
    }

    #[test]
    fn a_call_from_anybody_else_is_incoming() {
        let lines = lines(&["+12025550100"]);
        let call = between("+12025550131", "+12025550100");
        assert_eq!(shown(&lines, &call), (INCOMING, Some("+12025550100"), Some("+12025550131")));
    }

    #[test]
    fn a_call_from_the_agents_own_number_is_outgoing() {
        let mut call = between("+1-202-555-0111", "+12025550131");
        call.details.agent_phone = Some("202 555 0111".into());
        assert_eq!(shown(&lines(&[]), &call), (OUTGOING, Some("+1-202-555-0111"), Some("+12025550131")));
    }

    #[test]
    fn two_hidden_numbers_are_not_the_same_number() {
        let mut call = between("anonymous", "+12025550100");
        call.details.agent_phone = Some("unknown".into());
        assert_eq!(shown(&lines(&["none"]), &call).0, INCOMING);
    }

    #[test]
    fn what_the_source_says_of_the_direction_counts_where_no_number_is_ours() {
        let mut call = between("+12025550131", "+12025550132");
        call.details.direction = OUTGOING;
        assert_eq!(shown(&lines(&[]), &call).2, Some("+12025550132"));
        assert_eq!(shown(&lines(&["+12025550132"]), &call).2, Some("+12025550131"));
    }

    #[test]
    fn a_call_without_a_number_counts_as_incoming_but_its_direction_is_not_known() {
        let call = call(CallKind::Phone, CallDetails::default());
        let lines = lines(&["+12025550100"]);
        let parties = lines.parties(&call);
        assert_eq!((parties.known_direction, parties.direction()), (None, Direction::Incoming));
    }

    #[test]
    fn a_phone_call_without_our_number_used_the_only_line() {
        assert_eq!(shown(&lines(&["+12025550100"]), &between("+12025550131", " ")).1, Some("+12025550100"));
        assert_eq!(shown(&lines(&["+12025550100", "+12025550101"]), &between("+12025550131", " ")).1, None);
    }

    #[test]
    fn a_meeting_has_neither_a_direction_nor_a_support_number() {
        let guest = Participant {
            phone: Some("+12025550131".into()),
            role: Some(Role::Customer),
            ..Participant::default()
        };
        let details = CallDetails { participants: vec![guest], ..CallDetails::default() };
        let meeting = call(CallKind::Meeting, details);
        assert_eq!(shown(&lines(&["+12025550100"]), &meeting), (None, None, Some("+12025550131")));
    }

    #[test]
    fn without_a_region_the_first_support_number_with_a_country_code_names_it() {
        let region = |numbers: &[&str]| {
            let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
            SupportLines::new(numbers, None).region().to_string()
        };
        assert_eq!(region(&["09631084471", "+44 20 7946 0123", "+12025550100"]), "GB");
        assert_eq!(region(&[]), "IN");
    }
}
