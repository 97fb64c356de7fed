//! Who may ask: keys, what each of them opens, and how often.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine as _;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Problem;
use domain::call::WorkspaceId;
use platform::config::{ConfigError, Values};

type KeyDigest = [u8; 32];

/// The keys that were set, as digests: comparing those in constant time tells nothing about a key, not
/// even its length.
#[derive(Clone, Default)]
pub struct Keys {
    api: Option<KeyDigest>,
    webhook: Option<KeyDigest>,
}

impl Keys {
    pub fn read(values: &Values) -> Self {
        let key = |name| values.text(name).map(|key| digest(&key));
        Self { api: key("DEBRIEF_API_KEY"), webhook: key("DEBRIEF_WEBHOOK_KEY") }
    }

    /// Without any key the process listens on loopback only.
    pub fn any(&self) -> bool {
        self.api.is_some() || self.webhook.is_some()
    }
}

/// What a route is, which decides what opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Reads, or changes what is there: the API key as a bearer token.
    Api,
    /// Brings in: the API key or the webhook key, as a bearer token.
    BringIn,
    /// A webhook of a product that can neither sign nor send a header of our choice: as `BringIn`, and
    /// the webhook key also as the password of basic auth, or as `?key=`.
    Unsigned,
    /// A webhook whose sender has proved itself already, by a secret that stands in our configuration: no key.
    Signed,
}

/// Who asks. Nothing is read or written outside their workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub workspace: WorkspaceId,
}

pub struct Access {
    keys: Keys,
    limit: Option<DefaultKeyedRateLimiter<KeyDigest>>,
}

impl Access {
    /// From `DEBRIEF_API_KEY`, `DEBRIEF_WEBHOOK_KEY` and `DEBRIEF_RATE_LIMIT` (`100/s`, of each key).
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        const LIMIT: &str = "DEBRIEF_RATE_LIMIT";
        let limit = match values.rate(LIMIT)? {
            Some(rate) => {
                let quota = Quota::with_period(rate.every())
                    .ok_or_else(|| ConfigError::new(LIMIT, "no limit can be kept that is so high"))?;
                Some(RateLimiter::keyed(quota.allow_burst(rate.count)))
            }
            None => None,
        };
        Ok(Self { keys: Keys::read(values), limit })
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// 401 for a key that is missing or wrong, 403 for one that does not open this door, 429 for one that
    /// was used too often.
    pub fn admit(&self, door: Door, headers: &HeaderMap, uri: &Uri) -> Result<Caller, Problem> {
        if door == Door::Signed {
            return Ok(Caller { workspace: WorkspaceId::DEFAULT });
        }
        let key = if self.keys.any() { self.key(door, headers, uri)? } else { KeyDigest::default() };
        if let Some(limit) = &self.limit
            && let Err(until) = limit.check_key(&key)
        {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests with this key");
            return Err(problem.retry_after(until.wait_time_from(DefaultClock::default().now())));
        }
        Ok(Caller { workspace: WorkspaceId::DEFAULT })
    }

    fn key(&self, door: Door, headers: &HeaderMap, uri: &Uri) -> Result<KeyDigest, Problem> {
        let same = |set: Option<KeyDigest>, key: &KeyDigest| set.is_some_and(|set| set.ct_eq(key).into());
        let (webhook, api) = (self.keys.webhook, self.keys.api);
        if let Some(key) = authorization(headers, "bearer").map(|token| digest(&token)) {
            match (same(api, &key), same(webhook, &key), door) {
                (true, _, _) | (_, true, Door::BringIn | Door::Unsigned) => return Ok(key),
                (_, true, Door::Api) => {
                    let detail = "the webhook key can only bring in; this takes the API key";
                    return Err(Problem::new(StatusCode::FORBIDDEN, detail));
                }
                _ => {}
            }
        }
        if door == Door::Unsigned {
            let by_password = authorization(headers, "basic").and_then(|token| password(&token));
            let mut offered = by_password.into_iter().chain(query_key(uri)).map(|key| digest(&key));
            if let Some(key) = offered.find(|key| same(webhook, key)) {
                return Ok(key);
            }
        }
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "the key is missing or wrong");
        Err(problem.challenge(r#"Bearer realm="debrief""#))
    }
}

fn digest(key: &str) -> KeyDigest {
    Sha256::digest(key.as_bytes()).into()
}

/// What follows the scheme in `Authorization`.
fn authorization(headers: &HeaderMap, scheme: &str) -> Option<String> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (found, token) = text.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| token.trim().to_owned())
}

