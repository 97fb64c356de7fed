//! The client of Salesforce. It signs in to one org, and reads and writes its records.

mod assertion;
mod auth;
mod refusals;
mod settings;
#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::refusal::Refusal;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::config::{ConfigError, Group, Values};
use platform::http::{self, Answer};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::descriptor::{Check, Checked, Descriptor};
use crate::requests::counted;
use crate::slots::Slots;
use auth::{Auth, Token};
pub use refusals::{REMOTE, SalesforceError, is_id, unreadable};
use settings::Settings;

pub(crate) const NAME: &str = "salesforce";
/// The time limit of one request. A contact takes two or three requests.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

pub static DESCRIPTOR: Descriptor<Salesforce> = Descriptor {
    name: NAME,
    service: Some(NAME),
    key: "SALESFORCE_CONSUMER_KEY",
    settings: Group { title: "CRM: Salesforce", keys: settings::KEYS },
    make: Salesforce::from_values,
};

/// The page of a record. `None` where the settings name only the address at which everybody signs in, because it does not say
/// where the org is.
pub(crate) fn page_of(values: &Values, id: &str) -> Option<Url> {
    let org = values.url("SALESFORCE_LOGIN_URL", settings::LOGIN_URL).ok()?;
    let is_org = org.host_str().is_some_and(|host| host.ends_with(".my.salesforce.com"));
    (is_org && is_id(id)).then(|| org.join(&format!("/{id}")).ok())?
}

/// A record as it is read.
pub type Record = Map<String, Value>;

/// One org, and the token with which we use it.
pub struct Salesforce {
    http: reqwest::Client,
    auth: Auth,
    /// The version of the API as it stands in paths, without its `v`, such as `66.0`.
    version: String,
    limiter: Limiter,
}

#[derive(Deserialize)]
struct QueryResult {
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

#[derive(Deserialize)]
struct Served {
    version: String,
}

impl Salesforce {
    /// Reads the settings. `None` where no `SALESFORCE_CONSUMER_KEY` is set.
    pub fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let Some(settings) = Settings::read(values)? else { return Ok(None) };
        let Settings { login_url, consumer_key, consumer_secret, grant, version, rate } = settings;
        Ok(Some(Self {
            http: http::client(REQUEST_TIMEOUT),
            auth: Auth::new(login_url, consumer_key, consumer_secret, grant),
            version,
            limiter: slots.limiter(NAME, "SALESFORCE_RATE", rate),
        }))
    }

    /// Takes a slot of the rate limit. A caller takes one slot for all requests about one record. If each request took
    /// a slot, many callers would look up their records, and no slot would be left for writing.
    pub async fn take_slot(&self) -> Result<(), Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))
    }

    /// Returns the first record that the query finds.
    pub async fn query(&self, soql: &str) -> Result<Option<Record>, SalesforceError> {
        let answer =
            self.call(&Method::GET, &self.path("query"), |request| request.query(&[("q", soql)])).await?;
        let result: QueryResult = serde_json::from_slice(&answer.body)
            .map_err(|_| unreadable("the answer to a query cannot be read").without_effect())?;
        Ok(result.records.into_iter().next())
    }

    /// Creates a record and returns its id. `object` is the type of the record, such as `Contact`.
    pub async fn create(
        &self,
        object: &str,
        fields: &(impl Serialize + Sync),
    ) -> Result<String, SalesforceError> {
        let path = self.path(&format!("sobjects/{object}"));
        let answer = self.call(&Method::POST, &path, |request| request.json(fields)).await?;
        let created: Created = serde_json::from_slice(&answer.body)
            .map_err(|_| unreadable("the id of the new record cannot be read"))?;
        Ok(created.id)
    }

    pub async fn update(
        &self,
        object: &str,
        id: &str,
        fields: &(impl Serialize + Sync),
    ) -> Result<(), SalesforceError> {
        let path = self.path(&format!("sobjects/{object}/{id}"));
        self.call(&Method::PATCH, &path, |request| request.json(fields)).await.map(drop)
    }

    fn path(&self, of_version: &str) -> String {
        format!("/services/data/v{}/{of_version}", self.version)
    }

    /// Sends a request. If the org refuses the token, the request is sent a second time with a new token.
    async fn call(
        &self,
        method: &Method,
        path: &str,
        fill: impl Fn(RequestBuilder) -> RequestBuilder + Send + Sync,
    ) -> Result<Answer, SalesforceError> {
        let changes = *method != Method::GET;
        let only_read = |refusal: Refusal| if changes { refusal } else { refusal.without_effect() };
        let send = async |token: &Token| {
            let request = self
                .http
                .request(method.clone(), http::join(&token.instance, path))
                .bearer_auth(token.access.expose_secret());
            let answer = counted(NAME, http::send_any(fill(request))).await;
            answer.map_err(|error| only_read(refusals::of_silence(&error)))
        };
        let token = self.auth.token(&self.http, None).await?;
        let mut answer = send(&token).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let token = self.auth.token(&self.http, Some(&token)).await?;
            answer = send(&token).await?;
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(match refusals::of_answer(answer, &self.version) {
            SalesforceError::Refused(refusal) => only_read(refusal).into(),
            other => other,
        })
    }

    /// Signs in, and checks that the org serves our version of the API.
    async fn try_out(&self) -> Result<Checked, Refusal> {
        let answer = self.call(&Method::GET, "/services/data", |request| request).await?;
        let served: Vec<Served> = serde_json::from_slice(&answer.body)
            .map_err(|_| unreadable("the list of API versions cannot be read").without_effect())?;
        if served.iter().all(|served| served.version != self.version) {
            return Err(refusals::no_such_version(&self.version));
        }
        Ok(Checked::reached())
    }
}

impl Check for Salesforce {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        self.try_out().boxed()
    }
}
