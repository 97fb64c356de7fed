//! Exotel gives out its recordings to a client with an API key and a token.

use domain::refusal::Refusal;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::Group;
use platform::config::keys::secret;
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
    make: |values, _| {
        let credentials = values.text("EXOTEL_API_KEY").zip(values.secret("EXOTEL_API_TOKEN"));
        Ok(credentials.map(|(user, password)| Credential {
            hosts: HOSTS.map(str::to_owned).to_vec(),
            user,
            password,
        }))
    },
};

impl Check for Credential {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        let why = "its credentials are tried when a recording is fetched";
        std::future::ready(Ok(Checked::Untried { why })).boxed()
    }
}
