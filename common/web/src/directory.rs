//! Looks up keys and sessions in the store, and remembers the results for some seconds.
//!
//! A revoked key is accepted as long as its result is remembered: for [`REMEMBERED_FOR`] after an answer that took at
//! most [`LOOK_UP_WITHIN`]. Together this is less than the promised ten seconds. It is also remembered that a key is
//! not known. So a wrong key that is sent again and again costs the store no more than a right key. A sender that
//! makes up a new key for each request does not fill the memory, and holds few connections of the store.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::principal::{Principal, Sees};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use moka::future::Cache;
use store::{SignedIn, Store};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::key;

const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// How long a result is remembered for whoever stays connected. All connections with one key share a look-up.
const FRESH_FOR: Duration = Duration::from_millis(400);
/// How long a look-up may take. A store that takes longer counts as away.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(2);
/// How many keys are remembered, both right and wrong ones. The least used ones are forgotten first.
const REMEMBERED_KEYS: u64 = 10_000;
/// How many look-ups of keys run at once. More would take connections that the store needs for other work.
const LOOK_UPS_AT_ONCE: usize = 4;

/// The place where keys are looked up. It is a trait, so that a test can count the look-ups and can act as if the
/// store were away.
pub trait KeyDirectory: Send + Sync {
    /// Finds the principal of a key. `hash` is the result of [`key::hash`]. `None` for a key that is revoked or was
    /// never made.
    fn find<'a>(&'a self, hash: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Principal>>>;

    /// Finds who is signed in. `hash` is the result of [`key::hash`] for the token of a session. `None` for a session
    /// that has ended or never was.
    fn signed_in<'a>(&'a self, _hash: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Arc<SignedIn>>>> {
        async { Ok(None) }.boxed()
    }

    /// Whether a key or an account was ever made, even if it is revoked by now.
    fn has_keys(&self) -> BoxFuture<'_, anyhow::Result<bool>>;
}

impl KeyDirectory for Store {
    fn find<'a>(&'a self, hash: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Principal>>> {
        async move {
            let row = self.key(hash).await?;
            Ok(row.map(|row| Principal {
                workspace: row.workspace,
                actor: format!("key:{}", row.name).into(),
                scopes: row.scopes,
                sees: Sees::All,
            }))
        }
        .boxed()
    }

    fn signed_in<'a>(&'a self, hash: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Arc<SignedIn>>>> {
        async move { Ok(Self::signed_in(self, hash).await?.map(Arc::new)) }.boxed()
    }

    fn has_keys(&self) -> BoxFuture<'_, anyhow::Result<bool>> {
        async move { Ok(Self::has_keys(self).await? || self.has_users().await?) }.boxed()
    }
}

/// The error when the store could not be asked about a key.
#[derive(Debug)]
pub(crate) struct Unavailable;

pub(crate) struct MadeKeys {
    directory: Arc<dyn KeyDirectory>,
    remembered: Cache<key::KeyDigest, Option<Principal>>,
    sessions: Cache<key::KeyDigest, Option<Arc<SignedIn>>>,
    /// Who shows a key or a token now: a look-up that is only some moments old.
    fresh: Cache<key::KeyDigest, Option<Principal>>,
    look_ups: Semaphore,
}

impl MadeKeys {
    pub(crate) fn new(directory: Arc<dyn KeyDirectory>) -> Self {
        let remembered = Cache::builder().max_capacity(REMEMBERED_KEYS).time_to_live(REMEMBERED_FOR).build();
        let sessions = Cache::builder().max_capacity(REMEMBERED_KEYS).time_to_live(REMEMBERED_FOR).build();
        let fresh = Cache::builder().max_capacity(REMEMBERED_KEYS).time_to_live(FRESH_FOR).build();
        Self { directory, remembered, sessions, fresh, look_ups: Semaphore::new(LOOK_UPS_AT_ONCE) }
    }

    /// Finds the principal of a key. Requests that come with the same key at the same time share one look-up.
    pub(crate) async fn find(&self, digest: key::KeyDigest) -> Result<Option<Principal>, Unavailable> {
        self.remembered.try_get_with(digest, self.look_up(digest)).await.map_err(|error| {
            tracing::warn!(error = format!("{error:#}"), "failed to look a key up");
            Unavailable
        })
    }

    /// Finds who is signed in with a token.
    pub(crate) async fn signed_in(
        &self,
        digest: key::KeyDigest,
    ) -> Result<Option<Arc<SignedIn>>, Unavailable> {
        let asking = async {
            let asking = async {
                let _place = self.look_ups.acquire().await?;
                self.directory.signed_in(&hex::encode(digest)).await
            };
            timeout(LOOK_UP_WITHIN, asking).await.context("the store did not answer in time")?
        };
        self.sessions.try_get_with(digest, asking).await.map_err(|error| {
            tracing::warn!(error = format!("{error:#}"), "failed to look a session up");
            Unavailable
        })
    }

    /// Finds who shows a key or the token of a session, as the store knows it now.
    pub(crate) async fn find_fresh(
        &self,
        digest: key::KeyDigest,
        is_session: bool,
    ) -> Result<Option<Principal>, Unavailable> {
        let asking = async {
            if !is_session {
                return self.look_up(digest).await;
            }
            let asking = async {
                let _place = self.look_ups.acquire().await?;
                self.directory.signed_in(&hex::encode(digest)).await
            };
            let signed_in =
                timeout(LOOK_UP_WITHIN, asking).await.context("the store did not answer in time")??;
            Ok(signed_in.map(|signed_in| signed_in.principal.clone()))
        };
        self.fresh.try_get_with(digest, asking).await.map_err(|error: Arc<anyhow::Error>| {
            tracing::debug!(error = format!("{error:#}"), "failed to look a key up again");
            Unavailable
        })
    }

    /// Forgets every session that is remembered, because one of them was changed.
    pub(crate) fn forget_sessions(&self) {
        self.sessions.invalidate_all();
    }

    async fn look_up(&self, digest: key::KeyDigest) -> anyhow::Result<Option<Principal>> {
        let asking = async {
            let _place = self.look_ups.acquire().await?;
            self.directory.find(&hex::encode(digest)).await
        };
        timeout(LOOK_UP_WITHIN, asking).await.context("the store did not answer in time")?
    }

    pub(crate) async fn any(&self) -> anyhow::Result<bool> {
        timeout(LOOK_UP_WITHIN, self.directory.has_keys())
            .await
            .context("the store did not answer in time")?
    }
}
