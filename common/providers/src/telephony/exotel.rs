//! Exotel keeps the recordings and the details of its calls.
//!
//! A recording is announced by a callback, or it stands in the details of its call some minutes after the call. Its
//! address may be valid for some minutes only. So the details are read before each fetch, where the account is known.

mod details;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::call::CallDetails;
use domain::held_file::{HeldFile, Holder};
use domain::moment::Moment;
use domain::refusal::{Code, Codes, Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Group, Values};
use platform::fetch::{Address, Credential};
use platform::http::{self, HttpError};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use crate::descriptor::{Check, Checked, Descriptor};
use crate::recordings::{Located, RecordingHolder};
use crate::requests::counted;
use crate::said;
use crate::slots::Slots;
use crate::telephony::basic;
use details::Details;

const NAME: &str = "exotel";
const TIMEOUT: Duration = Duration::from_secs(30);
/// The domains whose hosts hold the recordings. The credentials are sent only to these hosts and to `EXOTEL_BASE_URL`.
const HOSTS: [&str; 3] = ["exotel.com", "*.exotel.com", "*.exotel.in"];
/// How long after the end of a call its recording can still come.
const RECORDING_WITHIN: Duration = Duration::from_mins(15);
/// The length, the end and the price of a call are final some two minutes after its end. Nobody asks before that.
const SETTLED_AFTER: Duration = Duration::from_secs(150);
const SETTLED: &str = "EXOTEL_SETTLED_AFTER";
const KEY: &str = "EXOTEL_API_KEY";
const TOKEN: &str = "EXOTEL_API_TOKEN";
const SID: &str = "EXOTEL_SID";

pub static DESCRIPTOR: Descriptor<Arc<dyn RecordingHolder>> = Descriptor {
    name: NAME,
    service: Some("telephony"),
    key: KEY,
    settings: Group {
        title: "Telephony: Exotel",
        keys: &[
            secret(KEY, "Fetches recordings and call details from Exotel."),
            secret(TOKEN, "Goes with the key."),
            plain(
                SID,
                "",
                "The account. Absent: no call details are read, and only a recording that a callback names is fetched.",
            ),
            plain(
                "EXOTEL_BASE_URL",
                "https://api.exotel.com",
                "The API of the account's region, such as https://api.in.exotel.com.",
            ),
            plain("EXOTEL_RATE", "3/s", "Requests for call details in a time."),
            plain(
                SETTLED,
                "150s",
                "How long after a recording was fetched the details of its call are read once more. They are final by then.",
            ),
        ],
    },
    make: |values, slots| {
        Ok(Exotel::from_values(values, slots)?.map(|exotel| Arc::new(exotel) as Arc<dyn RecordingHolder>))
    },
};

static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: "Exotel",
    advice: "check EXOTEL_API_KEY, EXOTEL_API_TOKEN, EXOTEL_SID and the region of EXOTEL_BASE_URL",
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

/// An account at Exotel.
pub struct Exotel {
    http: reqwest::Client,
    base: Url,
    sid: Option<String>,
    credential: Credential,
    limiter: Limiter,
    settled_after: Duration,
}

