//! Gives each segment the role of the participant who has the same name as its speaker.

use std::collections::HashMap;

use domain::call::{CallDetails, Role};
use domain::person_name::folded;
use domain::transcript::Transcript;

/// Sets the role of every segment that has a name and no role yet, from the call's participants and its agent.
/// The spelling of names is ignored. A name that belongs to two roles gives no role.
pub(crate) fn assign_roles(transcript: &mut Transcript, details: &CallDetails) {
    let mut roles: HashMap<String, Option<Role>> = HashMap::new();
    let agent = details.agent_name.as_deref().map(|name| (name, Role::Agent));
    let known =
        details.participants.iter().filter_map(|person| Some((person.name.as_deref()?, person.role?)));
    for (name, role) in known.chain(agent) {
        roles
            .entry(folded(name))
            .and_modify(|known| *known = known.filter(|known| *known == role || role == Role::Agent))
            .or_insert(Some(role));
    }
    for segment in &mut transcript.segments {
        if segment.role.is_none()
            && let Some(name) = &segment.speaker
        {
            segment.role = roles.get(&folded(name)).copied().flatten();
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::call::Participant;

    use super::*;
    use domain::transcript::Segment;

    #[test]
    fn a_segment_takes_the_role_of_the_participant_with_its_name() {
        let person =
            |name: &str, role| Participant { name: Some(name.into()), role, ..Participant::default() };
        let details = CallDetails {
            participants: vec![
                person("Priya Raman", Some(Role::Host)),
                person("Helen Castellanos", Some(Role::Participant)),
                person("Tom Björk", None),
                person("Mei Björk", Some(Role::Host)),
                person("Sam", Some(Role::Host)),
                person("Sam", Some(Role::Participant)),
            ],
            agent_name: Some("Dana Ortiz".into()),
            ..CallDetails::default()
        };
        let names =
            ["priya  RAMAN", "Helen Castellanos", "TOM BJÖRK", "Sam", "Dana Ortiz", "A", "Mei Bjo\u{308}rk"];
        let spoken = |name: &&str| Segment {
            id: 0,
            speaker: Some((*name).into()),
            role: None,
            start_ms: None,
            end_ms: None,
            text: "x".into(),
            confidence: None,
        };
        let segments = names.iter().map(spoken).collect();
        let mut transcript = Transcript { language: None, segments, ..Transcript::default() };
        assign_roles(&mut transcript, &details);
        let roles: Vec<_> = transcript.segments.iter().map(|segment| segment.role).collect();
        let (host, guest) = (Some(Role::Host), Some(Role::Participant));
        assert_eq!(roles, [host, guest, None, None, Some(Role::Agent), None, host]);
    }
}
