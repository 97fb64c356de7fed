//! Finds the principal behind a request, and limits how often the principal may send requests.
//!
//! A browser in which somebody is signed in shows its session instead of a key; see [`crate::session`].
//!
//! There are two kinds of keys. The configuration holds up to two keys, which need no database. Other keys are made
//! with `debrief keys create`. As soon as there is a key of either kind or an account, every request needs a key or a session. Until then the
//! process listens on loopback only, and everybody on this machine may do everything. A revoked key still counts as a
//! key, because revoking the last key must not open what was closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::UPGRADE;
use axum::http::request::Parts;
use domain::call::WorkspaceId;
use domain::principal::{Principal, Scope, Scopes, Sees};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use platform::config::{ConfigError, Values};
use store::SignedIn;
use subtle::ConstantTimeEq as _;

use crate::directory::{KeyDirectory, MadeKeys, Unavailable};
use crate::key::{self, KeyDigest};
use crate::peer::Peer;
use crate::wrong_keys::WrongKeys;
use crate::{Problem, credentials, session};

/// The workspace that an installation begins with. The keys of the configuration belong to it. Only its keys may read
/// data about the whole installation.
pub const INSTALLATION: WorkspaceId = WorkspaceId::DEFAULT;

const COME_BACK_IN: Duration = Duration::from_secs(5);
/// How often a process looks for a first key, while there is no key.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// The kind of a route. It decides who may use the route and how they show their key. At every route the key can be a
/// bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The route brings calls in.
    BringIn,
    /// The route brings calls in for a product that can neither sign its requests nor send a header of our choice. So
    /// the key may also be the password of basic auth, or stand in the address as `?key=`. There only a key that can
    /// do nothing but bring in is accepted, because addresses are written into many logs.
    Unsigned,
    /// The route reads data of the workspace.
    Read,
    /// The route reads data of the workspace and shows a principal only the calls that it may see. At every other route a
    /// principal that does not see every call is refused.
    ReadOwn,
    /// The route reads data about the whole installation, over all workspaces.
    ReadInstallation,
    /// The route starts work again.
    Operate,
    /// The route takes part in practice. An agent who is signed in practises too, though she starts no work again.
    Practise,
    /// The route decides who else gets access.
    Administer,
}

impl Door {
    fn scope(self) -> Scope {
        match self {
            Self::BringIn | Self::Unsigned => Scope::BringIn,
            Self::Read | Self::ReadOwn | Self::ReadInstallation => Scope::Read,
            Self::Operate | Self::Practise => Scope::Operate,
            Self::Administer => Scope::Administer,
        }
    }

    /// Whether a principal may use this route.
    pub fn opens_for(self, principal: &Principal) -> bool {
        self.let_in(principal).is_ok()
    }

    /// Returns a 403 for a principal that may not use this route.
    fn let_in(self, principal: &Principal) -> Result<(), Problem> {
        let refused = |detail| Err(Problem::new(StatusCode::FORBIDDEN, detail));
        let scope = self.scope();
        if self == Self::Practise && principal.sees.is_restricted() {
            return Ok(());
        }
        if !principal.scopes.has(scope) {
            let (needed, has) = (scope.name(), principal.scopes);
            return refused(format!("this takes a key with the scope `{needed}`; this key has `{has}`"));
        }
        if principal.sees.is_restricted() && self != Self::ReadOwn {
            let detail = "you see only your own calls, and this is about the calls of everybody";
            return refused(detail.to_owned());
        }
        if self == Self::ReadInstallation && principal.workspace != INSTALLATION {
            let detail = "this tells of the whole installation, so it takes a key of the workspace `default`";
            return refused(detail.to_owned());
        }
        Ok(())
    }
}

/// The settings that decide who may send requests.
#[derive(Clone, Default)]
pub struct Settings {
    api: Option<KeyDigest>,
    webhook: Option<KeyDigest>,
    rate_limit: Option<Quota>,
}

impl Settings {
    /// Reads `DEBRIEF_API_KEY`, `DEBRIEF_WEBHOOK_KEY` and `DEBRIEF_RATE_LIMIT` (such as `100/s`, for each key).
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        const LIMIT: &str = "DEBRIEF_RATE_LIMIT";
        const API_KEY: &str = "DEBRIEF_API_KEY";
        const WEBHOOK_KEY: &str = "DEBRIEF_WEBHOOK_KEY";
        let (api, webhook) = (values.request_key(API_KEY)?, values.request_key(WEBHOOK_KEY)?);
        if api.is_some() && api == webhook {
            let problem = format!("is the same as {API_KEY}: whoever can bring calls in could do everything");
            return Err(ConfigError::new(WEBHOOK_KEY, problem));
        }
        let digest = |key: Option<String>| key.map(|key| key::digest(&key));
        let rate_limit = match values.rate(LIMIT)? {
            Some(rate) => {
                let quota = Quota::with_period(rate.every())
                    .ok_or_else(|| ConfigError::new(LIMIT, "no limit can be kept that is so high"))?;
                Some(quota.allow_burst(rate.count))
            }
            None => None,
        };
        Ok(Self { api: digest(api), webhook: digest(webhook), rate_limit })
    }

    /// Whether the configuration holds a key. Without one the process listens on loopback only, even where keys were
    /// made with the command. Making a key must not open the process to the network, and a new or restored database
    /// without keys must not leave it open.
    pub fn has_key(&self) -> bool {
        self.api.is_some() || self.webhook.is_some()
    }
}

