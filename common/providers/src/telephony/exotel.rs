//! Exotel gives out its recordings to a client with an API key and a token.

use std::sync::Arc;
use std::time::Duration;

use domain::held_file::{HeldFile, Holder};
use domain::refusal::{Code, Codes, Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::keys::secret;
use platform::config::{ConfigError, Group, Values};
use platform::fetch::{Address, Credential};

use crate::descriptor::{Check, Checked, Descriptor};
use crate::recordings::{Located, RecordingHolder};

/// The domains whose hosts hold the recordings. The credentials are sent only to these hosts.
const HOSTS: [&str; 3] = ["exotel.com", "*.exotel.com", "*.exotel.in"];

pub static DESCRIPTOR: Descriptor<Arc<dyn RecordingHolder>> = Descriptor {
    name: "exotel",
    service: None,
    key: "EXOTEL_API_KEY",
    settings: Group {
        title: "Telephony: Exotel",
        keys: &[
            secret("EXOTEL_API_KEY", "Fetches recordings from Exotel."),
            secret("EXOTEL_API_TOKEN", "Goes with the key."),
        ],
    },
    make: |values, _| {
        Ok(Exotel::from_values(values)?.map(|exotel| Arc::new(exotel) as Arc<dyn RecordingHolder>))
    },
};

static REMOTE: Remote = Remote {
    destination: Destination::named("exotel"),
    title: "Exotel",
    advice: "check EXOTEL_API_KEY and EXOTEL_API_TOKEN",
    codes: Codes {
        unreachable: Code::new("exotel_unreachable"),
        no_answer: Code::new("exotel_failed"),
        too_long: Code::new("exotel_answer_too_long"),
        account: Code::new("exotel_refuses_account"),
        throttled: Code::new("exotel_throttled"),
        failed: Code::new("exotel_failed"),
        refused: Code::new("exotel_refused"),
    },
    default_wait: Duration::from_secs(30),
};

/// Exotel as the holder of its recordings.
#[derive(Debug)]
pub struct Exotel {
    credential: Credential,
}

impl Exotel {
    /// Reads the credentials. One without the other is a mistake: every recording would be refused later.
    pub fn from_values(values: &Values) -> Result<Option<Self>, ConfigError> {
        const KEY: &str = "EXOTEL_API_KEY";
        const TOKEN: &str = "EXOTEL_API_TOKEN";
        let missing = |name: &str, given: &str| {
            Err(ConfigError::new(name, format!("{given} is set, so this must be set too")))
        };
        match (values.text(KEY), values.secret(TOKEN)) {
            (Some(user), Some(password)) => {
                let credential = Credential { hosts: HOSTS.map(str::to_owned).to_vec(), user, password };
                Ok(Some(Self { credential }))
            }
            (Some(_), None) => missing(TOKEN, KEY),
            (None, Some(_)) => missing(KEY, TOKEN),
            (None, None) => Ok(None),
        }
    }
}

impl Check for Exotel {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        let why = "its credentials are tried when a recording is fetched";
        std::future::ready(Ok(Checked::Untried { why })).boxed()
    }
}

impl RecordingHolder for Exotel {
    fn holder(&self) -> Holder {
        Holder::Exotel
    }

    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn locate<'a>(&'a self, file: &'a HeldFile) -> BoxFuture<'a, Result<Located, Refusal>> {
        // The fetcher sends the credentials to Exotel's hosts by itself.
        let located = match file.value("url") {
            Some(url) => Located::At(Address::from_outside(url)),
            None => Located::Nothing { why: "Exotel named no address of a recording" },
        };
        std::future::ready(Ok(located)).boxed()
    }

    fn means_not_yet(&self, status: u16) -> bool {
        matches!(status, 403 | 404)
    }

    fn patience(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn credential(&self) -> Option<Credential> {
        Some(self.credential.clone())
    }
}
