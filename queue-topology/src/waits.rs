//! What the runs of this process wait for at the moment, so that people can see what holds the places of the workers.
//!
//! A wait is written into the row of its run only after a moment, because most waits are over by then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::{Claim, Store};
use tokio::time::Instant;

/// How long a wait lasts before people can see it.
const WORTH_SHOWING: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The waits of a process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Waits(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    next: u64,
    now: HashMap<u64, Wait>,
    /// Waits that were written into a row and are over.
    over: Vec<Claim>,
}

#[derive(Debug)]
struct Wait {
    claim: Claim,
    whom: String,
    since: Instant,
    is_shown: bool,
}

/// A wait, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    waits: Waits,
    id: u64,
}

impl Waits {
    /// Remembers that a run waits for `whom`.
    pub(crate) fn begin(&self, claim: &Claim, whom: &str) -> Waiting {
        let mut all = self.all();
        all.next += 1;
        let id = all.next;
        let wait = Wait { claim: *claim, whom: whom.to_owned(), since: Instant::now(), is_shown: false };
        all.now.insert(id, wait);
        Waiting { waits: self.clone(), id }
    }

    /// Writes waits into the rows of their runs, for ever. What cannot be written is written at the next look.
    pub(crate) async fn show(&self, store: &Store) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.show_once(store).await {
                tracing::debug!(%error, "failed to show what runs wait for");
            }
        }
    }

    async fn show_once(&self, store: &Store) -> store::Result<()> {
        let over = std::mem::take(&mut self.all().over);
        for claim in over {
            store.show_wait(&claim, None).await?;
        }
        let mut new = Vec::new();
        for (id, wait) in &self.all().now {
            if !wait.is_shown && wait.since.elapsed() >= WORTH_SHOWING {
                new.push((*id, wait.claim, wait.whom.clone()));
            }
        }
        for (id, claim, whom) in new {
            store.show_wait(&claim, Some(&whom)).await?;
            let mut all = self.all();
            match all.now.get_mut(&id) {
                Some(wait) => wait.is_shown = true,
                None => all.over.push(claim),
            }
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut all = self.waits.all();
        if let Some(wait) = all.now.remove(&self.id)
            && wait.is_shown
        {
            all.over.push(wait.claim);
        }
    }
}
