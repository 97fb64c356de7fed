use domain::transcript::Segment;
use proptest::prelude::*;

use super::*;

fn person(name: &str, email: &str, role: Option<Role>) -> Participant {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Participant { name: given(name), email: given(email), phone: None, role }
}

fn meeting(participants: Vec<Participant>) -> CallDetails {
    CallDetails { participants, ..CallDetails::default() }
}

/// The participants of a meeting, as Zoom writes them.
fn zoom(json: &str) -> CallDetails {
    let meeting: serde_json::Value = serde_json::from_str(json).unwrap();
    let participants = meeting["participants"].as_array().unwrap().iter().map(|person| Participant {
        name: person["name"].as_str().map(str::to_owned),
        email: person["email"].as_str().map(str::to_owned),
        phone: None,
        role: person["role"].as_str().map(|role| match role {
            "Host" => Role::Host,
            "Presenter" => Role::Presenter,
            _ => Role::Participant,
        }),
    });
    let mut details = self::meeting(participants.collect());
    details.metadata.insert("host_id".into(), meeting["host_id"].clone());
    details
}

fn said(text: &str) -> Transcript {
    let segment = Segment {
        id: 0,
        speaker: None,
        role: None,
        start_ms: None,
        end_ms: None,
        text: text.into(),
        confidence: None,
    };
    Transcript { language: None, segments: vec![segment], ..Transcript::default() }.numbered()
}

fn fact(field: ContactField, value: &str, quote: &str) -> Fact {
    Fact { field, value: value.into(), quote: quote.into(), segment: 1, speaker: None, start_ms: None }
}

fn about(name: &str, facts: Vec<Fact>) -> ContactFacts {
    ContactFacts { name: name.into(), facts }
}

fn found(details: &CallDetails) -> Vec<Contact> {
    contacts(details, &[], &Transcript::default())
}

fn emails(details: &CallDetails) -> Vec<String> {
    found(details).into_iter().map(|contact| contact.email).collect()
}

#[test]
fn the_host_and_the_hosts_colleague_are_not_customers() {
    let details = zoom(include_str!("../../tests/samples/meeting.json"));
    assert_eq!(
        emails(&details),
        ["helen.castellanos@halvorsen.example.com", "tom.bjork@halvorsen.example.com"]
    );
}

#[test]
fn every_kind_of_name_makes_a_contact_and_a_missing_address_does_not() {
    let names: Vec<_> = found(&zoom(include_str!("../../tests/samples/meeting_edge_names.json")))
        .into_iter()
        .map(|contact| (contact.name.first.unwrap_or_default(), contact.name.last))
        .collect();
    let name = |first: &str, last: &str| (first.to_owned(), last.to_owned());
    assert_eq!(
        names,
        [
            name("", "Cher"),
            name("Mary", "Ann Van Dyke"),
            name("Conor", "O'Neil"),
            name("", "nameless"),
            name("Helen", "Castellanos"),
        ]
    );
}

/// What became of each display name at the CRM: the first and the last name.
#[test]
fn a_contact_has_the_parts_of_the_name_and_nothing_that_stands_beside_it() {
    for (display, first, last) in [
        ("Rao, Priya", "Priya", "Rao"),
        ("Dr. Anil Kapoor", "Anil", "Kapoor"),
        ("Kapoor, Dr. Anil", "Anil", "Kapoor"),
        ("Meera Iyer (she/her)", "Meera", "Iyer"),
        ("Tom Baker (Guest)", "Tom", "Baker"),
        ("Tom Baker - Halvorsen", "Tom", "Baker"),
        ("Sam Lee, PMP", "Sam", "Lee"),
        ("Sam Lee, CEO", "Sam", "Lee"),
        ("Sam Lee, Acme Inc.", "Sam", "Lee"),
        ("Dr., Priya", "", "Priya"),
        ("Ludwig van der Berg", "Ludwig", "van der Berg"),
        ("Cher", "", "Cher"),
        ("प्रिया शर्मा", "प्रिया", "शर्मा"),
        ("田中 太郎", "太郎", "田中"),
        ("प्रिया शर्मा <priya@acme.example.com>", "प्रिया", "शर्मा"),
        ("ann.lee@x.example.com", "", "ann.lee"),
        ("mailto:ann.lee@x.example.com", "", "ann.lee"),
        ("🔥", "", "ann.lee"),
    ] {
        let details = meeting(vec![person(display, "ann.lee@x.example.com", None)]);
        let name = found(&details).remove(0).name;
        assert_eq!((name.first.unwrap_or_default().as_str(), name.last.as_str()), (first, last), "{display}");
    }
}

