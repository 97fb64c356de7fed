//! Describes settings: their names, their defaults, what they do and whether they are secrets.
//!
//! Each part of Debrief lists its own settings, and the program joins the lists into one [`Known`]. The loader
//! accepts the settings of this list. The commented file of [`Known::defaults`] and the nearest name in an error come
//! from it too. The defaults in a list are for the documentation. The code that reads a setting applies the default
//! itself, because it can matter whether the setting was given at all. For example, an address without a key means a
//! local model.

use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name of the environment variable. In `debrief.toml` the setting has the same name in lower case.
    pub name: &'static str,
    /// The value that holds when the setting is absent. It is empty where absence has a meaning of its own.
    pub default: &'static str,
    pub about: &'static str,
    /// Whether the setting is a secret. A secret is never shown, and can also be given as `NAME_FILE`, the path of a
    /// file that holds it. An address that may contain a password is a secret.
    pub secret: bool,
}

/// Settings that belong together.
#[derive(Debug)]
pub struct Group {
    pub title: &'static str,
    pub keys: &'static [Key],
}

pub const fn plain(name: &'static str, default: &'static str, about: &'static str) -> Key {
    Key { name, default, about, secret: false }
}

pub const fn secret(name: &'static str, about: &'static str) -> Key {
    Key { name, default: "", about, secret: true }
}

/// Every setting that a program takes, in the order in which they are documented.
#[derive(Clone, Debug)]
pub struct Known(Vec<&'static Group>);

impl Known {
    /// Joins the settings of the core and, behind them, the settings of `others`.
    pub fn with(others: impl IntoIterator<Item = &'static Group>) -> Self {
        Self(CORE.iter().chain(others).collect())
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &'static Group> + '_ {
        self.0.iter().copied()
    }

    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + '_ {
        self.0.iter().flat_map(|group| group.keys)
    }

    pub fn find(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    /// Finds the name of a setting that is most like `name`.
    pub fn nearest(&self, name: &str) -> &'static str {
        self.keys().min_by_key(|key| strsim::damerau_levenshtein(key.name, name)).map_or("", |key| key.name)
    }

    /// Writes a complete `debrief.toml` in which every setting is commented out and has its default.
    pub fn defaults(&self) -> String {
        let mut file = String::from(
            "# Every setting of Debrief, with its default. An empty value is as if the line were absent.\n\
             # Each can be given here or as an environment variable of the same name in capitals, which wins.\n\
             # A secret can also be given as NAME_FILE (here: name_file), the path of a file that holds it.\n\
             # Durations read 200ms, 5s, 2m, 1h.\n",
        );
        for group in &self.0 {
            section(&mut file, group).unwrap_or_else(|_| unreachable!("writing to a string cannot fail"));
        }
        file
    }
}

fn section(file: &mut String, group: &Group) -> std::fmt::Result {
    writeln!(file, "\n# ---- {}", group.title)?;
    for key in group.keys {
        let kind = if key.secret { " (secret)" } else { "" };
        writeln!(file, "\n# {}{kind}", key.about)?;
        let name = key.name.to_ascii_lowercase();
        // Numbers and flags are written without quotes.
        if key.default.parse::<u64>().is_ok() || key.default.parse::<bool>().is_ok() {
            writeln!(file, "#{name} = {}", key.default)?;
        } else {
            writeln!(file, "#{name} = \"{}\"", key.default)?;
        }
    }
    Ok(())
}

/// The settings of the core. Every deployment has them, with any providers.
pub const CORE: &[Group] = &[
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
            plain(
                "BLOB_URL",
                "",
                "Where recordings and large documents are kept: s3://bucket/prefix. Absent: the data folder. See docs/recordings.md.",
            ),
            secret("AWS_ACCESS_KEY_ID", "The account that may use the bucket of BLOB_URL."),
            secret("AWS_SECRET_ACCESS_KEY", "The secret of that account."),
            plain("AWS_REGION", "us-east-1", "The region of the bucket."),
            plain(
                "AWS_ENDPOINT",
                "",
                "The server that keeps the bucket, such as https://minio.example.com:9000. Absent: S3 itself.",
            ),
            plain(
                "BLOB_REDIRECT",
                "true",
                "Whether a reader of a recording is sent to the bucket. false: the recording goes through Debrief, because the \
                 reader cannot reach the bucket.",
            ),
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
            plain(
                "DEBRIEF_FETCH_TIMEOUT",
                "20m",
                "How long the fetch of one recording may take, from 1s to 25m.",
            ),
            plain(
                "DEBRIEF_FETCH_MIN_KB_PER_S",
                "4",
                "The slowest rate at which a recording's host may send, over 30 seconds, in kilobytes of 1024 bytes per second. \
                 0: as slowly as it likes.",
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
                "DEBRIEF_MAX_MEMORY",
                "",
                "The memory that the work in hand of one process may take, such as 512MB or 2GB. Work above it waits. Absent: half \
                 of what the process may have (the limit of its cgroup or of its address space, else the machine's memory).",
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
        title: "Agents, and which telephone calls are transcribed",
        keys: &[
            plain(
                "AGENTS_FILE",
                "",
                "The file of our own people: JSON, or CSV with phone,name,slack_handle,email,department,team. See \
                 docs/telephony.md.",
            ),
            plain(
                "DEPARTMENTS",
                "ALL",
                "The departments whose telephone calls are transcribed, comma separated. ALL: those of every department.",
            ),
            plain(
                "MIN_DURATION",
                "",
                "The length that a telephone call must have to be transcribed, such as 10s. Absent: any.",
            ),
            plain(
                "DIRECTIONS",
                "",
                "The directions of the telephone calls that are transcribed: incoming, outgoing. Absent: both.",
            ),
        ],
    },
    Group {
        title: "Live calls",
        keys: &[
            plain(
                "LIVE_END_AFTER",
                "5m",
                "A live session that nobody ends ends by itself after so long a silence.",
            ),
            plain(
                "LIVE_GAP",
                "10s",
                "How long a live session waits for a piece of audio that is missing. Then the call goes on and names the piece.",
            ),
            plain(
                "TRACKERS_FILE",
                "",
                "Phrases that an agent is told of when somebody says them: a JSON object of lists, by the name of what they \
                 stand for. Absent: a short list of our own.",
            ),
            plain(
                "CARDS_DIR",
                "",
                "A folder of Markdown notes. Those that fit what is said in a live call are shown to the agent. Absent: none.",
            ),
            plain(
                "LIVE_MODEL_EVERY",
                "15s",
                "The shortest time between two questions to the model about what is said in a live call. 1s at least.",
            ),
            plain(
                "LIVE_MODEL",
                "true",
                "Whether the model, where one is configured, advises the agent while a call is spoken.",
            ),
        ],
    },
    Group {
        title: "Scores",
        keys: &[plain(
            "SCORECARDS",
            "",
            "The criteria by which every call is judged after its analysis, comma separated: sales, meddicc, bant, spin, or paths of \
             JSON files. Absent: only practice meetings are judged. See docs/practice.md.",
        )],
    },
    Group {
        title: "Logs, traces and metrics",
        keys: &[
            plain(
                "DEBRIEF_METRICS_BIND",
                "",
                "An address of its own for /metrics, /health and /ready, such as 0.0.0.0:9090, where no key is needed. Absent: \
                 only on PORT, where /metrics needs the key.",
            ),
            plain("RUST_LOG", "info", "What is logged, as tracing-subscriber's filter reads it."),
            secret(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "Where traces go, over OTLP/HTTP, such as http://localhost:4318. Absent: nowhere.",
            ),
        ],
    },
];
