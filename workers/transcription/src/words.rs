//! The names and words that are likely to be spoken in a call.

use std::collections::HashSet;

use domain::call::CallDetails;
use domain::person_name::folded;

/// The names of the call's people, and then the words of the setting. People come first, because a provider takes only so
/// many. No name stands twice.
pub(crate) fn likely(details: &CallDetails, configured: &[String]) -> Vec<String> {
    let people = details.agent_name.as_deref().into_iter();
    let people = people.chain(details.participants.iter().filter_map(|person| person.name.as_deref()));
    let mut seen = HashSet::new();
    people
        .chain(configured.iter().map(String::as_str))
        .map(|word| word.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|word| !word.is_empty() && seen.insert(folded(word)))
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::call::Participant;

    use super::*;

    #[test]
    fn the_people_of_the_call_come_first_and_nobody_twice() {
        let person = |name: &str| Participant { name: Some(name.into()), ..Participant::default() };
        let details = CallDetails {
            agent_name: Some("Dana  Ortiz".into()),
            participants: vec![person("Helen Castellanos"), person("dana ortiz"), person(" ")],
            ..CallDetails::default()
        };
        let configured = ["Acme Cloud".to_owned(), "HELEN CASTELLANOS".to_owned()];
        assert_eq!(likely(&details, &configured), ["Dana Ortiz", "Helen Castellanos", "Acme Cloud"]);
    }
}
