//! The client of the call-data API, which takes one document for each call at one address.
//!
//! The API needs no credentials. It has no id to find a call by, and no way to change a call.

#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::refusal::{Code, Codes, Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::config::keys::plain;
use platform::config::{ConfigError, Group, Values};
use platform::http;
use serde_json::Value;
use url::Url;

use crate::descriptor::{Check, Checked, Descriptor};
use crate::requests::counted;
use crate::said;
use crate::slots::Slots;

const NAME: &str = "call_data";
/// How long a post may take, from connecting to the last byte of the answer.
pub const TIMEOUT: Duration = Duration::from_secs(30);

pub static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: "the call-data API",
    advice: "check CRM_UPLOAD_URL",
    codes: Codes {
        unreachable: Code::new("call_data_unreachable"),
        no_answer: Code::new("call_data_no_answer"),
        too_long: Code::new("call_data_no_answer"),
        account: Code::new("call_data_forbidden"),
        throttled: Code::new("call_data_throttled"),
        failed: Code::new("call_data_no_answer"),
        refused: Code::new("call_data_refused"),
    },
    default_wait: Duration::from_mins(1),
};

pub static DESCRIPTOR: Descriptor<CallData> = Descriptor {
    name: NAME,
    service: Some(NAME),
    key: "CRM_AUTO_UPLOAD",
    settings: Group {
        title: "CRM: the call-data API",
        keys: &[
            plain("CRM_AUTO_UPLOAD", "false", "true: every finished call goes there."),
            plain("CRM_UPLOAD_URL", "", "The whole address that calls are posted to."),
            plain("CRM_CAMPAIGN_ID", "", "What the API knows the campaign by,"),
            plain("CRM_VOICE_AGENT_ID", "", "the voice agent"),
            plain("CRM_CLIENT_ID", "", "and the client."),
            plain(
                "CRM_DEFAULT_CALLER_PHONE",
                "",
                "The caller's number, in quotes, for calls that have none.",
            ),
            plain("CRM_RATE", "", "Calls posted to it in a time, such as 5/s. Absent: no limit."),
            plain(
                "CRM_UNKNOWN",
                "hold",
                "A call of which nobody can say whether it arrived: hold (until a person decides) or resend.",
            ),
        ],
    },
    make: CallData::from_values,
};

pub struct CallData {
    http: reqwest::Client,
    /// The whole address to which calls are posted.
    url: Url,
    limiter: Limiter,
}

impl CallData {
    /// Reads the settings. `None` where `CRM_AUTO_UPLOAD` is not set.
    pub fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let rate = values.rate("CRM_RATE")?;
        if !values.flag("CRM_AUTO_UPLOAD")? {
            return Ok(None);
        }
        if values.text("CRM_UPLOAD_URL").is_none() {
            return Err(ConfigError::new("CRM_UPLOAD_URL", "must be set when CRM_AUTO_UPLOAD is true"));
        }
        let url = values.url("CRM_UPLOAD_URL", "")?;
        let limiter = slots.limiter(NAME, "CRM_RATE", rate);
        Ok(Some(Self { http: http::client(TIMEOUT), url, limiter }))
    }

    /// Takes a slot of the rate limit and posts one document. After any 2xx the document was taken.
    pub async fn post(&self, document: &Value) -> Result<(), Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))?;
        match counted(NAME, http::send(self.http.post(self.url.clone()).json(document))).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let word = said::shown(Some(error.body().trim()), None, &[]);
                Err(Refusal::of(&REMOTE, &error.failure(word)))
            }
        }
    }
}

impl Check for CallData {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        let why = "it can be tried only by posting a call to it";
        std::future::ready(Ok(Checked::Untried { why })).boxed()
    }
}
