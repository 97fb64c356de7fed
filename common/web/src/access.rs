//! Who may ask: finds the principal behind a request, and how often they may ask.
//!
//! A key is one of the two that the configuration holds, which need no database, or one that was made with
//! `debrief keys create`. As soon as there is any key, of either kind, every request needs one. Until then the process
//! listens on loopback only, and whoever is on this machine may do everything. A key that is revoked still counts:
//! revoking the last one must not open what it had closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, Uri};
use domain::call::WorkspaceId;
use domain::principal::{Principal, Scope, Scopes};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use platform::config::{ConfigError, Values};
use subtle::ConstantTimeEq as _;

use crate::directory::{KeyDirectory, MadeKeys, Unavailable};
use crate::key::{self, KeyDigest};
use crate::{Problem, credentials};

/// The workspace that an installation begins with. The keys of the configuration belong to it, and what tells of the
/// whole installation is shown to its keys only.
pub const INSTALLATION: WorkspaceId = WorkspaceId::DEFAULT;

const COME_BACK_IN: Duration = Duration::from_secs(5);
/// How often a process without a key looks whether one was made.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// What a route is, which decides who may use it and how they show their key. A key is a bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Sends something in.
    BringIn,
    /// Sends something in for a product that can neither sign nor send a header of our choice: the key may also be the
    /// password of basic auth, or stand in the address as `?key=`. A key that can do more than bring in is not taken
    /// from there: an address is written into too many logs.
    Unsigned,
    /// Reads what belongs to the workspace.
    Read,
    /// Reads what tells of the whole installation, over all workspaces.
    ReadInstallation,
    /// Has something done again.
    Operate,
}

impl Door {
    fn scope(self) -> Scope {
        match self {
            Self::BringIn | Self::Unsigned => Scope::BringIn,
            Self::Read | Self::ReadInstallation => Scope::Read,
            Self::Operate => Scope::Operate,
        }
    }

    /// 403 for somebody for whom this door does not open.
    fn let_in(self, principal: &Principal) -> Result<(), Problem> {
        let refused = |detail| Err(Problem::new(StatusCode::FORBIDDEN, detail));
        let scope = self.scope();
        if !principal.scopes.has(scope) {
            let (needed, has) = (scope.name(), principal.scopes);
            return refused(format!("this takes a key with the scope `{needed}`; this key has `{has}`"));
        }
        if self == Self::ReadInstallation && principal.workspace != INSTALLATION {
            let detail = "this tells of the whole installation, so it takes a key of the workspace `default`";
            return refused(detail.to_owned());
        }
        Ok(())
    }
}

/// What the configuration says of who may ask.
#[derive(Clone, Default)]
pub struct Settings {
    api: Option<KeyDigest>,
    webhook: Option<KeyDigest>,
    rate_limit: Option<Quota>,
}

impl Settings {
    /// From `DEBRIEF_API_KEY`, `DEBRIEF_WEBHOOK_KEY` and `DEBRIEF_RATE_LIMIT` (`100/s`, of each key).
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        const LIMIT: &str = "DEBRIEF_RATE_LIMIT";
        let key = |name| values.text(name).map(|key| key::digest(&key));
        let rate_limit = match values.rate(LIMIT)? {
            Some(rate) => {
                let quota = Quota::with_period(rate.every())
                    .ok_or_else(|| ConfigError::new(LIMIT, "no limit can be kept that is so high"))?;
                Some(quota.allow_burst(rate.count))
            }
            None => None,
        };
        Ok(Self { api: key("DEBRIEF_API_KEY"), webhook: key("DEBRIEF_WEBHOOK_KEY"), rate_limit })
    }

    /// Whether the configuration holds a key. Without one the process listens on loopback only, whatever keys were
    /// made: making a key must not open a door to the network, and a database that is new or was put back must not
    /// leave one open.
    pub fn has_key(&self) -> bool {
        self.api.is_some() || self.webhook.is_some()
    }
}

/// Finds who asks.
pub struct Access {
    configured: Vec<(KeyDigest, Principal)>,
    /// Absent where nobody shows a key.
    made: Option<MadeKeys>,
    /// Whether there is no key at all yet. It never becomes true again.
    is_open: AtomicBool,
    /// Who asks while there is no key.
    everybody: Principal,
    limit: Option<DefaultKeyedRateLimiter<KeyDigest>>,
}

