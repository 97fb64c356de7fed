//! Decides which people of a call become contacts, with which names and with which facts.
//!
//! Only customers become contacts. The host and the agents are our people by their role. Anybody else with an address
//! at the host's domain is one of our people too, because colleagues present in each other's meetings. The domain of
//! a free mail provider proves nothing, because everybody can have an address there. A participant with the role of a
//! customer is a customer, whatever the domain.
//!
//! The name and the e-mail address come from the meeting and need no proof. What a person wrote beside the name is left
//! out ([`PersonName`]), and a device's name is used for nobody: where somebody joined with a telephone first and with a
//! name later, the name counts. Everything else is a fact from the
//! analysis. A fact is used only if its quote stands in the current transcript, because the transcript may have been
//! replaced after the analysis.

use std::collections::{BTreeMap, HashSet};

use domain::analysis::{ContactFacts, ContactField, Fact};
use domain::call::{CallDetails, Participant, Role};
use domain::email_address;
use domain::person_name::{PersonName, folded, is_device, personal_part};
use domain::transcript::Transcript;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The e-mail address, as [`email_address::read`] returns it.
    pub email: String,
    pub name: PersonName,
    /// The facts that the transcript proves. [`ContactField::Email`] is never one of them.
    pub learned: BTreeMap<ContactField, String>,
}

/// The contacts of a call, in the order of its participants. Each address appears once.
pub fn contacts(details: &CallDetails, facts: &[ContactFacts], transcript: &Transcript) -> Vec<Contact> {
    let ours = Ours::of(details);
    let mut people: Vec<(String, Vec<&str>)> = Vec::new();
    for participant in &details.participants {
        let Some(email) = address(participant).filter(|email| fits(email)) else { continue };
        if ours.includes(participant.role, &email) {
            continue;
        }
        let name = participant.name.as_deref().filter(|name| !name.trim().is_empty());
        match people.iter_mut().find(|(known, _)| *known == email) {
            Some((_, names)) => names.extend(name),
            None => people.push((email, name.into_iter().collect())),
        }
    }
    let owners = NameOwners::of(&details.participants);
    people
        .into_iter()
        .map(|(email, names)| {
            let about = facts.iter().filter(|about| match owners.of_name(&about.name) {
                Some(owners) if owners.contains(&email) && owners.len() == 1 => true,
                // A person who says this address, but who is known by name as another participant, does not become
                // this contact.
                Some(owners) if !owners.contains(&email) => false,
                _ => proven(about, transcript).any(|fact| is_email(fact, &email)),
            });
            let mut learned = BTreeMap::new();
            for fact in about.flat_map(|about| proven(about, transcript)) {
                let value = clean(&fact.value);
                if fact.field != ContactField::Email && !value.is_empty() {
                    learned.entry(fact.field).or_insert(value);
                }
            }
            let name = best_name(&names).unwrap_or_else(|| name_of_address(&email));
            Contact { email, name, learned }
        })
        .collect()
}

/// How many customers have an e-mail address that no CRM can hold, so that they are no contacts.
pub(crate) fn unusable_addresses(details: &CallDetails) -> usize {
    let ours = Ours::of(details);
    let is_unusable = |person: &&Participant| match address(person) {
        Some(email) => !fits(&email) && !ours.includes(person.role, &email),
        None => person.email.as_deref().is_some_and(|email| email.contains('@')),
    };
    details.participants.iter().filter(is_unusable).count()
}

/// The first of these names of one person that is no device's. A name with a first name is better than one without.
fn best_name(names: &[&str]) -> Option<PersonName> {
    let read = || names.iter().filter(|name| !is_device(name)).filter_map(|name| PersonName::read(name));
    read().find(|name| name.first.is_some()).or_else(|| read().next())
}

/// The name of a person who gave no name: the part of the address before the `@`. A contact needs a name.
fn name_of_address(email: &str) -> PersonName {
    let local = email.split('@').next().unwrap_or(email);
    PersonName { salutation: None, first: None, last: local.to_owned() }
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
        let addresses: HashSet<String> =
            hosts.filter_map(address).chain(named.filter_map(email_address::read)).collect();
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
struct NameOwners {
    whole: BTreeMap<String, HashSet<String>>,
    /// The person, by what is left of the name without pronouns, employers and the like.
    part: BTreeMap<String, HashSet<String>>,
}

impl NameOwners {
    fn of(participants: &[Participant]) -> Self {
        let mut owners = Self { whole: BTreeMap::new(), part: BTreeMap::new() };
        for (index, person) in participants.iter().enumerate() {
            if let Some(name) = &person.name {
                let who = address(person).unwrap_or_else(|| format!("#{index}"));
                owners.whole.entry(folded(name)).or_default().insert(who.clone());
                owners.part.entry(folded(&personal_part(name))).or_default().insert(who);
            }
        }
        owners
    }

    fn of_name(&self, name: &str) -> Option<&HashSet<String>> {
        self.whole.get(&folded(name)).or_else(|| self.part.get(&folded(&personal_part(name))))
    }
}

/// The e-mail address of a participant. Some sources write it behind the name.
fn address(person: &Participant) -> Option<String> {
    let behind_name =
        || person.name.as_deref().filter(|name| name.contains('<')).and_then(email_address::read);
    person.email.as_deref().and_then(email_address::read).or_else(behind_name)
}

fn fits(email: &str) -> bool {
    email.chars().count() <= MAX_EMAIL_CHARS
}

fn domain(email: &str) -> Option<&str> {
    email.split_once('@').map(|(_, domain)| domain)
}

fn is_email(fact: &Fact, email: &str) -> bool {
    fact.field == ContactField::Email && email_address::read(&fact.value).as_deref() == Some(email)
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

#[cfg(test)]
mod tests;
