//! The table of all simulated providers.

use crate::provider::Provider;
use crate::{
    assemblyai, call_data, deepgram, elevenlabs, exotel, oidc, openai, recordings, salesforce, slack, twilio,
    zoom,
};

/// Every simulated provider, in the order of their ports.
pub static PROVIDERS: [&Provider; 12] = [
    &assemblyai::PROVIDER,
    &openai::PROVIDER,
    &slack::PROVIDER,
    &salesforce::PROVIDER,
    &call_data::PROVIDER,
    &recordings::PROVIDER,
    &zoom::PROVIDER,
    &deepgram::PROVIDER,
    &elevenlabs::PROVIDER,
    &exotel::PROVIDER,
    &twilio::PROVIDER,
    &oidc::PROVIDER,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_provider_has_a_name_and_settings_of_its_own() {
        let names: BTreeSet<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
        assert_eq!(names.len(), PROVIDERS.len());
        let settings = PROVIDERS.iter().flat_map(|provider| provider.settings("http://127.0.0.1:1"));
        let settings: Vec<&str> = settings.map(|(name, _)| name).collect();
        let distinct: BTreeSet<&&str> = settings.iter().collect();
        assert_eq!(distinct.len(), settings.len(), "two providers set the same setting: {settings:?}");
        assert!(settings.len() >= PROVIDERS.len());
    }
}