#[test]
fn a_person_who_joined_with_a_device_and_with_a_name_is_the_name() {
    for (names, first, last) in [
        (&["iPhone", "Amit Shah"][..], "Amit", "Shah"),
        (&["Amit Shah", "iPhone"], "Amit", "Shah"),
        (&["Amit's iPhone", "Zoom User", "Shah, Amit"], "Amit", "Shah"),
        (&["+91 98200 11223", "Amit Shah"], "Amit", "Shah"),
        (&["Amit", "Amit Shah"], "Amit", "Shah"),
        (&["Guest", "Amit Shah (Guest)"], "Amit", "Shah"),
        (&["Galaxy S21"], "", "amit"),
        (&["919820011223"], "", "amit"),
    ] {
        let details = meeting(names.iter().map(|name| person(name, "amit@x.example.com", None)).collect());
        let found = found(&details);
        assert_eq!(found.len(), 1, "{names:?}");
        let name = found[0].name.clone();
        assert_eq!((name.first.unwrap_or_default().as_str(), name.last.as_str()), (first, last), "{names:?}");
    }
}

#[test]
fn an_address_is_read_without_what_stands_around_it() {
    for email in [
        "mailto:ann@x.example.com",
        "MAILTO: Ann@X.example.com",
        "<ann@x.example.com>",
        "Ann Lee <ann@x.example.com>",
        "mailto:ann@x.example.com?subject=Call",
        "\u{200b}ann@x.example.com\u{feff}",
        "ann@x.example.com;",
    ] {
        let details = meeting(vec![person("Ann Lee", email, None)]);
        assert_eq!(emails(&details), ["ann@x.example.com"], "{email:?}");
    }
    let named = meeting(vec![person("Ann Lee <ann@x.example.com>", "", None)]);
    assert_eq!(emails(&named), ["ann@x.example.com"]);
    let hosted = meeting(vec![
        person("Host", "mailto:host@us.example.com", Some(Role::Host)),
        person("Colleague", "Other <other@us.example.com>", None),
    ]);
    assert_eq!(emails(&hosted), [""; 0]);
}

#[test]
fn facts_belong_to_a_person_under_every_spelling_of_the_name() {
    for (listed, spoken) in [
        ("Meera Iyer (she/her)", "Meera Iyer"),
        ("Tom Bj\u{f6}rk", "Tom Bjo\u{308}rk"),
        ("🔥 Karan", "karan"),
    ] {
        let details = meeting(vec![person(listed, "a@x.example.com", None)]);
        let facts = [about(spoken, vec![fact(ContactField::Title, "CFO", "I am the CFO")])];
        let found = contacts(&details, &facts, &said("I am the CFO."));
        assert_eq!(found[0].learned.len(), 1, "{listed} and {spoken}");
    }
}

#[test]
fn an_address_that_repeats_in_another_case_is_one_contact() {
    let details = meeting(vec![
        person("", " Ann@Example.com ", None),
        person("Ann Lee", "ANN@example.COM", Some(Role::Participant)),
    ]);
    let found = found(&details);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].email.as_str(), found[0].name.last.as_str()), ("ann@example.com", "Lee"));
}

#[test]
fn a_presenter_of_another_company_is_a_customer() {
    let details = meeting(vec![
        person("Host", "host@us.example.com", Some(Role::Host)),
        person("Ann Lee", "ann@them.example.com", Some(Role::Presenter)),
    ]);
    assert_eq!(emails(&details), ["ann@them.example.com"]);
}

#[test]
fn a_host_with_free_mail_has_no_colleagues() {
    let details = meeting(vec![
        person("Host", "host@gmail.com", Some(Role::Host)),
        person("Ann Lee", "ann@gmail.com", Some(Role::Participant)),
        person("Host again", "HOST@gmail.com", Some(Role::Participant)),
    ]);
    assert_eq!(emails(&details), ["ann@gmail.com"]);
}

