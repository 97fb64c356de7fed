//! The settings of Salesforce: the address of the org, and the way in which we sign in.

use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Key, Rate, Values};
use secrecy::SecretString;
use url::Url;

use super::assertion::JwtKey;
use super::auth::Grant;
use crate::versions::SALESFORCE_API_VERSION as VERSION;

pub(super) const LOGIN_URL: &str = "https://login.salesforce.com";

pub(super) const KEYS: &[Key] = &[
    plain(
        "SALESFORCE_LOGIN_URL",
        LOGIN_URL,
        "Where tokens come from; the org's own address for client credentials.",
    ),
    secret(
        "SALESFORCE_CONSUMER_KEY",
        "Turns Salesforce on: the connected app. With its secret alone: client credentials.",
    ),
    secret("SALESFORCE_CONSUMER_SECRET", "The connected app's secret."),
    plain("SALESFORCE_USERNAME", "", "A user, with SALESFORCE_PASSWORD or SALESFORCE_JWT_KEY."),
    secret("SALESFORCE_PASSWORD", "The user's password, with the security token behind it."),
    secret("SALESFORCE_JWT_KEY", "The private key (PEM) whose certificate the connected app knows."),
    plain(
        "SALESFORCE_RATE",
        "",
        "Contacts looked up and written in a time, such as 1000/h; each takes two or three requests. Absent: no \
         limit.",
    ),
    plain(VERSION.setting, VERSION.default, "The version of the REST API that is asked."),
];

pub(super) struct Settings {
    pub(super) login_url: Url,
    pub(super) consumer_key: String,
    /// `None` where we sign with a key, which needs no secret.
    pub(super) consumer_secret: Option<SecretString>,
    pub(super) grant: Grant,
    /// The version of the API, without its `v`: `66.0`.
    pub(super) version: String,
    /// The rate at which records are looked up and written. `None` where there is no limit.
    pub(super) rate: Option<Rate>,
}

impl Settings {
    /// Reads the settings. `None` where no `SALESFORCE_CONSUMER_KEY` is set.
    pub(super) fn read(values: &Values) -> Result<Option<Self>, ConfigError> {
        let version = version(values)?;
        let Some(consumer_key) = values.text("SALESFORCE_CONSUMER_KEY") else { return Ok(None) };
        let login_url = values.url("SALESFORCE_LOGIN_URL", LOGIN_URL)?;
        let consumer_secret = values.secret("SALESFORCE_CONSUMER_SECRET");
        let username = values.text("SALESFORCE_USERNAME");
        let missing =
            |name: &str, with: &str| ConfigError::new(name, format!("must be set together with {with}"));
        let grant = match (username, values.secret("SALESFORCE_PASSWORD"), values.text("SALESFORCE_JWT_KEY"))
        {
            (Some(username), _, Some(pem)) => {
                let key = JwtKey::read(&pem)
                    .ok_or_else(|| ConfigError::new("SALESFORCE_JWT_KEY", "not an RSA private key in PEM"))?;
                Grant::JwtBearer { username, key }
            }
            (None, _, Some(_)) => return Err(missing("SALESFORCE_USERNAME", "SALESFORCE_JWT_KEY")),
            (Some(username), Some(password), None) => Grant::Password { username, password },
            (None, Some(_), None) => return Err(missing("SALESFORCE_USERNAME", "SALESFORCE_PASSWORD")),
            (Some(_), None, None) => return Err(missing("SALESFORCE_PASSWORD", "SALESFORCE_USERNAME")),
            (None, None, None) => Grant::ClientCredentials,
        };
        if consumer_secret.is_none() && !matches!(grant, Grant::JwtBearer { .. }) {
            return Err(missing("SALESFORCE_CONSUMER_SECRET", "SALESFORCE_CONSUMER_KEY"));
        }
        let shared_host =
            matches!(login_url.host_str(), Some("login.salesforce.com" | "test.salesforce.com"));
        if shared_host && matches!(grant, Grant::ClientCredentials) {
            let problem = "without a user it must be the org's own My Domain address";
            return Err(ConfigError::new("SALESFORCE_LOGIN_URL", problem));
        }
        let rate = values.rate("SALESFORCE_RATE")?;
        Ok(Some(Self { login_url, consumer_key, consumer_secret, grant, version, rate }))
    }
}

/// The version of the API, such as `66.0`. The setting can also say `66` or `v66.0`.
fn version(values: &Values) -> Result<String, ConfigError> {
    let Some(text) = values.text(VERSION.setting) else { return Ok(VERSION.default.to_owned()) };
    let number = text.trim_start_matches('v').trim_end_matches(".0");
    match number.parse::<u32>() {
        Ok(number) => Ok(format!("{number}.0")),
        Err(_) => Err(ConfigError::not(VERSION.setting, &text, "a version such as 66.0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSUMER: [(&str, &str); 2] =
        [("SALESFORCE_CONSUMER_KEY", "key"), ("SALESFORCE_CONSUMER_SECRET", "secret")];
    const MY_DOMAIN: (&str, &str) = ("SALESFORCE_LOGIN_URL", "https://acme.my.salesforce.com");

    fn problem(pairs: &[(&str, &str)]) -> String {
        Settings::read(&Values::of(pairs.iter().copied())).err().map(|error| error.name).unwrap_or_default()
    }

    fn read(pairs: &[(&str, &str)]) -> Settings {
        let values = Values::of(CONSUMER.into_iter().chain(pairs.iter().copied()));
        Settings::read(&values).unwrap().unwrap()
    }

    #[test]
    fn without_a_key_there_is_no_org() {
        assert!(Settings::read(&Values::default()).unwrap().is_none());
    }

    #[test]
    fn the_way_to_sign_in_follows_from_what_is_set() {
        let user = ("SALESFORCE_USERNAME", "ann");
        let pem = include_str!("../../../tests/samples/salesforce/jwt_test_key.pem");
        assert!(matches!(read(&[user, ("SALESFORCE_PASSWORD", "pw")]).grant, Grant::Password { .. }));
        assert!(matches!(read(&[user, ("SALESFORCE_JWT_KEY", pem)]).grant, Grant::JwtBearer { .. }));
        assert!(matches!(read(&[MY_DOMAIN]).grant, Grant::ClientCredentials));
    }

    #[test]
    fn the_version_is_a_setting_that_can_be_written_in_three_ways() {
        assert_eq!(read(&[MY_DOMAIN]).version, VERSION.default);
        for text in ["61.0", "61", "v61.0"] {
            assert_eq!(read(&[MY_DOMAIN, (VERSION.setting, text)]).version, "61.0");
        }
        assert_eq!(
            problem(&[CONSUMER[0], CONSUMER[1], MY_DOMAIN, (VERSION.setting, "latest")]),
            VERSION.setting
        );
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let [key, secret] = CONSUMER;
        let user = ("SALESFORCE_USERNAME", "ann");
        assert_eq!(problem(&[key, secret, user]), "SALESFORCE_PASSWORD");
        assert_eq!(problem(&[key, user, ("SALESFORCE_PASSWORD", "pw")]), "SALESFORCE_CONSUMER_SECRET");
        assert_eq!(problem(&[key, secret]), "SALESFORCE_LOGIN_URL");
        assert_eq!(problem(&[key, user, ("SALESFORCE_JWT_KEY", "?")]), "SALESFORCE_JWT_KEY");
        assert_eq!(problem(&[key, ("SALESFORCE_JWT_KEY", "?")]), "SALESFORCE_USERNAME");
    }
}