impl Exotel {
    /// Reads the settings. A key without its token is a mistake: every recording would be refused later.
    pub fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let rate = values.rate("EXOTEL_RATE")?.or("3/s".parse().ok());
        let settled_after = values.duration(SETTLED, SETTLED_AFTER)?;
        let (base, sid) = (values.url("EXOTEL_BASE_URL", "https://api.exotel.com")?, values.text(SID));
        let missing = |name: &str, given: &str| {
            Err(ConfigError::new(name, format!("{given} is set, so this must be set too")))
        };
        let (user, password) = match (values.text(KEY), values.secret(TOKEN)) {
            (Some(user), Some(password)) => (user, password),
            (Some(_), None) => return missing(TOKEN, KEY),
            (None, Some(_)) => return missing(KEY, TOKEN),
            (None, None) => return Ok(None),
        };
        let credential = Credential { hosts: HOSTS.map(str::to_owned).to_vec(), user, password };
        let limiter = slots.limiter(NAME, "EXOTEL_RATE", rate);
        Ok(Some(Self { http: http::client(TIMEOUT), base, sid, credential, limiter, settled_after }))
    }

    async fn get(&self, path: &str) -> Result<Value, HttpError> {
        let (user, password) = (&self.credential.user, self.credential.password.expose_secret());
        let request = self.http.get(http::join(&self.base, path)).basic_auth(user, Some(password));
        let answer = counted(NAME, http::send(request)).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| HttpError::Lost(format!("it is not JSON: {error}")))
    }

    /// Reads the details of a call. `None` where Exotel does not know the call yet.
    async fn details(&self, sid: &str, call: &str) -> Result<Option<Details>, Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))?;
        let segment = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let path = format!("/v1/Accounts/{}/Calls/{}.json?details=true", segment(sid), segment(call));
        match self.get(&path).await {
            Ok(answer) => Ok(Some(Details::read(&answer))),
            Err(error) if error.status().is_some_and(|status| status.as_u16() == 404) => Ok(None),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// The address of a recording. The credentials go along to our own `EXOTEL_BASE_URL`; the fetcher itself adds them for
    /// Exotel's hosts.
    fn address(&self, url: &str) -> Address {
        let is_ours = Url::parse(url).is_ok_and(|url| url.origin() == self.base.origin());
        let authorization = is_ours.then(|| basic(&self.credential.user, &self.credential.password));
        Address { url: url.to_owned(), authorization, is_configured: is_ours }
    }

    async fn found(&self, file: &HeldFile, now: Moment) -> Result<Located, Refusal> {
        let announced = file.value("url");
        let nothing = "Exotel named no address of a recording, and EXOTEL_SID is not set";
        let Some(sid) = &self.sid else {
            return Ok(
                announced.map_or(Located::Nothing { why: nothing }, |url| Located::At(self.address(url)))
            );
        };
        let details = match (self.details(sid, file.id()).await, announced) {
            (Ok(details), _) => details,
            (Err(refusal), Some(_)) => {
                tracing::warn!(error = %refusal, "the details of a call cannot be read; its recording was announced");
                None
            }
            (Err(refusal), None) => return Err(refusal),
        };
        let named = details.as_ref().and_then(|details| details.recording_url.as_deref());
        if let Some(url) = named.or(announced) {
            return Ok(Located::At(self.address(url)));
        }
        Ok(details.map_or(Located::NotYet, |details| details.without_recording(now, RECORDING_WITHIN)))
    }
}

fn refusal(error: &HttpError) -> Refusal {
    let body: Value = serde_json::from_str(error.body()).unwrap_or_default();
    let said = said::shown(None, body["RestException"]["Message"].as_str(), &[]);
    Refusal::of(&REMOTE, &error.failure(said)).without_effect()
}

impl Check for Exotel {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            let Some(sid) = &self.sid else {
                return Ok(Checked::Untried {
                    why: "without EXOTEL_SID its credentials are tried when a recording is fetched",
                });
            };
            let path = format!("/v1/Accounts/{sid}/Calls.json?PageSize=1");
            self.get(&path).await.map(|_| Checked::reached()).map_err(|error| refusal(&error))
        }
        .boxed()
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
        self.found(file, Moment::now()).boxed()
    }

    /// Exotel answers 403 too while a recording is not ready, and when its address is no longer valid.
    fn means_not_yet(&self, status: u16) -> bool {
        matches!(status, 403 | 404)
    }

    /// A passthru applet tells of a call that goes on, perhaps for hours.
    fn patience(&self) -> Duration {
        Duration::from_hours(6)
    }

    /// Without the account no details are read at all.
    fn facts_settle_after(&self) -> Option<Duration> {
        self.sid.as_ref().map(|_| self.settled_after)
    }

    fn credential(&self) -> Option<Credential> {
        Some(self.credential.clone())
    }

    fn facts<'a>(&'a self, file: &'a HeldFile) -> BoxFuture<'a, Result<Option<CallDetails>, Refusal>> {
        async {
            let Some(sid) = &self.sid else { return Ok(None) };
            Ok(self.details(sid, file.id()).await?.map(|details| details.facts))
        }
        .boxed()
    }
}
