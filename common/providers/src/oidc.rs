//! Signs people in with `OpenID` Connect: Keycloak, Google, Okta, Entra ID and every other provider that follows the standard.
//!
//! The browser is sent to the provider and comes back with a code, which this process exchanges for a token that says who
//! she is. Three texts tie the way back to the browser that began: the state, the nonce and the verifier of PKCE. All
//! three are derived from one secret, which the browser keeps in a cookie, so nothing has to be stored here. Whoever
//! plants a code in another browser, or shows a token of another sign-in, lacks the secret.
//!
//! The addresses in the provider's own description come from outside, so they go through the check of addresses, unless
//! they are on the host of `OIDC_ISSUER`.

mod discovery;
mod keys;
#[cfg(test)]
mod tests;
mod tied;
mod token;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::account::Role;
use domain::fault::Fault;
use domain::moment::Moment;
use domain::refusal::{Code, Destination, Refusal, Sent};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Group, Values};
use platform::fetch::{Address, Allow, Fetcher, Limits};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use crate::descriptor::{Check, Checked, Descriptor};
use crate::said;
use discovery::Description;
use keys::Keys;
use tied::{Tied, is_secret, same};

const NAME: &str = "oidc";
/// How long the provider's description and its keys are used before they are read again.
const KNOWN_FOR: Duration = Duration::from_hours(1);
/// A description, the keys and an answer with a token have some thousand bytes.
const MAX_ANSWER_BYTES: usize = 512 * 1024;
const SCOPES: &str = "openid email profile";

pub static DESCRIPTOR: Descriptor<Oidc> = Descriptor {
    name: NAME,
    service: None,
    key: "OIDC_ISSUER",
    settings: Group {
        title: "Signing in with OpenID Connect",
        keys: &[
            plain(
                "OIDC_ISSUER",
                "",
                "Turns it on: the provider's issuer, such as https://accounts.google.com, exactly as the provider writes it.",
            ),
            plain("OIDC_CLIENT_ID", "", "The id of the client that was registered there for Debrief."),
            secret("OIDC_CLIENT_SECRET", "Its secret. Absent: the client is a public one."),
            plain(
                "OIDC_TITLE",
                "",
                "What the button on /login says, such as Acme. Absent: the host of the issuer.",
            ),
            plain(
                "OIDC_ROLE",
                "",
                "The role of people whom nobody has invited: viewer, agent, manager or administrator. Absent: they are not let in.",
            ),
            plain(
                "OIDC_DOMAINS",
                "",
                "The domains of e-mail addresses to which OIDC_ROLE applies, comma separated. OIDC_ROLE needs them.",
            ),
        ],
    },
    make: |values, _| Oidc::from_values(values),
};

/// The client of a provider.
#[derive(Clone)]
pub struct Oidc {
    issuer: Url,
    /// The issuer as it was written, because tokens name it so.
    issuer_text: String,
    client_id: String,
    client_secret: Option<SecretString>,
    title: String,
    role: Option<Role>,
    domains: Vec<String>,
    fetcher: Fetcher,
    known: Arc<Mutex<Option<Known>>>,
}

/// What was read of the provider.
#[derive(Clone)]
struct Known {
    description: Arc<Description>,
    keys: Arc<Keys>,
    read_at: Moment,
}

/// A person whom the provider recognized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub issuer: String,
    pub subject: String,
    /// The address, where the provider says that it belongs to her.
    pub verified_email: Option<String>,
    pub name: Option<String>,
    /// What she becomes if nobody has invited her. `None` where she is not let in then.
    pub role: Option<Role>,
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The browser has not begun this sign-in, or began it too long ago.
    #[error("this sign-in was not begun in this browser, or it took too long")]
    NotBegunHere,
    /// The provider says no. The word is its own.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// The provider cannot be reached, or its answers are not as the standard says.
    #[error("failed to use the provider: {0}")]
    Unusable(String),
    /// The token proves nothing. The text says why.
    #[error("the provider's token is not accepted: {0}")]
    NotAccepted(String),
}

/// A sign-in that began: where the browser goes, and what it keeps meanwhile.
#[derive(Debug)]
pub struct Begun {
    pub location: String,
    pub secret: SecretString,
}

/// What the provider's redirect says.
#[derive(Clone, Debug, Default)]
pub struct Back {
    pub code: Option<String>,
    pub state: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
}

