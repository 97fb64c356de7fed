//! Every setting there is: its name, its default, what it does and whether it is a secret.
//!
//! The one list of them. What the loader knows, the commented file of [`defaults`] and the nearest name in an
//! error all come from it. The defaults here are what is documented; the crate that reads a setting applies
//! it, because whether a setting was given at all can matter (an address without a key is a local model).

use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The environment variable. In `debrief.toml` it is the same name in lower case.
    pub name: &'static str,
    /// What holds when the setting is absent; empty where absence means something of its own.
    pub default: &'static str,
    pub about: &'static str,
    /// Never shown, and can also be given as `NAME_FILE`, the path of a file that holds it. Addresses that
    /// may carry a password are secrets.
    pub secret: bool,
}

/// Settings that are read together.
#[derive(Debug)]
pub struct Group {
    pub title: &'static str,
    pub keys: &'static [Key],
}

const fn plain(name: &'static str, default: &'static str, about: &'static str) -> Key {
    Key { name, default, about, secret: false }
}

const fn secret(name: &'static str, about: &'static str) -> Key {
    Key { name, default: "", about, secret: true }
}

pub const KEYS: &[Group] = &[
    Group {
        title: "Where things are kept",
        keys: &[
            plain(
                "DEBRIEF_DATA_DIR",
                "debrief-data",
                "The folder of the embedded store and queue, and of blobs. One process at a time holds it.",
            ),
            secret(
                "DATABASE_URL",
                "PostgreSQL: postgres://user:password@host/database. Absent: SQLite in the data folder.",
            ),
            secret(
                "AMQP_URL",
                "RabbitMQ: amqp://user:password@host/vhost. Needs DATABASE_URL. Absent: the queue is in the data folder.",
            ),
            secret(
                "REDIS_URL",
                "Redis, for the cache and for rate limits that several processes share. Absent: each process has its own.",
            ),
            plain("BLOB_URL", "", "Where recordings and large documents are kept. Absent: the data folder."),
            plain(
                "DEBRIEF_QUEUE_PREFIX",
                "debrief",
                "What the names of queues and exchanges begin with, so that installations can share a broker.",
            ),
            secret(
                "RABBITMQ_MANAGEMENT_URL",
                "RabbitMQ's management API, with user and password; only `debrief topology` needs it, for policies.",
            ),
        ],
    },
    Group {
        title: "HTTP",
        keys: &[
            plain("PORT", "8000", "The port that this process listens on."),
            plain(
                "DEBRIEF_BIND",
                "",
                "The address it listens on. Without DEBRIEF_API_KEY or DEBRIEF_WEBHOOK_KEY that is loopback, and can be nothing \
                 else.",
            ),
            plain(
                "DEBRIEF_PUBLIC_URL",
                "",
                "Our own address as providers see it, for their webhooks. Absent: they are polled.",
            ),
            secret(
                "DEBRIEF_API_KEY",
                "The key that may do everything in the workspace `default`, sent as a bearer token. Other keys are made with \
                 `debrief keys create`.",
            ),
            secret("DEBRIEF_WEBHOOK_KEY", "A key that can only bring calls in, to the workspace `default`."),
            plain(
                "DEBRIEF_RATE_LIMIT",
                "",
                "Requests that one key may make, such as 20/s. Absent: as many as it likes.",
            ),
            plain(
                "DEBRIEF_MAX_REQUESTS",
                "256",
                "Requests that bring calls in, at once; what comes on top is answered 503. Uploads have an eighth as \
                 many places of their own.",
            ),
            plain(
                "DEBRIEF_MAX_CONNECTIONS",
                "800",
                "Connections at once; what comes on top is answered 503 and closed. Each is a file that the process \
                 has open, and many systems allow 1024.",
            ),
            plain("DEBRIEF_MAX_UPLOAD_MB", "2048", "The largest recording taken, uploaded or fetched."),
            plain(
                "CORS_ORIGINS",
                "",
                "Origins whose pages may call the API from a browser, comma separated.",
            ),
            plain(
                "DEBRIEF_ALLOW_PRIVATE_FETCH",
                "false",
                "Addresses in private networks that recordings may come from: true (all), or host:port, comma separated.",
            ),
            secret(
                "DEBRIEF_SEAL_KEY",
                "Seals the addresses and tokens that arrive with calls. 64 hexadecimal digits, the same in every \
                 process of an installation. Absent: made once and kept in the store.",
            ),
        ],
    },
    Group {
        title: "Work",
        keys: &[
            plain(
                "DEBRIEF_RETRY_SCHEDULE",
                "5s,30s,2m,10m,1h,6h",
                "How long to wait after each failed attempt. Past its end the last repeats.",
            ),
            plain("DEBRIEF_MAX_ATTEMPTS", "7", "Attempts before a stage gives a call up as dead."),
            plain(
                "DEBRIEF_LEASE",
                "30s",
                "How long a process that shows no sign of life keeps the work it has begun.",
            ),
            plain(
                "DEBRIEF_DRAIN_TIMEOUT",
                "25s",
                "How long a process that is asked to stop may take to finish.",
            ),
            plain(
                "DEBRIEF_TIMEZONE",
                "UTC",
                "Times that arrive without an offset are in this zone, by its IANA name.",
            ),
            plain(
                "DEBRIEF_REGION",
                "",
                "Phone numbers without a country code are of this country (two letters). Absent: the country of the \
                 first support number written with +, else IN.",
            ),
            plain(
                "SUPPORT_NUMBER",
                "",
                "Our own numbers, in quotes, comma separated; a call from one of them is outgoing.",
            ),
        ],
    },
    Group {
        title: "Logs and traces",
        keys: &[
            plain("RUST_LOG", "info", "What is logged, as tracing-subscriber's filter reads it."),
            plain("OTEL_EXPORTER_OTLP_ENDPOINT", "", "Where traces go, over OTLP/HTTP. Absent: nowhere."),
        ],
    },
    Group {
        title: "Speech to text: AssemblyAI, Deepgram, ElevenLabs",
        keys: &[
            secret("ASSEMBLYAI_API_KEY", "Turns AssemblyAI on."),
            plain("ASSEMBLYAI_BASE_URL", "https://api.assemblyai.com", "Its address."),
            plain(
                "ASSEMBLYAI_RATE",
                "",
                "Recordings handed over in a time, such as 5/s, 100/m or 1000/h; one counts once, however often it is \
                 asked for. Absent: no limit.",
            ),
            plain(
                "ASSEMBLYAI_POLL",
                "",
                "How often a transcript that is being made is asked for. Absent: every 3s at first, every 30s later.",
            ),
            secret(
                "ASSEMBLYAI_WEBHOOK_SECRET",
                "What its webhook must bring in a header. Absent: made from the API key. Used with DEBRIEF_PUBLIC_URL.",
            ),
            secret("DEEPGRAM_API_KEY", "Turns Deepgram on."),
            plain("DEEPGRAM_BASE_URL", "https://api.deepgram.com", "Its address."),
            secret("ELEVENLABS_API_KEY", "Turns ElevenLabs on."),
            plain("ELEVENLABS_BASE_URL", "https://api.elevenlabs.io", "Its address."),
        ],
    },
    Group {
        title: "Model: OpenAI, and whatever speaks its API (vLLM, llama.cpp, Ollama, whisper servers)",
        keys: &[
            secret("OPENAI_API_KEY", "Turns the model on. Absent: the built-in analyzer works."),
            plain("OPENAI_BASE_URL", "https://api.openai.com/v1", "Its address."),
            plain("OPENAI_MODEL", "gpt-4o-mini", "The model that analyses."),
            plain("OPENAI_TRANSCRIBE_MODEL", "", "The model that transcribes. Absent: none does."),
            plain("OPENAI_MAX_INPUT_TOKENS", "100000", "A transcript above it is analysed in parts."),
            plain(
                "OPENAI_RATE",
                "",
                "Requests to the model in a time, such as 100/m; a transcript in three parts is three. Absent: no limit.",
            ),
            plain("OPENAI_TIMEOUT", "2m", "How long one answer of the model may take."),
            plain(
                "OPENAI_PRICE_PROMPT",
                "",
                "US dollars for a million input tokens; needs OPENAI_PRICE_COMPLETION. Absent: no cost is recorded.",
            ),
            plain("OPENAI_PRICE_COMPLETION", "", "US dollars for a million output tokens."),
        ],
    },
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
            secret("SLACK_SIGNING_SECRET", "What Slack signs its requests to us with."),
            plain(
                "SLACK_UNKNOWN",
                "hold",
                "What becomes of a message that an incoming webhook may have taken: hold (until a person decides) or \
                 resend. With a bot token the channel's history says whether it is there (scope channels:history).",
            ),
        ],
    },
    Group {
        title: "Telephony and meetings: Exotel, Twilio, Zoom",
        keys: &[
            secret("EXOTEL_API_KEY", "Fetches recordings from Exotel."),
            secret("EXOTEL_API_TOKEN", "Goes with the key."),
            plain("EXOTEL_SID", "", "The account."),
            secret("ZOOM_WEBHOOK_SECRET_TOKEN", "Checks that a Zoom webhook is Zoom's."),
            plain("ZOOM_ACCOUNT_ID", "", "Server-to-server OAuth: the account,"),
            plain("ZOOM_CLIENT_ID", "", "the app"),
            secret("ZOOM_CLIENT_SECRET", "and its secret."),
            plain("ZOOM_BASE_URL", "https://api.zoom.us/v2", "Its address."),
            plain("TWILIO_ACCOUNT_SID", "", "The account."),
            secret("TWILIO_AUTH_TOKEN", "Checks that a Twilio webhook is Twilio's, and fetches recordings."),
            plain("TWILIO_BASE_URL", "https://api.twilio.com", "Its address."),
        ],
    },
    Group {
        title: "CRM: Salesforce, HubSpot, Zendesk",
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
            secret("HUBSPOT_ACCESS_TOKEN", "Turns HubSpot on."),
            plain("HUBSPOT_BASE_URL", "https://api.hubapi.com", "Its address."),
            plain("ZENDESK_BASE_URL", "", "https://<subdomain>.zendesk.com"),
            plain("ZENDESK_EMAIL", "", "Who the token belongs to."),
            secret("ZENDESK_API_TOKEN", "Turns Zendesk on."),
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

/// Settings that have a name already and no effect yet. Whoever gives one is told.
pub const NOT_YET: &[&str] = &[
    "DEEPGRAM_API_KEY",
    "DEEPGRAM_BASE_URL",
    "ELEVENLABS_API_KEY",
    "ELEVENLABS_BASE_URL",
    "OPENAI_TRANSCRIBE_MODEL",
    "SLACK_SIGNING_SECRET",
    "EXOTEL_SID",
    "ZOOM_WEBHOOK_SECRET_TOKEN",
    "ZOOM_ACCOUNT_ID",
    "ZOOM_CLIENT_ID",
    "ZOOM_CLIENT_SECRET",
    "ZOOM_BASE_URL",
    "TWILIO_ACCOUNT_SID",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_BASE_URL",
    "HUBSPOT_ACCESS_TOKEN",
    "HUBSPOT_BASE_URL",
    "ZENDESK_BASE_URL",
    "ZENDESK_EMAIL",
    "ZENDESK_API_TOKEN",
];

pub fn keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().flat_map(|group| group.keys)
}

