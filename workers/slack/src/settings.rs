//! The settings of this worker: where it posts, and how it writes messages.

use platform::config::{ConfigError, Installation, Values};
use providers::Slots;
use providers::chat::slack::Slack;
use queue_topology::Unknown;

use crate::message::Format;

pub struct Settings {
    /// `None` where Slack is off. Then the stage does nothing.
    pub slack: Option<Slack>,
    pub format: Format,
    /// What happens to a message when nobody knows whether the webhook took it. It is [`Unknown::Hold`], or
    /// [`Unknown::Resend`] for people who prefer two messages to none. A bot's messages can be found.
    pub unknown: Unknown,
}

impl Settings {
    /// Reads the settings. `slots` gives out the slots of the channel's rate limit.
    pub fn read(values: &Values, installation: &Installation, slots: &Slots) -> Result<Self, ConfigError> {
        Ok(Self {
            slack: Slack::from_values(values, slots)?,
            format: Format { lines: installation.lines.clone(), timezone: installation.timezone },
            unknown: Unknown::policy(values, "SLACK_UNKNOWN")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let values = Values::of(pairs.iter().copied());
        Settings::read(&values, &Installation::read(&values)?, &Slots::of_this_process())
    }

    #[test]
    fn with_nothing_set_slack_is_off() {
        let settings = read(&[]).unwrap();
        assert!(settings.slack.is_none());
        assert_eq!(settings.unknown, Unknown::Hold);
    }

    #[test]
    fn messages_are_written_as_the_installation_says() {
        let pairs = [("SUPPORT_NUMBER", "+442079460123"), ("DEBRIEF_TIMEZONE", "Asia/Kolkata")];
        let installation = Installation::read(&Values::of(pairs)).unwrap();
        let Settings { format, .. } = read(&pairs).unwrap();
        assert_eq!((format.lines, format.timezone), (installation.lines, installation.timezone));
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert_eq!(read(&[("SLACK_UNKNOWN", "maybe")]).err().unwrap().name, "SLACK_UNKNOWN");
    }
}
