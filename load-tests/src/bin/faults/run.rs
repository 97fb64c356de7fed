//! What one run of a fault is given.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::servers::OwnServers;

/// How Debrief is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Everything in one process, on SQLite.
    Embedded,
    /// One process or more a role, on RabbitMQ, PostgreSQL and Redis.
    Servers,
}

impl Kind {
    pub(crate) const BOTH: &'static [Self] = &[Self::Embedded, Self::Servers];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Servers => "servers",
        }
    }
}

#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) kind: Kind,
    /// Everything that is random comes from it.
    pub(crate) seed: u64,
    /// The debrief binary, built with failpoints.
    pub(crate) program: PathBuf,
    /// Logs and data of this run. It is kept when a promise was broken.
    pub(crate) folder: PathBuf,
    /// RabbitMQ, PostgreSQL and Redis of our own, to be broken. What a run breaks is mended after it.
    pub(crate) servers: Arc<OwnServers>,
}

impl Run {
    /// The dice of this run: the same for the same seed.
    pub(crate) fn dice(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }
}
