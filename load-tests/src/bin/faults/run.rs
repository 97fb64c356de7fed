//! What one run of a fault is given.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::servers::OwnServers;

/// How Debrief is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One process runs everything, on SQLite.
    Embedded,
    /// Each role has one process or more, on RabbitMQ, PostgreSQL and Redis.
    Servers,
}

impl Kind {
    pub(crate) const BOTH: &'static [Self] = &[Self::Embedded, Self::Servers];
    pub(crate) const EMBEDDED: &'static [Self] = &[Self::Embedded];
    pub(crate) const SERVERS: &'static [Self] = &[Self::Servers];

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
    /// The number from which everything random is made.
    pub(crate) seed: u64,
    /// The debrief binary, built with failpoints.
    pub(crate) program: PathBuf,
    /// The debrief binary of an older version.
    pub(crate) older: Option<PathBuf>,
    /// The folder for the logs and the data of this run. It is kept when a promise was broken.
    pub(crate) folder: PathBuf,
    /// RabbitMQ, PostgreSQL and Redis, which the run may break. What it breaks is mended after it.
    pub(crate) servers: Arc<OwnServers>,
}

impl Run {
    /// Returns the program of an older version.
    pub(crate) fn older(&self) -> anyhow::Result<&Path> {
        self.older
            .as_deref()
            .context("this fault needs the program of an older version; `make upgrade` builds one")
    }

    /// Returns the source of everything random in this run. It is the same for the same seed.
    pub(crate) fn dice(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }
}

/// Returns a random time between two numbers of milliseconds.
pub(crate) fn random_time(dice: &mut StdRng, from_ms: u64, to_ms: u64) -> Duration {
    Duration::from_millis(dice.random_range(from_ms..to_ms))
}
