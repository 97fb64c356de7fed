//! Carries what a finished call taught to other systems: contacts to Salesforce, the whole call to the
//! call-data API.

pub mod call_data;
mod policy;
pub mod salesforce;
mod settings;
mod stage;

pub use policy::{Contact, contacts};
pub use settings::Settings;
pub use stage::Crm;
