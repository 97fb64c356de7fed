//! Limits how many connections a process has at once, and decides who has to leave when there is no place left.
//!
//! Each connection takes memory and an open file. Without a limit, somebody who opens enough connections keeps the
//! process from opening files of its own, and no message says why. With a limit alone, somebody who opens enough
//! connections and then does nothing keeps everybody else out. So a newcomer gets the place of the connection that
//! has made us wait the longest, and the connections of one address that have shown no valid key together hold at most
//! half of the places. A load balancer is one address, too: behind it the connections that have shown a key do not
//! count.

mod activity;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platform::config::{ConfigError, Values};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use web::Peer;

pub(crate) use activity::Activity;

/// The default limit. Together with the other open files of a process it stays below 1024, the limit of many systems.
const CONNECTIONS: usize = 800;
/// How many further connections can be told that there is no room, or how the process is, at the same time.
const TOLD_AT_ONCE: usize = 64;
/// How long a connection may let us wait before it has to leave for a newcomer.
const PATIENCE: Patience =
    Patience { with_a_key: Duration::from_secs(10), without_a_key: Duration::from_secs(1) };
const NO_PATIENCE: Patience = Patience { with_a_key: Duration::ZERO, without_a_key: Duration::ZERO };

#[derive(Clone, Copy)]
struct Patience {
    with_a_key: Duration,
    without_a_key: Duration,
}

/// What a new connection may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Everything.
    Served,
    /// How the process is. Every other request is told to come back.
    Told,
}

/// The places of one listener.
pub(crate) struct Doors {
    served: Places,
    told: Places,
}

impl Doors {
    /// Reads `DEBRIEF_MAX_CONNECTIONS`.
    pub(crate) fn read(values: &Values) -> Result<Self, ConfigError> {
        let wanted = values.number("DEBRIEF_MAX_CONNECTIONS", CONNECTIONS, 1..=1_000_000, "connections")?;
        Ok(Self::new(wanted))
    }

    pub(crate) fn new(connections: usize) -> Self {
        Self { served: Places::new(connections, PATIENCE), told: Places::new(TOLD_AT_ONCE, NO_PATIENCE) }
    }

    /// Takes a place for a connection of `peer`. There is none where even the places for those who are told that there
    /// is no room are taken. While `keys_are_needed` is false, nobody can show a key, and one address may take all
    /// places.
    pub(crate) fn place(&self, peer: &Peer, keys_are_needed: bool) -> Option<(Place, Room)> {
        let served = self.served.take(peer, keys_are_needed).map(|place| (place, Room::Served));
        served.or_else(|| Some((self.told.take(peer, true)?, Room::Told)))
    }
}

struct Places {
    most: usize,
    patience: Patience,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    guests: HashMap<u64, Guest>,
    /// How many connections each address has, so that the others need not be counted for each newcomer.
    of: HashMap<IpAddr, usize>,
}

#[derive(Clone)]
struct Guest {
    peer: Peer,
    activity: Arc<Activity>,
    must_leave: CancellationToken,
}

/// The place of one connection. It is free again when this is dropped.
pub(crate) struct Place {
    id: u64,
    guest: Guest,
    taken: Arc<Mutex<Taken>>,
}

impl Place {
    pub(crate) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.guest.activity)
    }

    /// Waits until a newcomer has got this place. Then the connection has to be closed at once.
    pub(crate) async fn given_away(&self) {
        self.guest.must_leave.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.taken).remove(self.id);
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    fn new(most: usize, patience: Patience) -> Self {
        Self { most, patience, taken: Arc::default() }
    }

    /// How many places the connections of one address may hold that have shown no key.
    fn share(&self) -> usize {
        self.most.div_ceil(2)
    }

    fn take(&self, peer: &Peer, has_share: bool) -> Option<Place> {
        let now = Instant::now();
        let network = peer.network();
        let mut taken = lock(&self.taken);
        if has_share && taken.of.get(&network).is_some_and(|count| *count >= self.share()) {
            let of_share = |guest: &Guest| guest.peer.network() == network && !guest.peer.has_shown_a_key();
            if taken.guests.values().filter(|guest| of_share(guest)).count() >= self.share() {
                taken.make_one_leave(self.patience, now, of_share)?;
            }
        }
        if taken.guests.len() >= self.most {
            taken.make_one_leave(self.patience, now, |_| true)?;
        }
        let guest = Guest {
            peer: peer.clone(),
            activity: Arc::new(Activity::waiting()),
            must_leave: CancellationToken::new(),
        };
        let id = taken.add(guest.clone());
        Some(Place { id, guest, taken: Arc::clone(&self.taken) })
    }
}

impl Taken {
    fn add(&mut self, guest: Guest) -> u64 {
        self.next += 1;
        *self.of.entry(guest.peer.network()).or_default() += 1;
        self.guests.insert(self.next, guest);
        self.next
    }

    fn remove(&mut self, id: u64) -> Option<Guest> {
        let guest = self.guests.remove(&id)?;
        let network = guest.peer.network();
        if let Some(count) = self.of.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&network);
            }
        }
        Some(guest)
    }

    /// Takes the place of the connection that has let us wait the longest, among those that `may_leave`. Connections
    /// without a key leave before those with one.
    fn make_one_leave(
        &mut self,
        patience: Patience,
        now: Instant,
        may_leave: impl Fn(&Guest) -> bool,
    ) -> Option<()> {
        let waiting = self.guests.iter().filter(|(_, guest)| may_leave(guest)).filter_map(|(id, guest)| {
            let waited = now.duration_since(guest.activity.waits_since()?);
            let has_key = guest.peer.has_shown_a_key();
            let patience = if has_key { patience.with_a_key } else { patience.without_a_key };
            (waited >= patience).then_some((!has_key, waited, *id))
        });
        let (.., id) = waiting.max()?;
        self.remove(id)?.must_leave.cancel();
        Some(())
    }
}

#[cfg(test)]
mod tests;
