//! Twilio keeps the recordings of its calls, and gives them out with both channels.

use std::sync::Arc;
use std::time::Duration;

use domain::held_file::{HeldFile, Holder};
use domain::refusal::{Code, Codes, Destination, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Group, Values};
use platform::fetch::Address;
use platform::http::{self, HttpError};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use crate::descriptor::{Check, Checked, Descriptor};
use crate::recordings::{Located, RecordingHolder};
use crate::requests::counted;
use crate::said;
use crate::telephony::basic;

const NAME: &str = "twilio";
const TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_BASE: &str = "https://api.twilio.com";
const SID: &str = "TWILIO_ACCOUNT_SID";
const TOKEN: &str = "TWILIO_AUTH_TOKEN";
const BASE: &str = "TWILIO_BASE_URL";

pub static DESCRIPTOR: Descriptor<Arc<dyn RecordingHolder>> = Descriptor {
    name: NAME,
    service: Some("telephony"),
    key: TOKEN,
    settings: Group {
        title: "Telephony: Twilio",
        keys: &[
            plain(SID, "", "The account whose recordings are fetched, such as AC0123…"),
            secret(TOKEN, "Checks the signatures of Twilio's callbacks, and fetches recordings."),
            plain(BASE, DEFAULT_BASE, "The address of Twilio's API."),
        ],
    },
    make: |values, _| {
        Ok(Twilio::from_values(values)?.map(|twilio| Arc::new(twilio) as Arc<dyn RecordingHolder>))
    },
};

static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: "Twilio",
    advice: "check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN",
    codes: Codes {
        unreachable: Code::new("twilio_unreachable"),
        no_answer: Code::new("twilio_failed"),
        too_long: Code::new("twilio_answer_too_long"),
        account: Code::new("twilio_refuses_account"),
        throttled: Code::new("twilio_throttled"),
        failed: Code::new("twilio_failed"),
        refused: Code::new("twilio_refused"),
    },
    default_wait: Duration::from_secs(10),
};

/// An account at Twilio.
pub struct Twilio {
    http: reqwest::Client,
    account: String,
    token: SecretString,
    base: Url,
    /// Whether somebody set the address of the API. Then every recording is fetched from there.
    is_base_given: bool,
}

impl Twilio {
    /// Reads the settings. One of the account and its token without the other is a mistake.
    pub fn from_values(values: &Values) -> Result<Option<Self>, ConfigError> {
        let base = values.url(BASE, DEFAULT_BASE)?;
        let missing = |name: &str, given: &str| {
            Err(ConfigError::new(name, format!("{given} is set, so this must be set too")))
        };
        let (account, token) = match (values.text(SID), values.secret(TOKEN)) {
            (Some(account), Some(token)) => (account, token),
            (Some(_), None) => return missing(TOKEN, SID),
            (None, Some(_)) => return missing(SID, TOKEN),
            (None, None) => return Ok(None),
        };
        let is_base_given = values.text(BASE).is_some();
        Ok(Some(Self { http: http::client(TIMEOUT), account, token, base, is_base_given }))
    }

    /// The address of a recording as a WAV file, with both channels where it has two.
    ///
    /// An account of another region has its recordings at another host of Twilio, which only the callback names.
    fn address(&self, file: &HeldFile) -> Address {
        let announced = file.value("url").and_then(|url| Url::parse(url).ok());
        let is_twilio = |url: &Url| {
            let host = url.host_str().unwrap_or_default();
            url.scheme() == "https" && (host == "twilio.com" || host.ends_with(".twilio.com"))
        };
        let mut url = if let Some(url) = announced.filter(|url| !self.is_base_given && is_twilio(url)) {
            url
        } else {
            let account = file.value("account").unwrap_or(&self.account);
            let segment =
                |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let path = format!("/2010-04-01/Accounts/{}/Recordings/{}", segment(account), segment(file.id()));
            Url::parse(&http::join(&self.base, &path)).unwrap_or_else(|_| self.base.clone())
        };
        let path = url.path().to_owned();
        let bare = [".wav", ".mp3", ".json"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(&path);
        url.set_path(&format!("{bare}.wav"));
        url.set_fragment(None);
        url.set_query((file.value("channels") == Some("2")).then_some("RequestedChannels=2"));
        let authorization = Some(basic(&self.account, &self.token));
        Address { url: url.into(), authorization, is_configured: self.is_base_given }
    }
}

impl Check for Twilio {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            let url = http::join(&self.base, &format!("/2010-04-01/Accounts/{}.json", self.account));
            let request = self.http.get(url).basic_auth(&self.account, Some(self.token.expose_secret()));
            match counted(NAME, http::send(request)).await {
                Ok(_) => Ok(Checked::reached()),
                Err(error) => Err(refusal(&error)),
            }
        }
        .boxed()
    }
}

