//! Decides which people of a call become contacts, with which names and with which facts.
//!
//! Only customers become contacts. The host and the agents are our people by their role. Anybody else with an address
//! at the host's domain is one of our people too, because colleagues present in each other's meetings. The domain of
//! a free mail provider proves nothing, because everybody can have an address there. A participant with the role of a
//! customer is a customer, whatever the domain.
//!
//! The name and the e-mail address come from the meeting and need no proof. Everything else is a fact from the
//! analysis. A fact is used only if its quote stands in the current transcript, because the transcript may have been
//! replaced after the analysis.

use std::collections::{BTreeMap, HashSet};

use domain::analysis::{ContactFacts, ContactField, Fact};
use domain::call::{CallDetails, Participant, Role};
use domain::transcript::Transcript;
use serde::Serialize;

/// The longest e-mail address that is used. RFC 5321 allows 254 characters, but CRMs take only 80. A longer address
/// is not cut, because a cut address can belong to somebody else.
const MAX_EMAIL_CHARS: usize = 80;

/// Providers that give an address to anybody. Two people with such addresses need not be colleagues.
const FREE_MAIL: [&str; 20] = [
    "aol.com",
    "fastmail.com",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "rediffmail.com",
    "yahoo.com",
    "yandex.ru",
];

/// A customer with an e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// The e-mail address, in lower case and without blanks around it.
    pub email: String,
    pub name: Name,
    /// The facts that the transcript proves. [`ContactField::Email`] is never one of them.
    pub learned: BTreeMap<ContactField, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Name {
    pub first: Option<String>,
    pub last: String,
}

/// The contacts of a call, in the order of its participants. Each address appears once.
pub fn contacts(details: &CallDetails, facts: &[ContactFacts], transcript: &Transcript) -> Vec<Contact> {
    let ours = Ours::of(details);
    let mut people: Vec<(String, Vec<&str>)> = Vec::new();
    for participant in &details.participants {
        let Some(email) = address(participant.email.as_deref()) else { continue };
        if ours.includes(participant.role, &email) {
            continue;
        }
        let name = participant.name.as_deref().filter(|name| !name.trim().is_empty());
        match people.iter_mut().find(|(known, _)| *known == email) {
            Some((_, names)) => names.extend(name),
            None => people.push((email, name.into_iter().collect())),
        }
    }
    let owners = name_owners(&details.participants);
    people
        .into_iter()
        .map(|(email, names)| {
            let own: HashSet<String> = names
                .iter()
                .map(|name| folded(name))
                .filter(|name| owners.get(name).is_some_and(|owners| owners.len() == 1))
                .collect();
            let about = facts.iter().filter(|about| {
                let name = folded(&about.name);
                // A person who says this address, but who is known by name as another participant, does not become
                // this contact.
                let is_another = owners.get(&name).is_some_and(|owners| !owners.contains(&email));
                own.contains(&name)
                    || (!is_another && proven(about, transcript).any(|fact| is_email(fact, &email)))
            });
            let mut learned = BTreeMap::new();
            for fact in about.flat_map(|about| proven(about, transcript)) {
                let value = clean(&fact.value);
                if fact.field != ContactField::Email && !value.is_empty() {
                    learned.entry(fact.field).or_insert(value);
                }
            }
            let name =
                names.iter().find_map(|name| Name::of(name)).unwrap_or_else(|| Name::of_address(&email));
            Contact { email, name, learned }
        })
        .collect()
}

impl Name {
    /// Splits a name. One word is the last name. Of several words, the first is the first name, and the others are
    /// the last name.
    pub fn of(text: &str) -> Option<Self> {
        let text = clean(text);
        match text.split_once(' ') {
            Some((first, last)) => Some(Self { first: Some(first.to_owned()), last: last.to_owned() }),
            None if text.is_empty() => None,
            None => Some(Self { first: None, last: text }),
        }
    }

