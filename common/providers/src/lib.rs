//! The clients of other systems, and what the rest of Debrief has to know about each system.
//!
//! Each provider has one file, with its client and its [`Descriptor`]. The list of settings, the services on
//! `/health` and the checks of `debrief check` are made from the descriptors. A failed request becomes a
//! [`domain::refusal::Refusal`] for every provider. A client knows nothing about stages and about the ledger of
//! effects, and a worker knows nothing about HTTP.

pub mod chat;
pub mod crm;
mod descriptor;
pub mod holders;
pub mod meetings;
pub mod models;
pub mod oidc;
pub mod recordings;
pub mod requests;
pub mod said;
mod slots;
pub mod speech;
pub mod telephony;
#[cfg(test)]
mod testing;
pub mod versions;
pub mod voices;
mod websocket;

pub use descriptor::{Check, CheckError, Checked, Descriptor, Provider, tried};
pub use slots::Slots;

use platform::config::{Group, Values};
use url::Url;

/// Every provider, in the order in which the settings are documented.
pub fn all() -> Vec<&'static dyn Provider> {
    let speech = speech::ALL.iter().map(|provider| *provider as &dyn Provider);
    let holders = holders::ALL.iter().map(|provider| *provider as &dyn Provider);
    let models = models::ALL.iter().map(|provider| *provider as &dyn Provider);
    let voices = voices::ALL.iter().map(|provider| *provider as &dyn Provider);
    let others: [&dyn Provider; 4] = [
        &chat::slack::DESCRIPTOR,
        &crm::salesforce::DESCRIPTOR,
        &crm::call_data::DESCRIPTOR,
        &oidc::DESCRIPTOR,
    ];
    speech.chain(models).chain(voices).chain(others).chain(holders).collect()
}

/// The page on which people see what an effect made in another system. `target` is the name of the system, and `remote_id`
/// the id that it gave. `None` where the settings do not tell the address.
pub fn page_of(values: &Values, target: &str, remote_id: &str) -> Option<Url> {
    match target {
        chat::slack::NAME => chat::slack::page_of(values, remote_id),
        crm::salesforce::NAME => crm::salesforce::page_of(values, remote_id),
        _ => None,
    }
}

/// The settings of every provider, and those that the providers of speech to text and of voices share.
pub fn settings() -> impl Iterator<Item = &'static Group> {
    [&speech::SETTINGS, &voices::SETTINGS].into_iter().chain(all().into_iter().map(Provider::settings))
}

/// The services that can be on or off, with the names that `/health` shows. A service is on when one of its providers
/// is on.
pub fn services(values: &Values) -> Vec<(&'static str, bool)> {
    let mut services: Vec<(&'static str, bool)> = Vec::new();
    for provider in all() {
        let Some(name) = provider.service() else { continue };
        let is_on = provider.is_on(values).unwrap_or(false);
        match services.iter_mut().find(|(known, _)| *known == name) {
            Some((_, on)) => *on |= is_on,
            None => services.push((name, is_on)),
        }
    }
    services
}