pub fn find(name: &str) -> Option<&'static Key> {
    keys().find(|key| key.name == name)
}

/// A complete `debrief.toml` in which every setting is commented out and has its default.
pub fn defaults() -> String {
    let mut file = String::from(
        "# Every setting of Debrief, with its default. An empty value is as if the line were absent.\n\
         # Each can be given here or as an environment variable of the same name in capitals, which wins.\n\
         # A secret can also be given as NAME_FILE (here: name_file), the path of a file that holds it.\n\
         # Durations read 200ms, 5s, 2m, 1h.\n",
    );
    for group in KEYS {
        section(&mut file, group).unwrap_or_else(|_| unreachable!("writing to a string cannot fail"));
    }
    file
}

fn section(file: &mut String, group: &Group) -> std::fmt::Result {
    writeln!(file, "\n# ---- {}", group.title)?;
    for key in group.keys {
        let kind = if key.secret { " (secret)" } else { "" };
        let when = if NOT_YET.contains(&key.name) { " (has no effect yet)" } else { "" };
        writeln!(file, "\n# {}{kind}{when}", key.about)?;
        let name = key.name.to_ascii_lowercase();
        // Numbers and flags are written as such.
        if key.default.parse::<u64>().is_ok() || key.default.parse::<bool>().is_ok() {
            writeln!(file, "#{name} = {}", key.default)?;
        } else {
            writeln!(file, "#{name} = \"{}\"", key.default)?;
        }
    }
    Ok(())
}
