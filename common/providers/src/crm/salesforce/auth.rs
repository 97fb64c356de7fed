//! Gets a token through the OAuth grant that is configured. The token is kept until Salesforce refuses it, because
//! Salesforce does not say when a token expires.

use chrono::{DateTime, Utc};
use domain::fault::Fault;
use domain::refusal::{Code, Refusal};
use platform::http;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

use super::assertion::JwtKey;
use super::{NAME, refusals};
use crate::requests::counted;

/// How long an assertion is valid. Salesforce takes at most five minutes.
const ASSERTION_SECONDS: i64 = 180;
const REFUSED_LOGIN: Code = Code::new("salesforce_refused_login");

/// How we sign in.
pub(super) enum Grant {
    /// With a user's password. It ends with the security token if the org asks for one.
    Password { username: String, password: SecretString },
    /// With the app's own secret. It works only at the org's own My Domain address.
    ClientCredentials,
    /// With an assertion that we sign. The user must have been authorised for the app before.
    JwtBearer { username: String, key: JwtKey },
}

#[derive(Clone)]
pub(super) struct Token {
    pub(super) access: SecretString,
    /// The org's own address, to which every request goes.
    pub(super) instance: Url,
}

pub(super) struct Auth {
    login: Url,
    consumer_key: String,
    consumer_secret: Option<SecretString>,
    grant: Grant,
    /// The lock is held while a token is fetched, so that many requests at the same time fetch only one token.
    token: Mutex<Option<Token>>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    instance_url: Url,
}

impl Auth {
    pub(super) fn new(
        login: Url,
        consumer_key: String,
        consumer_secret: Option<SecretString>,
        grant: Grant,
    ) -> Self {
        Self { login, consumer_key, consumer_secret, grant, token: Mutex::new(None) }
    }

    /// Returns the token in use. A new token is fetched if there is none, or if `refused` is the token in use.
    pub(super) async fn token(
        &self,
        http: &reqwest::Client,
        refused: Option<&Token>,
    ) -> Result<Token, Refusal> {
        let mut kept = self.token.lock().await;
        let refused = refused.map(|token| token.access.expose_secret());
        if let Some(token) = kept.as_ref().filter(|token| Some(token.access.expose_secret()) != refused) {
            return Ok(token.clone());
        }
        *kept = None;
        let token = self.fetch(http).await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    async fn fetch(&self, http: &reqwest::Client) -> Result<Token, Refusal> {
        let form = self.form(Utc::now()).ok_or_else(|| {
            let text = "the key SALESFORCE_JWT_KEY cannot sign";
            refusals::of(Fault::Unavailable, Code::new("salesforce_signing_failed"), text)
        })?;
        let request = http.post(http::join(&self.login, "/services/oauth2/token")).form(&form);
        let answer = counted(NAME, http::send(request)).await.map_err(|error| refusals::of_login(&error))?;
        let granted: Granted = serde_json::from_slice(&answer.body)
            .map_err(|_| refusals::unreadable("the answer to the sign-in is no token").without_effect())?;
        // The token is sent to this address, so it must not lead from an encrypted connection to a plain one.
        let instance = granted.instance_url;
        if instance.scheme() != "https" && instance.scheme() != self.login.scheme() {
            let text = format!("the instance address is `{}`, not https", instance.scheme());
            return Err(refusals::of(Fault::Unavailable, REFUSED_LOGIN, &text));
        }
        Ok(Token { access: granted.access_token.into(), instance })
    }

    /// The form of the token request. `None` where the key cannot sign.
    fn form(&self, now: DateTime<Utc>) -> Option<Vec<(&'static str, String)>> {
        let mut form = match &self.grant {
            Grant::Password { username, password } => vec![
                ("grant_type", "password".to_owned()),
                ("username", username.clone()),
                ("password", password.expose_secret().to_owned()),
            ],
            Grant::ClientCredentials => vec![("grant_type", "client_credentials".to_owned())],
            Grant::JwtBearer { username, key } => {
                return Some(vec![
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
                    ("assertion", self.assertion(username, key, now)?),
                ]);
            }
        };
        form.push(("client_id", self.consumer_key.clone()));
        form.extend(
            self.consumer_secret.as_ref().map(|secret| ("client_secret", secret.expose_secret().to_owned())),
        );
        Some(form)
    }

    fn assertion(&self, username: &str, key: &JwtKey, now: DateTime<Utc>) -> Option<String> {
        key.sign(&json!({
            "iss": self.consumer_key,
            "sub": username,
            "aud": self.login.as_str().trim_end_matches('/'),
            "exp": now.timestamp() + ASSERTION_SECONDS,
        }))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    const KEY: &str = include_str!("../../../tests/samples/salesforce/jwt_test_key.pem");

    fn auth(grant: Grant) -> Auth {
        let login = Url::parse("https://login.salesforce.com/").unwrap();
        Auth::new(login, "consumer".into(), Some("secret".into()), grant)
    }

    fn form(grant: Grant) -> Vec<(&'static str, String)> {
        auth(grant).form("2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_password_and_client_credentials_are_sent_with_the_consumers_secret() {
        let password = Grant::Password { username: "ann".into(), password: "pw".into() };
        let expected = [
            ("grant_type", "password"),
            ("username", "ann"),
            ("password", "pw"),
            ("client_id", "consumer"),
            ("client_secret", "secret"),
        ];
        assert_eq!(form(password), expected.map(|(name, value)| (name, value.to_owned())));
        let expected =
            [("grant_type", "client_credentials"), ("client_id", "consumer"), ("client_secret", "secret")];
        assert_eq!(form(Grant::ClientCredentials), expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn an_assertion_is_signed_for_the_user_and_ends_after_three_minutes() {
        let key = JwtKey::read(KEY).unwrap();
        let public = key.public();
        let form = form(Grant::JwtBearer { username: "ann".into(), key });
        let (signed, signature) = form[1].1.rsplit_once('.').unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            claims,
            json!({"iss": "consumer", "sub": "ann", "aud": "https://login.salesforce.com", "exp": 1_767_225_780})
        );
    }
}
