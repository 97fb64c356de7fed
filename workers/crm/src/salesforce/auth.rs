//! The token, by whichever OAuth grant is configured, kept until Salesforce refuses it: its answer names
//! no time of expiry.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use platform::http;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

use super::client::SalesforceError;

/// Salesforce takes assertions that end within five minutes.
const ASSERTION_SECONDS: i64 = 180;

/// How we sign in.
pub enum Grant {
    /// The password with the security token behind it, where the org asks for one.
    Password { username: String, password: SecretString },
    /// Only at the org's own My Domain address.
    ClientCredentials,
    /// Signed by us; the user must have been authorised for the app before.
    JwtBearer { username: String, key: JwtKey },
}

/// An RSA key for RS256.
pub struct JwtKey(Box<RsaKeyPair>);

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtKey")
    }
}

impl JwtKey {
    /// Reads PEM, PKCS 8 or PKCS 1. Line breaks may be written `\n`, as in settings of one line.
    pub fn read(pem: &str) -> Option<Self> {
        let pem = pem.replace("\\n", "\n");
        let (label, rest) = pem.split_once("-----BEGIN ")?.1.split_once("-----")?;
        let body: String = rest.split_once("-----END ")?.0.split_whitespace().collect();
        let der = STANDARD.decode(body).ok()?;
        match label {
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der).ok(),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok(),
            _ => None,
        }
        .map(|key| Self(Box::new(key)))
    }

    fn sign(&self, text: &str) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        Some(signature)
    }
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
    /// Held while a token is fetched: many who need one at once fetch one.
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

    /// The token in use, or a new one where there is none or `refused` is the one in use.
    pub(super) async fn token(
        &self,
        http: &reqwest::Client,
        refused: Option<&Token>,
    ) -> Result<Token, SalesforceError> {
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

    async fn fetch(&self, http: &reqwest::Client) -> Result<Token, SalesforceError> {
        let form = self.form(Utc::now()).ok_or_else(|| SalesforceError::Unavailable {
            code: "salesforce_signing_failed",
            reason: "the key SALESFORCE_JWT_KEY cannot sign".into(),
        })?;
        let request = http.post(http::join(&self.login, "/services/oauth2/token")).form(&form);
        let answer = http::send_any(request).await.map_err(|error| SalesforceError::lost(&error, false))?;
        if !answer.status.is_success() {
            return Err(SalesforceError::of_login(&answer));
        }
        let granted: Granted = serde_json::from_slice(&answer.body)
            .map_err(|_| SalesforceError::unreadable("the answer to the sign-in is no token", false))?;
        // The token goes where this says: never from an encrypted connection to a plain one.
        let instance = granted.instance_url;
        if instance.scheme() != "https" && instance.scheme() != self.login.scheme() {
            return Err(SalesforceError::Unavailable {
                code: "salesforce_refused_login",
                reason: format!("the instance address is `{}`, not https", instance.scheme()),
            });
        }
        Ok(Token { access: granted.access_token.into(), instance })
    }

    /// The token request; nothing where the key cannot sign.
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

    /// RFC 7523, signed with RS256.
    fn assertion(&self, username: &str, key: &JwtKey, now: DateTime<Utc>) -> Option<String> {
        let claims = json!({
            "iss": self.consumer_key,
            "sub": username,
            "aud": self.login.as_str().trim_end_matches('/'),
            "exp": now.timestamp() + ASSERTION_SECONDS,
        });
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(&signed)?);
        Some(format!("{signed}.{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    const KEY: &str = include_str!("../../tests/samples/jwt_test_key.pem");

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
        let public = key.0.public().as_ref().to_vec();
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

    #[test]
    fn a_key_is_read_in_both_forms_and_on_one_line() {
        assert!(JwtKey::read(include_str!("../../tests/samples/jwt_test_key_pkcs1.pem")).is_some());
        assert!(JwtKey::read(&KEY.trim().replace('\n', "\\n")).is_some());
        assert!(JwtKey::read("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").is_none());
        assert!(JwtKey::read("no key").is_none());
    }
}
