//! Decides who called whom: the direction of a call, the number of ours and the customer's.

use domain::call::{Call, CallDetails, CallKind, Direction, Participant, Role};
use domain::phone::Number;

/// Numbers as they arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parties<'a> {
    pub(crate) direction: Direction,
    pub(crate) support: Option<&'a str>,
    pub(crate) customer: Option<&'a str>,
}

impl<'a> Parties<'a> {
    /// A call from one of `support_numbers`, or from its own agent's number, is outgoing; one to a support
    /// number is incoming. Where neither number is ours, what the source said decides, else it is incoming.
    /// Numbers without a country code are read in `region`.
    pub(crate) fn of(call: &'a Call, support_numbers: &'a [String], region: &str) -> Self {
        let details = &call.details;
        let from = given(details.from_number.as_ref());
        let to = given(details.to_number.as_ref());
        // Words such as `anonymous` have no digits, and would all be one number.
        let read = |text: &str| Some(Number::read(text, region)).filter(|number| !number.as_str().is_empty());
        let is_support = |text: Option<&str>| {
            let number = text.and_then(read);
            number.is_some() && support_numbers.iter().any(|support| read(support) == number)
        };
        let agent = given(details.agent_phone.as_ref()).and_then(read);
        let is_agent = agent.is_some() && from.and_then(read) == agent;

        let direction = if is_support(from) || is_agent {
            Direction::Outgoing
        } else if is_support(to) {
            Direction::Incoming
        } else {
            details.direction.unwrap_or(Direction::Incoming)
        };
        let (ours, theirs) = match direction {
            Direction::Incoming => (to, from),
            Direction::Outgoing => (from, to),
        };
        // A phone call that does not say which line it used can only have used the one there is.
        let only_line = match (call.kind, support_numbers) {
            (CallKind::Phone, [only]) => Some(only.as_str()),
            _ => None,
        };
        let known = || participants(details, &[Role::Customer]).find_map(|who| given(who.phone.as_ref()));
        Self { direction, support: ours.or(only_line), customer: theirs.or_else(known) }
    }
}

/// The participants who play one of these parts.
pub(crate) fn participants<'a>(
    details: &'a CallDetails,
    roles: &'a [Role],
) -> impl Iterator<Item = &'a Participant> + 'a {
    details.participants.iter().filter(|who| who.role.is_some_and(|role| roles.contains(&role)))
}

pub(crate) fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !crate::escape::is_blank(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::call;

    fn parties<'a>(call: &'a Call, support: &'a [String]) -> (Direction, Option<&'a str>, Option<&'a str>) {
        let Parties { direction, support, customer } = Parties::of(call, support, "US");
        (direction, support, customer)
    }

    fn between(from: &str, to: &str) -> Call {
        let mut call = call();
        call.details.from_number = Some(from.into());
        call.details.to_number = Some(to.into());
        call.details.agent_phone = None;
        call
    }

    #[test]
    fn a_call_from_a_support_number_is_outgoing_in_any_spelling_and_shown_as_it_arrived() {
        let support = ["+12025550100".to_owned()];
        let call = between("(202) 555-0100", "+12025550131");
        assert_eq!(
            parties(&call, &support),
            (Direction::Outgoing, Some("(202) 555-0100"), Some("+12025550131"))
        );
    }

    #[test]
    fn a_call_from_anybody_else_is_incoming() {
        let support = ["+12025550100".to_owned()];
        let call = between("+12025550131", "+12025550100");
        assert_eq!(
            parties(&call, &support),
            (Direction::Incoming, Some("+12025550100"), Some("+12025550131"))
        );
    }

    #[test]
    fn a_call_from_the_agents_own_number_is_outgoing() {
        let mut call = between("+1-202-555-0111", "+12025550131");
        call.details.agent_phone = Some("202 555 0111".into());
        assert_eq!(parties(&call, &[]).0, Direction::Outgoing);
        assert_eq!(parties(&call, &[]).2, Some("+12025550131"));
    }

    #[test]
    fn two_hidden_numbers_are_not_the_same_number() {
        let mut call = between("anonymous", "+12025550100");
        call.details.agent_phone = Some("unknown".into());
        assert_eq!(parties(&call, &["none".into()]).0, Direction::Incoming);
    }

    #[test]
    fn what_the_source_says_of_the_direction_counts_where_no_number_is_ours() {
        let mut call = between("+12025550131", "+12025550132");
        call.details.direction = Some(Direction::Outgoing);
        assert_eq!(parties(&call, &[]).2, Some("+12025550132"));
        assert_eq!(parties(&call, &["+12025550132".into()]).2, Some("+12025550131"));
    }

    #[test]
    fn a_phone_call_without_our_number_used_the_only_line_and_a_meeting_used_none() {
        let support = ["+12025550100".to_owned()];
        let mut call = between("+12025550131", " ");
        assert_eq!(parties(&call, &support).1, Some("+12025550100"));
        call.kind = CallKind::Meeting;
        assert_eq!(parties(&call, &support).1, None);
    }
}