fn password(basic: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(basic).ok()?;
    String::from_utf8(bytes).ok()?.split_once(':').map(|(_, password)| password.to_owned())
}

fn query_key(uri: &Uri) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(name, _)| name == "key").map(|(_, key)| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let keys = [("DEBRIEF_API_KEY", "api"), ("DEBRIEF_WEBHOOK_KEY", "hook")];
        Access::read(&Values::of(keys)).unwrap()
    }

    /// The status with which a request is turned away; 200 when it is let in.
    fn status(door: Door, authorization: &str, uri: &'static str) -> u16 {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        }
        let admitted = access().admit(door, &headers, &Uri::from_static(uri));
        admitted.map_or_else(|problem| problem.status.as_u16(), |_| 200)
    }

    #[test]
    fn the_api_key_opens_every_door_as_a_bearer_token() {
        for door in [Door::Api, Door::BringIn, Door::Unsigned] {
            assert_eq!(status(door, "Bearer api", "/"), 200);
            assert_eq!(status(door, "bearer api", "/"), 200);
            assert_eq!(status(door, "Bearer wrong", "/"), 401);
            assert_eq!(status(door, "", "/"), 401);
        }
    }

    #[test]
    fn the_webhook_key_only_brings_in() {
        assert_eq!(status(Door::Api, "Bearer hook", "/"), 403);
        assert_eq!(status(Door::BringIn, "Bearer hook", "/"), 200);
        assert_eq!(status(Door::Unsigned, "Bearer hook", "/"), 200);
    }

    #[test]
    fn only_an_unsigned_webhook_takes_a_password_or_a_query() {
        // `zapier:hook` and `zapier:api`
        for (door, basic, wanted) in [
            (Door::Unsigned, "Basic emFwaWVyOmhvb2s=", 200),
            (Door::Unsigned, "Basic emFwaWVyOmFwaQ==", 401),
            (Door::BringIn, "Basic emFwaWVyOmhvb2s=", 401),
        ] {
            assert_eq!(status(door, basic, "/"), wanted, "{door:?} {basic}");
        }
        assert_eq!(status(Door::Unsigned, "", "/webhook/zapier?a=b&key=hook"), 200);
        assert_eq!(status(Door::Unsigned, "", "/webhook/zapier?key=api"), 401);
        assert_eq!(status(Door::BringIn, "", "/api/calls?key=hook"), 401);
    }

    #[test]
    fn a_rate_counts_for_each_key_and_says_when_to_come_back() {
        let values =
            [("DEBRIEF_API_KEY", "api"), ("DEBRIEF_WEBHOOK_KEY", "hook"), ("DEBRIEF_RATE_LIMIT", "2/h")];
        let access = Access::read(&Values::of(values)).unwrap();
        let ask = |key: &str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {key}").parse().unwrap())]);
            access.admit(Door::BringIn, &headers, &Uri::from_static("/"))
        };
        assert!(ask("api").is_ok() && ask("api").is_ok());
        assert_eq!(ask("api").unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
        assert!(ask("hook").is_ok());
        let error = Access::read(&Values::of([("DEBRIEF_RATE_LIMIT", "fast")])).err().unwrap();
        assert!(error.to_string().starts_with("DEBRIEF_RATE_LIMIT"), "{error}");
    }
}