#[test]
fn a_customer_by_role_is_one_whatever_the_domain() {
    let details = meeting(vec![
        person("Agent", "agent@us.example.com", Some(Role::Agent)),
        person("Ann Lee", "ann@us.example.com", Some(Role::Customer)),
    ]);
    assert_eq!(emails(&details), ["ann@us.example.com"]);
}

#[test]
fn a_participant_without_a_valid_address_is_no_contact() {
    for email in ["None", "@x.example", "a b@x.example.com", "a@b@x.com", "a@localhost", "a\n@x.com"] {
        assert_eq!(emails(&meeting(vec![person("Ann", email, None)])), [""; 0], "{email:?}");
    }
    let long = format!("{}@example.com", "a".repeat(80));
    let details = meeting(vec![person("Ann", &long, None)]);
    assert!(emails(&details).is_empty());
    assert_eq!(unusable_addresses(&details), 1, "whoever is left out is counted");
}

#[test]
fn a_fact_is_used_only_with_a_quote_that_stands_in_the_transcript() {
    let details = meeting(vec![person("Ann Lee", "ann@x.example.com", None)]);
    let facts = [about(
        " ann  LEE",
        vec![
            fact(ContactField::Title, "IT Manager", "I am the IT manager"),
            fact(ContactField::Phone, "202-555-0100", "call me at 202-555-0100"),
            fact(ContactField::City, "Duluth", " … "),
        ],
    )];
    let found = contacts(&details, &facts, &said("Well, I am the IT manager, here."));
    assert_eq!(found[0].learned, BTreeMap::from([(ContactField::Title, "IT Manager".to_owned())]));
}

#[test]
fn words_under_a_name_that_two_people_have_belong_to_neither() {
    let details = meeting(vec![
        person("Ann Lee", "ann@x.example.com", None),
        person("Ann Lee", "lee@y.example.com", None),
    ]);
    let facts = [about("Ann Lee", vec![fact(ContactField::Title, "CFO", "I am the CFO")])];
    let found = contacts(&details, &facts, &said("I am the CFO."));
    assert!(found.iter().all(|contact| contact.learned.is_empty()));
}

#[test]
fn a_speaker_who_says_an_address_is_recognised_by_it() {
    let details = meeting(vec![person("iPhone", "ann@x.example.com", None)]);
    let facts = [about(
        "Ann Lee",
        vec![
            fact(ContactField::Email, "Ann@x.example.com", "ann at x dot example"),
            fact(ContactField::Title, "CFO", "the CFO"),
        ],
    )];
    let found = contacts(&details, &facts, &said("I am the CFO, ann at x dot example dot com."));
    assert_eq!(found[0].learned, BTreeMap::from([(ContactField::Title, "CFO".to_owned())]));
}

#[test]
fn one_participant_who_says_anothers_address_does_not_become_the_other() {
    let details = meeting(vec![
        person("Ann Lee", "ann@x.example.com", None),
        person("Tom Berg", "tom@x.example.com", None),
    ]);
    let email = fact(ContactField::Email, "ann@x.example.com", "my mail is ann@x.example.com");
    let facts = [about("Tom Berg", vec![email, fact(ContactField::Title, "Clerk", "I am a Clerk")])];
    let found = contacts(&details, &facts, &said("I am a Clerk, my mail is ann@x.example.com."));
    assert!(found[0].learned.is_empty(), "{:?}", found[0]);
    assert_eq!(found[1].learned[&ContactField::Title], "Clerk");
}

#[test]
fn somebody_who_is_only_spoken_of_is_no_contact() {
    let details = meeting(vec![person("Ann Lee", "ann@x.example.com", None)]);
    let facts = [about("Dana Whitlock", vec![fact(ContactField::Title, "CFO", "our CFO")])];
    let found = contacts(&details, &facts, &said("Dana Whitlock is our CFO."));
    assert_eq!(found.len(), 1);
    assert!(found[0].learned.is_empty());
}

proptest! {
    #[test]
    fn any_participant_gives_a_named_contact_or_none(name in ".{0,60}", email in ".{0,90}") {
        for contact in found(&meeting(vec![person(&name, &email, None)])) {
            prop_assert!(!contact.name.last.trim().is_empty());
            prop_assert_eq!(contact.email.to_lowercase(), contact.email);
        }
    }
}