/// Who was let in.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub principal: Principal,
    /// Who is signed in, where a session was shown and not a key.
    pub signed_in: Option<Arc<SignedIn>>,
}

/// Somebody in whose name another part of this process sends a request, after it let her in and checked her form. It is an
/// extension of the request, so nobody can send it over the network.
#[derive(Clone, Debug)]
pub struct OnBehalfOf(pub Principal);

/// Finds the principal of each request.
pub struct Access {
    configured: Vec<(KeyDigest, Principal)>,
    /// The directory of the keys that were made. `None` where no request shows a key.
    made: Option<MadeKeys>,
    /// Whether there is no key at all yet. Once it is false, it stays false.
    is_open: AtomicBool,
    /// The principal of every request while there is no key.
    everybody: Principal,
    limit: Option<DefaultKeyedRateLimiter<KeyDigest>>,
    wrong_keys: WrongKeys,
}

impl Access {
    /// The caller has to call [`look`](Self::look) before the first request, and to run [`watch`](Self::watch) while
    /// requests are served.
    pub fn new(settings: &Settings, directory: Arc<dyn KeyDirectory>) -> Self {
        let principal = |actor: &str, scopes| Principal {
            workspace: INSTALLATION,
            actor: actor.into(),
            scopes,
            sees: Sees::All,
        };
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
            wrong_keys: WrongKeys::new(),
        }
    }

    /// Treats every request as one of `principal`, without a key. This is for requests that do not come over the
    /// network.
    pub fn of(principal: Principal) -> Self {
        let is_open = AtomicBool::new(true);
        let wrong_keys = WrongKeys::new();
        Self { configured: Vec::new(), made: None, is_open, everybody: principal, limit: None, wrong_keys }
    }

    /// Whether there is no key yet. Then only this machine may send requests, and it needs no key.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Looks whether a key was made. The error says why the store could not tell.
    pub async fn look(&self) -> anyhow::Result<()> {
        if self.is_open()
            && let Some(made) = &self.made
            && made.any().await?
        {
            self.is_open.store(false, Ordering::Relaxed);
            tracing::info!(
                "a key or an account was made: from now on every request needs a key or a session"
            );
        }
        Ok(())
    }

    /// Looks every few seconds until there is a key. A store that does not answer changes nothing, because no key can
    /// be made in it at that time.
    pub async fn watch(&self) {
        while self.is_open() && self.made.is_some() {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.look().await {
                tracing::warn!(error = format!("{error:#}"), "failed to look whether a key was made");
            }
        }
    }

    /// Finds the principal of a request. The error is 401 for a missing or wrong key, and 403 for a key that may not
    /// use this route. It is 429 for a key that was used too often, and for a wrong key from an address that has shown
    /// many. It is 503 where the key has to be looked up and the store cannot be used.
    ///
    /// A browser shows its session instead of a key. A request with which it changes something has to hold the text of
    /// our own pages in the header `X-CSRF-Token`.
    pub async fn admit(&self, door: Door, head: &Parts) -> Result<Principal, Problem> {
        self.admit_as(door, head, true).await.map(|admitted| admitted.principal)
    }

    /// The same for a page. Its form holds the text of our own pages, so the handler has to check it, with
    /// [`crate::session::check_form`].
    pub async fn admit_to_page(&self, door: Door, head: &Parts) -> Result<Admitted, Problem> {
        self.admit_as(door, head, false).await
    }

    async fn admit_as(&self, door: Door, head: &Parts, by_header: bool) -> Result<Admitted, Problem> {
        if let Some(OnBehalfOf(principal)) = head.extensions.get() {
            door.let_in(principal)?;
            return Ok(Admitted { principal: principal.clone(), signed_in: None });
        }
        let (key, admitted) = if self.is_open() {
            let admitted = Admitted { principal: self.everybody.clone(), signed_in: None };
            (KeyDigest::default(), admitted)
        } else {
            let found = if let Some(found) = self.find_session(head, by_header).await? {
                found
            } else {
                let (key, principal) = self.find(door, head).await?;
                (key, Admitted { principal, signed_in: None })
            };
            if let Some(peer) = head.extensions.get::<Peer>() {
                peer.showed_a_key();
            }
            found
        };
        door.let_in(&admitted.principal)?;
        if let Some(limit) = &self.limit
            && let Err(until) = limit.check_key(&key)
        {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests with this key");
            return Err(problem.retry_after(until.wait_time_from(DefaultClock::default().now())));
        }
        Ok(admitted)
    }

    /// Whether the sender of a request that was admitted before still is. This is for connections that stay open: it looks
    /// the key up again, and it counts as no request. While the store cannot be asked, everybody stays.
    pub async fn is_still_admitted(&self, door: Door, head: &Parts) -> bool {
        if self.is_open() {
            return true;
        }
        let bearer = credentials::bearer(&head.headers);
        let Some(shown) = bearer.as_deref().or_else(|| session::token(&head.headers)) else { return false };
        let digest = key::digest(shown);
        if self.configured.iter().any(|(configured, _)| bool::from(configured.ct_eq(&digest))) {
            return true;
        }
        let Some(made) = &self.made else { return false };
        match made.find_fresh(digest, session::is_token(shown)).await {
            Ok(Some(principal)) => door.let_in(&principal).is_ok(),
            Ok(None) => false,
            Err(Unavailable) => true,
        }
    }

    /// Who is signed in, by the cookie of her browser or by a bearer token. `None` where the request shows no session
    /// that goes on.
    async fn find_session(
        &self,
        head: &Parts,
        by_header: bool,
    ) -> Result<Option<(KeyDigest, Admitted)>, Problem> {
        let Some(made) = &self.made else { return Ok(None) };
        let bearer = credentials::bearer(&head.headers);
        let (token, is_cookie) = match (&bearer, session::token(&head.headers)) {
            (Some(bearer), _) if session::is_token(bearer) => (&**bearer, false),
            (None, Some(cookie)) => (cookie, true),
            _ => return Ok(None),
        };
        let digest = key::digest(token);
        let Some(signed_in) = made.signed_in(digest).await.map_err(|Unavailable| unavailable())? else {
            return Ok(None);
        };
        // A browser sends the cookie with every request, whoever made it. A bearer token it does not send by itself.
        if is_cookie && head.headers.contains_key(UPGRADE) {
            // A WebSocket is opened with a GET, and then everything can be done over it. No script can give it a header.
            session::check_origin(head)?;
        }
        if is_cookie && !head.method.is_safe() {
            if by_header {
                let given = head.headers.get(session::CSRF_HEADER).and_then(|value| value.to_str().ok());
                session::check_form(head, given.unwrap_or_default())?;
            } else {
                session::check_origin(head)?;
            }
        }
        let principal = signed_in.principal.clone();
        Ok(Some((digest, Admitted { principal, signed_in: Some(signed_in) })))
    }

    /// The principal of a key that somebody typed into a page. `None` for a wrong key. Wrong keys are counted as those of
    /// requests are.
    pub async fn of_key(&self, key: &str, head: &Parts) -> Result<Option<Principal>, Problem> {
        let found = self.whose(key).await.map_err(|Unavailable| unavailable())?;
        if found.is_none() {
            self.refuse_many_wrong_keys(head).await?;
        }
        Ok(found.map(|(_, principal)| principal))
    }

    /// Forgets the sessions that this process remembers, because one was changed. Another process learns of it within
    /// some seconds.
    pub fn forget_sessions(&self) {
        if let Some(made) = &self.made {
            made.forget_sessions();
        }
    }

    async fn find(&self, door: Door, head: &Parts) -> Result<(KeyDigest, Principal), Problem> {
        let (headers, uri) = (&head.headers, &head.uri);
        let header = credentials::bearer(headers).map(|key| (key, false));
        let elsewhere = (door == Door::Unsigned)
            .then(|| credentials::password(headers).into_iter().chain(credentials::query_key(uri)));
        let elsewhere = elsewhere.into_iter().flatten().map(|key| (key, true));
        let (mut has_wrong_key, mut is_unknown) = (false, false);
        for (key, must_be_narrow) in header.into_iter().chain(elsewhere) {
            match self.whose(&key).await {
                Ok(Some(found)) if !must_be_narrow || found.1.scopes.is_only(Scope::BringIn) => {
                    return Ok(found);
                }
                Ok(Some(_)) => {}
                Ok(None) => has_wrong_key = true,
                Err(Unavailable) => is_unknown = true,
            }
        }
        if is_unknown {
            return Err(unavailable());
        }
        if has_wrong_key {
            self.refuse_many_wrong_keys(head).await?;
        }
        let refusal = Problem::new(StatusCode::UNAUTHORIZED, "the key is missing or wrong");
        Err(refusal.challenge(r#"Bearer realm="debrief""#))
    }

    async fn refuse_many_wrong_keys(&self, head: &Parts) -> Result<(), Problem> {
        if let Some(peer) = head.extensions.get::<Peer>()
            && let Some(wait) = self.wrong_keys.count(peer.network()).await
        {
            let detail = "the key is wrong, and many wrong keys came from this address";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait));
        }
        Ok(())
    }

    /// Finds the principal of this key, and the name under which its requests are counted.
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

fn unavailable() -> Problem {
    let detail = "the key cannot be looked up at the moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(COME_BACK_IN)
}

#[cfg(test)]
mod tests;
