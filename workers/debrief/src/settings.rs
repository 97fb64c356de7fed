//! Collects every setting that this program takes: the settings of the core, and the settings that each provider
//! lists. Reads all of them, for the commands that work with the whole configuration.

use std::sync::Arc;
use std::time::Duration;

use platform::blobs;
use platform::cache::{Memory, Redis};
use platform::config::{ConfigError, Installation, Known, Values};
use platform::telemetry;
use providers::Slots;
use queue_topology::broker;

use crate::{deployment, listen, management, monitoring};

pub(crate) fn known() -> Known {
    Known::with(providers::settings())
}

/// Reads every setting. `check` and `run` both begin with this, so that `check` never passes what `run` refuses.
pub(crate) fn read_all(values: &Values) -> Result<Installation, ConfigError> {
    telemetry::Settings::read(values)?;
    let installation = Installation::read(values)?;
    queue_topology::retry::Schedule::read(values)?;
    broker::prefix(values)?;
    web::Settings::read(values)?;
    ingest::Settings::read(values, &installation)?;
    transcription::Settings::read(values, &installation)?;
    live::Settings::read(values, &installation)?;
    let slots = Slots::of_this_process();
    providers::speech::configured_for(values, &slots, "LIVE_SPEECH")?;
    live::streaming(values, Arc::new(Memory::default()))?;
    live::wants_model(values)?;
    crm::Settings::read(values, &installation, &slots)?;
    slack::Settings::read(values, &installation, &slots)?;
    practice::score::chosen(values)?;
    providers::voices::configured(values, &slots)?;
    for provider in providers::all() {
        provider.is_on(values)?;
    }
    listen::read_all(values)?;
    monitoring::read_address(values)?;
    management::management(values)?;
    deployment::check_data_folder(values)?;
    read_times(values)?;
    platform::memory::for_work(values)?;
    blobs::Settings::read(values, installation.max_upload_bytes)?;
    deployment::check_servers(values)?;
    if let Some(key) = values.text(deployment::SEAL_KEY) {
        deployment::seal_key(&key)?;
    }
    if let Some(address) = values.text("REDIS_URL") {
        Redis::new(&address, &broker::prefix(values)?)?;
    }
    Ok(installation)
}

/// Reads how long a lease lasts and how long a drain may take.
pub(crate) fn read_times(values: &Values) -> Result<(Duration, Duration), ConfigError> {
    const SHORTEST_LEASE: Duration = Duration::from_secs(1);
    let lease = values.duration_from("DEBRIEF_LEASE", Duration::from_secs(30), SHORTEST_LEASE)?;
    Ok((lease, values.duration("DEBRIEF_DRAIN_TIMEOUT", Duration::from_secs(25))?))
}

#[cfg(test)]
mod tests;