impl Access {
    /// Call [`look`](Self::look) before the first request, and let [`watch`](Self::watch) run beside them.
    pub fn new(settings: &Settings, directory: Arc<dyn KeyDirectory>) -> Self {
        let principal =
            |actor: &str, scopes| Principal { workspace: INSTALLATION, actor: actor.into(), scopes };
        let only = |scope| Scopes::from_iter([scope]);
        let keys = [
            (settings.api, principal("api key", Scopes::ALL)),
            (settings.webhook, principal("webhook key", only(Scope::BringIn))),
        ];
        Self {
            configured: keys.into_iter().filter_map(|(key, whose)| Some((key?, whose))).collect(),
            made: Some(MadeKeys::new(directory)),
            is_open: AtomicBool::new(!settings.has_key()),
            everybody: principal("no key", Scopes::ALL),
            limit: settings.rate_limit.map(RateLimiter::keyed),
        }
    }

    /// Every request is `principal`'s, and nobody shows a key: for what does not come over the network.
    pub fn of(principal: Principal) -> Self {
        let is_open = AtomicBool::new(true);
        Self { configured: Vec::new(), made: None, is_open, everybody: principal, limit: None }
    }

    /// Whether there is no key yet, so that only this machine may ask, and needs none.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Looks whether a key was made; the error says why nobody knows.
    pub async fn look(&self) -> anyhow::Result<()> {
        if self.is_open()
            && let Some(made) = &self.made
            && made.any().await?
        {
            self.is_open.store(false, Ordering::Relaxed);
            tracing::info!("a key was made: from now on every request needs one");
        }
        Ok(())
    }

    /// Looks every few seconds, until there is a key. A store that does not answer changes nothing: no key can have been
    /// made in it meanwhile.
    pub async fn watch(&self) {
        while self.is_open() && self.made.is_some() {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.look().await {
                tracing::warn!(error = format!("{error:#}"), "failed to look whether a key was made");
            }
        }
    }

    /// 401 for a key that is missing or wrong, 403 for one that does not open this door, 429 for one that was used too
    /// often, 503 for one that has to be looked up while the store cannot be used.
    pub async fn admit(&self, door: Door, headers: &HeaderMap, uri: &Uri) -> Result<Principal, Problem> {
        let (key, principal) = if self.is_open() {
            (KeyDigest::default(), self.everybody.clone())
        } else {
            self.find(door, headers, uri).await?
        };
        door.let_in(&principal)?;
        if let Some(limit) = &self.limit
            && let Err(until) = limit.check_key(&key)
        {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests with this key");
            return Err(problem.retry_after(until.wait_time_from(DefaultClock::default().now())));
        }
        Ok(principal)
    }

    async fn find(
        &self,
        door: Door,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<(KeyDigest, Principal), Problem> {
        let header = credentials::bearer(headers).map(|key| (key, false));
        let elsewhere = (door == Door::Unsigned)
            .then(|| credentials::password(headers).into_iter().chain(credentials::query_key(uri)));
        let elsewhere = elsewhere.into_iter().flatten().map(|key| (key, true));
        let mut refusal = Problem::new(StatusCode::UNAUTHORIZED, "the key is missing or wrong")
            .challenge(r#"Bearer realm="debrief""#);
        for (key, must_be_narrow) in header.into_iter().chain(elsewhere) {
            match self.whose(&key).await {
                Ok(Some(found)) if !must_be_narrow || found.1.scopes.is_only(Scope::BringIn) => {
                    return Ok(found);
                }
                Ok(_) => {}
                Err(Unavailable) => {
                    let detail = "the key cannot be looked up at the moment";
                    refusal = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(COME_BACK_IN);
                }
            }
        }
        Err(refusal)
    }

    /// Whose key this is, and what it is counted by.
    async fn whose(&self, key: &str) -> Result<Option<(KeyDigest, Principal)>, Unavailable> {
        let digest = key::digest(key);
        for (configured, principal) in &self.configured {
            if configured.ct_eq(&digest).into() {
                return Ok(Some((digest, principal.clone())));
            }
        }
        let Some(made) = self.made.as_ref().filter(|_| key::is_ours(key)) else { return Ok(None) };
        Ok(made.find(digest).await?.map(|principal| (digest, principal)))
    }
}

#[cfg(test)]
mod tests;
