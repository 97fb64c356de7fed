use super::*;
use crate::call::Participant;

fn said(turns: &[(&str, &str)]) -> Transcript {
    let segment = |(speaker, text): &(&str, &str)| Segment {
        id: 0,
        speaker: Some((*speaker).to_owned()),
        role: None,
        start_ms: None,
        end_ms: None,
        text: (*text).to_owned(),
        confidence: None,
    };
    Transcript { segments: turns.iter().map(segment).collect(), ..Transcript::default() }.numbered()
}

fn details(agent: Option<&str>, participants: &[(&str, Option<Role>)]) -> CallDetails {
    let person = |(name, role): &(&str, Option<Role>)| Participant {
        name: Some((*name).to_owned()),
        role: *role,
        ..Participant::default()
    };
    CallDetails {
        agent_name: agent.map(str::to_owned),
        participants: participants.iter().map(person).collect(),
        ..CallDetails::default()
    }
}

fn found(turns: &[(&str, &str)], details: &CallDetails, direction: Option<Direction>) -> Transcript {
    identify(said(turns), &Known { details, direction, is_by_channel: false })
}

/// The speaker and the role of each segment.
fn who(transcript: &Transcript) -> Vec<(&str, Option<Role>)> {
    transcript
        .segments
        .iter()
        .map(|segment| (segment.speaker.as_deref().unwrap_or_default(), segment.role))
        .collect()
}

const INCOMING: Option<Direction> = Some(Direction::Incoming);

#[test]
fn a_segment_takes_the_role_of_the_participant_with_its_name() {
    let known = details(
        Some("Dana Ortiz"),
        &[
            ("Priya Raman", Some(Role::Host)),
            ("Helen Castellanos", Some(Role::Participant)),
            ("Tom Björk", None),
            ("Mei Björk", Some(Role::Host)),
            ("Sam", Some(Role::Host)),
            ("Sam", Some(Role::Participant)),
        ],
    );
    let names =
        ["priya  RAMAN", "Helen Castellanos", "TOM BJÖRK", "Sam", "Dana Ortiz", "A", "Mei Bjo\u{308}rk"];
    let turns: Vec<(&str, &str)> = names.iter().map(|name| (*name, "x")).collect();
    let found = found(&turns, &known, None);
    let roles: Vec<_> = found.segments.iter().map(|segment| segment.role).collect();
    let (host, guest) = (Some(Role::Host), Some(Role::Participant));
    assert_eq!(roles, [host, guest, None, None, Some(Role::Agent), None, host]);
    assert_eq!(found.segments[0].speaker.as_deref(), Some("priya  RAMAN"));
}

#[test]
fn the_one_who_answers_like_a_service_desk_is_the_agent_and_the_other_one_the_customer() {
    let turns = [("B", "Thank you for calling Northlight, how can I help?"), ("A", "My line is dead.")];
    let unnamed = found(&turns, &details(None, &[]), INCOMING);
    assert_eq!(who(&unnamed), [("B", Some(Role::Agent)), ("A", Some(Role::Customer))]);
    let named = found(&turns, &details(Some("Dana Ortiz"), &[]), INCOMING);
    assert_eq!(who(&named)[0], ("Dana Ortiz", Some(Role::Agent)));
    let [agent, customer] = &named.speakers[..] else { panic!("{:?}", named.speakers) };
    assert_eq!((agent.label.as_str(), customer.label.as_str()), ("B", "A"));
    assert!(agent.confidence > customer.confidence && agent.reason.contains("Thank you for calling"));
}

#[test]
fn a_person_who_says_a_known_name_is_that_person() {
    let known = details(Some("Dana Ortiz"), &[("Rosa Delacroix", Some(Role::Customer))]);
    for words in
        ["Hi, this is Dana from Larkfield.", "Dana speaking.", "My name is Dana Ortiz.", "Hello, I'm Dana."]
    {
        let found = found(&[("A", "Hello?"), ("B", words)], &known, Some(Direction::Outgoing));
        assert_eq!(who(&found)[1], ("Dana Ortiz", Some(Role::Agent)), "{words}");
        assert_eq!(who(&found)[0], ("Rosa Delacroix", Some(Role::Customer)), "{words}");
    }
}

