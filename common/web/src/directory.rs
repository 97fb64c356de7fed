//! Keys that were made with a command: looked up in the store, and remembered for some seconds.
//!
//! What is remembered bounds how long a revoked key is still taken: [`REMEMBERED_FOR`] after an answer that took at
//! most [`LOOK_UP_WITHIN`], which together is below the ten seconds that are promised. That a key is not known is
//! remembered as well, so a wrong key that is sent over and over costs the store no more than a right one. Somebody who
//! makes up a new key for each request fills no memory and holds few connections of the store.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::principal::Principal;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use moka::future::Cache;
use store::Store;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::key;

const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// A store that takes longer cannot be used.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(2);
/// Keys that are remembered, right and wrong ones. Those that are used least go first.
const REMEMBERED_KEYS: u64 = 10_000;
/// The store has other work: no more of its connections are held by look-ups of keys.
const LOOK_UPS_AT_ONCE: usize = 4;

/// Where keys that were made are looked up. It is a trait so that a test can count the look-ups and take the store
/// away.
pub trait KeyDirectory: Send + Sync {
    /// Whose key this is; `hash` is what [`key::hash`] makes of it. Nobody's where it is revoked or was never made.
    fn find<'a>(&'a self, hash: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Principal>>>;

    /// Whether a key was ever made.
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
            }))
        }
        .boxed()
    }

    fn has_keys(&self) -> BoxFuture<'_, anyhow::Result<bool>> {
        async move { Ok(Self::has_keys(self).await?) }.boxed()
    }
}

/// The store could not be asked whose key it is.
#[derive(Debug)]
pub(crate) struct Unavailable;

pub(crate) struct MadeKeys {
    directory: Arc<dyn KeyDirectory>,
    remembered: Cache<key::KeyDigest, Option<Principal>>,
    look_ups: Semaphore,
}

impl MadeKeys {
    pub(crate) fn new(directory: Arc<dyn KeyDirectory>) -> Self {
        let remembered = Cache::builder().max_capacity(REMEMBERED_KEYS).time_to_live(REMEMBERED_FOR).build();
        Self { directory, remembered, look_ups: Semaphore::new(LOOK_UPS_AT_ONCE) }
    }

    /// Whose key this is. Requests that come with one key at the same time share one look-up.
    pub(crate) async fn find(&self, digest: key::KeyDigest) -> Result<Option<Principal>, Unavailable> {
        self.remembered.try_get_with(digest, self.look_up(digest)).await.map_err(|error| {
            tracing::warn!(error = format!("{error:#}"), "failed to look a key up");
            Unavailable
        })
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
