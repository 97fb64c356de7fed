//! Every setting that this program takes: those of the core, and those that each provider lists.

use platform::config::Known;

pub(crate) fn known() -> Known {
    Known::with(providers::settings())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use platform::config::Values;

    use super::*;
    use crate::commands::check;

    /// What makes every part ask for all of its settings: whatever is turned on by one is on.
    fn all_on(folder: &str) -> Values {
        Values::of([
            ("DEBRIEF_DATA_DIR", folder),
            ("ASSEMBLYAI_API_KEY", "key"),
            ("OPENAI_API_KEY", "key"),
            ("EXOTEL_API_KEY", "key"),
            ("SLACK_BOT_TOKEN", "xoxb-1"),
            ("SLACK_CHANNEL", "C0123456789"),
            ("SALESFORCE_LOGIN_URL", "https://acme.my.salesforce.com"),
            ("SALESFORCE_CONSUMER_KEY", "key"),
            ("SALESFORCE_CONSUMER_SECRET", "secret"),
            ("CRM_AUTO_UPLOAD", "true"),
            ("CRM_UPLOAD_URL", "https://crm.example.com/call-data"),
        ])
    }

    #[test]
    fn every_setting_in_the_list_is_read_and_nothing_that_is_not_in_it() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let asked = Arc::new(Mutex::new(BTreeSet::new()));
        let values = all_on(folder.path().to_str().unwrap()).remembering(&asked);
        check::read_all(&values).unwrap();
        let listed: BTreeSet<String> = known().keys().map(|key| key.name.to_owned()).collect();
        let asked = asked.lock().unwrap();
        let unread: Vec<_> = listed.difference(&asked).collect();
        assert!(unread.is_empty(), "nobody reads {unread:?}");
        let unlisted: Vec<_> = asked.difference(&listed).collect();
        assert!(unlisted.is_empty(), "nobody can set {unlisted:?}");
    }

    #[test]
    fn a_setting_stands_in_one_list() {
        let known = known();
        let names: BTreeSet<_> = known.keys().map(|key| key.name).collect();
        assert_eq!(names.len(), known.keys().count());
    }
}