#[test]
fn a_name_that_nobody_known_has_names_nobody_and_neither_does_one_that_two_have() {
    let known = details(None, &[("Sam Lee", Some(Role::Host)), ("Sam Ray", Some(Role::Participant))]);
    for words in ["This is Ridiculous.", "I'm Sam.", "It's Monday.", "this is dana"] {
        let turns = [("A", words), ("B", "Yes."), ("C", "No.")];
        assert_eq!(found(&turns, &known, None).speakers, [], "{words}");
    }
}

#[test]
fn each_channel_is_one_party_and_the_first_is_the_one_who_called() {
    let turns = [("1", "Hello."), ("2", "Good morning.")];
    for (direction, roles) in [
        (INCOMING, [Some(Role::Customer), Some(Role::Agent)]),
        (Some(Direction::Outgoing), [Some(Role::Agent), Some(Role::Customer)]),
        (None, [None, None]),
    ] {
        let known = details(None, &[]);
        let found = identify(said(&turns), &Known { details: &known, direction, is_by_channel: true });
        assert_eq!(who(&found).iter().map(|(_, role)| *role).collect::<Vec<_>>(), roles);
    }
}

#[test]
fn what_a_person_says_is_stronger_than_the_channel() {
    let turns =
        [("1", "Thank you for calling Larkfield, this is Dana."), ("2", "Hello, I was charged twice.")];
    let known = details(Some("Dana Ortiz"), &[]);
    let found = identify(said(&turns), &Known { details: &known, direction: INCOMING, is_by_channel: true });
    assert_eq!(who(&found), [("Dana Ortiz", Some(Role::Agent)), ("2", Some(Role::Customer))]);
}

#[test]
fn two_who_seem_to_be_ours_with_the_same_evidence_are_nobody() {
    let greeting = "How can I help?";
    let found = found(&[("A", greeting), ("B", greeting)], &details(Some("Dana"), &[]), INCOMING);
    assert_eq!(who(&found), [("A", None), ("B", None)]);
}

#[test]
fn a_role_of_the_source_is_never_changed() {
    let mut transcript = said(&[("A", "How can I help?"), ("B", "Hm.")]);
    transcript.segments[0].role = Some(Role::Customer);
    let known = details(None, &[]);
    let found = identify(transcript, &Known { details: &known, direction: INCOMING, is_by_channel: false });
    assert_eq!(who(&found), [("A", Some(Role::Customer)), ("B", Some(Role::Agent))]);
}

#[test]
fn a_person_corrects_a_speaker_by_the_shown_label_or_by_the_providers() {
    let known = details(Some("Dana Ortiz"), &[]);
    let turns = [("B", "Thank you for calling."), ("A", "Hi."), ("B", "How can I help?")];
    let identified = found(&turns, &known, INCOMING);
    for shown in ["Dana Ortiz", "B", "Speaker B"] {
        assert_eq!(own_labels(&identified, shown), ["B"], "{shown}");
    }
    for shown in ["customer", "A", "Speaker A"] {
        assert_eq!(own_labels(&identified, shown), ["A"], "{shown}");
    }
    assert!(own_labels(&identified, "C").is_empty());
    let priya = Correction { speaker: "B".into(), name: Some("Priya Raman".into()), role: None };
    let corrected = correct(identified, std::slice::from_ref(&priya));
    assert_eq!(
        who(&corrected),
        [("Priya Raman", Some(Role::Agent)), ("A", Some(Role::Customer)), ("Priya Raman", Some(Role::Agent))]
    );
    assert_eq!(own_labels(&corrected, "Priya Raman"), ["B"]);
    let again = correct(found(&turns, &known, INCOMING), &[priya]);
    assert_eq!(who(&again), who(&corrected), "the same correction on a new transcript of the same voices");
}

#[test]
fn a_correction_of_a_label_that_nobody_has_changes_nothing() {
    let transcript = said(&[("Ann", "Hi.")]);
    let gone = Correction { speaker: "Q".into(), name: Some("X".into()), role: Some(Role::Agent) };
    assert_eq!(correct(transcript.clone(), &[gone]), transcript);
}