impl Oidc {
    /// Reads the settings. `None` where no issuer is set.
    pub fn from_values(values: &Values) -> Result<Option<Self>, ConfigError> {
        let issuer = values.text("OIDC_ISSUER");
        let client_id = values.text("OIDC_CLIENT_ID");
        let client_secret = values.secret("OIDC_CLIENT_SECRET");
        let title = values.text("OIDC_TITLE");
        let domains: Vec<String> =
            values.list("OIDC_DOMAINS").iter().map(|domain| domain.to_lowercase()).collect();
        let role = values.text("OIDC_ROLE").map(|role| {
            let known = role.to_lowercase().parse::<Role>();
            known.map_err(|_| ConfigError::not("OIDC_ROLE", &role, "viewer, agent, manager or administrator"))
        });
        let role = role.transpose()?;
        if role.is_some() && domains.is_empty() {
            let problem =
                "is needed with OIDC_ROLE: else everybody who has an account at the provider is let in";
            return Err(ConfigError::new("OIDC_DOMAINS", problem));
        }
        let allow = Allow::from_values(values)?;
        let Some(issuer_text) = issuer else { return Ok(None) };
        let Some(client_id) = client_id else {
            return Err(ConfigError::new("OIDC_CLIENT_ID", "OIDC_ISSUER is set, so this must be set too"));
        };
        let issuer = Url::parse(&issuer_text).ok().filter(discovery::is_safe);
        let Some(issuer) = issuer.filter(|url| url.query().is_none() && url.fragment().is_none()) else {
            return Err(ConfigError::not("OIDC_ISSUER", &issuer_text, "an https address without a query"));
        };
        let title = title.or_else(|| issuer.host_str().map(str::to_owned)).unwrap_or_default();
        let fetcher = Fetcher::new(allow, Limits::default(), Vec::new());
        let known = Arc::default();
        Ok(Some(Self { issuer, issuer_text, client_id, client_secret, title, role, domains, fetcher, known }))
    }

