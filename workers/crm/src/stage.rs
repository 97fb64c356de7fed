//! The CRM stage. It sends a finished call to every destination that is configured.
//!
//! Each destination is tried, even where another one failed. The ledger of effects remembers what worked. So when the
//! run comes back for the failed part, the rest is not done again.

use std::sync::Arc;

use domain::analysis::ContactFacts;
use domain::call::Call;
use domain::event::{CallAnalyzed, Envelope, MaterialAt, MaterialKind, Nothing};
use domain::fault::Fault;
use domain::refusal::Destination;
use domain::transcript::Transcript;
use platform::blobs::{BlobError, Blobs};
use platform::cache::Cache;
use platform::config::{ConfigError, Installation, Values};
use providers::Slots;
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Outcome, Stage, StageError};
use serde_json::Value;

use crate::call_data::{self, CallLog};
use crate::policy;
use crate::salesforce::Contacts;
use crate::settings::Settings;

/// The longest session that is passed on, in bytes. Ingest accepts no longer session.
const MAX_SESSION_BYTES: u64 = 32 * 1024 * 1024;

pub struct Crm {
    contacts: Option<Contacts>,
    call_log: Option<CallLog>,
    blobs: Blobs,
}

/// What the store knows about the call that the stage works on.
struct Loaded {
    call: Call,
    transcript: Transcript,
    facts: Vec<ContactFacts>,
}

impl Stage for Crm {
    type In = CallAnalyzed;
    type Out = Nothing;
    const QUEUE: Queue<CallAnalyzed> = table::CRM;

    async fn handle(&self, cx: &Cx, _event: &Envelope<CallAnalyzed>) -> Result<Outcome<Nothing>, StageError> {
        if self.contacts.is_none() && self.call_log.is_none() {
            return Ok(Outcome::Done);
        }
        let loaded = load(cx).await?;
        let mut errors = Vec::new();
        if let Some(contacts) = &self.contacts {
            errors.extend(save_contacts(cx, contacts, &loaded).await);
        }
        if let Some(call_log) = &self.call_log {
            errors.extend(self.log_call(cx, call_log, &loaded).await.err());
        }
        match first_to_settle(errors) {
            Some(error) => Err(error),
            None => Ok(Outcome::Done),
        }
    }
}

impl Crm {
    /// With the systems that `values` configure. `cache` gives out the slots of their rate limits.
    pub fn from_values(
        values: &Values,
        installation: &Installation,
        blobs: Blobs,
        cache: Arc<dyn Cache>,
    ) -> Result<Self, ConfigError> {
        let slots = Slots::new(cache, Self::QUEUE.spec.may_wait());
        let Settings { contacts, call_log } = Settings::read(values, installation, &slots)?;
        Ok(Self { contacts, call_log, blobs })
    }

    async fn log_call(&self, cx: &Cx, call_log: &CallLog, loaded: &Loaded) -> Result<(), StageError> {
        let session = self.session(cx).await?;
        let Loaded { call, transcript, .. } = loaded;
        let payload = call_data::payload(call, session.as_ref(), transcript, &call_log.defaults)?;
        let call_id = call_data::call_id(call, session.as_ref());
        cx.once(&call_log.log(call_id, payload)).await.map(drop)
    }

    /// The latest session that arrived for the call.
    async fn session(&self, cx: &Cx) -> Result<Option<Value>, StageError> {
        let materials = cx.store.materials(cx.run.workspace, cx.run.call).await?;
        let latest = materials.into_iter().rev().find_map(|stored| match stored.material {
            material if material.kind != MaterialKind::Session => None,
            material => match material.at {
                MaterialAt::Blob(key) => Some(key),
                MaterialAt::SealedUrl(_) => None,
            },
        });
        let Some(key) = latest else { return Ok(None) };
        let bytes = self.blobs.get(&key, MAX_SESSION_BYTES).await.map_err(|error| match error {
            BlobError::Store(_) => StageError::unavailable(Destination::BLOBS, "blobs_unavailable", error),
            other => StageError::transient("session_not_read", other),
        })?;
        let session: Value = serde_json::from_slice(&bytes)
            .map_err(|error| StageError::permanent("session_unreadable", error))?;
        Ok(Some(session).filter(Value::is_object))
    }
}

async fn load(cx: &Cx) -> Result<Loaded, StageError> {
    let facts = cx.analysis().await?.contacts;
    Ok(Loaded { call: cx.call().await?, transcript: cx.transcript().await?, facts })
}

/// Saves every contact of the call. One that is refused does not lose the others; an org that takes
/// nothing at all at the moment is not asked again for each.
async fn save_contacts(cx: &Cx, contacts: &Contacts, loaded: &Loaded) -> Vec<StageError> {
    let left_out = policy::unusable_addresses(&loaded.call.details);
    if left_out > 0 {
        tracing::warn!(participants = left_out, "no CRM takes the e-mail address of these participants");
    }
    let mut errors = Vec::new();
    for contact in policy::contacts(&loaded.call.details, &loaded.facts, &loaded.transcript) {
        if let Err(error) = cx.once(&contacts.contact(&contact)).await {
            let org_is_away = error.destination.as_ref() == Some(contacts.destination());
            errors.push(error);
            if org_is_away {
                break;
            }
        }
    }
    errors
}

/// Chooses the failure that decides about the run. As long as a failure can go away by itself, the run must come back
/// for it. So a failure that needs a person counts last, and the run finds it again then.
fn first_to_settle(mut errors: Vec<StageError>) -> Option<StageError> {
    errors.sort_by_key(|error| match error.fault {
        Fault::Transient => 0,
        Fault::Throttled(_) => 1,
        Fault::Unavailable => 2,
        Fault::Permanent => 3,
    });
    let mut errors = errors.into_iter();
    let first = errors.next();
    for other in errors {
        tracing::warn!(
            code = other.code,
            destination = other.destination.as_deref(),
            "another destination of the run failed"
        );
    }
    first
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_can_still_work_by_itself_is_settled_before_what_needs_people() {
        let error = |fault, code| StageError::new(fault, code, anyhow::anyhow!("x"));
        let settled = |errors: Vec<StageError>| first_to_settle(errors).map(|error| error.code);
        assert_eq!(
            settled(vec![
                error(Fault::Permanent, "refused"),
                error(Fault::Unavailable, "away"),
                error(Fault::Transient, "lost"),
            ]),
            Some("lost")
        );
        assert_eq!(
            settled(vec![
                error(Fault::Unavailable, "away"),
                error(Fault::Throttled(Duration::ZERO), "slower"),
                error(Fault::Permanent, "refused"),
            ]),
            Some("slower")
        );
        assert_eq!(settled(vec![]), None);
    }
}
