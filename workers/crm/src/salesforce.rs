//! Keeps contacts in Salesforce. A contact is found by its address. It is created if it is missing, and its empty
//! fields are filled.
//!
//! We look for a contact before we send anything, so sending twice changes nothing the second time. When nobody knows
//! whether an effect happened, another look settles it.

mod mapping;

use std::time::Duration;

use domain::moment::Moment;
use domain::refusal::{Destination, Refusal};
use platform::cache::MAX_WAIT;
use providers::crm::salesforce::{self, REMOTE, Record, Salesforce, SalesforceError, is_id};
use queue_topology::{Effect, Receipt, Scope, StageError, Unknown};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::policy::Contact;
use mapping::{Fields, Wanted};

const CONTACT: &str = "Contact";

/// The contacts of one org.
pub struct Contacts {
    org: Salesforce,
}

/// A contact that the org has, with the columns that the org knows.
struct Known {
    id: String,
    record: Record,
    columns: Vec<&'static str>,
}

impl Contacts {
    pub fn new(org: Salesforce) -> Self {
        Self { org }
    }

    /// The destination that runs wait for while the org takes nothing at all.
    pub fn destination(&self) -> &'static Destination {
        &REMOTE.destination
    }

    /// The effect that puts this contact into the org, with what we know about it.
    pub fn contact<'a>(&'a self, contact: &'a Contact) -> ContactEffect<'a> {
        ContactEffect { contacts: self, contact }
    }

    async fn save(&self, contact: &Contact, prior: Option<&str>) -> Result<Receipt, SalesforceError> {
        let known = mapping::fields(contact);
        let shortened = mapping::shortened(contact, &known);
        if !shortened.is_empty() {
            tracing::warn!(fields = ?shortened, "values that are too long for the CRM were cut or left out");
        }
        let found = match self.find(&contact.email, prior).await? {
            Some(found) => found,
            None => match self.create(known.clone()).await {
                Ok(remote_id) => return Ok(Receipt { remote_id, replaced: None }),
                Err(error) => self.the_one_it_duplicates(error).await?,
            },
        };
        let missing = mapping::missing(&found.record, &found.columns, &known);
        let filled = self.fill(&found.id, missing).await?;
        let replaced = (!filled.is_empty()).then(|| mapping::replaced(&found.record, &filled));
        Ok(Receipt { remote_id: found.id, replaced })
    }

    /// Returns the record that the org takes for the same person. The org knows the person by something other than the
    /// address.
    async fn the_one_it_duplicates(&self, error: SalesforceError) -> Result<Known, SalesforceError> {
        match error {
            SalesforceError::Duplicate { of: Some(id), refusal } => {
                let found = self.select(&Wanted::Id(&id)).await?;
                found.ok_or(SalesforceError::Duplicate { of: None, refusal })
            }
            other => Err(other),
        }
    }

    /// Returns the record that we wrote before if it is still there, or else a record with this address.
    async fn find(&self, email: &str, prior: Option<&str>) -> Result<Option<Known>, SalesforceError> {
        if let Some(id) = prior
            && let Some(found) = self.select(&Wanted::Id(id)).await?
        {
            return Ok(Some(found));
        }
        self.select(&Wanted::Email(email)).await
    }

    async fn select(&self, wanted: &Wanted<'_>) -> Result<Option<Known>, SalesforceError> {
        let mut columns = mapping::columns();
        loop {
            match self.org.query(&mapping::query(&columns, wanted)).await {
                Ok(None) => return Ok(None),
                Ok(Some(record)) => {
                    let id =
                        record.get(mapping::ID).and_then(serde_json::Value::as_str).filter(|id| is_id(id));
                    let id = id.map(str::to_owned).ok_or_else(no_usable_id)?;
                    return Ok(Some(Known { id, record, columns }));
                }
                Err(SalesforceError::Fields { names, refusal }) => {
                    if mapping::leave_out(&mut columns, &names).is_empty() {
                        return Err(SalesforceError::Fields { names, refusal });
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn create(&self, mut fields: Fields) -> Result<String, SalesforceError> {
        loop {
            match self.org.create(CONTACT, &fields).await {
                Ok(id) => return Ok(id),
                Err(SalesforceError::Fields { names, .. }) if leave_out_refused(&mut fields, &names) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Fills `fields`, and returns the fields that the org took.
    async fn fill(&self, id: &str, mut fields: Fields) -> Result<Fields, SalesforceError> {
        while !fields.is_empty() {
            match self.org.update(CONTACT, id, &fields).await {
                Ok(()) => break,
                Err(SalesforceError::Fields { names, .. }) if leave_out_refused(&mut fields, &names) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(fields)
    }
}

/// Leaves out the fields that the org refuses, so that the others are not lost. Returns false where none of them can be
/// left out.
fn leave_out_refused(fields: &mut Fields, refused: &[String]) -> bool {
    let mut columns: Vec<_> = fields.keys().copied().collect();
    let dropped = mapping::leave_out(&mut columns, refused);
    if dropped.is_empty() {
        return false;
    }
    tracing::warn!(fields = ?dropped, "the org does not take these fields of a contact; the others go on");
    fields.retain(|column, _| columns.contains(column));
    true
}

fn no_usable_id() -> Refusal {
    salesforce::unreadable("a contact that was found has no usable id").without_effect()
}

/// The effect that puts one contact into the org.
pub struct ContactEffect<'a> {
    contacts: &'a Contacts,
    contact: &'a Contact,
}

impl Effect for ContactEffect<'_> {
    fn target(&self) -> &str {
        self.contacts.destination()
    }

    fn scope(&self) -> Scope {
        Scope::Workspace
    }

    fn object(&self) -> String {
        format!("contact:{}", self.contact.email)
    }

    fn digest(&self) -> String {
        let fields = serde_json::json!(mapping::fields(self.contact)).to_string();
        hex::encode(Sha256::digest(fields))
    }

    fn unknown(&self) -> Unknown {
        Unknown::Ask
    }

    /// The time for a slot, a sign-in, a look and a write.
    fn timeout(&self) -> Duration {
        MAX_WAIT + Duration::from_mins(1)
    }

    fn can_update(&self) -> bool {
        true
    }

    /// Takes one slot for all requests. If each request took a slot, many runs would look up their contacts, and no
    /// slot would be left for writing.
    async fn send(&self, _key: Uuid, prior: Option<&str>) -> Result<Receipt, StageError> {
        self.contacts.org.take_slot().await?;
        Ok(self.contacts.save(self.contact, prior).await.map_err(Refusal::from)?)
    }

    /// The effect happened only if no field is left to fill, because the request that was lost can be an update.
    async fn ask(&self, _key: Uuid, _since: Moment) -> Result<Option<Receipt>, StageError> {
        self.contacts.org.take_slot().await?;
        let known = mapping::fields(self.contact);
        let found = self.contacts.find(&self.contact.email, None).await.map_err(Refusal::from)?;
        Ok(found
            .filter(|found| mapping::missing(&found.record, &found.columns, &known).is_empty())
            .map(|found| Receipt { remote_id: found.id, replaced: None }))
    }
}
