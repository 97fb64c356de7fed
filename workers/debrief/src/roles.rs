//! Shows the whole pipeline on one screen: which roles there are, and how the stages are joined.

use std::str::FromStr;
use std::sync::Arc;

use analysis::Analyze;
use crm::Crm;
use dedup::{Dedup, Rules};
use domain::event::CallAnalyzed;
use live::Listen;
use platform::config::{ConfigError, Values};
use practice::Judge;
use queue_topology::{Pipeline, table};
use slack::Post;
use transcription::{Settling, Transcription};

use crate::deployment::{Deployment, StartError};

/// Joins all stages. The compiler checks that each stage emits the event that the next stage consumes.
pub(crate) fn pipeline(deployment: &Deployment) -> Result<Pipeline<CallAnalyzed>, StartError> {
    let Deployment { values, installation, store, blobs, cache, sealer, .. } = deployment;
    let rules = Rules {
        agents: installation.agents.clone(),
        filters: installation.filters.clone(),
        lines: installation.lines.clone(),
    };
    Ok(Pipeline::new()
        .then(Dedup { store: store.clone(), blobs: blobs.clone(), rules })
        .then(Transcription::from_values(values, installation, blobs.clone(), sealer.clone(), cache.clone())?)
        .then(Analyze::from_values(values, installation, cache.clone())?)
        .ends_in(Crm::from_values(values, installation, blobs.clone(), cache.clone())?)
        .ends_in(Post::from_values(values, installation, cache.clone())?)
        .ends_in(Judge::from_values(values)?)
        .beside(Listen::from_values(
            values,
            installation,
            deployment.intake(),
            cache.clone(),
            deployment.hub.clone(),
            Arc::new(analysis::builtin::analyze),
        )?))
}

/// The optional stages that are switched on.
pub(crate) fn switched_on(values: &Values) -> Result<&'static [&'static str], ConfigError> {
    const SCORE: &[&str] = &[table::SCORE.spec.stage];
    Ok(if Judge::from_values(values)?.is_on() { SCORE } else { &[] })
}

/// The task that reads the details of calls that settle late. It goes along with the stage that fetches recordings.
pub(crate) fn settling(deployment: &Deployment) -> Result<Settling, StartError> {
    let Deployment { values, store, cache, .. } = deployment;
    Ok(Settling::from_values(values, store.clone(), cache.clone())?)
}

/// One part of the work that a process can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Takes webhooks and uploads over HTTP.
    Ingest,
    /// Serves the API from which people and programs read.
    Api,
    /// Serves the pages for people.
    Console,
    /// Holds practice meetings.
    Practice,
    /// Wakes runs that are due. Every process that runs stages does this too. This role is for a process that does
    /// nothing else.
    Keeper,
    Stage(&'static str),
}

impl Role {
    /// Works on calls while they are spoken, and takes their audio over HTTP.
    pub(crate) const LIVE: Self = Self::Stage(table::LIVE.spec.stage);

    pub(crate) fn all() -> Vec<Self> {
        let stages = table::ALL.iter().map(|queue| Self::Stage(queue.stage));
        [Self::Ingest, Self::Api, Self::Console, Self::Practice, Self::Keeper]
            .into_iter()
            .chain(stages)
            .collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Api => "api",
            Self::Console => "console",
            Self::Practice => "practice",
            Self::Keeper => "keeper",
            Self::Stage(stage) => stage,
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::all().into_iter().find(|role| role.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::all().iter().map(|role| role.name()).collect();
            format!("the roles are {}", names.join(", "))
        })
    }
}
