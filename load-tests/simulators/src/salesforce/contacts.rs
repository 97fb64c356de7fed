//! The contacts of an org, oldest first, with an index by e-mail: a run of many thousand calls asks for one address
//! after the other.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::state::BoundedMap;

const MAX_CONTACTS: usize = 200_000;
pub(super) const EMAIL: &str = "Email";

pub(super) struct Contacts {
    by_id: BoundedMap<Map<String, Value>>,
    /// The ids by e-mail in lower case. Later contacts have higher ids. The contact of an id may be forgotten by now.
    by_email: HashMap<String, BTreeSet<String>>,
}

impl Contacts {
    pub(super) fn new() -> Self {
        Self { by_id: BoundedMap::new(MAX_CONTACTS), by_email: HashMap::new() }
    }

    pub(super) fn insert(&mut self, id: String, contact: Map<String, Value>) {
        if let Some(email) = email(&contact) {
            self.by_email.entry(email).or_default().insert(id.clone());
        }
        self.by_id.insert(id, contact);
    }

    /// Changes fields of a contact. `None` means that there is no such contact.
    pub(super) fn change(&mut self, id: &str, fields: Map<String, Value>) -> Option<()> {
        let contact = self.by_id.get_mut(id)?;
        let before = email(contact);
        contact.extend(fields);
        let now = email(contact);
        if before != now {
            if let Some(ids) = before.and_then(|before| self.by_email.get_mut(&before)) {
                ids.remove(id);
            }
            if let Some(now) = now {
                self.by_email.entry(now).or_default().insert(id.to_owned());
            }
        }
        Some(())
    }

    /// Removes a contact. `None` means that there is no such contact.
    pub(super) fn remove(&mut self, id: &str) -> Option<()> {
        let contact = self.by_id.remove(id)?;
        if let Some(ids) = email(&contact).and_then(|email| self.by_email.get_mut(&email)) {
            ids.remove(id);
        }
        Some(())
    }

    pub(super) fn get(&self, id: &str) -> Option<&Map<String, Value>> {
        self.by_id.get(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Map<String, Value>> {
        self.by_id.iter()
    }

    /// Returns the contacts with one of these addresses, whatever the case of their letters.
    pub(super) fn with_email(&self, addresses: &[String]) -> impl Iterator<Item = &Map<String, Value>> {
        let ids = addresses.iter().filter_map(|address| self.by_email.get(&address.to_lowercase())).flatten();
        let ids: BTreeSet<&String> = ids.collect();
        ids.into_iter().filter_map(|id| self.by_id.get(id))
    }
}

fn email(contact: &Map<String, Value>) -> Option<String> {
    contact.get(EMAIL).and_then(Value::as_str).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contact(email: &str) -> Map<String, Value> {
        json!({ "Email": email }).as_object().unwrap().clone()
    }

    #[test]
    fn a_contact_is_found_by_its_present_address_whatever_the_case_of_the_letters() {
        let mut contacts = Contacts::new();
        contacts.insert("1".into(), contact("A@example.com"));
        contacts.insert("2".into(), contact("a@EXAMPLE.com"));
        contacts.insert("3".into(), contact("b@example.com"));
        let found = |contacts: &Contacts, emails: &[&str]| {
            let emails: Vec<String> = emails.iter().map(|&email| email.to_owned()).collect();
            contacts.with_email(&emails).count()
        };
        assert_eq!(found(&contacts, &["a@example.COM"]), 2);
        assert_eq!(found(&contacts, &["a@example.com", "b@example.com", "A@example.com"]), 3);
        contacts.change("2", contact("c@example.com")).unwrap();
        assert_eq!((found(&contacts, &["a@example.com"]), found(&contacts, &["C@example.com"])), (1, 1));
        assert_eq!(contacts.change("4", contact("c@example.com")), None);
        contacts.remove("2").unwrap();
        assert_eq!((found(&contacts, &["c@example.com"]), contacts.iter().count()), (0, 2));
        assert_eq!(contacts.remove("2"), None);
    }
}
