//! Asks a short question at an address that came from outside, and reads the whole answer.
//!
//! The rules about addresses are those of files. No redirect is followed: whoever answers a question with a redirect sends
//! what is in the question to somebody else.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION};
use secrecy::ExposeSecret as _;
use url::Url;

use super::{Address, FetchError, Fetcher, address, check_address, host_of};
use crate::http;

/// How long a short question may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Fetcher {
    /// Asks for the document at `address`, or sends it `form`. The answer may have `max_bytes`.
    pub async fn answer(
        &self,
        address: &Address,
        form: Option<&[(&str, &str)]>,
        max_bytes: usize,
    ) -> Result<Answered, FetchError> {
        let url =
            Url::parse(&address.url).map_err(|_| FetchError::Refused("the address is not a URL".into()))?;
        let seconds = TIMEOUT.as_secs();
        let asked = tokio::time::timeout(TIMEOUT, self.asked(&url, address, form, max_bytes));
        asked.await.unwrap_or_else(|_| Err(FetchError::TooSlow { host: host_of(&url), seconds }))
    }

    async fn asked(
        &self,
        url: &Url,
        known: &Address,
        form: Option<&[(&str, &str)]>,
        max_bytes: usize,
    ) -> Result<Answered, FetchError> {
        let permitted = known.is_configured || self.allow.permits(url);
        let client = if permitted && matches!(url.scheme(), "http" | "https") {
            &self.unguarded
        } else {
            check_address(url)?;
            &self.guarded
        };
        let mut request = match form {
            Some(form) => client.post(url.clone()).form(form),
            None => client.get(url.clone()),
        };
        request = request.header(ACCEPT, "application/json");
        if let Some(authorization) = &known.authorization {
            request = request.header(AUTHORIZATION, authorization.expose_secret());
        }
        let host = host_of(url);
        let mut response = request.send().await.map_err(|error| match address::refusal(&error) {
            Some(refusal) => FetchError::Refused(refusal.to_string()),
            None => {
                FetchError::NotReached { host: host.clone(), problem: http::error_of(&error).to_string() }
            }
        })?;
        let status = response.status();
        let mut body = BytesMut::new();
        loop {
            let chunk = response.chunk().await.map_err(|error| FetchError::Broken {
                host: host.clone(),
                problem: http::error_of(&error).to_string(),
            })?;
            let Some(chunk) = chunk else { return Ok(Answered { status, body: body.freeze() }) };
            body.extend_from_slice(&chunk);
            if body.len() > max_bytes {
                return Err(FetchError::TooLarge { host, max_bytes: max_bytes as u64 });
            }
        }
    }
}
