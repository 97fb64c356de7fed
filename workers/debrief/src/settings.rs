//! Collects every setting that this program takes: the settings of the core, and the settings that each provider
//! lists.

use platform::config::Known;

pub(crate) fn known() -> Known {
    Known::with(providers::settings())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use platform::config::{Misspelling, Values};

    use super::*;
    use crate::commands::check;

    /// Settings that turn every part on, so that every part reads all of its settings.
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

    /// Variables that programs, shells, containers, clouds and build systems set. None of them is a misspelt setting
    /// of ours.
    const OF_OTHERS: &str = include_str!("../tests/samples/environment.txt");

    #[test]
    fn a_slip_of_the_hand_is_noticed_and_the_setting_that_was_meant_is_named() {
        for (name, meant) in [
            ("SLACK_WEBHOK_URL", "SLACK_WEBHOOK_URL"),
            ("SLACK_WEB_HOOK_URL", "SLACK_WEBHOOK_URL"),
            ("SLACK-WEBHOOK-URL", "SLACK_WEBHOOK_URL"),
            ("slack_webhook_url", "SLACK_WEBHOOK_URL"),
            ("SLACK_WEBHOOK_URI", "SLACK_WEBHOOK_URL"),
            ("SLAK_WEBHOK_URL", "SLACK_WEBHOOK_URL"),
            ("SLACK_WEBHOK_URL_FILE", "SLACK_WEBHOOK_URL_FILE"),
            ("OPENAI_API_KEYS", "OPENAI_API_KEY"),
            ("OPEN_AI_API_KEY", "OPENAI_API_KEY"),
            ("OPENIA_API_KEY", "OPENAI_API_KEY"),
            ("ASSEMBLY_AI_API_KEY", "ASSEMBLYAI_API_KEY"),
            ("ASSEMBYAI_API_KEY", "ASSEMBLYAI_API_KEY"),
            ("DEBREIF_API_KEY", "DEBRIEF_API_KEY"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("AMPQ_URL", "AMQP_URL"),
            ("REDDIS_URL", "REDIS_URL"),
            ("SUPPORT_NUMBERS", "SUPPORT_NUMBER"),
            ("SALESFORCE_CONSUMER_SECERT", "SALESFORCE_CONSUMER_SECRET"),
        ] {
            assert_eq!(
                Misspelling::of(&known(), name).map(|found| found.meant).as_deref(),
                Some(meant),
                "{name}"
            );
        }
    }

    #[test]
    fn what_belongs_to_others_is_none_of_our_business() {
        let names: Vec<&str> = OF_OTHERS.split_whitespace().collect();
        assert!(names.len() > 400, "{}", names.len());
        for name in names {
            assert_eq!(Misspelling::of(&known(), name).filter(|_| known().find(name).is_none()), None);
        }
    }

    #[test]
    fn every_setting_of_some_length_is_noticed_with_a_letter_missing_and_with_one_twice() {
        let letters = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).count();
        for key in known().keys().filter(|key| letters(key.name) > 7) {
            let end = key.name.len() - 1;
            let shorter = &key.name[..end];
            let longer = format!("{}{}", key.name, &key.name[end..]);
            for name in [shorter, &longer] {
                let found =
                    Misspelling::of(&known(), name).unwrap_or_else(|| panic!("{name} is not noticed"));
                assert_eq!(found.name, name);
                assert!(known().find(&found.meant).is_some(), "{found}");
            }
        }
    }

    #[test]
    fn the_warning_names_both_and_shows_no_value() {
        let said = Misspelling::of(&known(), "SLACK_WEBHOK_URL").unwrap().to_string();
        assert_eq!(
            said,
            "SLACK_WEBHOK_URL: is not a setting and has no effect; is `SLACK_WEBHOOK_URL` meant?"
        );
    }
}