fn refusal(error: &HttpError) -> Refusal {
    let body: Value = serde_json::from_str(error.body()).unwrap_or_default();
    let said = said::shown(None, body["message"].as_str(), &[]);
    Refusal::of(&REMOTE, &error.failure(said)).without_effect()
}

impl RecordingHolder for Twilio {
    fn holder(&self) -> Holder {
        Holder::Twilio
    }

    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn locate<'a>(&'a self, file: &'a HeldFile) -> BoxFuture<'a, Result<Located, Refusal>> {
        std::future::ready(Ok(Located::At(self.address(file)))).boxed()
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(30)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::{basic_auth, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::testing::tls;

    const ACCOUNT: &str = "AC0123";

    fn twilio(base: Option<&str>) -> Twilio {
        tls();
        let mut values = Values::of([(SID, ACCOUNT), (TOKEN, "token")]);
        if let Some(base) = base {
            values.set(BASE, base);
        }
        Twilio::from_values(&values).unwrap().unwrap()
    }

    fn announced(url: &str, channels: &str) -> HeldFile {
        HeldFile::new(Holder::Twilio, "RE1")
            .with("url", url)
            .with("account", ACCOUNT)
            .with("channels", channels)
    }

    #[test]
    fn a_recording_is_fetched_as_wav_with_both_channels_where_it_has_two() {
        let at = |url: &str, channels| twilio(None).address(&announced(url, channels)).url;
        let own = "https://api.twilio.com/2010-04-01/Accounts/AC0123/Recordings/RE1";
        assert_eq!(at(own, "1"), format!("{own}.wav"));
        assert_eq!(at(own, "2"), format!("{own}.wav?RequestedChannels=2"));
        assert_eq!(at(&format!("{own}.mp3?x=1"), "1"), format!("{own}.wav"));
        let region = "https://api.ie1.twilio.com/2010-04-01/Accounts/AC0123/Recordings/RE1";
        assert_eq!(at(region, "1"), format!("{region}.wav"));
    }

    #[test]
    fn the_account_and_its_token_go_to_hosts_of_twilio_or_to_our_own_address_only() {
        for url in
            ["https://twilio.com.example.com/RE1", "http://api.twilio.com/RE1", "https://mytwilio.com/RE1"]
        {
            let address = twilio(None).address(&announced(url, "1"));
            assert_eq!(
                address.url, "https://api.twilio.com/2010-04-01/Accounts/AC0123/Recordings/RE1.wav",
                "{url}"
            );
            assert!(!address.is_configured);
        }
        let proxy =
            twilio(Some("http://127.0.0.1:9/proxy/")).address(&announced("https://api.twilio.com/RE1", "1"));
        assert_eq!(proxy.url, "http://127.0.0.1:9/proxy/2010-04-01/Accounts/AC0123/Recordings/RE1.wav");
        assert!(proxy.is_configured);
        assert_eq!(proxy.authorization.unwrap().expose_secret(), "Basic QUMwMTIzOnRva2Vu");
    }

    #[tokio::test]
    async fn a_check_reads_the_account() {
        let server = MockServer::start().await;
        let account = ResponseTemplate::new(200).set_body_json(json!({ "sid": ACCOUNT }));
        Mock::given(path("/2010-04-01/Accounts/AC0123.json"))
            .and(basic_auth(ACCOUNT, "token"))
            .respond_with(account)
            .mount(&server)
            .await;
        assert_eq!(twilio(Some(&server.uri())).check().await.unwrap(), Checked::reached());
        server.reset().await;
        let refused =
            ResponseTemplate::new(401).set_body_json(json!({ "code": 20003, "message": "Authenticate" }));
        Mock::given(path("/2010-04-01/Accounts/AC0123.json")).respond_with(refused).mount(&server).await;
        let refusal = twilio(Some(&server.uri())).check().await.unwrap_err();
        assert_eq!(refusal.code.name(), "twilio_refuses_account");
    }

    #[test]
    fn an_account_without_its_token_is_a_mistake() {
        for (given, missing) in [(SID, TOKEN), (TOKEN, SID)] {
            assert_eq!(Twilio::from_values(&Values::of([(given, "x")])).err().unwrap().name, missing);
        }
        assert!(Twilio::from_values(&Values::default()).unwrap().is_none());
    }
}
