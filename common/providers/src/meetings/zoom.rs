//! Zoom: a client of its API, and what its webhooks are checked with.
//!
//! The webhook needs the secret token of the app. Without more, a recording is fetched with the token that its webhook
//! brings, which ends after a day. With the credentials of a server-to-server app, recordings are found again, old
//! recordings are listed, and the names of the participants are known.

pub mod api;
mod holder;
mod oauth;
pub mod recording;
pub mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::refusal::{Code, Codes, Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Group, Values};
use secrecy::SecretString;

pub use api::Api;

use crate::descriptor::{Check, Checked, Descriptor};
use crate::recordings::RecordingHolder;
use crate::slots::Slots;

/// The name of the source of the calls.
pub const NAME: &str = "zoom";
const BASE_URL: &str = "https://api.zoom.us/v2";
/// Half of what the smallest paid plan allows for the requests that we send.
const RATE: &str = "10/s";
const SECRET_TOKEN: &str = "ZOOM_WEBHOOK_SECRET_TOKEN";
const ACCOUNT_ID: &str = "ZOOM_ACCOUNT_ID";
const CLIENT_ID: &str = "ZOOM_CLIENT_ID";
const CLIENT_SECRET: &str = "ZOOM_CLIENT_SECRET";

/// What the app has to be allowed, as Zoom names it today and as it named it before. Each is followed by what does not
/// work without it.
pub const SCOPES: [(&str, &str, &str); 4] = [
    (
        "cloud_recording:read:list_recording_files:admin",
        "recording:read:admin",
        "recordings cannot be found again when their token has ended",
    ),
    (
        "cloud_recording:read:list_user_recordings:admin",
        "recording:read:admin",
        "`debrief import --zoom` cannot list recordings",
    ),
    (
        "user:read:list_users:admin",
        "user:read:admin",
        "`debrief import --zoom` sees the recordings of one user only",
    ),
    (
        "meeting:read:list_past_participants:admin",
        "meeting:read:admin",
        "the participants of meetings are not known",
    ),
];

pub(crate) static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: "Zoom",
    advice: "check ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET, and the scopes of the app",
    codes: Codes {
        unreachable: Code::new("zoom_unreachable"),
        no_answer: Code::new("zoom_failed"),
        too_long: Code::new("zoom_answer_too_long"),
        account: Code::new("zoom_refuses_account"),
        throttled: Code::new("zoom_throttled"),
        failed: Code::new("zoom_failed"),
        refused: Code::new("zoom_refused"),
    },
    default_wait: Duration::from_secs(2),
};

pub static DESCRIPTOR: Descriptor<Arc<dyn RecordingHolder>> = Descriptor {
    name: NAME,
    service: Some(NAME),
    key: SECRET_TOKEN,
    settings: Group {
        title: "Meetings: Zoom",
        keys: &[
            secret(SECRET_TOKEN, "The secret token of the app. Its webhooks are taken only with it."),
            plain(
                ACCOUNT_ID,
                "",
                "The account of a server-to-server app, which finds recordings and participants.",
            ),
            plain(CLIENT_ID, "", "Goes with the account."),
            secret(CLIENT_SECRET, "Goes with the account."),
            plain("ZOOM_BASE_URL", BASE_URL, "The address of the API."),
            plain("ZOOM_RATE", RATE, "Requests to the API in a time, such as 5/s, 100/m or 1000/h."),
        ],
    },
    make: |values, slots| {
        Ok(Zoom::from_values(values, slots)?.map(|zoom| Arc::new(zoom) as Arc<dyn RecordingHolder>))
    },
};

/// What is configured of Zoom.
#[derive(Clone)]
pub struct Zoom {
    /// The secret token with which webhooks are signed.
    pub secret: Option<SecretString>,
    /// The API. `None` where there are no credentials for it.
    pub api: Option<Arc<Api>>,
}

impl Zoom {
    /// Reads the settings. `None` where neither the webhook nor the API is configured. A part of the credentials
    /// without the rest is a mistake.
    pub fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let base = values.url("ZOOM_BASE_URL", BASE_URL)?;
        let rate = values.rate("ZOOM_RATE")?.or_else(|| RATE.parse().ok());
        let secret = values.secret(SECRET_TOKEN);
        let (account, client, password) =
            (values.text(ACCOUNT_ID), values.text(CLIENT_ID), values.secret(CLIENT_SECRET));
        let api = match (account, client, password) {
            (Some(account), Some(client), Some(password)) => {
                let limiter = slots.limiter(NAME, "ZOOM_RATE", rate);
                Some(Arc::new(Api::new(base, oauth::Credentials { account, client, password }, limiter)))
            }
            (None, None, None) => None,
            (account, client, _) => {
                let missing = match (account, client) {
                    (None, _) => ACCOUNT_ID,
                    (_, None) => CLIENT_ID,
                    _ => CLIENT_SECRET,
                };
                let problem =
                    "the account, the client's id and the client's secret belong together: set all three";
                return Err(ConfigError::new(missing, problem));
            }
        };
        Ok((secret.is_some() || api.is_some()).then_some(Self { secret, api }))
    }
}

/// The secret token of the configuration. `None` where no webhook is taken.
pub fn webhook_secret(values: &Values) -> Option<SecretString> {
    values.secret(SECRET_TOKEN)
}

impl Check for Zoom {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            let Some(api) = &self.api else {
                return Ok(Checked::Untried {
                    why: "only its webhook is configured, and nothing is asked of it",
                });
            };
            let granted = api.scopes().await?;
            Ok(Checked::Reached { notes: missing_scopes(&granted) })
        }
        .boxed()
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.secret.is_none() {
            remarks.push(format!("{SECRET_TOKEN} is not set, so no webhook of Zoom is taken"));
        }
        if self.api.is_none() {
            remarks.push(format!(
                "{ACCOUNT_ID} is not set, so a recording whose token has ended cannot be fetched, and participants are \
                 not known"
            ));
        }
        remarks
    }
}

/// Says what does not work, because the app has not been allowed it.
fn missing_scopes(granted: &[String]) -> Vec<String> {
    let has = |scope: &str| granted.iter().any(|known| known == scope);
    let missing = SCOPES.iter().filter(|(now, before, _)| !has(now) && !has(before));
    missing.map(|(now, _, without)| format!("the app has no scope {now}, so {without}")).collect()
}
