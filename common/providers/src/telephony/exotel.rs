//! Exotel gives out its recordings to a client with an API key and a token.

use domain::refusal::Refusal;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::keys::secret;
use platform::config::{ConfigError, Group, Values};
use platform::fetch::Credential;

use crate::descriptor::{Check, Checked, Descriptor};

/// The domains whose hosts hold the recordings. The credentials are sent only to these hosts.
const HOSTS: [&str; 3] = ["exotel.com", "*.exotel.com", "*.exotel.in"];

pub static DESCRIPTOR: Descriptor<Credential> = Descriptor {
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
    make: |values, _| credential(values),
};

/// Reads the credentials. One without the other is a mistake: every recording would be refused later.
fn credential(values: &Values) -> Result<Option<Credential>, ConfigError> {
    const KEY: &str = "EXOTEL_API_KEY";
    const TOKEN: &str = "EXOTEL_API_TOKEN";
    let missing = |name: &str, given: &str| {
        Err(ConfigError::new(name, format!("{given} is set, so this must be set too")))
    };
    match (values.text(KEY), values.secret(TOKEN)) {
        (Some(user), Some(password)) => {
            Ok(Some(Credential { hosts: HOSTS.map(str::to_owned).to_vec(), user, password }))
        }
        (Some(_), None) => missing(TOKEN, KEY),
        (None, Some(_)) => missing(KEY, TOKEN),
        (None, None) => Ok(None),
    }
}

impl Check for Credential {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        let why = "its credentials are tried when a recording is fetched";
        std::future::ready(Ok(Checked::Untried { why })).boxed()
    }
}