    /// What the button on the page of the sign-in says.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Begins a sign-in. `redirect` is our own address to which the provider sends the browser back, and `dice` are 32
    /// random bytes.
    pub async fn begin(&self, redirect: &str, dice: [u8; 32]) -> Result<Begun, OidcError> {
        let known = self.known(false).await?;
        let secret = hex::encode(dice);
        let tied = Tied::of(&secret);
        let mut location = known.description.authorization.clone();
        location
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", SCOPES)
            .append_pair("state", &tied.state)
            .append_pair("nonce", &tied.nonce)
            .append_pair("code_challenge", &tied.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(Begun { location: location.into(), secret: secret.into() })
    }

    /// Ends a sign-in: checks that this browser began it, exchanges the code, and checks the token. `secret` is what the
    /// browser kept.
    pub async fn finish(
        &self,
        redirect: &str,
        secret: Option<&str>,
        back: &Back,
        now: Moment,
    ) -> Result<Person, OidcError> {
        let tied = Tied::of(secret.filter(|secret| is_secret(secret)).ok_or(OidcError::NotBegunHere)?);
        let state = back.state.as_deref().unwrap_or_default();
        if !same(state, &tied.state) {
            return Err(OidcError::NotBegunHere);
        }
        if let Some(error) = &back.error {
            return Err(OidcError::Refused(word(error)));
        }
        let known = self.known(false).await?;
        // A provider that is not the one that was asked would take the code for itself (RFC 9207).
        let is_other = match &back.iss {
            Some(iss) => *iss != self.issuer_text,
            None => known.description.names_itself,
        };
        if is_other {
            return Err(OidcError::NotAccepted("another provider sent the browser back".into()));
        }
        let Some(code) = back.code.as_deref().filter(|code| !code.is_empty()) else {
            return Err(OidcError::Unusable("it sent no code".into()));
        };
        let id_token = self.exchanged(&known.description, redirect, code, &tied.verifier).await?;
        let expected = token::Expected {
            issuer: &self.issuer_text,
            client_id: &self.client_id,
            nonce: &tied.nonce,
            now,
        };
        let claims = match token::verified(&id_token, &known.keys, &expected) {
            // The provider may have got new keys since its keys were read.
            Err(token::Unproven::UnknownKey) => {
                let known = self.known(true).await?;
                token::verified(&id_token, &known.keys, &expected)
            }
            verified => verified,
        };
        let claims = claims.map_err(|error| OidcError::NotAccepted(error.to_string()))?;
        let verified_email = claims.verified_email();
        let role = self.role.filter(|_| verified_email.as_deref().is_some_and(|email| self.has(email)));
        Ok(Person {
            issuer: self.issuer_text.clone(),
            subject: claims.sub,
            verified_email,
            name: claims.name,
            role,
        })
    }

    /// Whether an address is in one of the domains.
    fn has(&self, email: &str) -> bool {
        let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        domain.is_some_and(|domain| self.domains.contains(&domain))
    }

    /// The provider's description and keys. `again` reads the keys even if they were read a moment ago.
    async fn known(&self, again: bool) -> Result<Known, OidcError> {
        let mut known = self.known.lock().await;
        let now = Moment::now();
        if let Some(known) = known.as_ref().filter(|known| !again && now.since(known.read_at) < KNOWN_FOR) {
            return Ok(known.clone());
        }
        let description = discovery::read(self).await?;
        let keys = self.document(&description.keys).await?;
        let keys = Keys::read(&keys).ok_or_else(|| OidcError::Unusable("its keys cannot be read".into()))?;
        let read = Known { description: Arc::new(description), keys: Arc::new(keys), read_at: Moment::now() };
        *known = Some(read.clone());
        Ok(read)
    }

    fn address(&self, url: &Url) -> Address {
        Address {
            url: url.as_str().to_owned(),
            authorization: None,
            is_configured: url.origin() == self.issuer.origin(),
        }
    }

    async fn document(&self, url: &Url) -> Result<Vec<u8>, OidcError> {
        let answered = self.fetcher.answer(&self.address(url), None, MAX_ANSWER_BYTES).await;
        let answered = answered.map_err(|error| OidcError::Unusable(error.to_string()))?;
        if !answered.status.is_success() {
            return Err(OidcError::Unusable(format!("{url} answered {}", answered.status.as_u16())));
        }
        Ok(answered.body.to_vec())
    }

    async fn exchanged(
        &self,
        description: &Description,
        redirect: &str,
        code: &str,
        verifier: &str,
    ) -> Result<String, OidcError> {
        #[derive(Deserialize)]
        struct Tokens {
            id_token: Option<String>,
            error: Option<String>,
        }
        let mut address = self.address(&description.token);
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        match &self.client_secret {
            Some(secret) if description.takes_basic => {
                let part = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", part(&self.client_id), part(secret.expose_secret()));
                address.authorization = Some(format!("Basic {}", STANDARD.encode(pair)).into());
            }
            Some(secret) => {
                form.extend([
                    ("client_id", self.client_id.as_str()),
                    ("client_secret", secret.expose_secret()),
                ]);
            }
            None => form.push(("client_id", &self.client_id)),
        }
        let answered = self.fetcher.answer(&address, Some(&form), MAX_ANSWER_BYTES).await;
        let answered = answered.map_err(|error| OidcError::Unusable(error.to_string()))?;
        let tokens: Option<Tokens> = serde_json::from_slice(&answered.body).ok();
        match tokens {
            Some(Tokens { error: Some(error), .. }) => Err(OidcError::Refused(word(&error))),
            Some(Tokens { id_token: Some(token), .. }) if answered.status.is_success() => Ok(token),
            _ => Err(OidcError::Unusable(format!(
                "it answered the code with {} and without a token",
                answered.status.as_u16()
            ))),
        }
    }
}

impl Check for Oidc {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            let known = self.known(true).await.map_err(|error| Refusal {
                fault: Fault::Unavailable,
                code: Code::new("oidc_unusable"),
                destination: Destination::named(NAME),
                retry_after: None,
                sent: Sent::No,
                text: format!("failed to sign people in with {}: {error}", self.title),
            })?;
            let count = known.keys.usable();
            Ok(Checked::Reached { notes: vec![format!("{count} of its keys can be used")] })
        }
        .boxed()
    }
}

/// The word with which a provider names an error, if it is one.
fn word(error: &str) -> String {
    if said::is_word(error) { error.to_owned() } else { "it gives no word that can be shown".to_owned() }
}
