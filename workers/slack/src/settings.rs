//! What this worker is told: where to post, how fast, and how messages are written.

use std::num::NonZeroU32;
use std::time::Duration;

use platform::config::{ConfigError, Installation, Rate, Values};
use queue_topology::Unknown;
use secrecy::SecretString;
use url::Url;

use crate::message::Format;

const BASE_URL: &str = "https://slack.com/api";
/// Slack takes about one message a second in a channel.
const RATE: Rate = Rate { count: NonZeroU32::MIN, per: Duration::from_secs(1) };

pub struct Settings {
    /// Absent: Slack is off, and every call passes.
    pub destination: Option<Destination>,
    pub format: Format,
    /// Of messages in the channel.
    pub rate: Rate,
    /// What becomes of a message of which nobody knows whether the webhook took it: [`Unknown::Hold`], or
    /// [`Unknown::Resend`] where twice is better than never. A bot's messages can be found.
    pub unknown: Unknown,
}

pub enum Destination {
    /// The whole address is the secret.
    Webhook { url: SecretString },
    Bot {
        token: SecretString,
        /// Its id (`C0123`) or name (`#calls`).
        channel: String,
        base: Url,
    },
}

impl Settings {
    pub fn read(values: &Values, installation: &Installation) -> Result<Self, ConfigError> {
        Ok(Self {
            destination: Destination::read(values)?,
            format: Format { lines: installation.lines.clone(), timezone: installation.timezone },
            rate: values.rate("SLACK_RATE")?.unwrap_or(RATE),
            unknown: Unknown::policy(values, "SLACK_UNKNOWN")?,
        })
    }
}

impl Destination {
    /// A bot token with its channel comes before a webhook: its messages can be threaded and updated.
    fn read(values: &Values) -> Result<Option<Self>, ConfigError> {
        let webhook = values
            .secret("SLACK_WEBHOOK_URL")
            .map(|url| values.url("SLACK_WEBHOOK_URL", "").map(|_| Self::Webhook { url }));
        match (values.secret("SLACK_BOT_TOKEN"), values.text("SLACK_CHANNEL")) {
            (Some(token), Some(channel)) => {
                let base = values.url("SLACK_BASE_URL", BASE_URL)?;
                Ok(Some(Self::Bot { token, channel, base }))
            }
            (Some(_), None) if webhook.is_none() => Err(ConfigError::new(
                "SLACK_CHANNEL",
                "is missing: SLACK_BOT_TOKEN needs a channel to post to",
            )),
            _ => webhook.transpose(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Settings, ConfigError> {
        let values = Values::of(pairs);
        Settings::read(&values, &Installation::read(&values)?)
    }

    fn complaint<const N: usize>(pairs: [(&str, &str); N]) -> String {
        read(pairs).err().expect("a complaint").to_string()
    }

    #[test]
    fn with_nothing_set_slack_is_off() {
        let settings = read([]).unwrap();
        assert!(settings.destination.is_none());
        assert_eq!((settings.rate.every(), settings.unknown), (Duration::from_secs(1), Unknown::Hold));
    }

    #[test]
    fn messages_are_written_as_the_installation_says() {
        let values = Values::of([("SUPPORT_NUMBER", "+442079460123"), ("DEBRIEF_TIMEZONE", "Asia/Kolkata")]);
        let installation = Installation::read(&values).unwrap();
        let Settings { format, .. } = Settings::read(&values, &installation).unwrap();
        assert_eq!((format.lines, format.timezone), (installation.lines, installation.timezone));
    }

    #[test]
    fn a_bot_comes_before_a_webhook_and_needs_its_channel() {
        let (token, url) = (("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_WEBHOOK_URL", "https://hooks.example/x"));
        let both = read([token, url, ("SLACK_CHANNEL", "C1")]).unwrap();
        assert!(matches!(both.destination, Some(Destination::Bot { .. })));
        assert!(matches!(read([token, url]).unwrap().destination, Some(Destination::Webhook { .. })));
        assert!(complaint([token]).starts_with("SLACK_CHANNEL: "));
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert!(complaint([("SLACK_UNKNOWN", "maybe")]).starts_with("SLACK_UNKNOWN: "));
        assert!(complaint([("SLACK_RATE", "often")]).starts_with("SLACK_RATE: "));
        let wrong = complaint([("SLACK_WEBHOOK_URL", "hooks.example/secret")]);
        assert!(wrong.starts_with("SLACK_WEBHOOK_URL: ") && !wrong.contains("secret"), "{wrong}");
    }
}
