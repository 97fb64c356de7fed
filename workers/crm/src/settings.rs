//! Which systems are configured, and how.

use platform::config::{ConfigError, Installation, Values};
use queue_topology::Unknown;

use crate::call_data::{CallDataSettings, Defaults};
use crate::salesforce::{Grant, JwtKey, SalesforceSettings};

const SALESFORCE: &str = "https://login.salesforce.com";

#[derive(Default)]
pub struct Settings {
    /// On where `SALESFORCE_CONSUMER_KEY` is set.
    pub salesforce: Option<SalesforceSettings>,
    /// On with `CRM_AUTO_UPLOAD`.
    pub call_data: Option<CallDataSettings>,
}

impl Settings {
    pub fn read(values: &Values, installation: &Installation) -> Result<Self, ConfigError> {
        Ok(Self { salesforce: salesforce(values)?, call_data: call_data(values, installation)? })
    }
}

fn salesforce(values: &Values) -> Result<Option<SalesforceSettings>, ConfigError> {
    let Some(consumer_key) = values.text("SALESFORCE_CONSUMER_KEY") else { return Ok(None) };
    let login_url = values.url("SALESFORCE_LOGIN_URL", SALESFORCE)?;
    let consumer_secret = values.secret("SALESFORCE_CONSUMER_SECRET");
    let username = values.text("SALESFORCE_USERNAME");
    let missing =
        |name: &str, with: &str| ConfigError::new(name, format!("must be set together with {with}"));
    let grant = match (username, values.secret("SALESFORCE_PASSWORD"), values.text("SALESFORCE_JWT_KEY")) {
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
    let shared_host = matches!(login_url.host_str(), Some("login.salesforce.com" | "test.salesforce.com"));
    if shared_host && matches!(grant, Grant::ClientCredentials) {
        let problem = "without a user it must be the org's own My Domain address";
        return Err(ConfigError::new("SALESFORCE_LOGIN_URL", problem));
    }
    let rate = values.rate("SALESFORCE_RATE")?;
    Ok(Some(SalesforceSettings { login_url, consumer_key, consumer_secret, grant, rate }))
}

fn call_data(values: &Values, installation: &Installation) -> Result<Option<CallDataSettings>, ConfigError> {
    if !values.flag("CRM_AUTO_UPLOAD")? {
        return Ok(None);
    }
    if values.text("CRM_UPLOAD_URL").is_none() {
        return Err(ConfigError::new("CRM_UPLOAD_URL", "must be set when CRM_AUTO_UPLOAD is true"));
    }
    let unknown = match values.text("CRM_UNKNOWN").as_deref() {
        None | Some("hold") => Unknown::Hold,
        Some("resend") => Unknown::Resend,
        Some(other) => {
            return Err(ConfigError::new("CRM_UNKNOWN", format!("`{other}` is neither hold nor resend")));
        }
    };
    Ok(Some(CallDataSettings {
        url: values.url("CRM_UPLOAD_URL", "")?,
        defaults: Defaults {
            campaign_id: values.text("CRM_CAMPAIGN_ID"),
            voice_agent_id: values.text("CRM_VOICE_AGENT_ID"),
            client_id: values.text("CRM_CLIENT_ID"),
            caller_phone: values.text("CRM_DEFAULT_CALLER_PHONE"),
            lines: installation.lines.clone(),
        },
        unknown,
        rate: values.rate("CRM_RATE")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &Values) -> Result<Settings, ConfigError> {
        Settings::read(values, &Installation::read(values)?)
    }

    fn problem(pairs: &[(&str, &str)]) -> String {
        match read(&Values::of(pairs.iter().copied())) {
            Ok(_) => String::new(),
            Err(error) => error.name,
        }
    }

    fn grant(pairs: &[(&str, &str)]) -> Grant {
        let consumer = [("SALESFORCE_CONSUMER_KEY", "key"), ("SALESFORCE_CONSUMER_SECRET", "secret")];
        let values = Values::of(consumer.into_iter().chain(pairs.iter().copied()));
        read(&values).unwrap().salesforce.unwrap().grant
    }

    #[test]
    fn what_has_no_key_is_off() {
        let settings = read(&Values::of([("CRM_CAMPAIGN_ID", "x")])).unwrap();
        assert!(settings.salesforce.is_none() && settings.call_data.is_none());
    }

    #[test]
    fn the_way_to_sign_in_follows_from_what_is_set() {
        let user = ("SALESFORCE_USERNAME", "ann");
        let pem = include_str!("../tests/samples/jwt_test_key.pem");
        assert!(matches!(grant(&[user, ("SALESFORCE_PASSWORD", "pw")]), Grant::Password { .. }));
        assert!(matches!(grant(&[user, ("SALESFORCE_JWT_KEY", pem)]), Grant::JwtBearer { .. }));
        let my_domain = ("SALESFORCE_LOGIN_URL", "https://acme.my.salesforce.com");
        assert!(matches!(grant(&[my_domain]), Grant::ClientCredentials));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let key = ("SALESFORCE_CONSUMER_KEY", "key");
        let secret = ("SALESFORCE_CONSUMER_SECRET", "secret");
        let user = ("SALESFORCE_USERNAME", "ann");
        assert_eq!(problem(&[key, secret, user]), "SALESFORCE_PASSWORD");
        assert_eq!(problem(&[key, user, ("SALESFORCE_PASSWORD", "pw")]), "SALESFORCE_CONSUMER_SECRET");
        assert_eq!(problem(&[key, secret]), "SALESFORCE_LOGIN_URL");
        assert_eq!(problem(&[key, user, ("SALESFORCE_JWT_KEY", "?")]), "SALESFORCE_JWT_KEY");
        assert_eq!(problem(&[key, ("SALESFORCE_JWT_KEY", "?")]), "SALESFORCE_USERNAME");
        let upload = ("CRM_AUTO_UPLOAD", "true");
        assert_eq!(problem(&[upload]), "CRM_UPLOAD_URL");
        let url = ("CRM_UPLOAD_URL", "http://127.0.0.1:9/call-data");
        assert_eq!(problem(&[upload, url, ("CRM_UNKNOWN", "ask")]), "CRM_UNKNOWN");
        assert_eq!(problem(&[upload, url, ("CRM_RATE", "5")]), "CRM_RATE");
        assert_eq!(problem(&[upload, url]), "");
    }
}
