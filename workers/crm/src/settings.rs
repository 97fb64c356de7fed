//! The settings of this worker: the systems that are configured.

use platform::config::{ConfigError, Installation, Values};
use providers::Slots;
use providers::crm::call_data::CallData;
use providers::crm::salesforce::Salesforce;
use queue_topology::Unknown;

use crate::call_data::{CallLog, Defaults};
use crate::salesforce::Contacts;

#[derive(Default)]
pub struct Settings {
    /// `None` where Salesforce is off.
    pub contacts: Option<Contacts>,
    /// `None` where the call-data API is off.
    pub call_log: Option<CallLog>,
}

impl Settings {
    /// Reads the settings. `slots` gives out the slots of the rate limits.
    pub fn read(values: &Values, installation: &Installation, slots: &Slots) -> Result<Self, ConfigError> {
        let unknown = Unknown::policy(values, "CRM_UNKNOWN")?;
        let defaults = Defaults {
            campaign_id: values.text("CRM_CAMPAIGN_ID"),
            voice_agent_id: values.text("CRM_VOICE_AGENT_ID"),
            client_id: values.text("CRM_CLIENT_ID"),
            caller_phone: values.text("CRM_DEFAULT_CALLER_PHONE"),
            lines: installation.lines.clone(),
        };
        Ok(Self {
            contacts: Salesforce::from_values(values, slots)?.map(Contacts::new),
            call_log: CallData::from_values(values, slots)?.map(|api| CallLog { api, defaults, unknown }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let values = Values::of(pairs.iter().copied());
        Settings::read(&values, &Installation::read(&values)?, &Slots::of_this_process())
    }

    #[test]
    fn what_has_no_key_is_off() {
        let settings = read(&[("CRM_CAMPAIGN_ID", "x")]).unwrap();
        assert!(settings.contacts.is_none() && settings.call_log.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let upload = ("CRM_AUTO_UPLOAD", "true");
        let url = ("CRM_UPLOAD_URL", "http://127.0.0.1:9/call-data");
        let wrong = read(&[upload, url, ("CRM_UNKNOWN", "ask")]).err().unwrap();
        assert_eq!(wrong.name, "CRM_UNKNOWN");
        assert!(read(&[upload, url]).unwrap().call_log.is_some());
    }
}
