//! Decides which side a speaker is on: ours or the customer's.
//!
//! Some sources give the speakers' roles, and then the roles decide. A recording has no roles. Then a speaker who
//! answers the phone as a service desk does ("thank you for calling", "how can I help") is on our side, and the others
//! are customers.

use domain::call::Role;
use domain::speakers::answers_the_phone;
use domain::transcript::{Segment, Transcript};

/// A service desk speaks first, so only the first segments are looked at.
const OPENING_SEGMENTS: usize = 4;

/// The segments that the customer spoke. There is no result when nobody can tell who the customer is.
pub(crate) fn customer_segments(transcript: &Transcript) -> Option<Vec<&Segment>> {
    let segments = &transcript.segments;
    let known: Vec<&Segment> = segments
        .iter()
        .filter(|segment| matches!(segment.role, Some(Role::Customer | Role::Participant)))
        .collect();
    if !known.is_empty() {
        return Some(known);
    }
    let ours = segments
        .iter()
        .take(OPENING_SEGMENTS)
        .find(|segment| segment.role == Some(Role::Agent) || answers_the_phone(&segment.text).is_some())?
        .label();
    let others: Vec<&Segment> =
        segments.iter().filter(|segment| segment.role.is_none() && segment.label() != ours).collect();
    (!others.is_empty()).then_some(others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, transcript};
    use domain::call::Participant;
    use domain::sides::with_roles;

    #[test]
    fn a_speaker_who_answers_like_a_service_desk_is_not_the_customer() {
        let call_to_a_desk = transcript(&[
            ("B", "Thank you for calling Northlight, how can I help?"),
            ("A", "My line is dead."),
            ("B", "I see."),
        ]);
        let customer = customer_segments(&call_to_a_desk).unwrap();
        assert_eq!(customer.len(), 1);
        assert_eq!(customer[0].text, "My line is dead.");
        assert_eq!(customer_segments(&transcript(&[("A", "Hello."), ("B", "Hi.")])), None);
    }

    #[test]
    fn segments_get_the_roles_that_the_meeting_gives_its_participants() {
        let mut meeting = call();
        let person = |name: &str, role| Participant {
            name: Some(name.into()),
            role: Some(role),
            ..Participant::default()
        };
        meeting.details.participants =
            vec![person("Ines Ferreira", Role::Host), person("Olga Lindqvist", Role::Participant)];
        let transcript = with_roles(
            transcript(&[("Ines Ferreira", "Hi."), ("olga  lindqvist", "Hello."), ("Gil", "x")]),
            &meeting,
        );
        let roles: Vec<_> = transcript.segments.iter().map(|segment| segment.role).collect();
        assert_eq!(roles, [Some(Role::Host), Some(Role::Participant), None]);
    }
}
