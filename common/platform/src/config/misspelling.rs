//! Finds the variables of the environment that are nearly settings of ours.
//!
//! The environment is everybody's, so a name that nobody here knows is no mistake by itself. A name counts as
//! misspelt where it is one of ours but for its capitals and underscores, or but for one slip of the hand: a letter
//! that is missing, doubled or added, or two neighbours that changed places. Another letter in the place of one is
//! more often another name (`ARM_CLIENT_ID`, `BLOG_URL`) than a slip, so it counts only in long names.

use std::iter::once;

use super::keys::{Key, keys};

/// A variable of the environment that is nearly a setting of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misspelling {
    /// As it stands in the environment.
    pub name: String,
    /// The setting that it is close to.
    pub meant: String,
}

impl std::fmt::Display for Misspelling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: is not a setting and has no effect; is `{}` meant?", self.name, self.meant)
    }
}

/// Shorter names (`PORT`) are close to too many others. Counted in letters and digits.
const SHORTEST: usize = 7;
/// From here on two slips, or another letter in the place of one, count too.
const LONG: usize = 14;

/// The setting that `name`, which is none, is close to.
pub(super) fn nearly_ours(name: &str) -> Option<Misspelling> {
    let squeezed = squeeze(name);
    let close = |ours: String| Some((distance(&squeezed, &squeeze(&ours))?, ours));
    let (_, meant) = keys().flat_map(names).filter_map(close).min_by_key(|(slips, _)| *slips)?;
    Some(Misspelling { name: name.to_owned(), meant })
}

/// The names by which a setting can be given.
fn names(key: &Key) -> impl Iterator<Item = String> {
    let in_file = key.secret.then(|| format!("{}_FILE", key.name));
    once(key.name.to_owned()).chain(in_file)
}

fn squeeze(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// How many slips lead from one of our names to the other; absent where it is another name altogether.
fn distance(name: &str, ours: &str) -> Option<usize> {
    if ours.len() < SHORTEST || name.chars().next() != ours.chars().next() {
        return None;
    }
    let slips = strsim::osa_distance(name, ours);
    let is_close = match slips {
        0 => true,
        1 => name.len() != ours.len() || same_letters(name, ours) || ours.len() >= LONG,
        2 => ours.len() >= LONG,
        _ => false,
    };
    is_close.then_some(slips)
}

fn same_letters(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(one) == sorted(other)
}

#[cfg(test)]
mod tests {
    use super::super::keys::find;
    use super::*;

    /// Variables that programs, shells, containers, clouds and build systems set, and that are close to ours at most
    /// by their kind.
    const OF_OTHERS: &str = include_str!("../../tests/samples/environment.txt");

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
            assert_eq!(nearly_ours(name).map(|found| found.meant).as_deref(), Some(meant), "{name}");
        }
    }

    #[test]
    fn what_belongs_to_others_is_none_of_our_business() {
        let names: Vec<&str> = OF_OTHERS.split_whitespace().collect();
        assert!(names.len() > 400, "{}", names.len());
        for name in names {
            assert_eq!(nearly_ours(name).filter(|_| find(name).is_none()), None);
        }
    }

    #[test]
    fn every_setting_of_some_length_is_noticed_with_a_letter_missing_and_with_one_twice() {
        for key in keys().filter(|key| squeeze(key.name).len() > SHORTEST) {
            let end = key.name.len() - 1;
            let shorter = &key.name[..end];
            let longer = format!("{}{}", key.name, &key.name[end..]);
            for name in [shorter, &longer] {
                let found = nearly_ours(name).unwrap_or_else(|| panic!("{name} is not noticed"));
                assert_eq!(found.name, name);
                assert!(find(&found.meant).is_some(), "{found}");
            }
        }
    }

    #[test]
    fn the_warning_names_both_and_shows_no_value() {
        let said = nearly_ours("SLACK_WEBHOK_URL").unwrap().to_string();
        assert_eq!(
            said,
            "SLACK_WEBHOK_URL: is not a setting and has no effect; is `SLACK_WEBHOOK_URL` meant?"
        );
    }
}
