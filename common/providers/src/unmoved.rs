//! The settings of providers whose clients still stand in the workers.

use platform::config::Group;
use platform::config::keys::{plain, secret};

pub(crate) static GROUPS: [Group; 3] = [
    Group {
        title: "Slack: an incoming webhook, or a bot token with a channel",
        keys: &[
            secret("SLACK_WEBHOOK_URL", "The incoming webhook's address."),
            secret("SLACK_BOT_TOKEN", "A bot's token (xoxb-…): long transcripts then go to the thread."),
            plain(
                "SLACK_CHANNEL",
                "",
                "The channel, for the bot token, by its id (C0123456789). By a name (#calls) the bot can also post, \
                 and needs channels:read (groups:read for a private channel) to find its messages again.",
            ),
            plain("SLACK_BASE_URL", "https://slack.com/api", "Its address."),
            plain("SLACK_RATE", "1/s", "Messages to one channel in a time, such as 1/s or 30/m."),
            plain(
                "SLACK_UNKNOWN",
                "hold",
                "What becomes of a message that an incoming webhook may have taken: hold (until a person decides) or \
                 resend. With a bot token the channel's history says whether it is there (scope channels:history).",
            ),
        ],
    },
    Group {
        title: "CRM: Salesforce",
        keys: &[
            plain(
                "SALESFORCE_LOGIN_URL",
                "https://login.salesforce.com",
                "Where tokens come from; the org's own address for client credentials.",
            ),
            secret(
                "SALESFORCE_CONSUMER_KEY",
                "Turns Salesforce on: the connected app. With its secret alone: client credentials.",
            ),
            secret("SALESFORCE_CONSUMER_SECRET", "The connected app's secret."),
            plain("SALESFORCE_USERNAME", "", "A user, with SALESFORCE_PASSWORD or SALESFORCE_JWT_KEY."),
            secret("SALESFORCE_PASSWORD", "The user's password, with the security token behind it."),
            secret("SALESFORCE_JWT_KEY", "The private key (PEM) whose certificate the connected app knows."),
            plain(
                "SALESFORCE_RATE",
                "",
                "Contacts looked up and written in a time, such as 1000/h; each takes two or three requests. Absent: no \
                 limit.",
            ),
        ],
    },
    Group {
        title: "CRM: the call-data API",
        keys: &[
            plain("CRM_AUTO_UPLOAD", "false", "true: every finished call goes there."),
            plain("CRM_UPLOAD_URL", "", "The whole address that calls are posted to."),
            plain("CRM_CAMPAIGN_ID", "", "What the API knows the campaign by,"),
            plain("CRM_VOICE_AGENT_ID", "", "the voice agent"),
            plain("CRM_CLIENT_ID", "", "and the client."),
            plain(
                "CRM_DEFAULT_CALLER_PHONE",
                "",
                "The caller's number, in quotes, for calls that have none.",
            ),
            plain("CRM_RATE", "", "Calls posted to it in a time, such as 5/s. Absent: no limit."),
            plain(
                "CRM_UNKNOWN",
                "hold",
                "A call of which nobody can say whether it arrived: hold (until a person decides) or resend.",
            ),
        ],
    },
];
