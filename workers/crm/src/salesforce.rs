//! Contacts in Salesforce: found by their address, created where they are missing, filled where they are
//! empty.
//!
//! Whether a contact exists is asked before anything is sent, so that sending twice changes nothing the
//! second time, and an effect of which nobody knows whether it happened can be settled by looking.

mod auth;
mod client;
mod mapping;

use std::sync::Arc;
use std::time::Duration;

use domain::moment::Moment;
use platform::cache::{Cache, Limiter, MAX_WAIT};
use platform::config::Rate;
use queue_topology::{Effect, Receipt, Scope, StageError, Unknown, table};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

pub use auth::{Grant, JwtKey};
pub use client::SalesforceError;

use crate::policy::Contact;
use auth::Auth;
use client::Client;
use mapping::{Fields, Record, Wanted};

/// What it takes to sign in.
pub struct SalesforceSettings {
    pub login_url: Url,
    pub consumer_key: String,
    /// Not needed where we sign with a key.
    pub consumer_secret: Option<SecretString>,
    pub grant: Grant,
    /// Of contacts that are looked up and written. Absent: no limit.
    pub rate: Option<Rate>,
}

/// One org, and the token with which we use it.
pub struct Salesforce {
    client: Client,
    limiter: Limiter,
}

/// A contact that is there, with the columns that this org has.
struct Known {
    id: String,
    record: Record,
    columns: Vec<&'static str>,
}

impl Salesforce {
    /// `cache` hands out the slots of the rate limit.
    pub fn new(settings: SalesforceSettings, cache: Arc<dyn Cache>) -> Self {
        let SalesforceSettings { login_url, consumer_key, consumer_secret, grant, rate } = settings;
        let may_wait = table::CRM.spec.may_wait();
        Self {
            client: Client::new(Auth::new(login_url, consumer_key, consumer_secret, grant)),
            limiter: Limiter::new(cache, "salesforce", "SALESFORCE_RATE", rate, may_wait),
        }
    }

    /// Signs in, to see whether the credentials are good.
    pub async fn sign_in(&self) -> Result<(), SalesforceError> {
        self.client.sign_in().await
    }

    /// The effect that this contact is in the org with what we know of it.
    pub fn contact<'a>(&'a self, contact: &'a Contact) -> ContactEffect<'a> {
        ContactEffect { salesforce: self, contact }
    }

    async fn save(&self, contact: &Contact, prior: Option<&str>) -> Result<Receipt, SalesforceError> {
        let known = mapping::fields(contact);
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

    /// The org knows this person by something else than the address: that record is the one we looked for.
    async fn the_one_it_duplicates(&self, error: SalesforceError) -> Result<Known, SalesforceError> {
        match error {
            SalesforceError::Duplicate { of: Some(id), reason } => {
                let found = self.select(&Wanted::Id(&id)).await?;
                found.ok_or(SalesforceError::Duplicate { of: None, reason })
            }
            other => Err(other),
        }
    }

    /// The record that we wrote before, if it is still there, else one with this address.
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
            match self.client.query(&mapping::query(&columns, wanted)).await {
                Ok(None) => return Ok(None),
                Ok(Some(record)) => {
                    let id =
                        record.get(mapping::ID).and_then(serde_json::Value::as_str).filter(|id| is_id(id));
                    let id = id.map(str::to_owned).ok_or_else(|| {
                        SalesforceError::unreadable("a contact that was found has no usable id", false)
                    })?;
                    return Ok(Some(Known { id, record, columns }));
                }
                Err(SalesforceError::Fields { names, reason }) => {
                    if mapping::leave_out(&mut columns, &names).is_empty() {
                        return Err(SalesforceError::Fields { names, reason });
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn create(&self, mut fields: Fields) -> Result<String, SalesforceError> {
        loop {
            match self.client.create(&fields).await {
                Ok(id) => return Ok(id),
                Err(error) => without_refused(&mut fields, error)?,
            }
        }
    }

    /// Fills `fields` and returns those that the org took.
    async fn fill(&self, id: &str, mut fields: Fields) -> Result<Fields, SalesforceError> {
        while !fields.is_empty() {
            match self.client.update(id, &fields).await {
                Ok(()) => break,
                Err(error) => without_refused(&mut fields, error)?,
            }
        }
        Ok(fields)
    }
}

/// Takes out what the org refuses, so that it does not lose the rest; hands the error back where nothing
/// can be taken out.
fn without_refused(fields: &mut Fields, error: SalesforceError) -> Result<(), SalesforceError> {
    let SalesforceError::Fields { names, reason } = error else { return Err(error) };
    let mut columns: Vec<_> = fields.keys().copied().collect();
    let dropped = mapping::leave_out(&mut columns, &names);
    if dropped.is_empty() {
        return Err(SalesforceError::Fields { names, reason });
    }
    tracing::warn!(fields = ?dropped, "the org does not take these fields of a contact; the others go on");
    fields.retain(|column, _| columns.contains(column));
    Ok(())
}

/// Ids go into paths.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// That one contact is in the org with what we know of it.
pub struct ContactEffect<'a> {
    salesforce: &'a Salesforce,
    contact: &'a Contact,
}

impl Effect for ContactEffect<'_> {
    fn target(&self) -> &'static str {
        "salesforce"
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

    /// A slot, a sign-in, a look and a write, each of which may take its own time.
    fn timeout(&self) -> Duration {
        MAX_WAIT + Duration::from_mins(1)
    }

    fn can_update(&self) -> bool {
        true
    }

    /// One slot for all of its requests: with one for each, many runs would look and none would write.
    async fn send(&self, _key: Uuid, prior: Option<&str>) -> Result<Receipt, StageError> {
        self.salesforce.limiter.slot().await?;
        Ok(self.salesforce.save(self.contact, prior).await?)
    }

    /// Done only if nothing is left to fill: what may have been lost can be an update as well.
    async fn ask(&self, _key: Uuid, _since: Moment) -> Result<Option<Receipt>, StageError> {
        self.salesforce.limiter.slot().await?;
        let known = mapping::fields(self.contact);
        let found = self.salesforce.find(&self.contact.email, None).await?;
        Ok(found
            .filter(|found| mapping::missing(&found.record, &found.columns, &known).is_empty())
            .map(|found| Receipt { remote_id: found.id, replaced: None }))
    }
}