    /// The name of a person who gave no name: the part of the address before the `@`. A contact needs a name.
    fn of_address(email: &str) -> Self {
        let local = email.split('@').next().unwrap_or(email);
        Self { first: None, last: local.to_owned() }
    }
}

/// The addresses and domains of our own people in this call.
struct Ours {
    addresses: HashSet<String>,
    domains: HashSet<String>,
}

impl Ours {
    fn of(details: &CallDetails) -> Self {
        let hosts = details
            .participants
            .iter()
            .filter(|person| matches!(person.role, Some(Role::Host | Role::Agent)));
        // In some accounts Zoom's host id is an address. In others it is an id without a meaning for us.
        let named =
            ["host_id", "host_email"].into_iter().filter_map(|name| details.metadata.get(name)?.as_str());
        let addresses: HashSet<String> = hosts
            .filter_map(|person| address(person.email.as_deref()))
            .chain(named.filter_map(|text| address(Some(text))))
            .collect();
        let domains = addresses
            .iter()
            .filter_map(|email| domain(email))
            .filter(|domain| !FREE_MAIL.contains(domain))
            .map(str::to_owned)
            .collect();
        Self { addresses, domains }
    }

    fn includes(&self, role: Option<Role>, email: &str) -> bool {
        match role {
            Some(Role::Host | Role::Agent) => true,
            Some(Role::Customer) => false,
            Some(Role::Presenter | Role::Participant) | None => {
                self.addresses.contains(email)
                    || domain(email).is_some_and(|domain| self.domains.contains(domain))
            }
        }
    }
}

/// The different people of each name. Where two people have the same name, the words under that name belong to
/// neither of them.
fn name_owners(participants: &[Participant]) -> BTreeMap<String, HashSet<String>> {
    let mut owners: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for (index, person) in participants.iter().enumerate() {
        if let Some(name) = &person.name {
            let who = address(person.email.as_deref()).unwrap_or_else(|| format!("#{index}"));
            owners.entry(folded(name)).or_default().insert(who);
        }
    }
    owners
}

/// The e-mail address in lower case. `None` where it cannot be used.
fn address(text: Option<&str>) -> Option<String> {
    let email = text?.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let usable = !local.is_empty()
        && domain.contains('.')
        && !domain.contains('@')
        && email.chars().count() <= MAX_EMAIL_CHARS
        && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    usable.then_some(email)
}

fn domain(email: &str) -> Option<&str> {
    email.split_once('@').map(|(_, domain)| domain)
}

fn is_email(fact: &Fact, email: &str) -> bool {
    fact.field == ContactField::Email && address(Some(&fact.value)).as_deref() == Some(email)
}

fn proven<'a>(about: &'a ContactFacts, transcript: &'a Transcript) -> impl Iterator<Item = &'a Fact> {
    about.facts.iter().filter(|fact| stands_in(fact, transcript))
}

/// Whether the quote begins in its segment; it may go on in the following segments of the same speaker, because captions
/// are cut anywhere. Punctuation, blanks and capital letters do not count.
fn stands_in(fact: &Fact, transcript: &Transcript) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let quote = letters(&fact.quote);
    let mut from = transcript.segments.iter().skip_while(|segment| segment.id != fact.segment);
    let Some(first) = from.next().filter(|_| !quote.is_empty()) else { return false };
    let of_speaker =
        from.take_while(|segment| segment.speaker == first.speaker && segment.role == first.role);
    let mut said = letters(&first.text);
    // A quote is a sentence or two, so the words far behind it need not be read.
    for segment in of_speaker {
        if said.contains(&quote) || said.len() > first.text.len() + quote.len() {
            break;
        }
        said.push_str(&letters(&segment.text));
    }
    said.contains(&quote)
}

/// Returns the text with single blanks and without control characters.
fn clean(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn folded(name: &str) -> String {
    clean(name).to_lowercase()
}

#[cfg(test)]
mod tests;
