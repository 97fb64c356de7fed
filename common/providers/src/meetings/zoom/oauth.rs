//! Gets a token for the account (server-to-server OAuth). A token lives for an hour, and there is none to renew it
//! with, so a new one is asked for.

use std::time::Duration;

use domain::refusal::{Failure, Refusal};
use platform::http;
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::{NAME, REMOTE};
use crate::requests::counted;

/// A token is not used in its last minute, because a request takes its time.
const BEFORE_ITS_END: Duration = Duration::from_mins(1);
/// How long a token lives whose answer does not say it.
const LIVES: u64 = 3600;

pub(super) struct Credentials {
    pub(super) account: String,
    pub(super) client: String,
    pub(super) password: SecretString,
}

#[derive(Clone)]
pub(super) struct Token {
    pub(super) access: SecretString,
    pub(super) scopes: Vec<String>,
    until: Instant,
}

pub(super) struct OAuth {
    address: Url,
    credentials: Credentials,
    /// The lock is held while a token is fetched, so that many requests at the same time fetch only one token.
    token: Mutex<Option<Token>>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
    #[serde(default)]
    scope: String,
}

impl OAuth {
    /// `base` is the address of the API.
    pub(super) fn new(base: &Url, credentials: Credentials) -> Self {
        Self { address: address(base), credentials, token: Mutex::new(None) }
    }

    /// Returns the token in use. A new token is fetched if there is none, if it has ended, or if `refused` is the token
    /// in use.
    pub(super) async fn token(&self, http: &Client, refused: Option<&Token>) -> Result<Token, Refusal> {
        let mut kept = self.token.lock().await;
        let refused = refused.map(|token| token.access.expose_secret());
        let usable =
            |token: &&Token| token.until > Instant::now() && Some(token.access.expose_secret()) != refused;
        if let Some(token) = kept.as_ref().filter(usable) {
            return Ok(token.clone());
        }
        *kept = None;
        let token = self.fetch(http).await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    async fn fetch(&self, client: &Client) -> Result<Token, Refusal> {
        let Credentials { account, client: id, password } = &self.credentials;
        let request = client
            .post(self.address.clone())
            .query(&[("grant_type", "account_credentials"), ("account_id", account)])
            .basic_auth(id, Some(password.expose_secret()));
        let answer = counted(NAME, http::send(request)).await.map_err(|error| {
            // Zoom answers 400 for an account or a client that it does not know.
            let failure = match error.failure(None) {
                Failure::Status { status: 400, retry_after, said } => {
                    Failure::Status { status: 401, retry_after, said }
                }
                other => other,
            };
            Refusal::of(&REMOTE, &failure).without_effect()
        })?;
        let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_| {
            let problem = "the answer to the sign-in is no token".to_owned();
            Refusal::of(&REMOTE, &Failure::Lost { problem }).without_effect()
        })?;
        let lives = Duration::from_secs(granted.expires_in.unwrap_or(LIVES).min(24 * LIVES));
        Ok(Token {
            access: granted.access_token.into(),
            scopes: granted.scope.split_whitespace().map(str::to_owned).collect(),
            until: Instant::now() + lives.saturating_sub(BEFORE_ITS_END),
        })
    }
}

/// The address at which a token is asked for. Zoom has it beside its API, not below it: `api.zoom.us` belongs to
/// `zoom.us`. Any other address is that of a proxy or of a test, which serves both.
fn address(base: &Url) -> Url {
    let mut address = base.clone();
    address.set_query(None);
    let host = base.host_str().unwrap_or_default();
    let path = if let Some(parent) = host.strip_prefix("api.").filter(|_| super::recording::is_zooms(host)) {
        if address.set_host(Some(parent)).is_err() {
            return address;
        }
        String::new()
    } else {
        base.path().trim_end_matches('/').trim_end_matches("/v2").to_owned()
    };
    address.set_path(&format!("{path}/oauth/token"));
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_beside_the_api() {
        for (base, wanted) in [
            ("https://api.zoom.us/v2", "https://zoom.us/oauth/token"),
            ("https://api.zoomgov.com/v2/", "https://zoomgov.com/oauth/token"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/oauth/token"),
            ("http://proxy.example.com/zoom/v2", "http://proxy.example.com/zoom/oauth/token"),
            ("https://api.example.com/v2", "https://api.example.com/oauth/token"),
        ] {
            assert_eq!(address(&base.parse().unwrap()).as_str(), wanted);
        }
    }
}
