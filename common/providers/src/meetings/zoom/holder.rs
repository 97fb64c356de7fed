//! Zoom as the holder of its recordings.
//!
//! The webhook of a recording brings its address and a token that opens it for a day. Where the token is missing or has
//! ended, the API is asked where the recording is now, and the token of the account opens it. A token goes to Zoom's
//! own hosts only, whatever address a webhook or a list names.

use std::time::Duration;

use domain::fault::Fault;
use domain::held_file::{HeldFile, Holder};
use domain::refusal::{Code, Refusal, Remote, Sent};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::fetch::Address;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::recording::{self, is_zooms};
use super::{ACCOUNT_ID, REMOTE, Zoom};
use crate::recordings::{Located, RecordingHolder};

/// The statuses after which a recording is looked for by the API: its token has ended, or it was moved.
const LOOK_BY_API: [u16; 4] = [401, 403, 404, 410];

impl RecordingHolder for Zoom {
    fn holder(&self) -> Holder {
        Holder::Zoom
    }

    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn locate<'a>(&'a self, file: &'a HeldFile) -> BoxFuture<'a, Result<Located, Refusal>> {
        async move {
            let token = file.value("token").map(SecretString::from);
            match (file.value("url"), token, &self.api) {
                (Some(url), Some(token), _) => Ok(self.at(url, &token)),
                // An address that the API has listed is opened by the token of the account.
                (Some(url), None, Some(api)) => Ok(self.at(url, api.bearer(None).await?.secret())),
                _ => self.by_api(file).await,
            }
        }
        .boxed()
    }

    fn locate_again<'a>(
        &'a self,
        file: &'a HeldFile,
        status: u16,
    ) -> BoxFuture<'a, Result<Option<Located>, Refusal>> {
        async move {
            if !LOOK_BY_API.contains(&status) || (self.api.is_none() && !matches!(status, 401 | 403)) {
                return Ok(None);
            }
            self.by_api(file).await.map(Some)
        }
        .boxed()
    }

    fn means_not_yet(&self, _status: u16) -> bool {
        false
    }

    fn patience(&self) -> Duration {
        Duration::from_hours(1)
    }
}

impl Zoom {
    async fn by_api(&self, file: &HeldFile) -> Result<Located, Refusal> {
        let Some(api) = &self.api else {
            return Err(Refusal {
                fault: Fault::Unavailable,
                code: Code::new("zoom_credentials_missing"),
                destination: REMOTE.destination.clone(),
                retry_after: None,
                sent: Sent::No,
                text: format!(
                    "failed to find a recording at Zoom: the token of its webhook is missing or has ended: set \
                     {ACCOUNT_ID}, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET"
                ),
            });
        };
        let Some(meeting) = file.value("meeting") else {
            return Ok(Located::Nothing { why: "its meeting is not known" });
        };
        let listed = api.recordings(meeting).await?;
        match recording::address_of(&listed, file.id()) {
            Some(url) => Ok(self.at(&url, api.bearer(None).await?.secret())),
            None => Ok(Located::Nothing { why: "Zoom does not keep this recording any more" }),
        }
    }

    /// The address with the token, which goes to Zoom's own hosts and to the server of the API.
    fn at(&self, url: &str, token: &SecretString) -> Located {
        let parsed = Url::parse(url).ok();
        let is_configured =
            parsed.as_ref().is_some_and(|url| self.api.as_ref().is_some_and(|api| api.is_at(url)));
        let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default();
        let is_trusted = is_configured || (is_zooms(host) && url.starts_with("https:"));
        let authorization = is_trusted.then(|| format!("Bearer {}", token.expose_secret()).into());
        Located::At(Address { url: url.to_owned(), authorization, is_configured })
    }
}
